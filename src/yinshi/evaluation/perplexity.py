"""Perplexity, under the convention we mean and under those others have published.

`TokenNats.perplexity` is the figure: exp(total nats / total tokens), padding never counted. Every
other convention has a name of its own and is only printed beside it; docs/perplexity.md has the
formulas and a worked example.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yinshi.corpus.vocabulary import SPECIALS, UNK, Vocabulary


@dataclass(frozen=True)
class TokenNats:
    """What a model paid for each target token of some poems, poem after poem.

    nats:     (N,) −log p of each target, natural logarithm
    targets:  (N,) its id; a poem's targets are its characters, then `<eos>` (`<sos>` is only input)
    lengths:  (P,) how many of the N belong to each poem, never 0
    """

    nats: NDArray[np.float64]
    targets: NDArray[np.int32]
    lengths: NDArray[np.int64]

    @classmethod
    def join(
        cls, nats: Sequence[NDArray[np.floating]], targets: Sequence[NDArray[np.int32]]
    ) -> TokenNats:
        """From one array of nats and one of targets a poem; sums are in float64 from here on."""
        lengths = np.array([len(poem) for poem in targets], dtype=np.int64)
        return cls(np.concatenate(nats, dtype=np.float64), np.concatenate(targets), lengths)

    @property
    def perplexity(self) -> float:
        """The figure. Punctuation and `<eos>` are tokens like any other."""
        return _exp(self.nats.sum() / len(self.nats))

    def per_character(self, is_character: NDArray[np.bool_]) -> float:
        """Only the targets with `is_character[target]` (V,): see `character_ids`."""
        nats = self.nats[is_character[self.targets]]
        return _exp(nats.sum() / len(nats)) if len(nats) else np.nan

    def padded_to(self, length: int) -> float:
        """Every poem cut to `length` targets or padded up to it, the pads counted as tokens.

        A pad costs 0 nats here: the limit that a network trained on pads comes close to within an
        epoch, hence a lower bound of the figure that it prints.
        """
        within = self.nats[self._positions() < length]
        return _exp(within.sum() / (len(self.lengths) * length))

    @property
    def mean_of_poems(self) -> float:
        """The mean of each poem's own perplexity; a short poem weighs as much as a long one."""
        of_poems = np.add.reduceat(self.nats, self._starts())
        return float(np.mean([_exp(mean) for mean in of_poems / self.lengths]))

    @property
    def base2_of_nats(self) -> float:
        """2^(mean nats): the wrong base. Meant was 2^(mean bits) = e^(mean nats)."""
        return _exp(np.log(2) * self.nats.sum() / len(self.nats))

    def conventions(self, is_character: NDArray[np.bool_], pad_to: int) -> dict[str, float]:
        """Name → value under every convention, the figure first."""
        return {
            "per_token": self.perplexity,
            "per_character": self.per_character(is_character),
            f"padded_to_{pad_to}": self.padded_to(pad_to),
            "mean_of_poems": self.mean_of_poems,
            "base2_of_nats": self.base2_of_nats,
        }

    def _starts(self) -> NDArray[np.int64]:
        return np.cumsum(self.lengths) - self.lengths

    def _positions(self) -> NDArray[np.int64]:
        """(N,) each target's place in its poem, from 0."""
        return np.arange(len(self.nats)) - np.repeat(self._starts(), self.lengths)


def character_ids(vocabulary: Vocabulary) -> NDArray[np.bool_]:
    """(V,) whether an id is a Chinese character: no punctuation, no special but `<unk>`.

    Told by what it is not (punctuation, symbol, space, control), because private-use and newly
    encoded characters have no letter's category in every version of Python.
    """
    marks = [unicodedata.category(c) for c in vocabulary.characters]
    kept = [mark[0] not in "PSZ" and mark != "Cc" for mark in marks]
    return np.array([i == UNK for i in range(len(SPECIALS))] + kept)


def _exp(mean_nats: float) -> float:
    with np.errstate(over="ignore"):  # a network that diverged: infinite is the honest answer
        return float(np.exp(mean_nats))
