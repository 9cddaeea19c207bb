"""Which kinds of line a poem's tones follow, and where they depart: 失律, 失對, 失粘, 孤平, 拗 …

Tones come as one string a line over 平, 仄 and 中 (read either way, or unknown). The kinds are
found for all lines at once: the sequence whose departures weigh least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from yinshi.prosody.forms import VARIANTS, leading

#: What a departure weighs in the search for the kinds. One wrong tone is a simpler explanation
#: than a line of the wrong kind, which disjoins two pairs of lines. The steps are so high that a
#: poem which some kinds make clean is never taken for one of other kinds, however many its lines.
WEIGHTS = {"失律": 1e6, "失對": 1e6, "失粘": 0.7e6, "大拗": 0.5e6}
MINOR, NOTE = 1e3, 1.0


@dataclass(frozen=True, slots=True)
class Departure:
    """What a poem departs in from its model.

    `line` counts from 0, `position` from 1 (0: the line's end). `severity`: fault, minor or note.
    """

    name: str
    line: int
    position: int
    reason: str
    severity: str


def fits(tones: str, template: str) -> bool:
    """Whether a line that may be read `tones` can be read as `template` wants it."""
    return all(
        t == wanted or t == "中" or wanted == "中"
        for t, wanted in zip(tones, template, strict=True)
    )


@lru_cache(maxsize=1 << 15)
def line_departures(tones: str, kind: str) -> tuple[Departure, ...]:
    """What a line read `tones` departs in from `kind`; `line` is 0 in all of them."""
    before = leading(kind, len(tones))
    found = [
        Departure("失律", 0, i + 1, f"{wanted} is due here", "fault")
        for i, wanted in enumerate(before)
        if not fits(tones[i], wanted)
    ]
    tail = tones[len(before) :]
    for variant in VARIANTS[kind]:
        if fits(tail, variant.tones):
            if variant.name:
                place = len(before) + variant.position
                found.append(Departure(variant.name, 0, place, variant.reason, variant.severity))
            return tuple(found)
    model = VARIANTS[kind][0].tones
    for i in (1, 3, 4):
        if not fits(tail[i], model[i]):
            place = len(before) + i + 1
            found.append(Departure("失律", 0, place, f"{model[i]} is due here", "fault"))
    return tuple(found)


def template(tones: str, kind: str) -> str:
    """What a line read `tones` follows as one of `kind`: the variant that it fits, or the usual."""
    before = leading(kind, len(tones))
    tail = tones[len(before) :]
    fitting = (v.tones for v in VARIANTS[kind] if fits(tail, v.tones))
    return before + next(fitting, VARIANTS[kind][0].tones)


@lru_cache(maxsize=1 << 15)
def line_weight(tones: str, kind: str) -> float:
    """What the departures of one line from `kind` weigh together."""
    return sum(
        WEIGHTS.get(d.name, MINOR if d.severity == "minor" else NOTE)
        for d in line_departures(tones, kind)
    )


def follow(lines: Sequence[str], first_may_rhyme: bool) -> str:
    """The kind of each line, e.g. "aBbA": even lines A or B, odd ones a or b.

    The first may be any of the four, or, where it doesn't rhyme, a or b.
    """
    best = {k: (line_weight(lines[0], k), k) for k in ("aAbB" if first_may_rhyme else "ab")}
    for i, tones in enumerate(lines[1:], 1):
        following = {}
        for kind in "AB" if i % 2 else "ab":
            own = line_weight(tones, kind)
            following[kind] = min(
                (weight + own + _joint_weight(kinds[-1], kind, i), kinds + kind)
                for weight, kinds in best.values()
            )
        best = following
    return min(best.values())[1]


def departures(lines: Sequence[str], kinds: str) -> list[Departure]:
    """Everything to say of the tones of `lines`, taken as of `kinds`."""
    found = []
    for i, (tones, kind) in enumerate(zip(lines, kinds, strict=True)):
        for d in line_departures(tones, kind):
            if d.name == "大拗" and kinds[i + 1] == "B" and fits(lines[i + 1][-3], "平"):
                reason = "仄 for 平 next to the end, rescued by 平 in the next line"
                found.append(Departure(d.name, i, d.position, reason, "note"))
            else:
                found.append(Departure(d.name, i, d.position, d.reason, d.severity))
        if i and not _is_joined(kinds[i - 1], kind, i):
            found.append(_disjoined(i))
    return found


def _disjoined(line: int) -> Departure:
    if line % 2:
        reason = "the second tones of a couplet's lines have to be opposed"
        return Departure("失對", line, 2, reason, "fault")
    reason = "the second tone has to be that of the line before, to join the couplets"
    return Departure("失粘", line, 2, reason, "minor")


def _is_joined(before: str, kind: str, line: int) -> bool:
    """Second tones opposed within a couplet, alike across couplets."""
    return (before.lower() == kind.lower()) != bool(line % 2)


def _joint_weight(before: str, kind: str, line: int) -> float:
    if _is_joined(before, kind, line):
        return 0.0
    return WEIGHTS["失對" if line % 2 else "失粘"]
