"""A linear machine and networks together, on texts that only one of them can read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from labelled_texts import told_by_a_word
from numpy.typing import NDArray

from yinshi.classify.mixing import WEIGHTS, mixture
from yinshi.classify.predictor import Predictor
from yinshi.classify.tables import Table
from yinshi.errors import DataError, UsageError

pytest.importorskip("sklearn", reason="needs scikit-learn")

TRAIN, DEV, TEST = (told_by_a_word(rows, seed) for seed, rows in enumerate([64, 16, 16]))


class Told(Predictor):
    """Sure of the class of the texts it was told, and of nothing about others."""

    def __init__(self, table: Table, wrong: bool = False) -> None:
        self._labels = dict(zip(table.texts, table.labels, strict=True))
        self._wrong = wrong

    @property
    def classes(self) -> tuple[str, ...]:
        return ("正", "负")

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        rows = {"正": (0.999999, 0.000001), "负": (0.000001, 0.999999)}
        found = np.array([rows.get(self._labels.get(text, ""), (0.5, 0.5)) for text in texts])
        return found[:, ::-1] if self._wrong else found


#: Of four rows that follow each other, one of each class.
HIDDEN = (1, 2)


def unreadable(table: Table, seed: int) -> Table:
    """Half of the rows without a character that the machine has seen."""
    texts = list(table.texts)
    for row in range(len(table)):
        if row % 4 in HIDDEN:
            texts[row] = chr(0x5E8C + 100 * seed + row)
    return Table(tuple(texts), table.labels)


def test_each_reads_what_the_other_cannot() -> None:
    dev, test = unreadable(DEV, 1), unreadable(TEST, 2)
    both = Table(dev.texts + test.texts, dev.labels + test.labels)
    hidden = [row for row in range(len(both)) if row % 4 in HIDDEN]
    found = mixture(Told(both.take(hidden)), TRAIN, dev, test)
    assert found.alone.accuracy == 0.75  # of the hidden rows one class
    assert found.scores.accuracy == 1
    assert found.predictions == test.labels
    assert found.weight in WEIGHTS


def test_networks_that_err_weigh_least() -> None:
    both = Table(DEV.texts + TEST.texts, DEV.labels + TEST.labels)
    found = mixture(Told(both, wrong=True), TRAIN, DEV, TEST)
    assert found.weight == min(WEIGHTS)
    assert found.alone.accuracy == 1


def test_networks_that_know_nothing_change_nothing() -> None:
    found = mixture(Told(TRAIN.take([])), TRAIN, DEV, TEST)
    assert found.scores == found.alone
    assert found.weight == WEIGHTS[0]


def test_faults() -> None:
    other = Table(TRAIN.texts, tuple("好" if label == "正" else "坏" for label in TRAIN.labels))
    with pytest.raises(UsageError, match="found networks of 正, 负, expected the classes"):
        mixture(Told(DEV), other, DEV, TEST)
    with pytest.raises(DataError, match=r"label\(s\) unknown"):
        mixture(Told(DEV), TRAIN, DEV, Table(("日",), ("中",)))
