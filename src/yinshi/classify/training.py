"""A classifier's training: the project's loop, in a folder like that of any run.

run.json            what is trained on what: with another recipe or other texts it is another run
metrics.jsonl       see training/metrics.py; `error` is the share of wrong answers on the dev texts
last.safetensors    the checkpoint
best.safetensors    the classifier of the best epoch: that with the fewest errors
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from yinshi import __version__
from yinshi.atomic import write_atomically
from yinshi.classify.classifier_file import ClassifierFile
from yinshi.classify.encoder import SPECIALS, Encoder
from yinshi.classify.examples import collate, examples_of
from yinshi.classify.tables import Table
from yinshi.corpus.batches import evaluation_batches
from yinshi.corpus.vectors import WordVectors, read_vectors, train_vectors
from yinshi.engine.initializers import initial_weights
from yinshi.errors import TrainingError
from yinshi.nets.learner import TorchLearner
from yinshi.nets.text_classifier import TextClassifier
from yinshi.recipe import ClassificationRecipe
from yinshi.training.checkpoints import Progress, load_checkpoint, save_checkpoint, weights_in
from yinshi.training.distributed import Ranks
from yinshi.training.loop import Learner, Loop, Measure, Watch
from yinshi.training.metrics import Metrics
from yinshi.training.starting_weights import Weights, put_vectors

BEST, LAST = "best.safetensors", "last.safetensors"
BATCH_SIZE = 128


class ClassifierLearner(TorchLearner):
    """Learns a `TextClassifier`, and answers."""

    network: TextClassifier

    @torch.no_grad()
    def logits(self, inputs: NDArray[np.int32], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        """(B, C) without dropout."""
        self.network.eval()
        real = np.arange(len(inputs))[:, None] < lengths
        bfloat16 = self.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bfloat16):
            found = self.network.logits(self._tokens(inputs[real]), real.sum(axis=1).tolist())
        result: NDArray[np.float64] = found.double().cpu().numpy()
        return result


@dataclass(frozen=True)
class ClassifierRun:
    """One training on `train` in `folder`, the best epoch by `dev`. `notes` are for people."""

    folder: Path
    recipe: ClassificationRecipe
    train: Table
    dev: Table
    encoder: Encoder
    notes: tuple[str, ...] = ()

    @classmethod
    def start_or_resume(
        cls, recipe: ClassificationRecipe, train: Table, dev: Table, folder: Path
    ) -> ClassifierRun:
        """The run in `folder`, or a new one if nothing is there; refuses another's folder."""
        encoder = Encoder.of(recipe.text, train.texts)
        run = cls(folder, recipe, train, dev, encoder)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            if run._found() != run._asked():
                raise TrainingError(
                    f"{folder}: found something other than this very training there; "
                    "choose another --out"
                )
            return run
        weights, notes = run._starting_weights()
        folder.mkdir(parents=True, exist_ok=True)
        save_checkpoint(folder / LAST, Progress(), run._learner(weights).state())
        write_atomically(folder / "run.json", json.dumps(run._asked(), indent=2).encode())
        return cls(folder, recipe, train, dev, encoder, tuple(notes))

    @property
    def classes(self) -> tuple[str, ...]:
        return self.train.classes

    @property
    def best(self) -> Path:
        return self.folder / BEST

    def fit(
        self,
        watch: Watch = lambda loop, record: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> ClassifierFile:
        """Train from the checkpoint on; the best epoch's classifier. Raises `loop.Stopped` after
        `should_stop`, DivergedError on NaN."""
        progress, arrays = load_checkpoint(self.folder / LAST)
        learner = self._learner(weights_in(arrays))
        learner.load_state(arrays)
        metrics = Metrics(self.folder, progress.metrics_bytes)
        loop = self._loop(learner, metrics, progress, watch, should_stop)
        try:
            loop.run()
        finally:
            metrics.close()
        return ClassifierFile.load(self.best)

    def _loop(
        self,
        learner: ClassifierLearner,
        metrics: Metrics,
        progress: Progress,
        watch: Watch,
        should_stop: Callable[[], bool],
    ) -> Loop:
        train, dev = (examples_of(t, self.encoder, self.classes) for t in (self.train, self.dev))

        def save_model(name: str, progress: Progress, figures: Mapping[str, float]) -> None:
            facts = {
                "dev_error": figures["error"],
                "epochs": progress.epoch,
                "seconds": round(progress.seconds, 1),
                "yinshi": __version__,
            }
            weights = learner.weights()
            file = ClassifierFile(weights, self.recipe, self.encoder, self.classes, facts)
            file.save(self.folder / f"{name}.safetensors")

        return Loop(
            learner=learner,
            training=self.recipe.training,
            train=train,
            measure=errors_on(dev, learner),
            checkpoint=self.folder / LAST,
            metrics=metrics,
            progress=progress,
            save_model=save_model,
            watch=watch,
            should_stop=should_stop,
            collate=collate,
            criterion="error",
        )

    def _learner(self, weights: Weights) -> ClassifierLearner:
        training = self.recipe.training

        def build() -> TextClassifier:
            sizes = len(self.encoder), len(self.classes)
            return TextClassifier(self.recipe.classifier, *sizes, training.backend)

        return ClassifierLearner(build, training, weights)

    def _starting_weights(self) -> tuple[Weights, list[str]]:
        """Drawn; the n-grams have no vote yet. The embedding's rows are word vectors where the
        recipe asks for some."""
        classifier, training = self.recipe.classifier, self.recipe.training
        shapes = classifier.weight_shapes(len(self.encoder), len(self.classes))
        rng = np.random.default_rng(training.seed)
        weights: Weights = dict(initial_weights(shapes, classifier.hidden, rng))
        if classifier.ngrams:
            weights["ngrams.weight"][:] = 0
        if classifier.vectors == "random":
            return weights, []
        note = put_vectors(
            weights["embedding.weight"],
            self._vectors(),
            self.encoder.words,
            len(SPECIALS),
            classifier.vectors,
        )
        return weights, [note]

    def _vectors(self) -> WordVectors:
        classifier = self.recipe.classifier
        if classifier.vectors != "word2vec":
            return read_vectors(Path(classifier.vectors), frozenset(self.encoder.words))
        texts = [self.encoder.tokens(text) for text in self.train.texts]
        return train_vectors(texts, classifier.embedding, self.recipe.training.seed)

    def _asked(self) -> dict[str, Any]:
        """The recipe only names the files with words; their contents count too."""
        encoder = self.encoder
        return {
            "recipe": json.loads(json.dumps(self.recipe.to_dict())),
            "train": _hash(self.train.texts, self.train.labels),
            "dev": _hash(self.dev.texts, self.dev.labels),
            "words": _hash(encoder.words, encoder.tokenizer.words, sorted(encoder.stop_words)),
        }

    def _found(self) -> dict[str, Any] | None:
        try:
            return dict(json.loads((self.folder / "run.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return None


def errors_on(examples: list[Any], learner: ClassifierLearner) -> Measure:
    """Nats a text and the share of wrong answers of all `examples`."""

    def measure(_: Learner, ranks: Ranks) -> dict[str, float]:
        nats, wrong = 0.0, 0
        for batch in evaluation_batches(examples, BATCH_SIZE, collate):
            logits = learner.logits(batch.inputs, batch.lengths)
            wrong += int((logits.argmax(axis=1) != batch.targets).sum())
            top = logits.max(axis=1)
            own = logits[np.arange(len(logits)), batch.targets]
            nats += float((top + np.log(np.exp(logits.T - top).sum(axis=0)) - own).sum())
        mean = nats / len(examples)
        return {"nats": mean, "perplexity": float(np.exp(mean)), "error": wrong / len(examples)}

    return measure


def _hash(*lists: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(lists, ensure_ascii=True).encode()).hexdigest()
