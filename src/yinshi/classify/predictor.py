"""What gives each text its probabilities: one classifier, or several together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yinshi.classify.scores import Scores, score
from yinshi.classify.tables import Table, check_labels
from yinshi.errors import UsageError


class Predictor(ABC):
    """Answers of whatever gives probabilities."""

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """In the order of `predict_proba`'s columns."""

    @abstractmethod
    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """P(class | text), (N, C), for any strings whatever; rows sum to 1."""

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The likeliest class of each text."""
        return [self.classes[i] for i in self.predict_proba(texts).argmax(axis=1)]

    def evaluate(self, test: Table) -> Scores:
        """Its answers to `test` against the labels there; raises DataError for a label that it
        does not know."""
        check_labels(test, self.classes)
        return score(test.labels, self.predict(test.texts))


@dataclass(frozen=True)
class Ensemble(Predictor):
    """The mean of its members' probabilities.

        Ensemble([TextClassifier.load(f"runs/shop-{seed}") for seed in range(3)]).evaluate(test)

    Raises UsageError unless all know the same classes.
    """

    members: Sequence[Predictor]

    def __post_init__(self) -> None:
        for member in self.members:
            if member.classes != self.classes:
                raise UsageError(
                    f"found classifiers of {', '.join(self.classes)} and of "
                    f"{', '.join(member.classes)}; expected the same classes"
                )

    @property
    def classes(self) -> tuple[str, ...]:
        return self.members[0].classes

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.mean([m.predict_proba(texts) for m in self.members], axis=0)
        return found
