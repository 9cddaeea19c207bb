"""Which tracks of a plan drafts still follow, and so what each may write next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from yinshi.writing.lexicon import Mask
from yinshi.writing.plan import Plan

Tokens = NDArray[np.intp]


class Tracks:
    """Of K drafts: the patterns and the tracks of the line that are alive, and the open rhymes.

    V vocabulary, N tracks of a line. `begin` a line, then for each of its characters ask what is
    `allowed`, `select` drafts if need be, and `write`.
    """

    def __init__(self, plan: Plan, count: int) -> None:
        self._plan = plan
        self._lexicon = plan.lexicon
        self._patterns = np.ones((count, len(plan.patterns)), dtype=bool)
        self._rhymes = np.repeat(plan.rhymes[None], count, axis=0)  # (K, 106)
        self._ends = np.zeros((count, 0), dtype=np.intp)  # from which rhyme words have to differ
        self._alive = np.zeros((count, 0), dtype=bool)  # (K, N)

    def begin(self, line: int) -> None:
        """Take up the tracks of `line` in the patterns that are alive."""
        tracks = self._plan.tracks[line]
        self._numbers = np.array([track.pattern for track in tracks])
        self._rhyming = np.array([track.rhymes for track in tracks])
        self._tones = np.array([list(track.tones) for track in tracks])
        self._alive = self._patterns[:, self._numbers]

    def select(self, rows: Tokens) -> None:
        """Keep the drafts `rows`, in that order; one may be taken several times."""
        self._patterns, self._rhymes = self._patterns[rows], self._rhymes[rows]
        self._ends, self._alive = self._ends[rows], self._alive[rows]

    def allowed(self, line: int, position: int) -> Mask:
        """(K, V): the tokens that keep at least one track alive."""
        level, oblique, rhyming = self._wanted(line, position)
        plain = self._alive & ~rhyming
        may_level = (plain & level).any(axis=1, keepdims=True)
        may_oblique = (plain & oblique).any(axis=1, keepdims=True)
        allowed: Mask = (may_level & self._lexicon.level) | (may_oblique & self._lexicon.oblique)
        if rhyming.any():
            words = self._open_rhymes(line).astype(np.float32) @ self._lexicon.rhyming > 0
            words[np.arange(len(words))[:, None], self._ends] = False
            if not oblique[rhyming].any():
                words &= self._lexicon.level
            allowed |= (self._alive & rhyming).any(axis=1, keepdims=True) & words
        allowed &= self._plan.places[line][position]
        return allowed

    def write(self, line: int, position: int, tokens: Tokens) -> None:
        """Drop the tracks and rhymes that `tokens` (K,) leave."""
        level, oblique, rhyming = self._wanted(line, position)
        is_level = self._lexicon.level[tokens, None]
        is_oblique = self._lexicon.oblique[tokens, None]
        alive = self._alive & ((level & is_level) | (oblique & is_oblique))
        if rhyming.any():
            # What can be read so that the line needn't rhyme is read so: it binds to nothing.
            plain = (alive & ~rhyming).any(axis=1, keepdims=True)
            alive &= ~(plain & rhyming)
            bound = self._open_rhymes(line) & self._lexicon.rhymes[tokens]
            self._rhymes = np.where(plain, self._rhymes, bound)
        self._alive = alive
        if position == self._plan.sheet.lengths[line] - 1:
            for pattern in range(len(self._plan.patterns)):
                self._patterns[:, pattern] = alive[:, self._numbers == pattern].any(axis=1)
            if line == 0 or line % 2:
                self._ends = np.concatenate([self._ends, tokens[:, None]], axis=1)

    def _wanted(self, line: int, position: int) -> tuple[Mask, Mask, Mask]:
        """(N,) each: the tracks that take a level character here, an oblique one, a rhyme word."""
        tones = self._tones[:, position]
        is_end = position == self._plan.sheet.lengths[line] - 1
        return tones != "仄", tones != "平", self._rhyming & is_end

    def _open_rhymes(self, line: int) -> Mask:
        """(K, 106): the rhymes in which `line` may rhyme."""
        return self._rhymes & self._plan.first_rhymes if line == 0 else self._rhymes
