"""How far back does a gradient reach? ‖∂h_T/∂h_t‖ against the distance T − t, on real poems.

docs/rnn.md (1.25) to (1.30) has the bounds, docs/lstm.md (2.25) and (2.33) the Jacobians.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from yinshi.corpus.dataset import Dataset
from yinshi.corpus.vocabulary import SOS
from yinshi.engine.cells import Array
from yinshi.engine.jacobians import LSTMSequence, RNNSequence, norm_bound, products
from yinshi.recipe import Recipe
from yinshi.studies.report import COLOURS, Record, Report, table
from yinshi.studies.trials import draw_sample, train, untrained
from yinshi.training.loop import Loop

NETWORKS: dict[str, dict[str, Any]] = {
    "RNN sigmoid": {"cell": "rnn-sigmoid"},
    "RNN tanh": {"cell": "rnn-tanh"},
    "RNN ReLU": {"cell": "rnn-relu"},
    "LSTM, forget bias 0": {"cell": "lstm", "forget_bias": 0.0},
    "LSTM, forget bias 1": {"cell": "lstm", "forget_bias": 1.0},
    "LSTM, forget bias 2": {"cell": "lstm", "forget_bias": 2.0},
}
WEIGHTS = ("random", "trained")
DISTANCES = (1, 5, 10, 20, 40)
#: The Jacobian which all networks have, and the two more of an LSTM.
H, STATE, HOMEWORK = "∂h_T/∂h_t", "∂(h_T, c_T)/∂(h_t, c_t)", "∂h_T/∂h_t without the cell path"
#: Characters of a poem, punctuation included: 五律, the most frequent form.
LENGTH = 48


@dataclass(frozen=True)
class Size:
    """What the study is run on, and with."""

    train: int
    validation: int
    measured: int
    hidden: int
    epochs: int
    batch: int


FULL = Size(train=3000, validation=300, measured=16, hidden=128, epochs=4, batch=32)
QUICK = Size(train=80, validation=12, measured=2, hidden=16, epochs=2, batch=16)


def run(data: Dataset, quick: bool, report: Report) -> None:
    """Measure every network, random and trained, and write the report."""
    size = QUICK if quick else FULL
    with tempfile.TemporaryDirectory() as folder:
        sample = draw_sample(data, Path(folder, "sample"), size.train, size.validation)
        poems = poems_of_one_length(sample.texts("validation"))[: size.measured]
        tokens = [sample.vocabulary.encode(poem) for poem in poems]
        for name, network in NETWORKS.items():
            recipe = recipe_of(network, size)
            report.say(f"{name}: random weights")
            measure(report, name, "random", network["cell"], untrained(recipe, sample), tokens)
            model = train(recipe, sample, _watch(report, name))
            measure(report, name, "trained", network["cell"], model.weights, tokens)
        V = len(sample.vocabulary)
    _write(report, data, size, V, len(poems), len(poems[0]))


def poems_of_one_length(texts: Sequence[str]) -> list[str]:
    """Those of `LENGTH` characters, or of the greatest length below it that there is."""
    length = max(len(text) for text in texts if len(text) <= LENGTH)
    return [text for text in texts if len(text) == length]


def recipe_of(network: Mapping[str, Any], size: Size) -> Recipe:
    return Recipe.from_dict(
        {
            "network": {"embedding": 64, "hidden": size.hidden, "dropout": 0.0, **network},
            "training": {
                "learning_rate": 4e-3,
                "schedule": "one-cycle",
                "clip_norm": 1.0,
                "epochs": size.epochs,
                "batch_size": size.batch,
            },
        }
    )


def _watch(report: Report, name: str) -> Callable[[Loop, Record], None]:
    def watch(loop: Loop, record: Record) -> None:
        if record["kind"] == "validation":
            figures = {key: record[key] for key in ("epoch", "step", "perplexity")}
            report.add("validation", network=name, **figures)
            report.say(f"{name}: epoch {record['epoch']}, perplexity {record['perplexity']:.1f}")

    return watch


# ---- measuring --------------------------------------------------------------------------------


def measure(
    report: Report,
    name: str,
    state: str,
    cell: str,
    weights: Mapping[str, Array],
    poems: Sequence[NDArray[np.int32]],
) -> None:
    """Add, of every Jacobian and distance, the poems' geometric mean, least and greatest norm."""
    w = {key: weight.astype(np.float64) for key, weight in weights.items()}
    measured = [jacobian_norms(cell, w, tokens) for tokens in poems]
    for jacobian in measured[0]:
        norms = np.stack([of_poem[jacobian] for of_poem in measured])  # (poems, T + 1)
        for distance, at_distance in enumerate(norms.T):
            report.add(
                "norm",
                network=name,
                weights=state,
                jacobian=jacobian,
                distance=distance,
                mean=geometric_mean(at_distance),
                low=float(at_distance.min()),
                high=float(at_distance.max()),
            )
    report.add("recurrence", network=name, weights=state, **_recurrence(cell, w, poems))


def geometric_mean(norms: Array) -> float:
    """The mean on a logarithmic scale: norms of products multiply; 0 if one of them is 0."""
    with np.errstate(divide="ignore"):
        return float(np.exp(np.log(norms).mean()))


def jacobian_norms(cell: str, w: Mapping[str, Array], tokens: NDArray[np.int32]) -> dict[str, Array]:
    """Jacobian → its spectral norm at the distances 0 … T, (T + 1,), on one poem."""
    if cell != "lstm":
        rnn = _rnn(cell, w, tokens)
        return {H: _norms(products([rnn.dh_dh_prev(t) for t in range(1, rnn.T + 1)]))}
    lstm = _lstm(w, tokens)
    size = len(lstm.steps[0].h)
    of_state = list(products([step.dstate_dstate_prev() for step in lstm.steps]))
    return {
        H: _norms(jacobian[:size, :size] for jacobian in of_state),
        STATE: _norms(of_state),
        HOMEWORK: _norms(products([step.dh_dh_prev() for step in lstm.steps])),
    }


def _norms(jacobians: Iterator[Array] | Sequence[Array]) -> Array:
    return np.array([np.linalg.norm(jacobian, 2) for jacobian in jacobians])


def _rnn(cell: str, w: Mapping[str, Array], tokens: NDArray[np.int32]) -> RNNSequence:
    parameters = {
        "U": w["rnn.weight_ih_l0"],
        "W": w["rnn.weight_hh_l0"],
        "b": w["rnn.bias_ih_l0"] + w["rnn.bias_hh_l0"],
        "V": w["output.weight"],
        "c": w["output.bias"],
    }
    h_0 = np.zeros(len(parameters["W"]))
    return RNNSequence.forward(parameters, _read(w, tokens), tokens, h_0, cell.split("-")[1])


def _lstm(w: Mapping[str, Array], tokens: NDArray[np.int32]) -> LSTMSequence:
    layer = {k: w[f"lstm.{k}_l0"] for k in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    zero = np.zeros(layer["weight_hh"].shape[1])
    return LSTMSequence.forward(layer, _read(w, tokens), zero, zero)


def _read(w: Mapping[str, Array], tokens: NDArray[np.int32]) -> Array:
    """(T, E): `<sos>` and all characters but the last, as in training."""
    vectors: Array = w["embedding.weight"][[SOS, *tokens[:-1]]]
    return vectors


def _recurrence(
    cell: str, w: Mapping[str, Array], poems: Sequence[NDArray[np.int32]]
) -> dict[str, float]:
    """What decides the norms: ‖W‖ of an RNN, the forget gates of an LSTM (over poems, times)."""
    if cell != "lstm":
        W = w["rnn.weight_hh_l0"]
        bound = norm_bound(cell.split("-")[1], W, 1)
        return {"spectral_norm": float(np.linalg.norm(W, 2)), "bound": bound}
    f = np.stack([step.f for tokens in poems for step in _lstm(w, tokens).steps])
    return {"forget_mean": float(f.mean()), "forget_above_0.9": float((f > 0.9).mean())}


# ---- writing ----------------------------------------------------------------------------------


def _write(report: Report, data: Dataset, size: Size, V: int, poems: int, length: int) -> None:
    T = length
    distances = [n for n in DISTANCES if n <= T]
    report.write("How far back a gradient reaches", data, f"{poems} {V}", _norm_table(report, H, NETWORKS, distances))


def _norm_table(
    report: Report, jacobian: str, networks: Sequence[str], distances: Sequence[int]
) -> str:
    rows = []
    for name in networks:
        for state in WEIGHTS:
            found = report.select("norm", network=name, weights=state, jacobian=jacobian)
            mean = {r["distance"]: r["mean"] for r in found}
            rows.append([name, state, *(f"{mean[n]:.2g}" for n in distances)])
    return table(["network", "weights", *map(str, distances)], rows)
