"""Words to leave out, and the negations among them, which turn a review round.

The Chinese list of `stopwordsiso` has 不, 别 and 非 in it, others have 没 too: without them 不喜欢
is 喜欢. So nothing is left out unless asked for, and negations can be kept.
"""

from __future__ import annotations

import re
from pathlib import Path

from yinshi.classify.text_file import BYTE_ORDER_MARK, read_text
from yinshi.classify.tokenizer import normalise
from yinshi.errors import MissingExtraError, UsageError

#: The negating adverbs and verbs of modern Chinese (不 没 别 甭) and those of its written style
#: (无 未 非 勿 莫 毋 弗 否), in both scripts. Any word with one of them counts as its compound,
#: even where the whole is a conjunction (不过, 无论): a word kept for nothing costs little.
NEGATIONS = frozenset("不没沒别別甭无無未非勿莫毋弗否")
#: 别 is also "other" and "apart": the words of that kind among the 别 of the list, and common ones.
_OTHER = re.compile("[个個分各特区區差类類级級性识識鉴鑑告离離][别別]|[别別][人处處的家]")


def load_stop_words(name: str, keep_negations: bool = False) -> frozenset[str]:
    """Words in the spelling of `tokenizer.normalise`: none, those of iso, or those in a file.

    A file holds words in UTF-8 with white space between. With `keep_negations`, negations are not
    among them. Raises UsageError where `name` is none of these, DataError where the file is not in
    UTF-8, MissingExtraError without stopwordsiso.
    """
    words = {normalise(word) for word in _words(name)}
    if keep_negations:
        words = {word for word in words if not is_negation(word)}
    return frozenset(words)


def is_negation(word: str) -> bool:
    """Whether `word` negates or is built with a negation.

    >>> [is_negation(word) for word in ("不是", "没有", "别说", "别人", "是")]
    [True, True, True, False, False]
    """
    return not NEGATIONS.isdisjoint(_OTHER.sub("", word))


def _words(name: str) -> set[str]:
    if name == "none":
        return set()
    if name == "iso":
        return _iso()
    if not Path(name).is_file():
        raise UsageError(f"stop words {name!r}: expected none, iso or a file of words")
    text = read_text(Path(name))[1]
    return set(text.replace(BYTE_ORDER_MARK, " ").split())


def _iso() -> set[str]:
    try:
        from stopwordsiso import stopwords
    except ImportError:
        raise MissingExtraError("the stop words iso", "classify") from None
    return set(stopwords("zh"))
