"""What a network makes of a poem: each token's price, what it expected there, and its gates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yinshi.corpus.vocabulary import EOS, PAD, SOS, UNK, Vocabulary
from yinshi.engine.language_model import LanguageModel, State
from yinshi.engine.sequence import Trace
from yinshi.errors import UsageError
from yinshi.writing.sampling import log_softmax

Tokens = NDArray[np.intp]

#: How the end of a poem is shown, a token like any other.
END = "⏎"
ALTERNATIVES = 5
UNITS = 32
#: Tokens whose scores exist at once.
CHUNK = 256


@dataclass(frozen=True, slots=True)
class ReadCharacter:
    """A character, a mark or the end, `END`: its −log p in `nats`, its `rank` among all tokens,
    from 1, and the likeliest others that might have stood there, with their probabilities."""

    character: str
    nats: float
    rank: int
    alternatives: tuple[tuple[str, float], ...]

    @property
    def probability(self) -> float:
        return float(np.exp(-self.nats))

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "character": self.character,
            "nats": self.nats,
            "probability": self.probability,
            "rank": self.rank,
            "alternatives": [
                {"character": other, "probability": p} for other, p in self.alternatives
            ],
        }


@dataclass(frozen=True, slots=True)
class Gates:
    """The first layer of an LSTM along a text of T tokens: row t is the step that reads token t.

    `input`, `forget` and `output` (T,) are the gates' means over all units; `units` (U,) numbers
    those whose tanh(c) varies most along the text, the most first, and `cell`, `input_units`,
    `forget_units` and `output_units` (T, U) are their tanh(c) and gates.
    """

    input: NDArray[Any]
    forget: NDArray[Any]
    output: NDArray[Any]
    units: NDArray[np.intp]
    cell: NDArray[Any]
    input_units: NDArray[Any]
    forget_units: NDArray[Any]
    output_units: NDArray[Any]

    @classmethod
    def of(cls, trace: Trace) -> Gates:
        """`trace` is of `<sos>` and the text, one column."""
        i, f, _, o = np.split(trace.gates(0)[1:, 0], 4, axis=1)
        cell = np.tanh(trace.cells(0)[1:, 0])
        units = np.argsort(-cell.var(axis=0), kind="stable")[:UNITS]
        return cls(
            input=i.mean(axis=1),
            forget=f.mean(axis=1),
            output=o.mean(axis=1),
            units=units,
            cell=cell[:, units],
            input_units=i[:, units],
            forget_units=f[:, units],
            output_units=o[:, units],
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON, to four decimals."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        rounded = {name: found[name].astype(float).round(4).tolist() for name in found}
        return rounded | {"units": self.units.tolist()}


@dataclass(frozen=True, slots=True)
class Reading:
    """`text` as it was read, in the model's script; `characters` are its tokens and its end.

    `gates` is None for a network that has none.
    """

    text: str
    characters: tuple[ReadCharacter, ...]
    gates: Gates | None

    @property
    def nats_per_character(self) -> float:
        """The mean over all tokens, as `WrittenPoem` has it."""
        return sum(each.nats for each in self.characters) / len(self.characters)

    @property
    def perplexity(self) -> float:
        """exp of it."""
        return float(np.exp(self.nats_per_character))

    def to_dict(self, gates: bool = False) -> dict[str, Any]:
        """For JSON. Raises UsageError where `gates` are asked for that the network hasn't got."""
        if gates and self.gates is None:
            raise UsageError("gates: the model has none, being no LSTM; take another")
        return {
            "text": self.text,
            "perplexity": self.perplexity,
            "nats_per_character": self.nats_per_character,
            "characters": [each.to_dict() for each in self.characters],
            **({"gates": self.gates.to_dict()} if gates and self.gates else {}),
        }


def reading(
    model: LanguageModel, vocabulary: Vocabulary, tokens: tuple[int, ...], start: State
) -> Reading:
    """What `model` makes of the text `tokens`, from the state (one row) before `<sos>`."""
    trace = model.read(np.array([SOS, *tokens]), start)
    targets = np.array([*tokens, EOS])
    characters: list[ReadCharacter] = []
    for first in range(0, len(targets), CHUNK):
        part = slice(first, first + CHUNK)
        scores = log_softmax(model.logits(trace.outputs[part, 0]))
        characters += _characters(scores, targets[part], vocabulary)
    is_lstm = len(start.layers[0]) == 2
    return Reading(
        vocabulary.decode(tokens), tuple(characters), Gates.of(trace) if is_lstm else None
    )


def _characters(
    scores: NDArray[Any], targets: Tokens, vocabulary: Vocabulary
) -> Iterator[ReadCharacter]:
    """Of log p (T, V) the `targets` (T,)."""
    own = scores[np.arange(len(targets)), targets]
    ranks = 1 + (scores > own[:, None]).sum(axis=1)
    scores[:, [PAD, SOS, UNK]] = -np.inf  # which no poem holds
    scores[np.arange(len(targets)), targets] = -np.inf
    best = np.argpartition(-scores, ALTERNATIVES, axis=1)[:, :ALTERNATIVES]
    order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
    best = np.take_along_axis(best, order, axis=1)
    p = np.exp(np.take_along_axis(scores, best, axis=1))
    for k, target in enumerate(targets):
        others = [END if token == EOS else vocabulary.decode([token]) for token in best[k]]
        character = END if target == EOS else vocabulary.decode([target])
        alternatives = tuple(zip(others, p[k].tolist(), strict=True))
        yield ReadCharacter(character, -float(own[k]), int(ranks[k]), alternatives)
