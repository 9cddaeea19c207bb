from __future__ import annotations

import sys
from pathlib import Path

import pytest

from yinshi.classify.baseline import baseline
from yinshi.classify.tables import Table, load_table
from yinshi.errors import DataError, MissingExtraError

TRAIN = Table(
    ("好看好听", "很好", "真好吃", "差评", "太差", "差得很"), ("1", "1", "1", "0", "0", "0")
)


@pytest.fixture(autouse=True)
def _scikit_learn() -> None:
    pytest.importorskip("sklearn", reason="needs scikit-learn")


def test_it_learns_the_character_that_tells() -> None:
    result = baseline(TRAIN, Table(("好的", "差的", "好好"), ("1", "0", "0")))
    assert result.predictions == ("1", "0", "1")
    assert result.scores.accuracy == pytest.approx(2 / 3)
    assert result.scores.confusion == ((1, 1), (0, 1))
    assert result.seconds > 0


@pytest.mark.parametrize("labels", ["110", "120"])
def test_decisions_are_the_predictions_and_how_clear_they_are(labels: str) -> None:
    """Of two classes, and of three."""
    texts = ("好看好听", "很好", "差得很")
    result = baseline(Table(texts * 2, tuple(labels) * 2), Table(("很好", "差"), ("1", "0")))
    classes = sorted(set(labels))
    assert result.decisions.shape == (2, len(classes))
    said = tuple(classes[row] for row in result.decisions.argmax(axis=1))
    assert said == result.predictions
    assert result.decisions[1, 0] == result.decisions[1].max() > 0  # 差 stands under 0 alone


def test_texts_of_unknown_characters_are_predicted_too() -> None:
    result = baseline(TRAIN, Table(("xyz", "\ud800", "　"), ("1", "0", "0")))
    assert set(result.predictions) <= {"0", "1"}


def test_faults() -> None:
    with pytest.raises(DataError, match="only the label '1'"):
        baseline(Table(("好", "好"), ("1", "1")), TRAIN)
    with pytest.raises(DataError, match=r"label\(s\) unknown"):
        baseline(TRAIN, Table(("好",), ("2",)))
    with pytest.raises(DataError, match="no character stands in two of the 2 texts"):
        baseline(Table(("好", "差"), ("1", "0")), TRAIN)


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.svm", None)
    with pytest.raises(MissingExtraError, match=r"yinshi\[classify\]"):
        baseline(TRAIN, TRAIN)


def test_the_bar_of_csl_ctg(classify_data: Path) -> None:
    """78.3 % accuracy and 63.5 macro-F1, as measured when the data were chosen."""
    train, test = (
        load_table(classify_data / f"csl_ctg/{part}.tsv", text_column=1, label_column=2)
        for part in ("train", "test")
    )
    scores = baseline(train, test).scores
    assert scores.accuracy == pytest.approx(0.783, abs=0.002)
    assert scores.macro_f1 == pytest.approx(0.635, abs=0.005)
    assert scores.majority == 0.443
