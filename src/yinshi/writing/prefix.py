"""How a poem is asked to begin: in either script, as the model's characters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from yinshi.corpus import script
from yinshi.corpus.vocabulary import SOS, Vocabulary
from yinshi.engine.language_model import LanguageModel
from yinshi.errors import UnknownCharacterError, UsageError
from yinshi.writing.sampling import log_softmax

_MARKS = str.maketrans(",.?!;:", "，。？！；：")

#: Readings of an ambiguous prefix that are followed at once: 4 characters of 2 readings are exact.
WIDTH = 16


class PrefixReader:
    """Reads prefixes for a model of one script ("traditional" or "simplified")."""

    def __init__(self, model: LanguageModel, vocabulary: Vocabulary, model_script: str) -> None:
        self._model = model
        self._vocabulary = vocabulary
        self._script = model_script

    def read(self, text: str, stays: bool = False) -> tuple[int, ...]:
        """The tokens of `text`, without white space, ASCII punctuation made Chinese.

        With a traditional model, simplified text is read as whichever traditional characters the
        network finds likeliest together (发 is 發 or 髮); text that has a character which only
        traditional script has is taken as it stands, where the vocabulary knows it.
        `stays`: see `readings`.
        Raises UnknownCharacterError, and UsageError where `text` is not Unicode text.
        """
        text = normalised(text)
        if not text:
            return ()
        readings = self.readings(text, stays)
        if all(len(reading) == 1 for reading in readings):
            return tuple(reading[0] for reading in readings)
        return _likeliest(self._model, readings)

    def known(self, text: str) -> tuple[int, ...]:
        """All the tokens that the characters of `text` may stand for, if any."""
        text = normalised(text)
        literal = self._script == "simplified" or script.to_simplified(text) != text
        return tuple(token for c in text for token in self._reading(c, literal))

    def readings(self, text: str, stays: bool = False) -> list[list[int]]:
        """For each character of `text`, which is `normalised`, the tokens it may stand for.

        `stays`: a text whose characters the model knows is taken as it stands.
        Raises UnknownCharacterError where a character has none.
        """
        simplified = script.to_simplified(text)
        literal = self._script == "simplified" or simplified != text
        literal |= stays and all(character in self._vocabulary for character in text)
        if self._script == "simplified":
            text = simplified
        readings = [self._reading(character, literal) for character in text]
        unknown = [c for c, reading in zip(text, readings, strict=True) if not reading]
        if unknown:
            raise UnknownCharacterError(self._unknown(list(dict.fromkeys(unknown))))
        return readings

    def _reading(self, character: str, literal: bool) -> list[int]:
        found = self._by_simplified.get(character, [])
        if character in self._vocabulary and (literal or not found):
            found = [character]
        return [self._vocabulary.id(c) for c in found]

    @cached_property
    def _by_simplified(self) -> dict[str, list[str]]:
        """Simplified character → those of the vocabulary that it may stand for."""
        known = self._vocabulary.characters
        found: dict[str, list[str]] = {}
        for character, simple in zip(known, script.simplified_forms(known), strict=True):
            found.setdefault(simple, []).append(character)
        return found

    def _unknown(self, characters: list[str]) -> str:
        told = []
        for character in characters:
            known = next((v for v in script.variants(character) if v in self._vocabulary), None)
            told.append(f"{character} (nearest known variant: {known})" if known else character)
        return f"the model has never seen {', '.join(told)}; ask for other characters"


def normalised(text: str) -> str:
    """`text` without white space and with Chinese punctuation."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"prefix {text!r}: found bytes that are not UTF-8 text") from None
    return "".join(text.split()).translate(_MARKS)


def _likeliest(model: LanguageModel, readings: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """The sequence, one token of each reading, to which the network gives most probability."""
    paths: list[tuple[int, ...]] = [()]
    totals = np.zeros(1)
    tokens, state = np.array([SOS]), model.initial_state(1)
    for reading in readings:
        logits, state = model.step(tokens, state)
        scores = totals[:, None] + log_softmax(logits)[:, reading]
        best = np.argsort(-scores, axis=None, kind="stable")[:WIDTH]
        rows, columns = np.divmod(best, len(reading))
        tokens, state = np.array(reading)[columns], state.select(rows)
        paths = [(*paths[row], int(token)) for row, token in zip(rows, tokens, strict=True)]
        totals = scores[rows, columns]
    return paths[0]
