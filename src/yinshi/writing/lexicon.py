"""What prosody says of each token of a vocabulary, as arrays to restrict a distribution with."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from yinshi.corpus.poem import PUNCTUATION, SENTENCE_ENDS
from yinshi.corpus.vocabulary import SPECIALS, Vocabulary
from yinshi.prosody.characters import Character, character_of
from yinshi.prosody.readings import RHYMES

Mask = NDArray[np.bool_]

LINE_ENDS = "，"


class Lexicon:
    """Masks (V,) over the tokens of `vocabulary`, whose poems are in one script.

    `level` and `oblique`: may be read 平, 仄; a token that may be read both ways is in both.
    """

    def __init__(self, vocabulary: Vocabulary, script: str) -> None:
        self.vocabulary = vocabulary
        self._simplified = script == "simplified"
        self._characters = [self.character(c) for c in vocabulary.characters]
        self.level = self._mask([c.read != "仄" for c in self._characters])
        self.oblique = self._mask([c.read != "平" for c in self._characters])
        self.is_character = self._mask([c not in PUNCTUATION for c in vocabulary.characters])
        self.is_known = self._mask([c.is_known for c in self._characters])

    @cached_property
    def rhymes(self) -> Mask:
        """(V, 106): whether a token rhymes in each of `RHYMES`, rare readings left out."""
        column = {rhyme: r for r, rhyme in enumerate(RHYMES)}
        member = np.zeros((len(self.vocabulary), len(RHYMES)), dtype=bool)
        for token, character in enumerate(self._characters, start=len(SPECIALS)):
            member[token, [column[rhyme] for rhyme in character.rhymes]] = True
        return member

    @cached_property
    def rhyming(self) -> NDArray[np.float32]:
        """(106, V): `rhymes` as numbers, to be multiplied."""
        return self.rhymes.T.astype(np.float32)

    def character(self, text: str) -> Character:
        """What prosody says of `text` in this script."""
        return character_of(text, self._simplified)

    def marks(self, ends_sentence: bool) -> tuple[int, ...]:
        """The tokens that may end a line, or a sentence."""
        marks = SENTENCE_ENDS if ends_sentence else LINE_ENDS
        return tuple(self.vocabulary.id(m) for m in marks if m in self.vocabulary)

    def _mask(self, values: list[bool]) -> Mask:
        return np.array([False] * len(SPECIALS) + values)
