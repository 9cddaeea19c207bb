from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yinshi.classify.encoder import SPECIALS, UNK, Encoder
from yinshi.classify.tokenizer import Tokenizer
from yinshi.errors import DataError
from yinshi.recipe import TextRecipe

#: 好 five times, 看 three times, 不 and 的 twice each, 书 once.
TEXTS = ["好好好看", "不好看的", "好看的不", "书"]


def encoder(**settings: object) -> Encoder:
    return Encoder.of(TextRecipe(**{"min_frequency": 1, **settings}), TEXTS)  # type: ignore[arg-type]


def test_words_by_frequency_then_by_code_point() -> None:
    assert [ord(c) for c in "不的"] == [0x4E0D, 0x7684]
    assert encoder().words == ("好", "看", "不", "的", "书")
    assert len(encoder()) == len(SPECIALS) + 5


def test_ids_by_hand() -> None:
    ids = encoder().encode("看书, 好")
    assert ids.tolist() == [3, 6, UNK, 2]
    assert ids.dtype == np.int32


def test_rare_words_are_unknown() -> None:
    assert encoder(min_frequency=2).words == ("好", "看", "不", "的")
    assert encoder(min_frequency=3).words == ("好", "看")
    assert encoder(min_frequency=2).encode("好书").tolist() == [2, UNK]


def test_the_largest_vocabulary_counts_the_specials() -> None:
    assert encoder(max_vocabulary=4).words == ("好", "看")
    assert len(encoder(max_vocabulary=4)) == 4


def test_no_frequent_word() -> None:
    with pytest.raises(DataError, match=r"no word stands there 6 times; .*text\.min_frequency"):
        encoder(min_frequency=6)


def test_the_first_tokens_are_read() -> None:
    assert encoder(max_length=3).tokens("好看的书") == ["好", "看", "的"]
    assert encoder(max_length=4).encode("好看的书不").tolist() == [2, 3, 5, 6]
    assert encoder(max_length=1).encode("好" * 100_000).tolist() == [2]


def test_only_what_is_read_is_counted() -> None:
    assert encoder(max_length=1).words == ("好", "不", "书")


def test_stop_words_are_left_out_before_the_text_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "stop.txt"
    path.write_text("的 好 不", encoding="utf-8")
    without = encoder(stop_words=str(path), max_length=2)
    assert without.words == ("看", "书")
    assert without.tokens("好看的书书") == ["看", "书"]
    kept = encoder(stop_words=str(path), keep_negations=True)
    assert kept.words == ("看", "不", "书")


def test_a_text_of_nothing_is_one_unknown_word() -> None:
    for text in ("", " \n", "\u3000"):
        assert encoder().tokens(text) == []
        assert encoder().encode(text).tolist() == [UNK]


def test_unknown_rate_by_hand() -> None:
    """Two of 好看x, one of the empty text's one, none of 书: 2 of 5."""
    assert encoder().unknown_rate(["好看x", "", "书"]) == 2 / 5


def test_a_list_of_words_makes_other_tokens(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("好看\n", encoding="utf-8")
    made = encoder(tokenizer=str(path))
    assert made.words == ("好看", "不", "好", "的", "书")
    again = Encoder(
        Tokenizer(made.tokenizer.kind, made.tokenizer.words), frozenset(), made.words, 200
    )
    assert again.encode("不好看").tolist() == made.encode("不好看").tolist() == [3, 2]


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_any_string_has_some_known_ids(text: str) -> None:
    ids = encoder(max_length=4).encode(text)
    assert 1 <= len(ids) <= 4
    assert ((ids >= UNK) & (ids < len(encoder()))).all()
