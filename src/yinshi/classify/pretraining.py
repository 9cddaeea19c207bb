"""A language model of texts without labels, which a classifier may begin with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from yinshi.classify.encoder import Encoder
from yinshi.classify.examples import Example, collate
from yinshi.classify.text_run import TextRun
from yinshi.engine.initializers import initial_weights
from yinshi.errors import DataError
from yinshi.nets.learner import TorchLearner
from yinshi.nets.text_language_model import TextLanguageModel
from yinshi.recipe import ClassificationRecipe
from yinshi.training.loop import Measure, perplexity_on
from yinshi.training.starting_weights import Weights

#: Share of the texts that tells the best epoch.
HELD_BACK = 0.05
BATCH_SIZE = 128


@dataclass(frozen=True)
class PretrainingRun(TextRun):
    """One training on `texts`, some of which tell the epoch with the lowest perplexity."""

    texts: tuple[str, ...]

    criterion = "perplexity"

    @classmethod
    def start_or_resume(
        cls, recipe: ClassificationRecipe, texts: Sequence[str], folder: Path
    ) -> PretrainingRun:
        """The run in `folder`, or a new one if nothing is there; refuses another's folder, and
        fewer than two texts."""
        if len(texts) < 2:
            raise DataError(f"found {len(texts)} text(s) to pretrain with, expected two or more")
        encoder = Encoder.of(recipe.text, texts)
        return cls(folder, recipe, encoder, 0, (), tuple(texts)).started_or_resumed()

    def _examples(self) -> tuple[list[Example], list[Example]]:
        examples = [Example(self.encoder.encode(text), None) for text in self.texts]
        order = np.random.default_rng(self.training.seed).permutation(len(examples))
        held_back = max(1, round(HELD_BACK * len(examples)))
        dev, train = order[:held_back], order[held_back:]
        return [examples[i] for i in train], [examples[i] for i in dev]

    def _content(self) -> dict[str, tuple[Sequence[str], ...]]:
        return {"texts": (self.texts,)}

    def _learner(self, weights: Weights) -> TorchLearner:
        def build() -> TextLanguageModel:
            return TextLanguageModel(
                self.recipe.classifier, len(self.encoder), self.training.backend
            )

        return TorchLearner(build, self.training, weights)

    def _measure(self, dev: Sequence[Example], learner: TorchLearner) -> Measure:
        return perplexity_on(dev, BATCH_SIZE, collate)

    def _starting_weights(self) -> tuple[Weights, list[str]]:
        classifier = self.recipe.classifier
        shapes = classifier.language_shapes(len(self.encoder))
        rng = np.random.default_rng(self.training.seed)
        weights: Weights = dict(initial_weights(shapes, classifier.hidden, rng))
        weights["bias"][:] = 0
        return weights, []

    def _kept(self, weights: Weights) -> Weights:
        names = self.recipe.classifier.pretrained_shapes(len(self.encoder))
        return {name: weights[name] for name in names}
