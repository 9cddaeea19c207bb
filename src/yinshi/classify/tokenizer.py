"""Text → tokens: by character, by jieba's words or by a list of words.

Every text is first brought to one spelling by `normalise`. Between white space it then consists of
units: a Chinese character, a run of other letters and digits (`iphone6`, `2005`), or a single mark
of any other kind.

- char: the units.
- jieba: words of jieba's dictionary and its model of unknown words, by `rjieba`. It has the
  dictionary inside and writes no cache; the original `jieba` pickles one into the shared folder for
  temporary files, imports pkg_resources, which setuptools no longer has, and has stood still since
  2020.
- words: forward maximum matching. From the left, always the longest word of the list that begins
  here, else one unit.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from yinshi.classify.text_file import BYTE_ORDER_MARK, read_text
from yinshi.corpus.poem import HAN
from yinshi.errors import DataError, MissingExtraError, UsageError

KINDS = ("char", "jieba", "words")

_UNIT = re.compile(rf"(?:(?![{HAN}])[^\W_])+|\S")
_SURROGATE = re.compile("[\ud800-\udfff]")
#: The key that marks the end of a word; no unit is empty.
_END = ""


class Tokenizer:
    """The same tokens for the same text, for any string whatever.

    `kind` is char, jieba or the path of a list of words; `Tokenizer("words", words)` has the list
    itself, and `Tokenizer(t.kind, t.words)` is `t` again. Raises UsageError where `kind` is none of
    these, DataError with the line number where the list has a fault, MissingExtraError without
    rjieba.

    >>> Tokenizer("char").tokens("ＳＵＶ油耗 8.5L")
    ['suv', '油', '耗', '8', '.', '5l']
    >>> Tokenizer("words", ["北京", "北京大学", "大学生"]).tokens("北京大学生")
    ['北京大学', '生']
    """

    def __init__(self, kind: str, words: Sequence[str] = ()) -> None:
        if kind not in KINDS:
            kind, words = "words", read_words(_existing(Path(kind)))
        if (kind == "words") != bool(words):
            raise UsageError(f"tokenizer {kind!r} with {len(words)} words; give the list's file")
        self.kind = kind
        self.words = tuple(words)
        self._segment: Callable[[str], list[str]] = _UNIT.findall
        if kind == "jieba":
            self._segment = _jieba()
        if kind == "words":
            self._trie = _trie(self.words)
            self._segment = self._longest_words

    def tokens(self, text: str) -> list[str]:
        """Tokens in order, none empty, without white space; none for a text of white space only."""
        return [token for token in self._segment(normalise(text)) if token and not token.isspace()]

    def _longest_words(self, text: str) -> list[str]:
        words = []
        for chunk in text.split():
            units = _UNIT.findall(chunk)
            start = 0
            while start < len(units):
                end = self._end_of_word(units, start)
                words.append("".join(units[start:end]))
                start = end
        return words

    def _end_of_word(self, units: list[str], start: int) -> int:
        node, end = self._trie, start + 1
        for i in range(start, len(units)):
            node = node.get(units[i], {})
            if not node:
                break
            if _END in node:
                end = i + 1
        return end


def normalise(text: str) -> str:
    """One spelling: compatibility forms (ＳＵＶ, ①, ！) as their plain ones (NFKC), small letters.

    Half a surrogate pair, which is no character and can't be written in UTF-8, becomes U+FFFD.
    """
    return unicodedata.normalize("NFKC", _SURROGATE.sub("\ufffd", text)).lower()


def read_words(path: Path) -> list[str]:
    """The words of a list, one a line, blank lines left out; raises DataError by line number."""
    words = []
    for line, word in enumerate(read_text(path)[1].split("\n"), start=1):
        word = word.replace(BYTE_ORDER_MARK, "").strip()
        if len(word.split()) > 1:
            raise DataError(
                f"{path}: line {line} is {word[:40]!r}; expected one word a line, without spaces"
            )
        if word:
            words.append(word)
    if not words:
        raise DataError(f"{path}: no words in it; expected one word a line")
    return words


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise UsageError(f"tokenizer {str(path)!r}: expected char, jieba or a file of words")
    return path


def _trie(words: Sequence[str]) -> dict[str, Any]:
    """Nested dictionaries by unit; `_END` stands in a node where a word ends."""
    root: dict[str, Any] = {}
    for word in words:
        node = root
        for unit in _UNIT.findall(normalise(word)):
            node = node.setdefault(unit, {})
        node[_END] = {}
    return root


def _jieba() -> Callable[[str], list[str]]:
    try:
        import rjieba
    except ImportError:
        raise MissingExtraError("the tokenizer jieba", "classify") from None
    return rjieba.cut
