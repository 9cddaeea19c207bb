"""A poem, and the shape of its text."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Chinese characters, as ranges of a regular expression: the unified blocks of Unicode, and 〇.
HAN = (
    "〇\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0002f7ff\U00030000-\U0003347f"
    "\ufa0e\ufa0f\ufa11\ufa13\ufa14\ufa1f\ufa21\ufa23\ufa24\ufa27-\ufa29"
)
PUNCTUATION = "，。？！；、："
SENTENCE_ENDS = "。？！"

#: Regular forms by (lines, characters a line).
FORMS = {(4, 5): "五绝", (4, 7): "七绝", (8, 5): "五律", (8, 7): "七律"}
OTHER_FORM = "other"

_PAUSE = re.compile(f"[{PUNCTUATION}]")
_SENTENCE = re.compile(f"[^{SENTENCE_ENDS}]+[{SENTENCE_ENDS}]?")


@dataclass(frozen=True, slots=True)
class Poem:
    """One poem; `text` is one string with its punctuation, e.g. 「白日依山盡，黃河入海流。」"""

    title: str
    author: str
    text: str
    source: str

    @property
    def form(self) -> str:
        return form_of(self.text)


def laid_out(poem: Poem, layout: str) -> str:
    """What a network reads of `poem`: in the layout "text" its text; in "titled" its title and its
    text, a sentence a line.

    >>> laid_out(Poem("登樓", "", "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。", ""), "titled")
    '登樓\\n白日依山盡，黃河入海流。\\n欲窮千里目，更上一層樓。'
    """
    if layout == "text":
        return poem.text
    return "\n".join([poem.title, *_SENTENCE.findall(poem.text)])


def lines_of(text: str) -> list[str]:
    """The lines of `text` without punctuation: 「白日依山盡，黃河入海流。」 has two."""
    return [line for line in _PAUSE.split(text) if line]


def form_of(text: str) -> str:
    """One of `FORMS`, from the number and length of the lines alone, or `other`."""
    lines = lines_of(text)
    lengths = {len(line) for line in lines}
    if len(lengths) != 1:
        return OTHER_FORM
    return FORMS.get((len(lines), lengths.pop()), OTHER_FORM)
