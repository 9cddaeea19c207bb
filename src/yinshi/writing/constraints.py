"""What may come next in a poem, and when it is at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from yinshi.corpus.poem import PUNCTUATION, SENTENCE_ENDS
from yinshi.corpus.vocabulary import EOS, PAD, SOS, UNK, Vocabulary
from yinshi.writing.sampling import Scores


@dataclass(frozen=True, slots=True)
class Draft:
    """A poem being written: its tokens so far and what each cost, −log p in nats."""

    prefix: tuple[int, ...]
    tokens: tuple[int, ...] = ()
    nats: tuple[float, ...] = ()

    @property
    def last(self) -> int:
        return self.tokens[-1] if self.tokens else SOS

    @property
    def forced(self) -> int | None:
        """The next token where the prefix is still being read."""
        position = len(self.tokens)
        return self.prefix[position] if position < len(self.prefix) else None

    @property
    def is_own(self) -> bool:
        """Is the last token the network's, not the prefix's?"""
        return len(self.tokens) > len(self.prefix)

    def extended(self, token: int, nats: float) -> Draft:
        return Draft(self.prefix, (*self.tokens, token), (*self.nats, nats))

    def cut(self, length: int) -> Draft:
        return replace(self, tokens=self.tokens[:length], nats=self.nats[:length])


#: A draft, and how much of a poem it is, 0 to 1.
Sight = tuple[Draft, float]

#: A sentence alone is a couplet, which the collections hold by the thousand as 「句」, fragments.
LEAST_SENTENCES = 2


class Rules:
    """The rules of every poem: it begins as the prefix says; no pause at its very start or after
    another; it ends only after a whole sentence of its own and `LEAST_SENTENCES` in all, within
    `max_length` characters if these are no longer; and no special is ever written.
    """

    def __init__(self, vocabulary: Vocabulary, max_length: int) -> None:
        self._pause = _marks(vocabulary, PUNCTUATION)
        self._stop = _marks(vocabulary, SENTENCE_ENDS)
        self._least = LEAST_SENTENCES
        if not self._stop.any():  # poems without punctuation may end anywhere
            self._stop[:] = True
            self._least = 1
        self.max_length = max_length

    @property
    def longest(self) -> int:
        """Where a poem is broken off whose first sentence won't end."""
        return 2 * self.max_length

    def restrict(self, scores: Scores, drafts: Sequence[Draft]) -> None:
        """Set to −inf, in place, the `scores` (B, V) of what may not come next."""
        last = np.array([draft.last for draft in drafts])
        whole = np.array([self._is_whole(draft) for draft in drafts])
        forced = [(b, d.forced) for b, d in enumerate(drafts) if d.forced is not None]
        kept = [scores[b, token] for b, token in forced]
        scores[:, [PAD, SOS, UNK]] = -np.inf
        scores[~whole, EOS] = -np.inf
        scores[np.ix_(self._pause[last] | (last == SOS), self._pause)] = -np.inf
        for (b, token), score in zip(forced, kept, strict=True):
            scores[b] = -np.inf
            scores[b, token] = score

    def ended(self, draft: Draft) -> Draft | None:
        """The finished poem, cut back to its last whole sentence if too long; None: it goes on."""
        length = len(draft.tokens)
        if draft.last == EOS or length >= self.longest:
            return draft
        if length < self.max_length:
            return None
        wholes = (draft.cut(k) for k in range(length, 0, -1))
        return next((whole for whole in wholes if self._is_whole(whole)), None)

    def _is_whole(self, draft: Draft) -> bool:
        """May the poem end here?"""
        if not (draft.is_own and self._stop[draft.last]):
            return False
        return int(np.count_nonzero(self._stop[list(draft.tokens)])) >= self._least


def _marks(vocabulary: Vocabulary, characters: str) -> NDArray[np.bool_]:
    """(V,): which tokens are one of `characters`."""
    marks = np.zeros(len(vocabulary), dtype=bool)
    marks[[vocabulary.id(c) for c in characters if c in vocabulary]] = True
    return marks
