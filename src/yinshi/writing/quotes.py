"""Keeping clear of the training poems' own lines."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from yinshi.corpus.poem import lines_of
from yinshi.corpus.vocabulary import EOS, Vocabulary
from yinshi.writing.constraints import Draft
from yinshi.writing.novelty import NoveltyIndex

#: What a line that stands in the training poems costs a draft, in nats: more than any other line.
QUOTATION = 30.0


class Quotes:
    """Which lines of a poem's drafts are quotations, each line looked up once."""

    def __init__(self, index: NoveltyIndex, vocabulary: Vocabulary) -> None:
        self._index = index
        self._vocabulary = vocabulary
        self._known: dict[str, bool] = {}

    def count(self, poems: list[str], given: str = "") -> NDArray[np.int64]:
        """(N,) quotations in each of N poems, but for what stands in `given`, the user's own."""
        drafts = [[line for line in lines_of(poem) if line not in given] for poem in poems]
        if new := list({line for lines in drafts for line in lines} - self._known.keys()):
            self._known.update(zip(new, self._index.known(new).tolist(), strict=True))
        return np.array([sum(self._known[line] for line in lines) for lines in drafts])

    def stand_in(self, draft: Draft) -> bool:
        """Whether there are any in a whole `draft`, but for what it was asked to begin with."""
        text, given = (
            self._vocabulary.decode(token for token in tokens if token != EOS)
            for tokens in (draft.tokens, draft.prefix)
        )
        return bool(self.count([text], given)[0])

    def penalty(self, drafts: NDArray[np.intp]) -> NDArray[np.float64]:
        """Nats (K,) that drafts (K, t) are charged, for the search."""
        quotations = self.count([self._vocabulary.decode(row.tolist()) for row in drafts])
        return QUOTATION * quotations.astype(np.float64)
