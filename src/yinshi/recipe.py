"""Recipes: what to prepare, which network, how to train. Frozen dataclasses ⇄ TOML.

    recipe = load_recipe("smoke", overrides=["training.epochs=3"])

Every fault of a recipe is reported at once, each with the nearest valid name.
"""

from __future__ import annotations

import difflib
import math
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from importlib import resources
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Self, Union, get_args, get_origin, get_type_hints

from yinshi.errors import RecipeError, UsageError

Bound = tuple[float, float]

#: PyTorch's generators take 64 bits.
MAX_SEED = 2**63 - 1


def _number(default: Any, low: float, high: float = math.inf) -> Any:
    """A numeric field with its closed range."""
    return field(default=default, metadata={"range": (low, high)})


@dataclass(frozen=True)
class CorpusRecipe:
    """What `yinshi prepare` makes of the sources. Lengths count punctuation."""

    collection: Literal["tang", "song", "all"] = "tang"
    script: Literal["traditional", "simplified"] = "traditional"
    form: Literal["any", "五绝", "七绝", "五律", "七律"] = "any"
    min_length: int = _number(4, 1)
    max_length: int = _number(126, 2)
    too_long: Literal["drop", "truncate"] = "truncate"
    sample: int | None = _number(None, 1)
    min_frequency: int = _number(1, 1)
    max_vocabulary: int | None = _number(None, 5)
    ratio: tuple[float, ...] = (8, 1, 1)
    seed: int = _number(0, 0, MAX_SEED)

    def faults(self) -> list[str]:
        found = []
        if self.min_length > self.max_length:
            found.append(f"min_length {self.min_length} is above max_length {self.max_length}")
        if len(self.ratio) not in (2, 3) or not all(0 < r < math.inf for r in self.ratio):
            found.append(
                f"ratio {list(self.ratio)}: expected train, validation[, test] as positive numbers"
            )
        return found


@dataclass(frozen=True)
class NetworkRecipe:
    """Embedding → LSTM or RNN → Dropout → Linear.

    `initializer` is of the recurrent and the output layer's weights: see engine/initializers.py.
    `vectors` is what the embedding begins with: "random", "word2vec" trained on the training poems,
    or a file of vectors in word2vec's or fastText's text format.
    With `tie_weights` the output layer's weight *is* the embedding's; where `hidden` differs from
    `embedding`, a projection H → E without bias stands between (Press & Wolf 2017,
    arXiv 1608.05859).
    """

    cell: Literal["lstm", "rnn-tanh", "rnn-sigmoid", "rnn-relu"] = "lstm"
    embedding: int = _number(128, 1)
    hidden: int = _number(256, 1)
    layers: int = _number(1, 1, 3)
    dropout: float = _number(0.2, 0, 0.95)
    tie_weights: bool = False
    initializer: Literal[
        "uniform", "zeros", "constant", "xavier-uniform", "xavier-normal", "orthogonal"
    ] = "uniform"
    vectors: str = "random"
    forget_bias: float = _number(0.0, -math.inf)

    def faults(self) -> list[str]:
        if self.forget_bias and self.cell != "lstm":
            return [f"forget_bias is not used by {self.cell}, only by lstm"]
        return []

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


@dataclass(frozen=True)
class TextRecipe:
    """What a classifier's network reads of a text: its first `max_length` tokens.

    `tokenizer` is "char", "jieba" or a file of words; `stop_words`, which are left out, "none",
    "iso" or a file. Both lists of stop words that there are for Chinese contain 不, which
    `keep_negations` keeps, with all other negations.
    """

    tokenizer: str = "char"
    stop_words: str = "none"
    keep_negations: bool = False
    max_length: int = _number(200, 1)
    min_frequency: int = _number(2, 1)
    max_vocabulary: int | None = _number(None, 3)


@dataclass(frozen=True)
class ClassifierRecipe:
    """Embedding → RNN or LSTM → pool → Dropout → Linear, and n-grams beside them.

    `model` "bilstm" reads each text in both directions; "bilstm-attention" also pools by attention,
    whatever `pool` says. `embedding_dropout` drops whole tokens' vectors. With `ngrams` = n the
    runs of 1 to n tokens vote too, each by a row of its hash bucket (Joulin et al. 2017,
    arXiv 1607.01759, with rows that are logits); 0 is none. `pretrained` is what the embedding and
    the bottom layer begin with: "none", or the file or folder of a language model of texts.
    """

    model: Literal["rnn", "lstm", "bilstm", "bilstm-attention"] = "bilstm"
    embedding: int = _number(128, 1)
    hidden: int = _number(128, 1)
    layers: int = _number(1, 1, 3)
    pool: Literal["last", "max", "mean", "attention"] = "max"
    dropout: float = _number(0.5, 0, 0.95)
    embedding_dropout: float = _number(0.2, 0, 0.95)
    vectors: str = "random"
    pretrained: str = "none"
    ngrams: int = _number(0, 0, 5)
    buckets: int = _number(2**18, 1, 2**22)

    def faults(self) -> list[str]:
        if self.pretrained != "none" and self.vectors != "random":
            return [f"vectors {self.vectors}: the embedding begins as pretrained; leave one out"]
        return []

    @property
    def pooling(self) -> str:
        """`pool`, or what `model` says."""
        return "attention" if self.model == "bilstm-attention" else self.pool

    def weight_shapes(self, vocabulary_size: int, classes: int) -> dict[str, tuple[int, ...]]:
        """Name → shape of every weight. Each layer and direction is a layer of its own:
        `forwards.0.weight_ih_l0`, `backwards.0.weight_ih_l0`, `forwards.1.…`."""
        shapes = self._reading_shapes(vocabulary_size, self.layers)
        width = self.hidden * len(self._directions)
        if self.pooling == "attention":
            shapes |= {"attention.weight": (width, width), "attention.bias": (width,)}
            shapes["context"] = (width,)
        if self.ngrams:
            shapes["ngrams.weight"] = (self.buckets, classes)
        shapes |= {"output.weight": (classes, width), "output.bias": (classes,)}
        return shapes

    def pretrained_shapes(self, vocabulary_size: int) -> dict[str, tuple[int, ...]]:
        """Of the weights that a classifier may begin with."""
        return self._reading_shapes(vocabulary_size, 1)

    def language_shapes(self, vocabulary_size: int) -> dict[str, tuple[int, ...]]:
        """Name → shape of every weight of the language model of texts."""
        shapes = self.pretrained_shapes(vocabulary_size)
        for number in range(len(self._directions)):
            shapes[f"projections.{number}.weight"] = (self.embedding, self.hidden)
        return shapes | {"bias": (vocabulary_size,)}

    @property
    def _directions(self) -> tuple[str, ...]:
        return ("forwards", "backwards") if self.model.startswith("bi") else ("forwards",)

    def _reading_shapes(self, vocabulary_size: int, layers: int) -> dict[str, tuple[int, ...]]:
        E, H = self.embedding, self.hidden
        rows = H if self.model == "rnn" else 4 * H
        shapes: dict[str, tuple[int, ...]] = {"embedding.weight": (vocabulary_size, E)}
        for layer in range(layers):
            for direction in self._directions:
                name = f"{direction}.{layer}"
                shapes |= {
                    f"{name}.weight_ih_l0": (rows, H * len(self._directions) if layer else E),
                    f"{name}.weight_hh_l0": (rows, H),
                    f"{name}.bias_ih_l0": (rows,),
                    f"{name}.bias_hh_l0": (rows,),
                }
        return shapes


@dataclass(frozen=True)
class TrainingRecipe:
    """How to train. Perplexity is watched on the validation split after each epoch.

    `backend` is the LSTM of the PyTorch engine: nets/lstm.py or nn.LSTM. `allocator` "tuned" lets
    `yinshi train` keep memory between steps, where the C library can. `freeze_embedding` leaves the
    embedding as it begins. `keep_epochs` keeps the model of every epoch, named by its nats.
    """

    optimizer: Literal["sgd", "nesterov", "adagrad", "adadelta", "rmsprop", "adam", "adamw"] = (
        "adamw"
    )
    learning_rate: float = _number(1e-3, 0)
    momentum: float = _number(0.0, 0, 1)
    weight_decay: float = _number(0.0, 0)
    schedule: Literal["constant", "one-cycle", "cosine"] = "constant"
    warmup: float = _number(0.1, 0, 1)
    clip_norm: float | None = _number(None, 0)
    freeze_embedding: bool = False
    epochs: int = _number(10, 1)
    patience: int | None = _number(None, 1)
    batch_size: int = _number(64, 1)
    backend: Literal["own", "library"] = "own"
    precision: Literal["auto", "float64", "float32", "bfloat16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    allocator: Literal["tuned", "system"] = "tuned"
    checkpoint_every: int = _number(500, 1)
    keep_epochs: bool = False
    seed: int = _number(0, 0, MAX_SEED)

    def faults(self) -> list[str]:
        found = []
        if self.learning_rate == 0:
            found.append("learning_rate 0: expected a number above 0")
        if self.clip_norm == 0:
            found.append("clip_norm 0: expected a number above 0; leave it out for no clipping")
        if self.momentum and self.optimizer not in ("sgd", "nesterov", "rmsprop"):
            found.append(
                f"momentum is not used by {self.optimizer}, only by sgd, nesterov and rmsprop"
            )
        if self.optimizer == "nesterov" and not self.momentum:
            found.append("momentum 0: nesterov needs a number above 0, usually 0.9")
        return found


class _Nested:
    """Sections ⇄ nested plain values, all faults at once."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], name: str = "") -> Self:
        """The recipe of nested `values`; raises RecipeError with *all* its faults."""
        faults: list[str] = []
        recipe = _build(cls, values, "", faults)
        if faults:
            raise RecipeError(name or str(values.get("name", "unnamed")), faults)
        assert isinstance(recipe, cls)
        return recipe

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values; what is None is left out."""
        return _without_none(asdict(self))  # type: ignore[call-overload]


@dataclass(frozen=True)
class ClassificationRecipe(_Nested):
    """A whole experiment with labelled texts."""

    text: TextRecipe = TextRecipe()
    classifier: ClassifierRecipe = ClassifierRecipe()
    training: TrainingRecipe = TrainingRecipe()


@dataclass(frozen=True)
class Recipe(_Nested):
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


def recipe_names() -> list[str]:
    """The recipes shipped in the package."""
    folder = resources.files("yinshi") / "recipes"
    return sorted(
        p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml")
    )


def load_recipe(name_or_path: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """A shipped recipe by name, or one from a path; then `section.key=value` overrides (TOML)."""
    name = str(name_or_path)
    values = _parse(name, _read(name))
    faults: list[str] = []
    for override in overrides:
        _override(values, override, faults)
    recipe = _build(Recipe, values, "", faults)
    if faults:
        raise RecipeError(name, faults)
    assert isinstance(recipe, Recipe)
    return recipe


def _read(name: str) -> str:
    if name in recipe_names():
        return (resources.files("yinshi") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
    path = Path(name)
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        hint = _nearest(name, recipe_names())
        raise UsageError(f"no recipe {name!r}{hint}; `yinshi recipes` lists them") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"recipe {name}: not a readable TOML file ({error})") from None


def _parse(name: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(name, [f"not TOML: {error}"]) from None


def _override(values: dict[str, Any], override: str, faults: list[str]) -> None:
    key, equals, text = override.partition("=")
    path = key.strip().split(".")
    if not equals or not all(path):
        faults.append(f"{override!r}: expected section.key=value, e.g. training.epochs=3")
        return
    try:
        value = tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        word = text.strip()  # a bare word is a string: training.optimizer=sgd
        value = None if word == "none" else word
    target = values
    for part in path[:-1]:
        target = target.setdefault(part, {})
        if not isinstance(target, dict):
            faults.append(f"{key}: {part} is a value, not a section")
            return
    target[path[-1]] = value


def _build(kind: type, values: Mapping[str, Any], prefix: str, faults: list[str]) -> Any:
    """An instance of the dataclass `kind`; every fault found is appended to `faults`."""
    hints = get_type_hints(kind)
    known = {f.name: f for f in fields(kind)}
    built: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            faults.append(f"unknown key {prefix}{key}{_nearest(prefix + key, _all_keys())}")
            continue
        if is_dataclass(hints[key]):
            if isinstance(value, Mapping):
                built[key] = _build(hints[key], value, f"{prefix}{key}.", faults)
            else:
                faults.append(f"{prefix}{key}: found {value!r}, expected a section")
            continue
        fault, converted = _convert(value, hints[key], known[key].metadata.get("range"))
        if fault:
            faults.append(f"{prefix}{key}: found {value!r}, expected {fault}")
        else:
            built[key] = converted
    instance = kind(**built)
    if hasattr(instance, "faults"):
        faults += [f"{prefix}{fault}" for fault in instance.faults()]
    return instance


def _convert(value: Any, hint: Any, bounds: Bound | None) -> tuple[str, Any]:
    """(what was expected, or "" if it fits; the value as `hint`'s type)."""
    if get_origin(hint) in (Union, UnionType):
        if value is None:
            return "", None
        hint = next(option for option in get_args(hint) if option is not type(None))
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        return ("" if value in choices else "one of " + ", ".join(choices)), value
    if get_origin(hint) is tuple:
        if isinstance(value, list | tuple) and all(_is_number(v) for v in value):
            return "", tuple(value)
        return "a list of numbers", None
    if hint is float and _is_number(value):
        value = float(value)
    if type(value) is not hint or (hint is float and not _is_number(value)):
        return {int: "a whole number", float: "a number", bool: "true or false"}.get(
            hint, "a text in quotes"
        ), None
    if bounds and not bounds[0] <= value <= bounds[1]:
        low, high = bounds
        return (f"at least {low:g}" if high == math.inf else f"{low:g} to {high:g}"), None
    return "", value


def _is_number(value: Any) -> bool:
    """Whether a finite float can hold it: TOML's whole numbers have no largest."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) <= sys.float_info.max


def _all_keys() -> list[str]:
    keys = []
    for top in (*fields(Recipe), *fields(ClassificationRecipe)):
        section = top.default
        if section is not MISSING and is_dataclass(section):
            keys += [f"{top.name}.{f.name}" for f in fields(section)]
        keys.append(top.name)
    return keys


def _nearest(name: str, names: list[str]) -> str:
    """ ", nearest valid name: …" or nothing. A bare key also finds its section's."""
    found = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if not found:
        last = {n.rpartition(".")[2]: n for n in names}
        found = [last[m] for m in difflib.get_close_matches(name.rpartition(".")[2], last, n=1)]
    return f" (nearest valid name: {found[0]})" if found else ""


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_none(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if value is not None
    }
