from __future__ import annotations

import sys
from pathlib import Path

import pytest

from yinshi.classify.stop_words import is_negation, load_stop_words
from yinshi.classify.tokenizer import normalise
from yinshi.errors import DataError, MissingExtraError, UsageError


def test_none() -> None:
    assert load_stop_words("none") == frozenset()


def test_iso_has_the_negations_unless_they_are_kept() -> None:
    pytest.importorskip("stopwordsiso")
    words = load_stop_words("iso")
    assert {"的", "了", "不", "别", "没奈何", "不是", "别人"} <= words
    kept = load_stop_words("iso", keep_negations=True)
    assert {"的", "了", "别人", "个别", "分别"} <= kept
    assert not {"不", "别", "非", "无", "不是", "不如", "没奈何", "别说"} & kept
    assert words - kept == {word for word in words if is_negation(word)}
    assert len(kept) > 0.9 * len(words)


def test_they_are_spelt_as_the_tokens_are() -> None:
    pytest.importorskip("stopwordsiso")
    assert {"!", "3"} <= load_stop_words("iso")
    assert all(word == normalise(word) for word in load_stop_words("iso"))


@pytest.mark.parametrize("word", ["不", "沒有", "别说", "別說", "无", "非", "莫不然", "有别于"])
def test_negations(word: str) -> None:
    assert is_negation(word)


@pytest.mark.parametrize("word", ["是", "别人", "別的", "特别是", "分別", "级别", "区别", ""])
def test_others(word: str) -> None:
    assert not is_negation(word)


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "stopwords.txt"
    path.write_text("\ufeff的\r\n了 ＡＢ\n\n不\n", encoding="utf-8")
    assert load_stop_words(str(path)) == {"的", "了", "ab", "不"}
    assert load_stop_words(str(path), keep_negations=True) == {"的", "了", "ab"}


def test_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="'iso639': expected none, iso or a file of words"):
        load_stop_words("iso639")
    path = tmp_path / "stopwords.txt"
    path.write_bytes("的\n了\n".encode("gb18030"))
    with pytest.raises(DataError, match="not UTF-8 in line 1"):
        load_stop_words(str(path))
    monkeypatch.setitem(sys.modules, "stopwordsiso", None)
    with pytest.raises(MissingExtraError, match=r"yinshi\[classify\]"):
        load_stop_words("iso")
