"""A classifier's training; `error` in its metrics is the share of wrong answers on dev."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from yinshi.classify.classifier_file import ClassifierFile
from yinshi.classify.encoder import SPECIALS, Encoder
from yinshi.classify.examples import Example, collate, examples_of
from yinshi.classify.tables import Table
from yinshi.classify.text_run import TextRun
from yinshi.corpus.batches import evaluation_batches
from yinshi.corpus.vectors import WordVectors, read_vectors, train_vectors
from yinshi.engine.initializers import initial_weights
from yinshi.errors import TrainingError
from yinshi.nets.learner import TorchLearner
from yinshi.nets.text_classifier import TextClassifier
from yinshi.recipe import ClassificationRecipe
from yinshi.training.distributed import Ranks
from yinshi.training.loop import Learner, Measure
from yinshi.training.starting_weights import Weights, put_vectors

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
class ClassifierRun(TextRun):
    """One training on `train`; the best epoch is that with the fewest errors on `dev`.

    `pretrained` is what the recipe's `pretrained` names.
    """

    train: Table
    dev: Table
    pretrained: ClassifierFile | None

    criterion = "error"

    @classmethod
    def start_or_resume(
        cls,
        recipe: ClassificationRecipe,
        train: Table,
        dev: Table,
        folder: Path,
        local_rank: int = 0,
    ) -> ClassifierRun:
        """The run in `folder`, or a new one if nothing is there; refuses another's folder."""
        pretrained = load_pretrained(recipe)
        encoder = pretrained.encoder if pretrained else Encoder.of(recipe.text, train.texts)
        run = cls(folder, recipe, encoder, local_rank, (), train, dev, pretrained)
        return run.started_or_resumed()

    @property
    def classes(self) -> tuple[str, ...]:
        return self.train.classes

    def _examples(self) -> tuple[list[Example], list[Example]]:
        train, dev = (examples_of(t, self.encoder, self.classes) for t in (self.train, self.dev))
        return train, dev

    def _content(self) -> dict[str, tuple[Sequence[str], ...]]:
        return {
            "train": (self.train.texts, self.train.labels),
            "dev": (self.dev.texts, self.dev.labels),
        }

    def _learner(self, weights: Weights) -> ClassifierLearner:
        def build() -> TextClassifier:
            sizes = len(self.encoder), len(self.classes)
            network = TextClassifier(self.recipe.classifier, *sizes, self.training.backend)
            network.class_weights = torch.from_numpy(self._class_weights())
            return network

        return ClassifierLearner(build, self.training, weights, local_rank=self.local_rank)

    def _class_weights(self) -> NDArray[np.float64]:
        """(C,): 1 on average over the training texts."""
        _, counts = np.unique(self.train.labels, return_counts=True)  # in the order of `classes`
        weights = np.power(counts, -self.recipe.classifier.class_weights)
        scaled: NDArray[np.float64] = weights * counts.sum() / (weights * counts).sum()
        return scaled

    def _measure(self, dev: Sequence[Example], learner: TorchLearner) -> Measure:
        assert isinstance(learner, ClassifierLearner)
        return errors_on(dev, learner)

    def _starting_weights(self) -> tuple[Weights, list[str]]:
        """Drawn; the n-grams have no vote yet. Then the pretrained weights or, in the embedding's
        rows, word vectors, where the recipe asks for some."""
        classifier = self.recipe.classifier
        shapes = classifier.weight_shapes(len(self.encoder), len(self.classes))
        rng = np.random.default_rng(self.training.seed)
        weights: Weights = dict(initial_weights(shapes, classifier.hidden, rng))
        if classifier.ngrams:
            weights["ngrams.weight"][:] = 0
        if self.pretrained:
            weights |= {name: w.copy() for name, w in self.pretrained.weights.items()}
            epochs = self.pretrained.facts["epochs"]
            return weights, [f"begins with {classifier.pretrained}, pretrained {epochs} epochs"]
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
        return train_vectors(texts, classifier.embedding, self.training.seed)


def load_pretrained(recipe: ClassificationRecipe) -> ClassifierFile | None:
    """What `recipe.classifier.pretrained` names, if it fits: raises TrainingError if not."""
    name = recipe.classifier.pretrained
    if name == "none":
        return None
    file = ClassifierFile.load(Path(name))
    if file.classes:
        raise TrainingError(
            f"{name}: found a classifier there, expected what `yinshi classify pretrain` wrote"
        )
    ours, theirs = _must_agree(recipe), _must_agree(file.recipe)
    for setting, value in ours.items():
        if value != theirs[setting]:
            raise TrainingError(
                f"{name}: pretrained with {setting} {theirs[setting]}, expected {value}; leave "
                f"{setting} as it was there, or pretrain anew"
            )
    return file


def _must_agree(recipe: ClassificationRecipe) -> dict[str, Any]:
    """The settings that a classifier has in common with what it begins with."""
    network = recipe.classifier
    sizes = {"embedding": network.embedding, "hidden": network.hidden}
    return asdict(recipe.text) | {"model": network.model.split("-")[0]} | sizes


def errors_on(examples: Sequence[Example], learner: ClassifierLearner) -> Measure:
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
