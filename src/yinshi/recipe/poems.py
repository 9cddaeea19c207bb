"""Experiments with poems."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from yinshi.errors import UsageError
from yinshi.recipe.sections import MAX_SEED, Nested, nearest, number
from yinshi.recipe.training import TrainingRecipe

#: The regulated forms that a corpus can be restricted to.
FORMS = ("五绝", "七绝", "五律", "七律")

#: What may be told of a poem before its first character: see corpus/header.py.
CONDITIONS = ("dynasty", "form", "pattern", "rhyme", "author", "title")


@dataclass(frozen=True)
class CorpusRecipe:
    """What `yinshi prepare` makes of the sources. Lengths count punctuation, never a title.

    `form` is "any", one of `FORMS`, several of them ("五绝+七绝"), or "regulated": all. `layout`
    is what a network reads of a poem: "text" its text alone, "titled" its title, a newline, and its
    text, a sentence a line.
    """

    collection: Literal["tang", "song", "all"] = "tang"
    script: Literal["traditional", "simplified"] = "traditional"
    form: str = "any"
    layout: Literal["text", "titled"] = "text"
    min_length: int = number(4, 1)
    max_length: int = number(126, 2)
    too_long: Literal["drop", "truncate"] = "truncate"
    sample: int | None = number(None, 1)
    min_frequency: int = number(1, 1)
    max_vocabulary: int | None = number(None, 5)
    ratio: tuple[float, ...] = (8, 1, 1)
    seed: int = number(0, 0, MAX_SEED)

    def faults(self) -> list[str]:
        found = []
        if not set(self.forms) <= set(FORMS) or len(set(self.forms)) < len(self.forms):
            found.append(
                f"form {self.form!r}: expected any, regulated, or one or more of "
                f"{', '.join(FORMS)} joined by +"
            )
        if self.min_length > self.max_length:
            found.append(f"min_length {self.min_length} is above max_length {self.max_length}")
        if len(self.ratio) not in (2, 3) or not all(0 < r < math.inf for r in self.ratio):
            found.append(
                f"ratio {list(self.ratio)}: expected train, validation[, test] as positive numbers"
            )
        return found

    @property
    def forms(self) -> tuple[str, ...]:
        """The forms kept; () for any."""
        named: dict[str, tuple[str, ...]] = {"any": (), "regulated": FORMS}
        return named.get(self.form, tuple(self.form.split("+")))


@dataclass(frozen=True)
class NetworkRecipe:
    """Embedding → LSTM or RNN → Dropout → Linear.

    `initializer` is of the recurrent and the output layer's weights: see engine/initializers.py.
    `vectors` is what the embedding begins with: "random", "word2vec" trained on the training poems,
    or a file of vectors in word2vec's or fastText's text format.
    With `tie_weights` the output layer's weight *is* the embedding's; where `hidden` differs from
    `embedding`, a projection H → E without bias stands between (Press & Wolf 2017,
    arXiv 1608.05859).
    `conditions` are what the network may be told of a poem before it begins: "form+title", or any
    of `CONDITIONS`; "none" is none.
    `dropout` draws a unit anew at every position, of the outputs of each layer. `input_dropout`, of
    the characters' vectors, and `output_dropout`, of the layers' outputs again, keep one mask for
    all of a poem (variational, Gal & Ghahramani 2016, arXiv 1512.05287); `weight_dropout` drops
    recurrent weights, for a batch (DropConnect, Merity et al. 2017, arXiv 1708.02182).
    """

    cell: Literal["lstm", "rnn-tanh", "rnn-sigmoid", "rnn-relu"] = "lstm"
    embedding: int = number(128, 1)
    hidden: int = number(256, 1)
    layers: int = number(1, 1, 3)
    dropout: float = number(0.2, 0, 0.95)
    input_dropout: float | None = number(None, 0, 0.95)
    output_dropout: float | None = number(None, 0, 0.95)
    weight_dropout: float | None = number(None, 0, 0.95)
    tie_weights: bool = False
    initializer: Literal[
        "uniform", "zeros", "constant", "xavier-uniform", "xavier-normal", "orthogonal"
    ] = "uniform"
    vectors: str = "random"
    forget_bias: float = number(0.0, -math.inf)
    conditions: str | None = None

    def faults(self) -> list[str]:
        found = []
        if self.forget_bias and self.cell != "lstm":
            found.append(f"forget_bias is not used by {self.cell}, only by lstm")
        try:
            conditions_in(self.conditions)
        except UsageError as error:
            found.append(f"conditions {error}")
        return found

    @property
    def has_projection(self) -> bool:
        return self.tie_weights and self.hidden != self.embedding

    def weight_shapes(self, vocabulary_size: int) -> dict[str, tuple[int, ...]]:
        """Name → shape of every weight, in PyTorch's names and gate order (i, f, g, o)."""
        V, E, H = vocabulary_size, self.embedding, self.hidden
        name, rows = ("lstm", 4 * H) if self.cell == "lstm" else ("rnn", H)
        shapes: dict[str, tuple[int, ...]] = {"embedding.weight": (V, E)}
        for layer in range(self.layers):
            shapes |= {
                f"{name}.weight_ih_l{layer}": (rows, E if layer == 0 else H),
                f"{name}.weight_hh_l{layer}": (rows, H),
                f"{name}.bias_ih_l{layer}": (rows,),
                f"{name}.bias_hh_l{layer}": (rows,),
            }
        if self.has_projection:
            shapes["projection.weight"] = (E, H)
        if not self.tie_weights:
            shapes["output.weight"] = (V, H)
        shapes["output.bias"] = (V,)
        return shapes


def conditions_in(text: str | None) -> tuple[str, ...]:
    """The names in `text`, joined there by +, in the order of `CONDITIONS`; "none" has none.

    Raises UsageError for any other text.
    """
    named = [] if text in (None, "none") else str(text).split("+")
    unknown = next((name for name in named if name not in CONDITIONS), None)
    if unknown is not None or len(set(named)) < len(named):
        hint = nearest(unknown, list(CONDITIONS)) if unknown else ""
        raise UsageError(
            f"{text!r}: expected none, or some of {', '.join(CONDITIONS)}, joined by +{hint}"
        )
    return tuple(name for name in CONDITIONS if name in named)


@dataclass(frozen=True)
class Recipe(Nested):
    """A whole experiment with poems. `name` and `description` are shown by `yinshi recipes`.

    A field that may be None is None by default: TOML has no null, so leaving it out has to say it.
    """

    name: str = "unnamed"
    description: str = ""
    corpus: CorpusRecipe = CorpusRecipe()
    network: NetworkRecipe = NetworkRecipe()
    training: TrainingRecipe = TrainingRecipe()

    def faults(self) -> list[str]:
        if self.training.freeze_embedding and self.network.tie_weights:
            return [
                "training.freeze_embedding: network.tie_weights makes the embedding the output "
                "layer's weight too, which has to learn; leave one of them out"
            ]
        return []
