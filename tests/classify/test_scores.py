from __future__ import annotations

import json
import sys
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yinshi.classify.scores import ClassScore, score
from yinshi.errors import MissingExtraError

metrics = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn")


def test_a_hand_computed_example() -> None:
    truth = ["甲", "甲", "甲", "乙", "乙", "丙"]
    predictions = ["甲", "甲", "乙", "乙", "甲", "甲"]
    scores = score(truth, predictions)
    assert scores.accuracy == 3 / 6
    assert scores.majority == 3 / 6
    # In the order of their code points: 丙, 乙, 甲.
    assert scores.confusion == ((0, 0, 1), (0, 1, 1), (0, 1, 2))
    assert scores.per_class[0] == ClassScore("丙", 0.0, 0.0, 0.0, 1)
    assert scores.per_class[1] == ClassScore("乙", 1 / 2, 1 / 2, 1 / 2, 2)
    last = scores.per_class[2]
    assert (last.precision, last.recall, last.rows) == (2 / 4, pytest.approx(2 / 3), 3)
    assert last.f1 == pytest.approx(4 / 7)
    assert scores.macro_f1 == pytest.approx((0 + 1 / 2 + 4 / 7) / 3)


@settings(deadline=None)  # the first call imports scikit-learn
@given(pairs=st.lists(st.tuples(st.sampled_from("甲乙丙"), st.sampled_from("甲乙丁")), min_size=1))
def test_the_confusion_holds_all_the_rest(pairs: list[tuple[str, str]]) -> None:
    truth, predictions = [t for t, _ in pairs], [p for _, p in pairs]
    scores = score(truth, predictions)
    n, k = len(pairs), range(len(scores.per_class))
    assert sum(map(sum, scores.confusion)) == n
    if len(k) > 1:  # of one label it warns
        matrix = metrics.confusion_matrix(truth, predictions)
        assert scores.confusion == tuple(map(tuple, matrix.tolist()))
    assert scores.accuracy == pytest.approx(sum(scores.confusion[i][i] for i in k) / n)
    assert scores.majority == max(one.rows for one in scores.per_class) / n
    for i, one in enumerate(scores.per_class):
        assert sum(scores.confusion[i]) == one.rows
    expected = metrics.f1_score(truth, predictions, average="macro", zero_division=0)
    assert scores.macro_f1 == pytest.approx(expected)


def test_it_is_ready_for_json() -> None:
    scores = score(["甲", "乙"], ["甲", "甲"])
    assert json.loads(json.dumps(asdict(scores)))["confusion"] == [[0, 1], [0, 1]]


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingExtraError, match=r"yinshi\[classify\]"):
        score(["甲"], ["甲"])
