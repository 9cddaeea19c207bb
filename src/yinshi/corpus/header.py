"""What may stand before a poem: tokens for what is known of it, each part optional.

    dynasty:唐  lines:4  length:5  pattern:仄起首句不入韻  rhyme:尤  author:王之渙:唐
    title 登 鸛 雀 樓  <sos> 白 日 依 山 盡 ， …

A header is read and never asked for: what counts in a loss or a perplexity begins after `<sos>`, so
that a poem without a header is what it always was. Its tokens have names; their ids follow those of
the vocabulary, which knows nothing of them: no text can hold one, and no decoding gives one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from yinshi.corpus.batches import HeadedPoem, Ids
from yinshi.corpus.poem import HAN, Poem, lines_of
from yinshi.corpus.script import to_simplified
from yinshi.corpus.vocabulary import Vocabulary
from yinshi.errors import UsageError
from yinshi.recipe import CONDITIONS

#: A name that fewer training poems share gets no token: there is too little to learn it from.
LEAST = 20
#: Characters of a title that are read: nine titles of ten have no more.
TITLE_LENGTH = 12
TITLE = "title"
TANG = "唐"
#: What the pattern of a poem is called that keeps none.
OLD_STYLE = "古體"

DYNASTIES = {"tang": TANG, "song": "宋"}
_SOURCE = re.compile(r"poet\.(tang|song)\.")
_CHARACTER = re.compile(f"[{HAN}]")
_ONE_NAME = re.compile(f"[{HAN}]+")
#: What editors write where they know no author, in simplified characters.
_ANONYMOUS = re.compile("无名|佚名|不详|未详|失名|失姓名|[阙缺]名|歌辞")

_PART_OF = {"lines": "form", "length": "form"}


@dataclass(frozen=True, slots=True)
class Heading:
    """What is known of a poem before its first character; "" and () are what is not.

    lengths: characters of each line. pattern: 仄起首句入韻 and so on, of a poem whose tones are
    clean by strict rules, or 古體. rhyme: of a regulated poem in which all rhymes are clean. So a
    network that is told them has learnt to keep them. author: in `one_spelling`; the names of two
    dynasties are two authors.
    """

    dynasty: str = ""
    lengths: tuple[int, ...] = ()
    author: str = ""
    title: str = ""
    pattern: str = ""
    rhyme: str = ""

    @classmethod
    def of(cls, poem: Poem, conditions: Collection[str] = CONDITIONS) -> Heading:
        """Of `poem`; without pattern and rhyme, for which it is scanned, if `conditions` are."""
        found = _SOURCE.match(poem.source)
        dynasty = DYNASTIES[found[1]] if found else ""
        lengths = tuple(map(len, lines_of(poem.text)))
        scanned = _scanned(poem.text) if {"pattern", "rhyme"} & {*conditions} else ("", "")
        return cls(dynasty, lengths, one_spelling(poem.author), poem.title, *scanned)

    def names(self) -> dict[str, list[str]]:
        """Each of `CONDITIONS` → the names of its tokens. A title's characters, notes left out,
        name themselves."""
        widths = set(self.lengths)
        width = widths.pop() if len(widths) == 1 else "mixed"
        author = ":".join(filter(None, ["author", self.author, self.dynasty]))
        title = _CHARACTER.findall(_cleaned(self.title)) if self.title else []
        return {
            "dynasty": [f"dynasty:{self.dynasty}"] if self.dynasty else [],
            "form": [f"lines:{len(self.lengths)}", f"length:{width}"] if self.lengths else [],
            "pattern": [f"pattern:{self.pattern}"] if self.pattern else [],
            "rhyme": [f"rhyme:{self.rhyme}"] if self.rhyme else [],
            "author": [author] if self.author else [],
            "title": [TITLE, *title] if title else [],
        }


@dataclass(frozen=True, slots=True)
class Header:
    """`ids` (n,) and of each the number of its part in `CONDITIONS`, `parts` (n,)."""

    ids: Ids
    parts: NDArray[np.int8]


class Headers:
    """The tokens called `names`, whose ids come after those of `vocabulary`."""

    def __init__(self, names: Sequence[str], vocabulary: Vocabulary) -> None:
        self.names = tuple(names)
        self._vocabulary = vocabulary
        self._ids = {name: len(vocabulary) + i for i, name in enumerate(self.names)}

    @property
    def conditions(self) -> list[str]:
        """Those of `CONDITIONS` that have tokens."""
        having = {part_of(name) for name in self.names}
        return [part for part in CONDITIONS if part in having]

    def told(self, kind: str) -> list[str]:
        """What the tokens of `kind`, "rhyme" or "dynasty", may say, the most frequent first."""
        split = (name.split(":") for name in self.names)
        return [value[0] for found, *value in split if found == kind]

    @property
    def authors(self) -> list[tuple[str, str]]:
        """(name, dynasty or "") of each, the one with most poems first."""
        split = (name.split(":") for name in self.names if part_of(name) == "author")
        return [(name, dynasty[0] if dynasty else "") for _, name, *dynasty in split]

    def encode(self, heading: Heading) -> Header:
        """What of `heading` has a token; of the title the first `TITLE_LENGTH` characters."""
        ids: list[int] = []
        parts: list[int] = []
        for number, names in enumerate(heading.names().values()):
            found = self._title(names) if names[:1] == [TITLE] else self._known(names)
            ids += found
            parts += [number] * len(found)
        return Header(np.array(ids, dtype=np.int32), np.array(parts, dtype=np.int8))

    def _known(self, names: Sequence[str]) -> list[int]:
        return [self._ids[name] for name in names if name in self._ids]

    def _title(self, names: Sequence[str]) -> list[int]:
        vocabulary = self._vocabulary
        characters = [vocabulary.id(c) for c in names[1:] if c in vocabulary][:TITLE_LENGTH]
        mark = self._known(names[:1])
        return [*mark, *characters] if mark and characters else []


def part_of(name: str) -> str:
    """Which of `CONDITIONS` the token called `name` belongs to."""
    kind = name.partition(":")[0]
    return _PART_OF.get(kind, kind)


def names_in(poems: Iterable[Poem], conditions: Sequence[str]) -> tuple[str, ...]:
    """The names of the tokens for `conditions` that `LEAST` of the training `poems` share, part
    after part, the most frequent first.

    Raises UsageError for a condition of which there is none.
    """
    counts: dict[str, Counter[str]] = {part: Counter() for part in conditions}
    for poem in poems:
        names = Heading.of(poem, conditions).names()
        for part, count in counts.items():
            count.update(names[part][:1] if part == TITLE else names[part])
    found: list[str] = []
    for part, count in counts.items():
        kept = sorted((-n, name) for name, n in count.items() if n >= LEAST)
        if not kept:
            raise UsageError(
                f"network.conditions {part}: no {part} is told of {LEAST} training poems or more; "
                "leave it out"
            )
        found += [name for _, name in kept]
    return tuple(found)


def _cleaned(name: str) -> str:
    from yinshi.corpus.cleaning import clean_name  # whose patterns take time that writing spares

    return clean_name(name)


@cache
def _scanned(text: str) -> tuple[str, str]:
    """(pattern, rhyme), as `Heading` tells them."""
    from yinshi.prosody.scan import scan  # reads tables, and writing has no need of it

    if not _CHARACTER.search(text):
        return "", ""
    found = scan(text)
    pattern = found.pattern if found.is_clean("strict") else found.form == OLD_STYLE and OLD_STYLE
    return pattern or "", (found.rhyme or "") if found.is_clean("off") else ""


@lru_cache(1 << 16)
def one_spelling(author: str) -> str:
    """`author` in simplified characters; "" unless it is a name, and of one person.

    >>> one_spelling("黃庭堅"), one_spelling("無名氏"), one_spelling("魏徵、褚亮")
    ('黄庭坚', '', '')
    """
    name = to_simplified(_cleaned(author))
    return name if _ONE_NAME.fullmatch(name) and not _ANONYMOUS.search(name) else ""


def kept_parts(poems: int, seed: int, epoch: int, dropout: float) -> NDArray[np.bool_]:
    """(poems, parts) what of each header is read in an epoch.

    The whole header is dropped with probability `dropout`, and else each part by itself.
    """
    rng = np.random.default_rng([seed, epoch, 1])  # [seed, epoch] shuffles
    kept = rng.random((poems, 1 + len(CONDITIONS))) >= dropout
    return kept[:, :1] & kept[:, 1:]


def headed(
    poems: Sequence[Ids], headers: Sequence[Header], kept: NDArray[np.bool_]
) -> list[HeadedPoem]:
    """The encoded `poems`, each with those parts of its header that are `kept` (poems, parts)."""
    return [
        HeadedPoem(header.ids[row[header.parts]], poem)
        for poem, header, row in zip(poems, headers, kept, strict=True)
    ]
