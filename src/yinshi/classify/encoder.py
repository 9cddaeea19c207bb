"""Text → numbers, as a classifier's network reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from yinshi.classify.stop_words import load_stop_words
from yinshi.classify.tokenizer import Tokenizer
from yinshi.errors import DataError
from yinshi.recipe import TextRecipe

#: Before all words: what fills a batch up, and what stands for every word that is not known.
SPECIALS = ("<pad>", "<unk>")
PAD, UNK = range(2)

Ids = NDArray[np.int32]


@dataclass(frozen=True)
class Encoder:
    """Tokens that are no stop words, the first `max_length` of them, by their numbers.

    words       known ones, by falling frequency in the training texts; the first has number 2
    """

    tokenizer: Tokenizer
    stop_words: frozenset[str]
    words: tuple[str, ...]
    max_length: int

    @classmethod
    def of(cls, text: TextRecipe, texts: Iterable[str]) -> Encoder:
        """As the recipe says, with the words of the training `texts` (equal frequencies in code
        point order). Raises DataError where none is frequent enough."""
        tokenizer = Tokenizer(text.tokenizer)
        stop_words = load_stop_words(text.stop_words, text.keep_negations)
        blank = cls(tokenizer, stop_words, (), text.max_length)
        counts = Counter(token for one in texts for token in blank.tokens(one))
        kept = sorted((-n, word) for word, n in counts.items() if n >= text.min_frequency)
        if not kept:
            raise DataError(
                f"training data: no word stands there {text.min_frequency} times; expected more "
                "texts, or a lower text.min_frequency"
            )
        room = None if text.max_vocabulary is None else text.max_vocabulary - len(SPECIALS)
        return cls(tokenizer, stop_words, tuple(w for _, w in kept[:room]), text.max_length)

    def __len__(self) -> int:
        """V, the specials included."""
        return len(SPECIALS) + len(self.words)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.words, start=len(SPECIALS))}

    def tokens(self, text: str) -> list[str]:
        """What is left of `text`; perhaps nothing."""
        found = self.tokenizer.tokens(text)
        if self.stop_words:
            found = [token for token in found if token not in self.stop_words]
        return found[: self.max_length]

    def encode(self, text: str) -> Ids:
        """ids (n,), 1 ≤ n ≤ max_length: a text of which nothing is left is one unknown word."""
        ids = self._ids
        return np.array([ids.get(t, UNK) for t in self.tokens(text)] or [UNK], dtype=np.int32)

    def unknown_rate(self, texts: Sequence[str]) -> float:
        """Share of the texts' tokens that are no known word."""
        encoded = np.concatenate([self.encode(text) for text in texts])
        return float(np.mean(encoded == UNK))
