"""Tone and rhyme of a character in 平水韻, the 106 rhymes by which Tang verse is judged.

>>> readings("看")
(Reading(tone='平', rhyme='寒', rare=False), Reading(tone='去', rhyme='翰', rare=False))

The table `pingshui.txt` is text for people: a line a rhyme, what verse practically never uses
after `|`, then simplified characters and variants, each with the characters that it stands for.
Where it comes from and how it was corrected: `pingshui.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

from yinshi.errors import UsageError

LEVEL = "平"
ENTERING = "入"

#: The 106 rhymes in the order of the book → the tone of each; the first 30 are level.
RHYMES: dict[str, str] = {
    rhyme: tone
    for tone, rhymes in (
        ("平", "東冬江支微魚虞齊佳灰真文元寒刪先蕭肴豪歌麻陽庚青蒸尤侵覃鹽咸"),
        ("上", "董腫講紙尾語麌薺蟹賄軫吻阮旱潸銑篠巧皓哿馬養梗迥有寢感琰豏"),
        ("去", "送宋絳寘未御遇霽泰卦隊震問願翰諫霰嘯效號箇禡漾敬徑宥沁勘豔陷"),
        ("入", "屋沃覺質物月曷黠屑藥陌錫職緝合葉洽"),
    )
    for rhyme in rhymes
}


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a character.

    `tone` is 平, 上, 去 or 入; `rhyme` one of `RHYMES`; `rare`: verse practically never uses it.
    """

    tone: str
    rhyme: str
    rare: bool

    @property
    def is_level(self) -> bool:
        """平, not 仄."""
        return self.tone == LEVEL


@dataclass(frozen=True)
class Table:
    """`own`: character → readings. `simplified`, `variants`: character → those it stands for."""

    own: dict[str, list[Reading]]
    simplified: dict[str, str]
    variants: dict[str, str]
    #: Characters which only a text in traditional characters has: 雲, but not 后 or 月.
    traditional: frozenset[str]


@lru_cache(maxsize=1 << 15)
def readings(character: str, simplified: bool = False) -> tuple[Reading, ...]:
    """Every reading of `character`, level ones first; () where the table lacks it.

    A character that only simplified texts have is read as all the characters it stands for: 发 as
    發 and 髮. One that both scripts have (后, 云, 里, 干, 余) is itself, unless it stands in a text
    in simplified characters (`simplified`): then it is all that it stands for there, 后 and 後.
    """
    table = load_table()
    own = table.own.get(character)
    words = table.simplified.get(character)
    if words is not None and (simplified or own is None):
        own = [reading for word in words for reading in table.own[word]]
    elif own is None:
        own = table.own.get(table.variants.get(character, ""), [])
    return tuple(_merged(own))


def has_homographs(character: str) -> bool:
    """Whether `character`, in a text in simplified characters, stands for more than one."""
    return len(load_table().simplified.get(character, "")) > 1


def rhyme_named(name: str) -> str:
    """The rhyme that a user means: 东, 東 or 東韻 → 東. Raises UsageError, with near ones."""
    asked = name.strip().removesuffix("韻").removesuffix("韵")
    if len(asked) == 1:
        table = load_table()
        for rhyme in asked + table.simplified.get(asked, "") + table.variants.get(asked, ""):
            if rhyme in RHYMES:
                return rhyme
        near = dict.fromkeys(reading.rhyme for reading in readings(asked))
        if near:
            raise UsageError(
                f"found rhyme {name!r}: expected the name of one of the 106 rhymes; "
                f"{asked} itself rhymes in {', '.join(near)}"
            )
    level = "".join(rhyme for rhyme, tone in RHYMES.items() if tone == LEVEL)
    raise UsageError(
        f"found rhyme {name!r}: expected the name of one of the 106 rhymes, "
        f"for regulated verse one of {level}"
    )


def is_simplified(text: str) -> bool:
    """Whether `text` is read as one in simplified characters.

    It is unless it has more characters that only traditional texts have (雲) than characters that
    only simplified ones have (阳). 「后來」 is traditional, 「后来」 and 「月白」 are not.
    """
    table = load_table()
    balance = 0
    for character in text:
        if character in table.traditional:
            balance += 1
        elif character not in table.simplified.get(character, character):
            balance -= 1
    return balance <= 0


@cache
def load_table() -> Table:
    """The table, read once."""
    text = (resources.files(__package__) / "pingshui.txt").read_text(encoding="utf-8")
    own: dict[str, list[Reading]] = {}
    stands_for: dict[str, dict[str, str]] = {"簡": {}, "異": {}}
    for line in text.splitlines():
        if line.startswith("#") or not line:
            continue
        rhyme, _, rest = line.partition(" ")
        if rhyme in stands_for:
            stands_for[rhyme] = {word[0]: word[1:] for word in rest.split()}
            continue
        usual, _, rare = rest.partition("|")
        for characters, is_rare in ((usual, False), (rare, True)):
            reading = Reading(RHYMES[rhyme], rhyme, is_rare)
            for character in characters.strip():
                own.setdefault(character, []).append(reading)
    simplified = stands_for["簡"]
    replaced = {c for word in simplified.values() for c in word}
    traditional = frozenset(replaced - simplified.keys())
    return Table(own, simplified, stands_for["異"], traditional)


def _merged(found: list[Reading]) -> list[Reading]:
    """One reading a rhyme, in the rhymes' order, rare only where each source says so."""
    order = list(RHYMES)
    usual = {reading.rhyme for reading in found if not reading.rare}
    kept = {r.rhyme: r for r in found if not r.rare or r.rhyme not in usual}
    return sorted(kept.values(), key=lambda reading: order.index(reading.rhyme))
