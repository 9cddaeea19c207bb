"""Does a poem meet its wishes? Judged from its text alone, by the scan, not by the search."""

from __future__ import annotations

from yinshi.prosody.readings import rhyme_named
from yinshi.prosody.scan import FORBIDDEN, scan, split_lines
from yinshi.writing.lexicon import Lexicon
from yinshi.writing.plan import Demands
from yinshi.writing.sheet import Sheet


def meets(text: str, sheet: Sheet, demands: Demands, lexicon: Lexicon) -> bool:
    """Whether the poem `text`, in the vocabulary's script, is what was asked for."""
    lines = split_lines(text)
    if tuple(map(len, lines)) != sheet.lengths:
        return False
    vocabulary = lexicon.vocabulary
    characters = "".join(lines)
    return (
        all(vocabulary.id(lines[x.line][x.position]) in x.tokens for x in sheet.locks)
        and not {vocabulary.id(character) for character in characters} & set(demands.avoid)
        and keeps_repetition(text, demands)
        and keeps_tones(text, demands)
        and keeps_rhyme(lines, demands, lexicon)
    )


def keeps_repetition(text: str, demands: Demands) -> bool:
    """Whether no character stands twice in `text` where that was asked."""
    characters = "".join(split_lines(text))
    return not demands.no_repeat or len(set(characters)) == len(characters)


def keeps_tones(text: str, demands: Demands) -> bool:
    """Whether `text`, in either script, scans clean as far as it was asked to."""
    if demands.tones == "off":
        return True
    found = scan(text)
    if demands.rhyme != "off":
        return found.is_clean(demands.tones)
    faults = [fault for fault in found.faults if not fault.is_of_rhyme]
    forbidden = FORBIDDEN[demands.tones]
    return found.is_regulated and not any(fault.severity in forbidden for fault in faults)


def keeps_rhyme(lines: list[str], demands: Demands, lexicon: Lexicon) -> bool:
    """Whether the even lines end in different words of one rhyme, the one that was asked for."""
    if demands.rhyme == "off":
        return True
    words = [line[-1] for line in lines[1::2]]
    shared = set.intersection(*(set(lexicon.character(word).rhymes) for word in words))
    if demands.rhyme != "auto":
        shared &= {rhyme_named(demands.rhyme)}
    return bool(shared) and len(set(words)) == len(words)
