"""The baseline: an interpolated Kneser–Ney n-gram of characters.

For an n-gram of context h and last token w, with h' the context less its first token,

    p(w | h) = (c(h w) − D(c(h w))) / c(h •)  +  Σᵥ D(c(h v)) / c(h •) · p(w | h')

c is the number of times h w was seen for the highest order, and the number of different tokens
seen before h w for the lower ones. Below the unigram stands the uniform distribution over all that
can be predicted: V less `<pad>` and `<sos>`. An unseen context hands the whole mass down. The
discounts D(1), D(2), D(3 and more) are estimated for each order, see `_discounts`.

Ney, Essen, Kneser 1994; "modified" and interpolated as in Chen and Goodman 1999, "An empirical
study of smoothing techniques for language modeling". NLTK's, in dictionaries and pure Python, is
too slow for millions of tokens; sorted arrays take a second.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from yinshi.corpus.dataset import Dataset
from yinshi.corpus.vocabulary import EOS, PAD, SOS

Ids = NDArray[np.integer]
Keys = NDArray[np.int64]
Number = TypeVar("Number", np.int64, np.float64)


@dataclass(frozen=True)
class _Level:
    """All n-grams of one order: each a number in base V, its last token the last digit."""

    keys: Keys  # (G,) sorted n-grams
    counts: NDArray[np.int64]  # (G,) c(h w)
    contexts: Keys  # (C,) sorted contexts h
    totals: NDArray[np.int64]  # (C,) c(h •)
    freed: NDArray[np.float64]  # (C,) Σᵥ D(c(h v)), what the discounts took from each context
    discounts: NDArray[np.float64]  # (4,) D(0) = 0, D(1), D(2), D(3 and more)

    @classmethod
    def count(cls, keys: Keys, vocabulary_size: int) -> _Level:
        """The level of these occurrences, in any order."""
        keys, counts = np.unique(keys, return_counts=True)
        contexts, starts = np.unique(keys // vocabulary_size, return_index=True)
        discounts = _discounts(counts)
        totals = np.add.reduceat(counts, starts)
        freed = np.add.reduceat(discounts[np.minimum(counts, 3)], starts)
        return cls(keys, counts, contexts, totals, freed, discounts)

    def interpolate(
        self, keys: Keys, vocabulary_size: int, lower: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(K,) p(w | h) of the n-grams `keys`, given `lower` p(w | h')."""
        counts = _find(self.keys, self.counts, keys)
        contexts = keys // vocabulary_size
        totals = _find(self.contexts, self.totals, contexts)
        freed = _find(self.contexts, self.freed, contexts)
        mass = counts - self.discounts[np.minimum(counts, 3)] + freed * lower
        p: NDArray[np.float64] = np.divide(mass, totals, out=lower.copy(), where=totals > 0)
        return p


class NGram:
    """p(token | the order − 1 before it); a poem is preceded by `<sos>`s and ends with `<eos>`."""

    def __init__(self, levels: list[_Level], vocabulary_size: int) -> None:
        self._levels = levels  # unigrams first
        self._vocabulary_size = vocabulary_size

    @classmethod
    def fit(cls, poems: Iterable[Ids], vocabulary_size: int, order: int = 3) -> NGram:
        """Count the training poems' ids, each (length,) without `<sos>` and `<eos>`."""
        if vocabulary_size**order > np.iinfo(np.int64).max:
            raise ValueError(f"order {order} of {vocabulary_size} ids does not fit 64 bits")
        keys = _ngrams(poems, vocabulary_size, order)
        levels = [_Level.count(keys, vocabulary_size)]
        for size in range(order - 1, 0, -1):
            shorter = levels[0].keys % vocabulary_size**size  # one for each token before it
            levels.insert(0, _Level.count(shorter, vocabulary_size))
        return cls(levels, vocabulary_size)

    def nats(self, ids: Ids) -> NDArray[np.float64]:
        """(length + 1,) −log p of each of a poem's ids, then of `<eos>`."""
        return self.nats_of_poems([ids])

    def nats_of_poems(self, poems: Iterable[Ids]) -> NDArray[np.float64]:
        """(N,) the nats of one poem after the other, all in one sweep."""
        V = self._vocabulary_size
        keys = _ngrams(poems, V, len(self._levels))
        p = np.full(len(keys), 1 / (V - len((PAD, SOS))))
        for size, level in enumerate(self._levels, start=1):
            p = level.interpolate(keys % V**size, V, p)
        return np.asarray(-np.log(p))


def _ngrams(poems: Iterable[Ids], vocabulary_size: int, order: int) -> Keys:
    """(N,) the n-gram that ends at each target of each poem, as a number in base V."""
    pieces: list[Ids] = []
    for ids in poems:
        pieces += [np.full(order - 1, SOS), ids, np.array([EOS])]
    stream = np.concatenate(pieces, dtype=np.int64)
    keys: Keys = np.zeros(len(stream) - order + 1, dtype=np.int64)
    for first in range(order):
        keys = keys * vocabulary_size + stream[first : first + len(keys)]
    ends = np.flatnonzero(stream[order - 1 :] != SOS)  # a window that ends here is in one poem
    return keys[ends]


def _find(keys: Keys, values: NDArray[Number], wanted: Keys) -> NDArray[Number]:
    """The value of each wanted key, 0 where it is not among the sorted `keys`."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    found: NDArray[Number] = values[place] * (keys[place] == wanted)
    return found


def _discounts(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """D(0) = 0 and D(c) = c − (c + 1) Y n(c+1) / n(c) for c = 1, 2, 3, n(c) n-grams of that count.

    Where too few were seen to estimate these: one discount for all, Y = n(1) / (n(1) + 2 n(2)), or
    ½ if none was seen once. Always 0 < D(c) ≤ c, so that what was never seen keeps some mass.
    """
    n = [int((counts == c).sum()) for c in range(5)]
    Y = n[1] / (n[1] + 2 * n[2]) if n[1] else 0.5
    D = [c - (c + 1) * Y * n[c + 1] / n[c] if n[c] else 0.0 for c in (1, 2, 3)]
    return np.array([0.0, *(D if min(D) > 0 and n[4] else [Y, Y, Y])])


def unigram_nats(data: Dataset) -> float:
    """Per validation token, for a model that knows only how frequent each character is."""
    encode = data.vocabulary.encode
    train, validation = ([encode(t) for t in data.texts(s)] for s in ("train", "validation"))
    return float(NGram.fit(train, len(data.vocabulary), order=1).nats_of_poems(validation).mean())
