from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yinshi.classify.tokenizer import Tokenizer, normalise, read_words
from yinshi.errors import DataError, MissingExtraError, UsageError

#: Any string Python can hold, halves of surrogate pairs too.
ANY = st.text(st.characters(exclude_categories=())) | st.text(
    st.sampled_from("北京大学生不好aZ9８ \t\n。！é́ﷺ\ud800\0\u3000〇𠮷")
)
WORDS = ["北京", "北京大学", "大学生", "iphone 6".replace(" ", ""), "c++"]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        (" \u3000\n", []),
        ("春眠", ["春", "眠"]),
        ("iPhone6很好！", ["iphone6", "很", "好", "!"]),
        ("ＳＵＶ油耗８.5L", ["suv", "油", "耗", "8", ".", "5l"]),
        ("café 2005年", ["café", "2005", "年"]),
        ("〇𠮷a_b", ["〇", "𠮷", "a", "_", "b"]),
        ("好\ud800", ["好", "\ufffd"]),
    ],
)
def test_characters(text: str, tokens: list[str]) -> None:
    assert Tokenizer("char").tokens(text) == tokens


def test_jieba() -> None:
    pytest.importorskip("rjieba")
    tokens = Tokenizer("jieba").tokens("不喜欢这家酒店，iPhone6 很好")
    assert tokens == ["不", "喜欢", "这家", "酒店", ",", "iphone6", "很", "好"]


def test_forward_maximum_matching() -> None:
    tokenizer = Tokenizer("words", WORDS)
    # 大学生 is a word too, but 北京大学 begins earlier.
    assert tokenizer.tokens("北京大学生") == ["北京大学", "生"]
    assert tokenizer.tokens("在北京，大学生") == ["在", "北京", ",", "大学生"]
    # No word is cut out of a run, none spans white space, a begun word that fails is undone.
    assert tokenizer.tokens("iPhone6s 北京 大学") == ["iphone6s", "北京", "大", "学"]
    assert tokenizer.tokens("C++用iPhone6") == ["c++", "用", "iphone6"]


def _tokenizers() -> list[Tokenizer]:
    try:
        return [Tokenizer("char"), Tokenizer("words", WORDS), Tokenizer("jieba")]
    except MissingExtraError:
        return [Tokenizer("char"), Tokenizer("words", WORDS)]


TOKENIZERS = _tokenizers()


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda t: t.kind)
@settings(deadline=None)  # the first call loads the dictionary
@given(text=ANY)
def test_any_string_loses_nothing_but_white_space(tokenizer: Tokenizer, text: str) -> None:
    tokens = tokenizer.tokens(text)
    assert "".join(tokens) == "".join(normalise(text).split())
    assert all(tokens)
    assert tokens == tokenizer.tokens(text)
    "".join(tokens).encode()  # can be written in UTF-8


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda t: t.kind)
@pytest.mark.parametrize("text", ["北京大学" * 25_000, "a" * 100_000, "，" * 100_000])
def test_a_hundred_thousand_characters(tokenizer: Tokenizer, text: str) -> None:
    began = time.perf_counter()
    assert "".join(tokenizer.tokens(text)) == normalise(text)
    assert time.perf_counter() - began < 20  # a quadratic one takes minutes


def test_a_list_of_words_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("\ufeff北京\r\n\n 北京大学 \n", encoding="utf-8")
    tokenizer = Tokenizer(str(path))
    assert (tokenizer.kind, tokenizer.words) == ("words", ("北京", "北京大学"))
    assert tokenizer.tokens("北京大学生") == ["北京大学", "生"]
    again = Tokenizer(tokenizer.kind, tokenizer.words)
    assert again.tokens("北京大学生") == ["北京大学", "生"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("北京\n大学 3 n\n".encode(), "line 2 is '大学 3 n'; expected one word a line"),
        (b"\n \n", "no words in it"),
        ("北京\n大学\n".encode("gb18030"), "not UTF-8 in line 1"),
        ("北京\n大\0学\n".encode(), "a NUL byte in line 2"),
    ],
)
def test_faults_of_a_list(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_words(path)


def test_neither_kind_nor_file() -> None:
    with pytest.raises(UsageError, match="'jeiba': expected char, jieba or a file of words"):
        Tokenizer("jeiba")
    with pytest.raises(UsageError, match="'words' with 0 words"):
        Tokenizer("words")


def test_without_rjieba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rjieba", None)
    with pytest.raises(MissingExtraError, match=r"yinshi\[classify\]"):
        Tokenizer("jieba")
