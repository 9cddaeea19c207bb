"""Several processes training one network: `torchrun --nproc-per-node N -m yinshi train RECIPE …`.

Every rank makes the same batches from the same seed, computes its share of each, and averages its
gradient with the others' (DistributedDataParallel, in nets/learner.py): all of them take the step
which one process alone would take. Nats are summed, and a wish to stop is agreed on, only where the
loop waits for the device anyway. Without torchrun there is one rank and nothing here needs PyTorch.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, SupportsFloat

import numpy as np
from numpy.typing import NDArray

from yinshi.corpus.batches import Batch
from yinshi.errors import TrainingError

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Share:
    """What one rank does of a batch.

    batch     its poems, the longest first
    divisor   of its summed nats: the *average* of the ranks' quotients, which is what their
              gradients are averaged to, is the mean over the tokens of the whole batch
    counted   whether its nats enter the sum over the ranks
    """

    batch: Batch
    divisor: float
    counted: bool = True


@dataclass(frozen=True)
class Ranks:
    """The processes of a run, and which of them this one is.

    rank         0 … size − 1; rank 0 alone prints and writes
    size         number of processes, on all machines together
    local_rank   number of this one on its machine: its GPU

    Numbers go through torchrun's store, which is no slower where they are few, and not through
    collectives: a thread of gloo's that still holds a tensor of Python's when the process ends
    aborts it (pytorch#190489).
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    _store: Any = field(default=None, repr=False, compare=False)
    _exchanges: Iterator[int] = field(default_factory=count, repr=False, compare=False)

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share(self, batch: Batch) -> Share:
        """This rank's columns of `batch`, as many tokens as the others'.

        A batch of fewer poems than ranks is left whole: every rank computes all of it, one counts.
        """
        if len(batch.lengths) < self.size:
            return Share(batch, batch.tokens, counted=self.first)
        if self.size == 1:
            return Share(batch, batch.tokens)
        columns = split_evenly(batch.lengths, self.size)[self.rank]
        lengths = batch.lengths[columns]
        inputs, targets = batch.inputs[: lengths[0], columns], batch.targets
        own = targets[columns] if targets.ndim == 1 else targets[: lengths[0], columns]
        part = Batch(inputs, own, lengths, batch.indices[columns])
        return Share(part, batch.tokens / self.size)

    def total(self, value: SupportsFloat) -> float:
        """Σ over the ranks, the same bits on each of them; waits for the device, and for all."""
        return sum(float(part) for part in self._gather(np.array(float(value))))

    def any(self, wish: bool) -> bool:
        """Whether any rank wishes it."""
        return wish if self.size == 1 else self.total(wish) > 0

    def wait(self) -> None:
        """Until every rank is here."""
        self.total(0)

    def states(self, arrays: Arrays) -> Arrays:
        """A learner's state with the random states ("rng.…") of all ranks, a row each."""
        if self.size == 1:
            return arrays
        own = {name: array for name, array in arrays.items() if name.startswith("rng.")}
        return arrays | {name: np.stack(self._gather(array)) for name, array in own.items()}

    def _gather(self, array: NDArray[Any]) -> list[NDArray[Any]]:
        """`array`, of one shape everywhere, from each rank."""
        if self.size == 1:
            return [array]
        number = next(self._exchanges)
        self._store.set(f"{number}/{self.rank}", array.tobytes())
        parts = self._store.multi_get([f"{number}/{rank}" for rank in range(self.size)])
        # All have come to this exchange, so that all have read the one before.
        self._store.delete_key(f"{number - 1}/{self.rank}")
        return [np.frombuffer(part, array.dtype).reshape(array.shape) for part in parts]


#: A run without torchrun.
ALONE = Ranks()


def split_evenly(lengths: NDArray[np.int64], size: int) -> list[list[int]]:
    """Columns for each of `size` ranks, with about equal sums of `lengths`, which fall.

    The longest column left goes to the rank with the fewest tokens (Graham 1969, LPT rule), so that
    every rank's columns fall too, and none is without where there are `size` columns.
    """
    columns: list[list[int]] = [[] for _ in range(size)]
    loads = [(0, rank) for rank in range(size)]
    for column, length in enumerate(lengths.tolist()):
        load, rank = loads[0]
        columns[rank].append(column)
        heapq.heapreplace(loads, (load + length, rank))
    return columns


@contextmanager
def join() -> Iterator[Ranks]:
    """This process's place among those which torchrun started; `ALONE` without torchrun.

    An error leaves it on the rank that meets it first, to be told once; the others, which meet it
    too or are cut off by it, exit in silence. Raises TrainingError where a rank was killed.
    """
    size = int(os.environ.get("WORLD_SIZE", 1))
    if size == 1 or "RANK" not in os.environ:
        yield ALONE
        return
    import torch
    from torch import distributed
    from torch.distributed.rendezvous import rendezvous

    gpu = torch.cuda.is_available()
    store, rank, size = next(rendezvous("env://"))
    backend = "cpu:gloo,cuda:nccl" if gpu else "gloo"
    distributed.init_process_group(backend, store=store, rank=rank, world_size=size)
    try:
        yield Ranks(rank, size, int(os.environ["LOCAL_RANK"]), store)
    except Exception as error:
        told = store.add("told", 1) > 1
        if not gpu:  # NCCL might wait for a rank that has failed
            distributed.destroy_process_group()
        if told:
            raise SystemExit(1) from None
        if isinstance(error, distributed.DistError) or "gloo" in str(error):
            raise TrainingError(
                f"rank {rank} has lost another, which was killed; go on with --resume"
            ) from None
        raise
    distributed.destroy_process_group()
