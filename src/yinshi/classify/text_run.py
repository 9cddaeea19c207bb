"""A training on texts: the project's loop, in a folder like that of any run.

run.json            what is trained on what: with another recipe or other texts it is another run
metrics.jsonl       see training/metrics.py
last.safetensors    the checkpoint
best.safetensors    the best epoch's network, see classifier_file.py
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

from yinshi import __version__
from yinshi.atomic import write_atomically
from yinshi.classify.classifier_file import ClassifierFile
from yinshi.classify.encoder import Encoder
from yinshi.classify.examples import Example, collate
from yinshi.errors import TrainingError
from yinshi.model_file import BEST
from yinshi.nets.learner import TorchLearner
from yinshi.recipe import ClassificationRecipe, TrainingRecipe
from yinshi.training.checkpoints import Progress, load_checkpoint, save_checkpoint, weights_in
from yinshi.training.loop import Loop, Measure, Watch
from yinshi.training.metrics import Metrics
from yinshi.training.starting_weights import Weights

LAST = "last.safetensors"


@dataclass(frozen=True)
class TextRun(ABC):
    """One training in `folder`, on the GPU `local_rank` where there is one. `notes` are for people.

    What is learnt of what is a subclass's.
    """

    folder: Path
    recipe: ClassificationRecipe
    encoder: Encoder
    local_rank: int
    notes: tuple[str, ...]

    #: The figure which the best epoch has the lowest of.
    criterion: ClassVar[str]

    def started_or_resumed(self) -> Self:
        """This run with its folder, whose checkpoint of step 0 is written if nothing is there.

        Raises TrainingError where another training is there.
        """
        folder = self.folder
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            if self._found() != self.asked:
                raise TrainingError(
                    f"{folder}: found something other than this very training there; "
                    "choose another --out"
                )
            return self
        weights, notes = self._starting_weights()
        folder.mkdir(parents=True, exist_ok=True)
        save_checkpoint(folder / LAST, Progress(), self._learner(weights).state())
        write_atomically(folder / "run.json", json.dumps(self.asked, indent=2).encode())
        return replace(self, notes=tuple(notes))

    @property
    def asked(self) -> dict[str, Any]:
        """What makes it this run and no other. The recipe only names the files with words; their
        contents count too."""
        encoder = self.encoder
        words = (encoder.words, encoder.tokenizer.words, sorted(encoder.stop_words))
        return {
            "recipe": json.loads(json.dumps(self.recipe.to_dict())),
            **{name: hashed(*lists) for name, lists in self._content().items()},
            "words": hashed(*words),
        }

    def _found(self) -> dict[str, Any] | None:
        try:
            return dict(json.loads((self.folder / "run.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return None

    @property
    def best(self) -> Path:
        return self.folder / BEST

    @property
    def training(self) -> TrainingRecipe:
        return self.recipe.training

    @property
    def classes(self) -> tuple[str, ...]:
        """Those it learns to tell, if it does."""
        return ()

    def fit(
        self,
        watch: Watch = lambda loop, record: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> ClassifierFile:
        """Train from the checkpoint on; what the best epoch gave. Raises `loop.Stopped` after
        `should_stop`, DivergedError on NaN."""
        progress, arrays = load_checkpoint(self.folder / LAST)
        learner = self._learner(weights_in(arrays))
        learner.load_state(arrays)
        train, dev = self._examples()

        def save_model(name: str, progress: Progress, figures: Mapping[str, float]) -> None:
            facts = {
                f"dev_{self.criterion}": figures[self.criterion],
                "epochs": progress.epoch,
                "seconds": round(progress.seconds, 1),
                "yinshi": __version__,
            }
            weights = self._kept(learner.weights())
            file = ClassifierFile(weights, self.recipe, self.encoder, self.classes, facts)
            file.save(self.folder / f"{name}.safetensors")

        metrics = Metrics(self.folder, progress.metrics_bytes)
        loop = Loop(
            learner=learner,
            training=self.training,
            train=train,
            measure=self._measure(dev, learner),
            checkpoint=self.folder / LAST,
            metrics=metrics,
            progress=progress,
            save_model=save_model,
            watch=watch,
            should_stop=should_stop,
            collate=collate,
            criterion=self.criterion,
        )
        try:
            loop.run()
        finally:
            metrics.close()
        return ClassifierFile.load(self.best)

    @abstractmethod
    def _examples(self) -> tuple[list[Example], list[Example]]:
        """Those to learn from, and those that tell the best epoch."""

    @abstractmethod
    def _content(self) -> dict[str, tuple[Sequence[str], ...]]:
        """Name → the texts, and labels, that are learnt from."""

    @abstractmethod
    def _learner(self, weights: Weights) -> TorchLearner:
        """With a network of these weights."""

    @abstractmethod
    def _measure(self, dev: Sequence[Example], learner: TorchLearner) -> Measure:
        """Figures on `dev`, `criterion` among them."""

    @abstractmethod
    def _starting_weights(self) -> tuple[Weights, list[str]]:
        """(name → weight, what there is to say about them)."""

    def _kept(self, weights: Weights) -> Weights:
        """What the file of an epoch holds."""
        return weights


def hashed(*lists: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(lists, ensure_ascii=True).encode()).hexdigest()
