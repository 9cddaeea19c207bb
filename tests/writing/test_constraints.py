from __future__ import annotations

import numpy as np
import pytest

from yinshi.corpus.vocabulary import EOS, SPECIALS, Vocabulary
from yinshi.writing.constraints import Draft, Rules

VOCABULARY = Vocabulary("月山，。？")
MARKS, CHARACTERS, END = set("，。？"), set("月山"), {"<eos>"}


def draft(text: str, prefix: str = "") -> Draft:
    tokens = VOCABULARY.encode(text).tolist()
    return Draft(tuple(VOCABULARY.encode(prefix).tolist()), tuple(tokens), (1.0,) * len(tokens))


def allowed(*drafts: Draft, vocabulary: Vocabulary = VOCABULARY) -> list[set[str]]:
    scores = np.zeros((len(drafts), len(vocabulary)))
    Rules(vocabulary, 8).restrict(scores, drafts)
    names = [*SPECIALS, *vocabulary.characters]
    return [{names[k] for k in np.flatnonzero(np.isfinite(row))} for row in scores]


@pytest.mark.parametrize(
    ("written", "prefix", "expected"),
    [
        ("", "", CHARACTERS),  # no mark at the start, no empty poem
        ("月", "", CHARACTERS | MARKS),
        ("月，", "", CHARACTERS),
        ("月，山。", "", CHARACTERS),  # one sentence is a fragment
        ("月，山。月。", "", CHARACTERS | END),
        ("月，山。月？", "", CHARACTERS | END),
        ("", "月，山", {"月"}),
        ("月", "月，山", {"，"}),
        ("月，山", "月，山", CHARACTERS | MARKS),
        ("月。", "月。", CHARACTERS),  # it is not over with the prefix
        ("月。山。", "月。", CHARACTERS | END),
        ("", "，月", {"，"}),  # as it was asked
    ],
)
def test_what_may_come_next(written: str, prefix: str, expected: set[str]) -> None:
    assert allowed(draft(written, prefix)) == [expected]


def test_each_row_has_its_own_rules() -> None:
    rows = [draft("月。山。"), draft("", "山"), draft("月")]
    assert allowed(*rows) == [CHARACTERS | END, {"山"}, CHARACTERS | MARKS]


def test_allowed_scores_stay_as_they_are() -> None:
    scores = np.arange(2.0 * len(VOCABULARY)).reshape(2, -1)
    before = scores.copy()
    Rules(VOCABULARY, 8).restrict(scores, [draft("月"), draft("", "山")])
    kept = np.isfinite(scores)
    assert (scores[kept] == before[kept]).all()


def test_poems_without_punctuation_may_end_anywhere() -> None:
    plain = Vocabulary("月山")
    assert allowed(Draft((), (4,), (1.0,)), vocabulary=plain) == [CHARACTERS | END]
    assert allowed(Draft(()), vocabulary=plain) == [CHARACTERS]


@pytest.mark.parametrize(
    ("written", "prefix", "expected"),
    [
        ("月，山。月", "", None),  # shorter than 8: it goes on
        ("月，山。月，山月", "", None),  # one sentence is no poem
        ("月。山。月，山月", "", "月。山。"),
        ("月，山。月，山。", "", "月，山。月，山。"),
        ("月。山月月，山月", "", None),  # its first two sentences are longer than 8
        ("月。山月月，山月月月？", "", "月。山月月，山月月月？"),
        ("月。山月山月，山", "月。", None),  # the prefix's sentence is not its own
        ("月山" * 8, "", "月山" * 8),  # broken off
    ],
)
def test_where_a_poem_is_cut(written: str, prefix: str, expected: str | None) -> None:
    ended = Rules(VOCABULARY, 8).ended(draft(written, prefix))
    assert (ended and VOCABULARY.decode(ended.tokens)) == expected
    assert ended is None or len(ended.nats) == len(ended.tokens)


def test_a_poem_ends_with_its_end() -> None:
    over = draft("月。").extended(EOS, 0.5)
    assert Rules(VOCABULARY, 8).ended(over) is over
