"""Scan a poem: its form, the tones and the rhyme it follows, and every fault with place and reason.

>>> found = scan("白日依山盡，黃河入海流。欲窮千里目，更上一層樓。")
>>> found.form, found.pattern, found.rhyme, found.is_clean()
('五绝', '仄起首句不入韻', '尤', True)

The rules, and what strict and loose accept: docs/prosody.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from yinshi.errors import UsageError
from yinshi.prosody.characters import Character, character_of
from yinshi.prosody.forms import Form, Pattern, form_of
from yinshi.prosody.meter import Departure, departures, follow, template
from yinshi.prosody.readings import is_simplified
from yinshi.prosody.rhyme import (
    RHYME_DEPARTURES,
    first_may_rhyme,
    old_style_rhymes,
    rhyme_departures,
    shared_rhyme,
)

OLD_STYLE = "古體"
OTHER = "其他"

#: What breaks the frame of regulated verse. A poem with more of these than a line in four is
#: old-style; measured on 唐詩三百首, nearly all poems have none or many (docs/prosody.md).
BREAKS = frozenset({"失律", "大拗", "失對", "失粘"})

#: What another tone of the character named would not mend.
ELSEWHERE = frozenset({"失對", "失粘", "重韻"})

#: tones= → the severities that it forbids.
FORBIDDEN = {"strict": ("fault", "minor"), "loose": ("fault",), "off": ()}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something to say of one place; `line` and `position` count from 1.

    `severity`: "fault"; "minor", a fault only under strict tones; or "note", which is none.
    """

    name: str
    line: int
    position: int
    character: str
    reason: str
    severity: str

    @property
    def is_of_rhyme(self) -> bool:
        """Of rhyme, not of tones."""
        return self.name in RHYME_DEPARTURES

    def __str__(self) -> str:
        return f"{self.name} (line {self.line}, {self.position} {self.character}): {self.reason}"


@dataclass(frozen=True, slots=True)
class Line:
    """A line, without punctuation.

    `tones`: of each character those that verse uses, e.g. ("平", "入", "平去"), or "？".
    `pattern`: what the line follows, over 平 仄 中; "" where nothing is judged. `rhyme`: of its
    last character, where the line rhymes. `rhymes`: of each character those it may be read in, a
    string like "寒翰".
    """

    text: str
    tones: tuple[str, ...]
    pattern: str
    rhyme: str | None
    rhymes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scan:
    """`form`: 五绝 七绝 五律 七律 五排 七排, 古體, or 其他 (詞 and so on), which is not judged.

    `pattern` (仄起首句不入韻) and `rhyme` (one of the 106) are None where there is none. The faults
    of a 古體 are what speaks against the regulated form whose shape it has.
    """

    form: str
    lines: tuple[Line, ...]
    pattern: str | None
    rhyme: str | None
    faults: tuple[Fault, ...]

    @property
    def is_regulated(self) -> bool:
        """Of a regulated form, with faults or without."""
        return self.form not in (OLD_STYLE, OTHER)

    def is_clean(self, tones: Literal["strict", "loose", "off"] = "strict") -> bool:
        """Of a regulated form, without a fault of rhyme, or of tones (unless "off")."""
        forbidden = FORBIDDEN[tones]
        return self.is_regulated and not any(
            fault.severity == "fault" if fault.is_of_rhyme else fault.severity in forbidden
            for fault in self.faults
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {
            "clean": {"strict": self.is_clean("strict"), "loose": self.is_clean("loose")}
        }


def scan(text: str) -> Scan:
    """Scan one poem in traditional or simplified characters, its lines parted by punctuation.

    Raises UsageError where `text` holds no Chinese character.
    """
    texts = split_lines(text)
    if not texts:
        raise UsageError("found no Chinese character: expected a poem, its lines parted by ，。")
    simplified = is_simplified("".join(texts))
    lines = [[character_of(c, simplified) for c in line] for line in texts]
    lengths = {len(line) for line in lines}
    if len(lengths) > 1 or len(texts[0]) not in (5, 7) or len(texts) % 2 or len(texts) < 4:
        return _unjudged(OTHER, lines)
    form = form_of(len(texts[0]), len(texts))
    return _judged(form, lines) if form else _unjudged(OLD_STYLE, lines)


def split_lines(text: str) -> list[str]:
    """The lines of `text` without punctuation, quotation marks and (notes); [] if none is Chinese.

    >>> split_lines("白日依山盡，\\n黃河入海流。")
    ['白日依山盡', '黃河入海流']
    """
    if not _HAN.search(text):
        return []
    return [line for line in _PAUSE.split(_IGNORED.sub("", text)) if line]


def _judged(form: Form, lines: Sequence[Sequence[Character]]) -> Scan:
    """A poem of a regulated form's shape: of that form, or old-style if too much speaks against."""
    ends = [line[-1] for line in lines]
    oblique = [i for i in range(1, len(ends), 2) if ends[i].read == "仄"]
    if 4 * len(oblique) > form.lines:
        reason = "most rhyme words are oblique"
        against = [Departure("仄韻", i, form.length, reason, "fault") for i in oblique]
        return _unjudged(OLD_STYLE, lines, _placed(against, lines))
    rhyme = shared_rhyme(ends)
    read = ["".join([character.read for character in line]) for line in lines]
    kinds = follow(read, first_may_rhyme(ends, rhyme))
    rhymed = [kind.isupper() for kind in kinds]
    found = [
        *(d for d in departures(read, kinds) if not (rhymed[d.line] and d.position == form.length)),
        *rhyme_departures(ends, rhymed, rhyme),
    ]
    faults = _placed(found, lines)
    if sum(f.name in BREAKS and f.severity != "note" for f in faults) > form.lines // 4:
        return _unjudged(OLD_STYLE, lines, faults)
    told = tuple(
        _line(line, template(tones, kind), _rhyme_of(line[-1], rhyme) if rhymes else None)
        for line, tones, kind, rhymes in zip(lines, read, kinds, rhymed, strict=True)
    )
    return Scan(form.name, told, Pattern(form, kinds).name, rhyme, faults)


def _unjudged(
    form: str, lines: Sequence[Sequence[Character]], faults: tuple[Fault, ...] = ()
) -> Scan:
    """Tones, and of old-style verse the rhymes."""
    rhymes: Sequence[str | None] = [None] * len(lines)
    if form == OLD_STYLE:
        rhymes = old_style_rhymes([line[-1] for line in lines])
    told = tuple(_line(line, "", rhyme) for line, rhyme in zip(lines, rhymes, strict=True))
    return Scan(form, told, None, None, faults)


def _line(line: Sequence[Character], pattern: str, rhyme: str | None) -> Line:
    text = "".join([character.text for character in line])
    tones = tuple([character.tones for character in line])
    return Line(text, tones, pattern, rhyme, tuple(["".join(c.rhymes) for c in line]))


def _rhyme_of(end: Character, rhyme: str | None) -> str | None:
    """The rhyme of the poem where the word has it, else the first of its own."""
    if rhyme in end.level_rhymes or not end.level_rhymes:
        return rhyme if end.level_rhymes else None
    return end.level_rhymes[0]


def _placed(found: list[Departure], lines: Sequence[Sequence[Character]]) -> tuple[Fault, ...]:
    """Departures as faults of characters, in the order of the poem."""
    faults = []
    for d in found:
        position = d.position or len(lines[0])
        character = lines[d.line][position - 1]
        reason = d.reason
        if d.severity != "note" and d.name not in ELSEWHERE and character.rare_tones:
            reason += f" (verse practically never reads it {character.rare_tones})"
        faults.append(Fault(d.name, d.line + 1, position, character.text, reason, d.severity))
    return tuple(sorted(faults, key=lambda fault: (fault.line, fault.position)))


_HAN = re.compile("[〇\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003347f]")
_PAUSE = re.compile("[，。？！；：、．,.;:?!\\s]+")
_IGNORED = re.compile("（[^（）]*）|\\([^()]*\\)|[「」『』“”‘’《》〈〉\"'—…·]")
