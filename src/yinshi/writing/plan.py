"""Wishes compiled: for each place of a poem the tokens that may stand there.

What tones allow depends on what was written before. A line has several templates, from one pattern
of the form or more; the ones that a draft still follows are its *tracks*. Along them every place
has a token left, so that no draft is led into a blind alley by its tones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from yinshi.errors import UsageError
from yinshi.prosody.forms import patterns
from yinshi.prosody.readings import LEVEL, RHYMES, rhyme_named
from yinshi.writing.lexicon import Lexicon, Mask
from yinshi.writing.sheet import Lock, Sheet
from yinshi.writing.wishes import Tones

NAMES = tuple(RHYMES)
IS_LEVEL = np.array([tone == LEVEL for tone in RHYMES.values()])


@dataclass(frozen=True, slots=True)
class Demands:
    """What holds for the poem as a whole. `rhyme`: a rhyme's name, auto or off."""

    tones: Tones
    rhyme: str
    avoid: tuple[int, ...]
    no_repeat: bool


@dataclass(frozen=True, slots=True)
class Track:
    """One way to write one line: `tones` over 平, 仄, 中, as in the pattern numbered `pattern`."""

    pattern: int
    tones: str
    rhymes: bool


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern of the poem: its `name`, and for each line its templates and whether it rhymes."""

    name: str
    templates: tuple[tuple[str, ...], ...]
    rhymed: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """`places[i][j]` (V,): the tokens of character j of line i, tones and rhyme aside.

    `patterns` are the names of those that can be kept, "" for the one without tones; `tracks[i]`
    are line i's; `rhymes` (106,): those that the poem may rhyme in, and `first_rhymes` those that
    it may if its first line rhymes as well.
    """

    sheet: Sheet
    lexicon: Lexicon
    demands: Demands
    places: tuple[tuple[Mask, ...], ...]
    patterns: tuple[str, ...]
    tracks: tuple[tuple[Track, ...], ...]
    rhymes: Mask
    first_rhymes: Mask

    @property
    def rhyme_names(self) -> list[str]:
        """Those of `rhymes`."""
        return [NAMES[r] for r in np.flatnonzero(self.rhymes)]


def plan(sheet: Sheet, lexicon: Lexicon, demands: Demands) -> Plan:
    """Raises UsageError that names the demands which collide, where no poem can meet them all."""
    if demands.tones != "off" and sheet.form is None:
        raise UsageError(
            f"tones {demands.tones}: {sheet.name} has lines of "
            f"{', '.join(map(str, sheet.lengths))} characters, which is no regulated form"
        )
    places = _places(sheet, lexicon, demands)
    offered = _patterns(sheet, demands)
    fitting = [p for p in offered if not _tone_misfits(p, places, lexicon)]
    if not fitting:
        raise UsageError(_tone_collision(offered, sheet, places, lexicon))
    asked = _asked_rhymes(demands)
    rhymes, first_rhymes = np.zeros((2, len(NAMES)), dtype=bool)
    kept = []
    for pattern in fitting:
        found = _rhymes(pattern, places, lexicon, asked)
        if found:
            kept.append(pattern)
            (first_rhymes if pattern.rhymed[0] else rhymes)[found] = True
    if not kept:
        raise UsageError(_rhyme_collision(fitting, sheet, places, lexicon, demands))
    tracks = tuple(
        tuple(
            Track(k, template, pattern.rhymed[i])
            for k, pattern in enumerate(kept)
            for template in pattern.templates[i]
            if not _misfits(template, places[i], lexicon)
        )
        for i in range(len(sheet.lengths))
    )
    names = tuple(pattern.name for pattern in kept)
    return Plan(sheet, lexicon, demands, places, names, tracks, rhymes | first_rhymes, first_rhymes)


def _places(sheet: Sheet, lexicon: Lexicon, demands: Demands) -> tuple[tuple[Mask, ...], ...]:
    """The `places` of a plan. Raises UsageError where locks contradict each other or `avoid`."""
    V = len(lexicon.level)
    avoided = np.zeros(V, dtype=bool)
    avoided[list(demands.avoid)] = True
    free = lexicon.is_character & ~avoided
    if demands.tones != "off":
        free = free & lexicon.is_known
    places = [[free] * length for length in sheet.lengths]
    locks = _locks_by_place(sheet)
    for (i, j), here in locks.items():
        wanted = set.intersection(*(set(lock.tokens) for lock in here))
        if not wanted:
            others = " and ".join(map(str, here))
            raise UsageError(f"{here[0].place}: found {others}, leave out one")
        kept = [token for token in sorted(wanted) if not avoided[token]]
        if not kept:
            raise UsageError(f"{here[0].place}: found {here[0]}, which avoid forbids")
        places[i][j] = np.zeros(V, dtype=bool)
        places[i][j][kept] = True
    _reserve(places, locks, sheet, demands)
    return tuple(tuple(line) for line in places)


def _locks_by_place(sheet: Sheet) -> dict[tuple[int, int], list[Lock]]:
    found: dict[tuple[int, int], list[Lock]] = {}
    for lock in sorted(sheet.locks, key=lambda lock: (lock.line, lock.position)):
        found.setdefault((lock.line, lock.position), []).append(lock)
    return found


def _reserve(
    places: list[list[Mask]],
    locks: dict[tuple[int, int], list[Lock]],
    sheet: Sheet,
    demands: Demands,
) -> None:
    """A character that a lock holds is out of reach of the places that have to differ from it."""
    holders: dict[int, list[tuple[int, int]]] = {}
    for i, j in locks:
        tokens = np.flatnonzero(places[i][j])
        if tokens.size == 1:
            holders.setdefault(int(tokens[0]), []).append((i, j))
    for token, held in holders.items():
        if demands.no_repeat and len(held) > 1:
            first, second = (locks[place][0] for place in held[:2])
            raise UsageError(
                f"{second.place}: found {second} again, after {first.place}, with no_repeat"
            )
        for i, line in enumerate(places):
            for j, mask in enumerate(line):
                differs = demands.no_repeat or any(
                    demands.rhyme != "off" and _ends_rhyme(sheet, *p) and _ends_rhyme(sheet, i, j)
                    for p in held
                )
                if (i, j) not in held and (i, j) not in locks and differs:
                    line[j] = mask.copy()
                    line[j][token] = False


def _ends_rhyme(sheet: Sheet, line: int, position: int) -> bool:
    return (line == 0 or line % 2 == 1) and position == sheet.lengths[line] - 1


def _patterns(sheet: Sheet, demands: Demands) -> list[Pattern]:
    """The patterns which the tones leave open."""
    has_rhyme = demands.rhyme != "off"
    lines = len(sheet.lengths)
    if demands.tones == "off" or sheet.form is None:
        templates = tuple(("中" * length,) for length in sheet.lengths)
        return [Pattern("", templates, tuple(has_rhyme and i % 2 == 1 for i in range(lines)))]
    found = []
    for pattern in patterns(sheet.form):
        if has_rhyme or not pattern.rhymed[0]:  # a first line can't rhyme where none does
            rhymed = tuple(has_rhyme and rhymes for rhymes in pattern.rhymed)
            found.append(Pattern(pattern.name, pattern.alternatives(demands.tones), rhymed))
    return found


def _fitting(mask: Mask, tone: str, lexicon: Lexicon) -> Mask:
    """The tokens of `mask` that may be read in `tone`."""
    if tone == "中":
        return mask
    return mask & (lexicon.level if tone == "平" else lexicon.oblique)


def _misfits(template: str, places: Sequence[Mask], lexicon: Lexicon) -> list[int]:
    """The positions at which nothing fits."""
    return [
        j
        for j, (tone, mask) in enumerate(zip(template, places, strict=True))
        if not _fitting(mask, tone, lexicon).any()
    ]


def _tone_misfits(
    pattern: Pattern, places: Sequence[Sequence[Mask]], lexicon: Lexicon
) -> list[tuple[int, int, str]]:
    """(line, position, tone due) at which nothing fits, by each line's best template."""
    found = []
    for i, templates in enumerate(pattern.templates):
        misfits = [(_misfits(template, places[i], lexicon), template) for template in templates]
        least, template = min(misfits, key=lambda misfit: len(misfit[0]))
        found += [(i, j, template[j]) for j in least]
    return found


def _tone_collision(
    patterns: Sequence[Pattern], sheet: Sheet, places: Sequence[Sequence[Mask]], lexicon: Lexicon
) -> str:
    """The first misfit of the pattern that has fewest."""
    found = [(_tone_misfits(pattern, places, lexicon), pattern) for pattern in patterns]
    misfits, pattern = min(found, key=lambda each: len(each[0]))
    i, j, due = misfits[0]
    nearest = f"{due} is due there in {sheet.name} {pattern.name}, the nearest pattern"
    here = _locks_by_place(sheet).get((i, j))
    if here is None:
        return f"line {i + 1}, character {j + 1}: the vocabulary has none for it, {nearest}"
    return f"{here[0].place}: {here[0]} is {'仄' if due == '平' else '平'}, {nearest}"


def _asked_rhymes(demands: Demands) -> list[int]:
    """Indices of the rhymes that are open; all where the poem needn't rhyme."""
    if demands.rhyme in ("auto", "off"):
        return [r for r in range(len(NAMES)) if demands.tones == "off" or IS_LEVEL[r]]
    name = rhyme_named(demands.rhyme)
    if demands.tones != "off" and RHYMES[name] != LEVEL:
        raise UsageError(
            f"rhyme {demands.rhyme}: {name} is {RHYMES[name]}, regulated verse rhymes in {LEVEL}"
        )
    return [NAMES.index(name)]


def _rhyme_words(
    pattern: Pattern, places: Sequence[Sequence[Mask]], lexicon: Lexicon, rhyme: int
) -> list[Mask]:
    """For each line that rhymes the tokens which may end it."""
    return [
        _fitting(places[i][-1], pattern.templates[i][0][-1], lexicon) & lexicon.rhymes[:, rhyme]
        for i, rhymes in enumerate(pattern.rhymed)
        if rhymes
    ]


def _rhymes(
    pattern: Pattern, places: Sequence[Sequence[Mask]], lexicon: Lexicon, asked: Sequence[int]
) -> list[int]:
    """Those of the `asked` rhymes in which every line can have a rhyme word of its own."""
    return [r for r in asked if _are_distinct(_rhyme_words(pattern, places, lexicon, r))]


def _are_distinct(masks: Sequence[Mask]) -> bool:
    """Whether one token of each mask can be taken, all different.

    A bipartite matching by augmenting paths (Kuhn 1955); no mask needs more than as many tokens
    as there are masks.
    """
    if masks and np.count_nonzero(np.logical_or.reduce(masks)) < len(masks):
        return False
    choices = [np.flatnonzero(mask)[: len(masks)].tolist() for mask in masks]
    taken: dict[int, int] = {}

    def place(k: int, tried: set[int]) -> bool:
        for token in sorted(choices[k], key=taken.__contains__):  # free ones first
            if token not in tried:
                tried.add(token)
                if token not in taken or place(taken[token], tried):
                    taken[token] = k
                    return True
        return False

    return all(place(k, set()) for k in range(len(masks)))


def _rhyme_collision(
    patterns: Sequence[Pattern],
    sheet: Sheet,
    places: Sequence[Sequence[Mask]],
    lexicon: Lexicon,
    demands: Demands,
) -> str:
    """The first rhyme word that leaves the rhyme which most of them have."""

    def words(pattern: Pattern, rhyme: int) -> list[Mask]:
        return _rhyme_words(pattern, places, lexicon, rhyme)

    pattern = min(patterns, key=lambda pattern: sum(pattern.rhymed))
    asked = _asked_rhymes(demands)
    rhyme = max(asked, key=lambda r: sum(bool(mask.any()) for mask in words(pattern, r)))
    found = words(pattern, rhyme)
    lines = [i for i, rhymes in enumerate(pattern.rhymed) if rhymes]
    available = int(np.count_nonzero(np.logical_or.reduce(found)))
    locks = _locks_by_place(sheet)
    held = {i: locks.get((i, sheet.lengths[i] - 1)) for i in lines}
    for i, mask in zip(lines, found, strict=True):
        here = held[i]
        if here and not mask.any():
            own = lexicon.rhymes[np.flatnonzero(places[i][-1])].any(axis=0)
            names = " or ".join(NAMES[r] for r in np.flatnonzero(own)) or "none of the 106"
            others = (held[k] for k, m in zip(lines, found, strict=True) if m.any() and held[k])
            other = next((f", as {each[0]} does in {each[0].place}" for each in others if each), "")
            return f"{here[0].place}: {here[0]} rhymes in {names}, {NAMES[rhyme]} is due{other}"
    return (
        f"rhyme {NAMES[rhyme]}: found {available} characters for the {len(lines)} rhyme words "
        f"of {sheet.name}"
    )
