"""Several classifiers together, against means taken by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from yinshi.classify.predictor import Ensemble, Predictor
from yinshi.classify.tables import Table
from yinshi.errors import DataError, UsageError


@dataclass(frozen=True)
class Fixed(Predictor):
    """Says of every text what it was told to."""

    rows: Sequence[Sequence[float]]
    labels: tuple[str, ...] = ("否", "是")

    @property
    def classes(self) -> tuple[str, ...]:
        return self.labels

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        return np.array(self.rows[: len(texts)])


SURE, UNSURE = Fixed([(0.9, 0.1), (0.2, 0.8)]), Fixed([(0.4, 0.6), (0.45, 0.55)])
OTHER = Fixed([(0.1, 0.9), (0.55, 0.45)])


def test_the_mean_of_the_probabilities() -> None:
    found = Ensemble([SURE, UNSURE, OTHER]).predict_proba(["一", "二"])
    np.testing.assert_allclose(found, [(1.4 / 3, 1.6 / 3), (0.4, 0.6)], rtol=1e-15)


def test_a_sure_member_outvotes_an_unsure_one() -> None:
    assert UNSURE.predict(["一", "二"]) == ["是", "是"]
    assert Ensemble([SURE, UNSURE]).predict(["一", "二"]) == ["否", "是"]


def test_one_member_is_itself() -> None:
    np.testing.assert_array_equal(Ensemble([SURE]).predict_proba(["一"]), [(0.9, 0.1)])


def test_is_measured_like_a_classifier() -> None:
    scores = Ensemble([SURE, UNSURE]).evaluate(Table(("一", "二"), ("否", "否")))
    assert scores.accuracy == 0.5
    with pytest.raises(DataError, match="label"):
        Ensemble([SURE]).evaluate(Table(("一",), ("也许",)))


def test_members_know_the_same_classes() -> None:
    strange = Fixed([(1.0, 0.0)], ("坏", "好"))
    with pytest.raises(UsageError, match="found classifiers of 否, 是 and of 坏, 好"):
        Ensemble([SURE, strange])
