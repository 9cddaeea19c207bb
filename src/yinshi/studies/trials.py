"""The trainings of a study: each a run of the project's own loop in a folder of its own.

A trial that is finished is not trained again and one that was interrupted goes on, so that a study
resumes where it stopped. They run one after another, `jobs` at a time, or shared among processes
that torchrun started; each sees what all of them found.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from yinshi.atomic import write_atomically
from yinshi.corpus.dataset import Dataset, write_dataset
from yinshi.corpus.vocabulary import Vocabulary
from yinshi.errors import DivergedError
from yinshi.model_file import BEST, ModelFile
from yinshi.recipe import Recipe
from yinshi.studies.report import Record, Report
from yinshi.training.allocator import tune_allocator
from yinshi.training.distributed import Ranks
from yinshi.training.loop import Loop, Watch
from yinshi.training.metrics import read_metrics
from yinshi.training.run import Engine, Run

#: Written last into a trial's folder: what was asked for, and what went wrong if anything did.
OUTCOME = "outcome.json"


def ignore(loop: Loop, record: Record) -> None:
    """A watch that looks away."""


class Trial(Protocol):
    """One training. It may be carried to another process."""

    @property
    def name(self) -> str:
        """Its folder, distinct within the study."""

    @property
    def asked(self) -> dict[str, Any]:
        """What an outcome found in its folder must have been asked for, to be this trial's."""

    def train(self, folder: Path, place: int) -> None:
        """Train in `folder` to the end, from where it was left, on the GPU numbered `place` if
        there is one; raises DivergedError."""

    def told(self, outcome: Outcome) -> str:
        """What came of it, in a few words."""


@dataclass(frozen=True)
class PoemTrial:
    """A poem network's training.

    name     see `Trial`
    data     a prepared folder
    watch    sees every line of metrics, and may append lines of its own to `loop.metrics`; a
             module's function, since it may run in another process
    begin    the folder of a trial, trained before, whose best model it goes on from
    kind     what trains it
    """

    name: str
    recipe: Recipe
    data: Path
    engine: Engine = "torch"
    watch: Watch = ignore
    begin: Path | None = None
    kind: type[Run] = Run

    @cached_property
    def asked(self) -> dict[str, Any]:
        data = Dataset.load(self.data)
        recipe = replace(self.recipe, corpus=data.options)
        return self.kind(Path(), recipe, self.data, data.hash, self.engine).asked

    def train(self, folder: Path, place: int) -> None:
        self._begin_or_resume(folder, place).train(self.watch)

    def told(self, outcome: Outcome) -> str:
        return f"validation perplexity {outcome.perplexity:.2f}"

    def _begin_or_resume(self, folder: Path, place: int) -> Run:
        here = Ranks(local_rank=place)
        if (folder / "run.json").exists():
            run = replace(self.kind.resume(folder, here), data=self.data)
            if run.asked == self.asked:
                return run
        shutil.rmtree(folder, ignore_errors=True)
        model = ModelFile.load(self.begin / BEST) if self.begin else None
        return self.kind.start(self.recipe, self.data, folder, self.engine, here, model)


@dataclass(frozen=True)
class Outcome:
    """What a trial left: the lines of its metrics, its best model, and why it failed if it did."""

    folder: Path
    diverged: str | None

    @cached_property
    def records(self) -> list[Record]:
        return read_metrics(self.folder)

    def select(self, kind: str) -> list[Record]:
        return [record for record in self.records if record["kind"] == kind]

    @property
    def perplexity(self) -> float:
        """The lowest on the validation split, infinite where no epoch was finished."""
        return min((r["perplexity"] for r in self.select("validation")), default=float("inf"))

    @property
    def seconds(self) -> float:
        """Of the epochs that were finished, validation included."""
        return max((float(r["seconds"]) for r in self.select("validation")), default=0.0)

    def model(self) -> ModelFile:
        """That of the best epoch."""
        return ModelFile.load(self.folder / "best.safetensors")


class Trials:
    """Runs the trials of one study in its report's folder for what is unfinished."""

    def __init__(self, report: Report, jobs: int = 1) -> None:
        self.report, self.jobs = report, jobs

    @property
    def at_a_time(self) -> int:
        """How many trainings run side by side."""
        return self.jobs * self.report.ranks

    def sample(self, data: Dataset, train: int, validation: int, seed: int = 0) -> Dataset:
        """`draw_sample`, into this study's folder."""
        folder = self.report.unfinished / f"sample-{self.report.rank}"
        return draw_sample(data, folder, train, validation, seed)

    def run(self, trials: Sequence[Trial]) -> list[Outcome]:
        """Train what is not yet trained; the outcomes in the order of `trials`."""
        found = {trial.name: self._finished(trial) for trial in trials}
        self.report.seconds_before += sum(o.seconds for o in found.values() if o)
        left = [trial for trial in trials if found[trial.name] is None]
        mine = left[self.report.rank :: self.report.ranks]
        for number, trial in enumerate(self._train(mine), start=1):
            outcome = self._finished(trial)
            assert outcome
            told = outcome.diverged or trial.told(outcome)
            self.report.say(f"{trial.name}: {told} ({number} of {len(mine)})")
        return [self._awaited(trial) for trial in trials]

    def _train(self, trials: Sequence[Trial]) -> Iterator[Trial]:
        """Each trial as soon as it is trained."""
        folders = [self._folder(trial) for trial in trials]
        if self.jobs == 1:
            tune_allocator()
            for trial, folder in zip(trials, folders, strict=True):
                conduct(trial, folder, int(os.environ.get("LOCAL_RANK", 0)))
                yield trial
            return
        with _threads_for(self.jobs), multiprocessing.Manager() as manager:
            places = manager.Queue()
            for place in range(self.jobs):
                places.put(place)
            spawned = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(self.jobs, spawned, _settle, (places,)) as pool:
                begun = {
                    pool.submit(conduct, trial, folder): trial
                    for trial, folder in zip(trials, folders, strict=True)
                }
                for future in as_completed(begun):
                    future.result()
                    yield begun[future]

    def _folder(self, trial: Trial) -> Path:
        return self.report.unfinished / trial.name

    def _finished(self, trial: Trial) -> Outcome | None:
        """What `trial` left, if it is finished."""
        folder = self._folder(trial)
        try:
            left = json.loads((folder / OUTCOME).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return Outcome(folder, left["diverged"]) if left["asked"] == trial.asked else None

    def _awaited(self, trial: Trial) -> Outcome:
        """What `trial` left, as soon as whichever process trains it is done."""
        while not (outcome := self._finished(trial)):
            time.sleep(0.5)
        return outcome


#: This process's GPU, where several trials run at a time.
_place = 0


def _settle(places: Any) -> None:
    """In a new process: take a place, and keep memory between steps."""
    global _place
    _place = places.get()
    tune_allocator()


def conduct(trial: Trial, folder: Path, place: int | None = None) -> None:
    """Train `trial` in `folder`, from where it was left; divergence is an outcome too."""
    diverged = None
    try:
        trial.train(folder, _place if place is None else place)
    except DivergedError as error:
        diverged = str(error)
    content = json.dumps({"asked": trial.asked, "diverged": diverged}, ensure_ascii=False)
    write_atomically(folder / OUTCOME, content.encode())


@contextmanager
def _threads_for(jobs: int) -> Iterator[None]:
    """Processes that are started within share the processors, unless the user has said how."""
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    added = {name: threads for name in names if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def draw_sample(data: Dataset, folder: Path, train: int, validation: int, seed: int = 0) -> Dataset:
    """A prepared folder of at most so many poems of two splits of `data`.

    Its vocabulary holds the characters seen twice in the sample's training poems; titles are not
    read, whatever the layout of `data`.
    """
    rng, splits = np.random.default_rng(seed), {}
    for name, count in (("train", train), ("validation", validation)):
        poems = data.split(name)
        splits[name] = [poems[i] for i in rng.permutation(len(poems))[:count]]
    vocabulary = Vocabulary.count((poem.text for poem in splits["train"]), min_frequency=2)
    options = replace(
        data.options,
        layout="text",
        min_frequency=2,
        max_vocabulary=None,
        sample=train + validation,
    )
    write_dataset(folder, splits, vocabulary, options, {"sample_of": data.hash})
    return Dataset.load(folder)
