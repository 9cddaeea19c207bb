"""The forms of regulated verse 近體詩, and the tones that each of their lines may have.

Four kinds of line make up every form; they are called as by 王力, a capital for one that ends in a
level tone 平 and so rhymes:

    a 仄仄平平仄    A 仄仄仄平平
    b 平平平仄仄    B 平平仄仄平

A line of seven puts two characters of the opposite tone before: a is 平平仄仄平平仄. Tones are
written 平 (level), 仄 (oblique: 上 去 入) and 中 (either).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from yinshi.errors import UsageError

Tones = Literal["strict", "loose"]


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to write a kind of line: the tones of (the last) five characters.

    `name` is "" for the usual one. `severity`: "note" where it is clean, "minor" where only loose
    tones accept it, "fault" where nothing but the next line can excuse it. `position` (from 1,
    among the five) is the character that departs from the model.
    """

    tones: str
    name: str = ""
    severity: str = "note"
    position: int = 0
    reason: str = ""


#: Kind of line → its variants, the usual one first. docs/prosody.md has an example of each.
VARIANTS: dict[str, tuple[Variant, ...]] = {
    "a": (
        Variant("中仄平平仄"),
        Variant("中仄仄平仄", "半拗", "note", 3, "仄 for 平 at the third from the end"),
        Variant("中仄中仄仄", "大拗", "fault", 4, "仄 for 平 next to the end, not rescued"),
    ),
    "A": (
        Variant("中仄仄平平"),
        Variant("中仄平平平", "三平尾", "minor", 3, "three level tones at the end"),
    ),
    "b": (
        Variant("中平平仄仄"),
        Variant("中平仄仄仄", "三仄尾", "note", 3, "three oblique tones at the end"),
        Variant("平平仄平仄", "拗救", "note", 3, "平平仄平仄 for 平平平仄仄"),
        Variant("仄平仄平仄", "拗", "minor", 1, "平平仄平仄 wants 平 at its first place"),
    ),
    "B": (
        Variant("平平中仄平"),
        Variant("仄平平仄平", "拗救", "note", 3, "仄平平仄平: 平 here rescues 仄 two before"),
        Variant("仄平仄仄平", "孤平", "minor", 1, "one level tone alone besides the rhyme"),
    ),
}

OPPOSITE = {"平": "仄", "仄": "平", "中": "中"}
#: The kind that takes an unrhymed line's place where the first line rhymes.
RHYMED = {"a": "A", "b": "B"}
#: (characters a line, lines) → name; longer ones are 五排, 七排.
NAMES = {(5, 4): "五绝", (7, 4): "七绝", (5, 8): "五律", (7, 8): "七律"}
LONGER = {5: "五排", 7: "七排"}
SHORTEST_LONGER = 10


@dataclass(frozen=True, slots=True)
class Form:
    """`length` characters a line, `lines` lines. Every form that this module makes is regulated."""

    name: str
    length: int
    lines: int
    is_regulated: bool = True


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern of a form: the kind of each line, e.g. "aBbA", and so all its tones."""

    form: Form
    kinds: str

    @property
    def name(self) -> str:
        """E.g. 仄起首句不入韻: the second tone of the poem, and whether its first line rhymes."""
        return f"{self.lines[0][1]}起首句{'入' if self.rhymed[0] else '不入'}韻"

    @property
    def lines(self) -> tuple[str, ...]:
        """The tones of each line, 中 where they are free as long as no variant is used."""
        return tuple(line[0] for line in self.alternatives("strict"))

    @property
    def rhymed(self) -> tuple[bool, ...]:
        """Which lines rhyme, all in one level rhyme. The last tone of the others is 仄."""
        return tuple(kind.isupper() for kind in self.kinds)

    def alternatives(self, tones: Tones = "strict") -> tuple[tuple[str, ...], ...]:
        """For each line the strings over 平, 仄, 中 that are clean: a line has to fit one of them.

        Lines that fit, whose rhyme words rhyme and differ, scan clean under `tones`. The scan
        accepts a little more: 仄 that the next line rescues (大拗), and when loose 失粘.
        """
        return tuple(clean_lines(kind, self.form.length, tones) for kind in self.kinds)


def form_of(length: int, lines: int) -> Form | None:
    """The regulated form of `lines` lines of `length` characters, or None.

    >>> form_of(7, 4)
    Form(name='七绝', length=7, lines=4, is_regulated=True)
    """
    name = NAMES.get((length, lines))
    if name is None and lines >= SHORTEST_LONGER and lines % 2 == 0:
        name = LONGER.get(length)
    return Form(name, length, lines) if name else None


def form_named(name: str) -> Form:
    """五绝, 七绝, 五律, 七律, 排律:N or 五排:N (N lines of five), 七排:N; also 絕 for 绝.

    Raises UsageError.
    """
    plain, _, number = name.replace("絕", "绝").replace("：", ":").partition(":")
    for (length, lines), known in NAMES.items():
        if plain == known and not number:
            return Form(known, length, lines)
    length = {"排律": 5, "五排": 5, "七排": 7}.get(plain, 0)
    form = form_of(length, int(number)) if length and number.isdecimal() else None
    if form is None or form.lines < SHORTEST_LONGER:
        raise UsageError(
            f"found form {name!r}: expected 五绝, 七绝, 五律, 七律, or 排律:N, 七排:N with an even "
            f"number of lines from {SHORTEST_LONGER}"
        )
    return form


@cache
def patterns(form: Form) -> tuple[Pattern, ...]:
    """The four patterns of `form`: beginning 仄 or 平, the first line unrhymed or rhymed.

    >>> [(pattern.kinds, pattern.name) for pattern in patterns(form_named("五绝"))][:2]
    [('aBbA', '仄起首句不入韻'), ('ABbA', '仄起首句入韻')]
    """
    found = []
    for couplets in (("aB", "bA"), ("bA", "aB")):
        kinds = "".join(couplets[i % 2] for i in range(form.lines // 2))
        if form.length == 7:  # named by the second character, whose tone is the opposite there
            kinds = kinds.translate(str.maketrans("aAbB", "bBaA"))
        found += [Pattern(form, kinds), Pattern(form, RHYMED[kinds[0]] + kinds[1:])]
    return tuple(found)


@cache
def clean_lines(kind: str, length: int, tones: Tones) -> tuple[str, ...]:
    """What is clean for a line of `kind`: strings of `length` over 平, 仄, 中."""
    accepted = ("note",) if tones == "strict" else ("note", "minor")
    before = leading(kind, length)
    return tuple(before + v.tones for v in VARIANTS[kind] if v.severity in accepted)


def leading(kind: str, length: int) -> str:
    """The tones before the last five: "" or, in a line of seven, free and fixed."""
    return "" if length == 5 else "中" + OPPOSITE[VARIANTS[kind][0].tones[1]]
