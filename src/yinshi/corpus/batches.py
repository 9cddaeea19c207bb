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

#: The target of what is read and not asked for.
NOT_ASKED = -1

Ids = NDArray[np.int32]
NO_HEADER: Ids = np.zeros(0, dtype=np.int32)


@dataclass(frozen=True)
class Batch:
    """Poems side by side, the longest first.

    inputs   (T, B)  the header if there is one, `<sos>`, then the characters; `<pad>` beyond
    targets  (T, B)  `NOT_ASKED` beside the header, the characters, then `<eos>`; `<pad>` beyond.
                     (B,) where it is one a text
    lengths  (B,)    inputs of each poem, falling
    indices  (B,)    places of the poems in the list which the batch was cut from
    """

    inputs: Ids
    targets: Ids
    lengths: NDArray[np.int64]
    indices: NDArray[np.int64]

    @property
    def tokens(self) -> int:
        """Targets that count; padding does not, nor a header."""
        if self.targets.ndim == 1:
            return len(self.targets)
        return int(self.lengths.sum()) - int(np.count_nonzero(self.targets == NOT_ASKED))


@dataclass(frozen=True, slots=True)
class HeadedPoem:
    """The ids of a poem, and of what is to be read before its `<sos>`: see header.py."""

    header: Ids
    poem: Ids

    def __len__(self) -> int:
        return len(self.header) + len(self.poem)


#: (all examples, the places of some) → these as one batch.
Collate = Callable[[Sequence[Any], NDArray[np.int64]], Batch]


def pad(poems: Sequence[Ids], indices: NDArray[np.int64]) -> Batch:
    """The poems at `indices` as one batch."""
    return _side_by_side([(NO_HEADER, poems[i]) for i in indices], indices)


def pad_headed(poems: Sequence[HeadedPoem], indices: NDArray[np.int64]) -> Batch:
    """The poems at `indices`, with their headers, as one batch."""
    return _side_by_side([(poems[i].header, poems[i].poem) for i in indices], indices)


def _side_by_side(poems: Sequence[tuple[Ids, Ids]], indices: NDArray[np.int64]) -> Batch:
    """The batch of (header, poem) pairs, which stand at `indices`."""
    lengths = np.array([len(header) + 1 + len(poem) for header, poem in poems])
    order = np.argsort(-lengths, kind="stable")
    inputs = np.full((int(lengths[order[0]]), len(order)), PAD, dtype=np.int32)
    targets = inputs.copy()
    for column, place in enumerate(order):
        header, poem = poems[place]
        h, end = len(header), len(header) + len(poem)
        inputs[:h, column], targets[:h, column] = header, NOT_ASKED
        inputs[h, column], targets[end, column] = SOS, EOS
        inputs[h + 1 : end + 1, column] = targets[h:end, column] = poem
    return Batch(inputs, targets, lengths[order], indices[order])


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
