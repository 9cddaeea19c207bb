"""The one training loop. It knows batches, schedules, checkpoints, and nothing of the network."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol, SupportsFloat

import numpy as np
from numpy.typing import NDArray

from yinshi.corpus.batches import (
    Batch,
    Collate,
    batch_count,
    evaluation_batches,
    pad,
    training_batches,
)
from yinshi.errors import DivergedError
from yinshi.recipe import TrainingRecipe
from yinshi.training.checkpoints import Progress, save_checkpoint
from yinshi.training.distributed import ALONE, Ranks
from yinshi.training.early_stopping import EarlyStopping
from yinshi.training.metrics import Metrics
from yinshi.training.schedules import make_schedule

#: Steps between two lines of metrics: the only points at which the loop waits for the device.
LOG_EVERY = 20

Ids = NDArray[np.int32]
Arrays = dict[str, NDArray[Any]]
Watch = Callable[["Loop", dict[str, Any]], None]


class Learner(Protocol):
    """A network with its optimizer, whatever computes it.

    A batch is time-major, `inputs` and `targets` (T, B), the longest of `lengths` (B,) first;
    `targets` are (B,) where the network gives a text one answer; one below 0 is not asked for.
    """

    precision: str

    def train_batch(
        self,
        inputs: Ids,
        targets: Ids,
        lengths: NDArray[np.int64],
        learning_rate: float,
        divisor: float | None = None,
    ) -> SupportsFloat:
        """One update, by the gradient of summed nats / divisor (None: the batch's tokens).

        Returns the summed nats (before it), which may still be being computed.
        """

    def evaluate_batch(
        self, inputs: Ids, targets: Ids, lengths: NDArray[np.int64]
    ) -> SupportsFloat:
        """The batch's summed nats, without dropout and without an update."""

    def weights(self) -> Arrays: ...

    def state(self) -> Arrays: ...

    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> None: ...


#: A learner's figures on the validation examples; several ranks share the work and know the sums.
Measure = Callable[[Learner, Ranks], dict[str, float]]


def perplexity_on(examples: Sequence[Sized], batch_size: int, collate: Collate = pad) -> Measure:
    """Nats per token of all `examples`, and what that makes in perplexity."""

    def measure(learner: Learner, ranks: Ranks) -> dict[str, float]:
        nats, tokens = 0.0, 0
        for number, batch in enumerate(evaluation_batches(examples, batch_size, collate)):
            tokens += batch.tokens
            if number % ranks.size == ranks.rank:
                nats += float(learner.evaluate_batch(batch.inputs, batch.targets, batch.lengths))
        per_token = ranks.total(nats) / tokens
        return {"nats": per_token, "perplexity": _exp(per_token)}

    return measure


class Stopped(Exception):  # noqa: N818 (not an error: the user asked)
    """The run was asked to stop; its checkpoint is written."""


@dataclass
class Loop:
    """Trains `learner` from `progress` to the end of the recipe.

    train               encoded poems, or whatever `collate` makes batches of
    examples_of         what stands for `train` in the epoch of that number, from 0
    measure             gives the figures after each epoch: `nats` per target and others
    criterion           the figure which the best epoch has the lowest of
    metrics             None on ranks other than 0, which write and tell nothing
    save_model          called with a name, the progress and the figures: after each epoch that is
                        the best so far, and with `keep_epochs` after every one
    watch               called at each line of metrics with (this loop, the record)
    should_stop         asked after each step; by several ranks at each line of metrics
    """

    learner: Learner
    training: TrainingRecipe
    train: Sequence[Any]
    measure: Measure
    checkpoint: Path
    metrics: Metrics | None
    progress: Progress
    save_model: Callable[[str, Progress, dict[str, float]], None]
    watch: Watch
    should_stop: Callable[[], bool]
    ranks: Ranks = ALONE
    collate: Collate = pad
    criterion: str = "perplexity"
    examples_of: Callable[[int], Sequence[Any]] | None = None

    def __post_init__(self) -> None:
        batches = batch_count(len(self.train), self.training.batch_size)
        self.total_steps = self.training.epochs * batches
        self.schedule = make_schedule(self.training, self.total_steps)
        self.stopping = EarlyStopping(
            self.training.patience, self.progress.best, self.progress.epochs_without_gain
        )
        self._since = perf_counter()
        self._logged_seconds = self.progress.seconds

    def run(self) -> Progress:
        """Train to the end; raises Stopped after a wish to stop, DivergedError on NaN."""
        while self.progress.epoch < self.training.epochs and not self.stopping.exhausted:
            self._epoch()
            self._validate()
        return self.progress

    def _epoch(self) -> None:
        training, progress = self.training, self.progress
        nats: Any = progress.nats if self.ranks.first else 0.0  # this rank's part
        for batch in training_batches(
            self.examples_of(progress.epoch) if self.examples_of else self.train,
            training.batch_size,
            training.seed,
            progress.epoch,
            progress.batch,
            self.collate,
        ):
            rate = self.schedule(progress.step)
            nats = nats + self._update(batch, rate)
            self._count(batch)
            logged = progress.step % LOG_EVERY == 0
            if logged:
                progress.nats = self.ranks.total(nats)
                self._log(rate)
                nats = 0.0
            stop = (logged or self.ranks.size == 1) and self.ranks.any(self.should_stop())
            if stop or progress.step % training.checkpoint_every == 0:
                progress.nats = self.ranks.total(nats)
                self._save()
            if stop:
                raise Stopped
        progress.nats = self.ranks.total(nats)

    def _update(self, batch: Batch, rate: float) -> SupportsFloat:
        """One step of all ranks; this one's part of the batch's nats."""
        share = self.ranks.share(batch)
        part = share.batch
        nats = self.learner.train_batch(
            part.inputs, part.targets, part.lengths, rate, share.divisor
        )
        return nats if share.counted else 0.0

    def _count(self, batch: Batch) -> None:
        self.progress.step += 1
        self.progress.batch += 1
        self.progress.tokens += batch.tokens
        self.progress.total_tokens += batch.tokens

    def _log(self, learning_rate: float) -> None:
        """A line of metrics for the steps since the last one."""
        progress = self.progress
        per_token = progress.nats / progress.tokens
        self._check(per_token)
        self._clock()
        record = {
            "kind": "train",
            "step": progress.step,
            "epoch": progress.epoch + 1,
            "nats": per_token,
            "perplexity": _exp(per_token),
            "learning_rate": learning_rate,
            "tokens_per_second": progress.tokens / (progress.seconds - self._logged_seconds),
        }
        progress.nats, progress.tokens = 0.0, 0
        self._logged_seconds = progress.seconds
        self._report(record)

    def _validate(self) -> None:
        """Close the epoch: measure, keep the best, write a checkpoint."""
        progress = self.progress
        figures = self.measure(self.learner, self.ranks)
        self._check(figures["nats"])
        progress.epoch, progress.batch = progress.epoch + 1, 0
        improved = self.stopping.improved(figures[self.criterion])
        progress.best = self.stopping.best
        progress.epochs_without_gain = self.stopping.epochs_without_gain
        self._clock()
        self._logged_seconds = progress.seconds
        if improved and self.ranks.first:
            self.save_model("best", progress, figures)
        if self.training.keep_epochs and self.ranks.first:
            name = f"epoch-{progress.epoch:02d}-{figures['nats']:.4f}"
            self.save_model(name, progress, figures)
        where = {"kind": "validation", "step": progress.step, "epoch": progress.epoch}
        self._report(where | figures | {"seconds": progress.seconds})
        self._save()

    def _report(self, record: dict[str, Any]) -> None:
        if self.metrics:
            self.metrics.append(record)
            self.watch(self, record)

    def _save(self) -> None:
        """Write the checkpoint, unless an update has just spoilt the weights."""
        arrays = self.ranks.states(self.learner.state())
        whole = all(np.isfinite(a).all() for a in arrays.values() if a.dtype.kind == "f")
        self._check(0.0 if whole else math.nan)
        self._clock()
        if self.metrics:
            self.progress.metrics_bytes = self.metrics.size
            save_checkpoint(self.checkpoint, self.progress, arrays)

    def _clock(self) -> None:
        """Add the seconds since the last call to the run's."""
        now = perf_counter()
        self.progress.seconds += now - self._since
        self._since = now

    def _check(self, nats: float) -> None:
        if not math.isfinite(nats):
            raise DivergedError(
                f"the network became {nats} near step {self.progress.step}; the last checkpoint is "
                "from before that: start anew with a smaller training.learning_rate or clip_norm"
            )


def _exp(nats: float) -> float:
    """e^nats, infinite where a float can't hold it."""
    return math.exp(nats) if nats < 700 else math.inf
