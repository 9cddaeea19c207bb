"""What a scan needs to know of a character: how it may be read, and with what it rhymes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from yinshi.prosody.readings import has_homographs, readings

#: The tone of a character which the table lacks.
UNKNOWN = "？"


@dataclass(frozen=True, slots=True)
class Character:
    """A character in a poem.

    `tones`: those that verse uses, e.g. 平去, or 「？」. `read`: 平, 仄, or 中 for either or
    unknown. `rhymes`: those that verse uses; `level_rhymes`: of them the level ones. `rare_tones`:
    those that verse practically never uses, which don't count. `is_ambiguous`: in simplified
    characters, it stands for more than one word.
    """

    text: str
    tones: str
    read: str
    rhymes: tuple[str, ...]
    level_rhymes: tuple[str, ...]
    rare_tones: str
    is_ambiguous: bool

    @property
    def is_known(self) -> bool:
        """Whether the table has it."""
        return self.tones != UNKNOWN


@lru_cache(maxsize=1 << 15)
def character_of(text: str, simplified: bool) -> Character:
    """The character `text`, in a poem in simplified characters or not."""
    found = readings(text, simplified)
    usual = [reading for reading in found if not reading.rare]
    tones = dict.fromkeys(reading.tone for reading in usual)
    rare = dict.fromkeys(reading.tone for reading in found if reading.rare)
    levels = {reading.is_level for reading in usual}
    return Character(
        text=text,
        tones="".join(tones) or UNKNOWN,
        read="中" if len(levels) != 1 else "平" if levels.pop() else "仄",
        rhymes=tuple(reading.rhyme for reading in usual),
        level_rhymes=tuple(reading.rhyme for reading in usual if reading.is_level),
        rare_tones="".join(tone for tone in rare if tone not in tones),
        is_ambiguous=simplified and has_homographs(text),
    )
