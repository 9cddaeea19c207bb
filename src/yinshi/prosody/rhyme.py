"""Which rhyme a poem's rhyme words share, and which of them leave it: 出韻, 鄰韻, 重韻."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from yinshi.prosody.characters import Character
from yinshi.prosody.meter import Departure

#: 鄰韻: rhymes near enough for the first line, which often borrows its rhyme word from one.
NEIGHBOURS = (
    *("東冬", "江陽", "支微齊", "魚虞", "佳灰", "佳麻", "真文元", "元寒刪先", "蕭肴豪"),
    *("庚青蒸", "覃鹽咸"),
)

#: What is of rhyme; every other departure is of tones.
RHYME_DEPARTURES = frozenset({"出韻", "鄰韻", "重韻", "仄韻"})


def shared_rhyme(ends: Sequence[Character]) -> str | None:
    """The level rhyme that most of the even lines end in; None where none ends in any.

    Among equals the one that the first line has too, then that of the earliest rhyme word. `ends`
    are the last characters of all lines.
    """
    first = ends[0].level_rhymes
    even = Counter(rhyme for end in ends[1::2] for rhyme in end.level_rhymes)
    if not even:
        return None
    return max(even, key=lambda rhyme: (even[rhyme], rhyme in first))


def first_may_rhyme(ends: Sequence[Character], rhyme: str | None) -> bool:
    """Whether the first line may be taken as one that rhymes, 鄰韻 included.

    A word that can be read in an oblique tone too is only taken to rhyme where it has the very
    rhyme and is no later rhyme word: 鄰韻 and 重韻 are not found where they needn't be.
    """
    first = ends[0]
    if rhyme is None or not first.is_known:
        return True
    if first.read == "中":
        return rhyme in first.level_rhymes and first not in ends[1::2]
    return rhyme in first.level_rhymes or are_neighbours(rhyme, first.level_rhymes)


def old_style_rhymes(ends: Sequence[Character]) -> list[str | None]:
    """The rhyme of each even line, of any tone: of a word's own the one that most others share.

    Odd lines have None. An old-style poem may change its rhyme as it goes on.
    """
    votes = Counter(rhyme for end in ends[1::2] for rhyme in end.rhymes)
    return [
        max(end.rhymes, key=lambda rhyme: votes[rhyme], default=None) if i % 2 else None
        for i, end in enumerate(ends)
    ]


def are_neighbours(rhyme: str, others: Sequence[str]) -> bool:
    """Whether one of `others` is 鄰韻 of `rhyme`."""
    return any(rhyme in group and other in group for group in NEIGHBOURS for other in others)


def rhyme_departures(
    ends: Sequence[Character], rhymed: Sequence[bool], rhyme: str | None
) -> list[Departure]:
    """What to say of the last characters of the lines that are `rhymed`."""
    found, seen = [], set[str]()
    for i, (end, is_rhymed) in enumerate(zip(ends, rhymed, strict=True)):
        if not is_rhymed:
            continue
        if end.is_known and rhyme not in end.level_rhymes:
            found.append(_stray(i, end, rhyme))
        if end.text in seen:
            severity = "note" if end.is_ambiguous else "fault"
            found.append(Departure("重韻", i, 0, "this word rhymes a second time", severity))
        seen.add(end.text)
    return found


def _stray(line: int, end: Character, rhyme: str | None) -> Departure:
    """A rhyme word outside the rhyme."""
    if not end.level_rhymes:
        return Departure("出韻", line, 0, "平 is due here, for the rhyme", "fault")
    own = ", ".join(end.level_rhymes)
    if are_neighbours(rhyme or "", end.level_rhymes):
        if line == 0:
            return Departure("鄰韻", 0, 0, f"borrows the rhyme {own}, next to {rhyme}", "note")
        return Departure("出韻", line, 0, f"rhymes in {own}, a neighbour of {rhyme}", "fault")
    return Departure("出韻", line, 0, f"rhymes in {own}, not in {rhyme}", "fault")
