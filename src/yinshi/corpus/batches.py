"""Encoded poems → time-major batches of similar length; an epoch is a pure function of its seed.

Anything else that has a length can be cut into batches too, by its own `collate`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yinshi.corpus.vocabulary import EOS, PAD, SOS

#: Batches whose poems are sorted together: large enough for even lengths, small enough to mix.
POOL = 50

Ids = NDArray[np.int32]


@dataclass(frozen=True)
class Batch:
    """Poems side by side, the longest first.

    inputs   (T, B)  `<sos>`, then the characters; `<pad>` beyond a poem's end
    targets  (T, B)  the characters, then `<eos>`; `<pad>` beyond. (B,) where it is one a text
    lengths  (B,)    targets of each poem, falling
    indices  (B,)    places of the poems in the list which the batch was cut from
    """

    inputs: Ids
    targets: Ids
    lengths: NDArray[np.int64]
    indices: NDArray[np.int64]

    @property
    def tokens(self) -> int:
        """Targets that count; padding does not."""
        return len(self.targets) if self.targets.ndim == 1 else int(self.lengths.sum())


#: (all examples, the places of some) → these as one batch.
Collate = Callable[[Sequence[Any], NDArray[np.int64]], Batch]


def pad(poems: Sequence[Ids], indices: NDArray[np.int64]) -> Batch:
    """The poems at `indices` as one batch."""
    lengths = np.array([len(poems[i]) + 1 for i in indices])
    order = np.argsort(-lengths, kind="stable")
    indices, lengths = indices[order], lengths[order]
    inputs = np.full((int(lengths[0]), len(indices)), PAD, dtype=np.int32)
    targets = inputs.copy()
    inputs[0] = SOS
    for column, index in enumerate(indices):
        n = len(poems[index])
        inputs[1 : n + 1, column] = targets[:n, column] = poems[index]
        targets[n, column] = EOS
    return Batch(inputs, targets, lengths, indices)


def training_batches(
    poems: Sequence[Sized],
    batch_size: int,
    seed: int,
    epoch: int,
    start: int = 0,
    collate: Collate = pad,
) -> Iterator[Batch]:
    """The batches of one epoch from number `start` on.

    The poems are shuffled, cut into pools of `POOL` batches, sorted by length within each pool, cut
    into batches, and the batches shuffled: `(seed, epoch, start)` is all it takes to go on.
    """
    rng = np.random.default_rng([seed, epoch])
    shuffled = rng.permutation(len(poems))
    lengths = np.array([len(poem) for poem in poems])
    groups = []
    for low in range(0, len(shuffled), POOL * batch_size):
        pool = shuffled[low : low + POOL * batch_size]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        groups += [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
    for number in rng.permutation(len(groups))[start:]:
        yield collate(poems, groups[number])


def evaluation_batches(
    poems: Sequence[Sized], batch_size: int, collate: Collate = pad
) -> Iterator[Batch]:
    """Every poem once, sorted by length."""
    order = np.argsort([len(poem) for poem in poems], kind="stable")
    for low in range(0, len(order), batch_size):
        yield collate(poems, order[low : low + batch_size])


def batch_count(poems: int, batch_size: int) -> int:
    """Batches in an epoch: pools are whole multiples of a batch, so only the last can be short."""
    return -(-poems // batch_size)
