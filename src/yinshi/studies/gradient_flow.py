"""How far back does a gradient reach? ‖∂h_T/∂h_t‖ against the distance T − t, on real poems.

docs/rnn.md (1.25) to (1.30) has the bounds, docs/lstm.md (2.25) and (2.33) the Jacobians.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from yinshi.corpus.dataset import Dataset
from yinshi.engine.cells import Array
from yinshi.engine.jacobians import norm_bound
from yinshi.recipe import Recipe
from yinshi.studies.poem_jacobians import HOMEWORK, STATE, H, Ids, jacobian_norms, lstm_on
from yinshi.studies.report import Record, Report, table
from yinshi.studies.trials import PoemTrial, Trials
from yinshi.training.starting_weights import starting_weights

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
#: The figures end there: below it is the sigmoid's alone.
FLOOR = 1e-12
#: What decides the norms, random → trained: of an RNN, of an LSTM.
RECURRENCE = {
    "spectral_norm": "{:.2f}",
    "bound": "{:.2f}",
    "forget_mean": "{:.2f}",
    "forget_above_0.9": "{:.1%}",
}
#: Whose two paths are drawn.
SHOWN = "LSTM, forget bias 1"
#: The data of the full run which the sentences of the report were written about.
READ_ON = "34c46f7acb40"
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


FULL = Size(train=6000, validation=300, measured=32, hidden=128, epochs=4, batch=32)
QUICK = Size(train=80, validation=12, measured=2, hidden=16, epochs=2, batch=16)


def run(data: Dataset, quick: bool, report: Report, trials: Trials) -> None:
    """Measure every network, random and trained, and write the report."""
    size = QUICK if quick else FULL
    sample = trials.sample(data, size.train, size.validation)
    poems = poems_of_one_length(sample.texts("validation"))[: size.measured]
    tokens = [sample.vocabulary.encode(poem) for poem in poems]
    recipes = {name: recipe_of(network, size) for name, network in NETWORKS.items()}
    outcomes = trials.run(
        [PoemTrial(name, recipe, sample.folder, "numpy") for name, recipe in recipes.items()]
    )
    for (name, recipe), outcome in zip(recipes.items(), outcomes, strict=True):
        cell = recipe.network.cell
        measure(report, name, "random", cell, starting_weights(recipe, sample)[0], tokens)
        for record in outcome.select("validation"):
            figures = {key: record[key] for key in ("epoch", "step", "perplexity")}
            report.add("validation", network=name, **figures)
        measure(report, name, "trained", cell, outcome.model().weights, tokens)
    V = len(sample.vocabulary)
    report.add("setting", **asdict(size), poems=len(poems), length=len(poems[0]), vocabulary=V)
    write(report)


def poems_of_one_length(texts: Sequence[str]) -> list[str]:
    """Those of `LENGTH` characters, or where there are none, of the length nearest to it."""
    length = min(map(len, texts), key=lambda n: abs(n - LENGTH))
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


# ---- measuring --------------------------------------------------------------------------------


def measure(
    report: Report,
    name: str,
    state: str,
    cell: str,
    weights: Mapping[str, Array],
    poems: Sequence[Ids],
) -> None:
    """Add each Jacobian's geometric mean, least and greatest norm over the poems, by distance."""
    w = {key: weight.astype(np.float64) for key, weight in weights.items()}
    measured = [jacobian_norms(cell, w, tokens) for tokens in poems]
    for jacobian in measured[0]:
        norms = np.stack([of_poem[jacobian] for of_poem in measured])  # (poems, T + 1)
        figures = {
            "mean": geometric_mean(norms),
            "low": norms.min(axis=0),
            "high": norms.max(axis=0),
        }
        rounded = {key: [float(f"{x:.4g}") for x in row] for key, row in figures.items()}
        report.add("norms", network=name, weights=state, jacobian=jacobian, **rounded)
    report.add("recurrence", network=name, weights=state, **_recurrence(cell, w, poems))


def geometric_mean(norms: Array) -> Array:
    """(poems, …) → (…): the mean on a logarithmic scale, 0 where one of them is 0."""
    with np.errstate(divide="ignore"):
        mean: Array = np.exp(np.log(norms).mean(axis=0))
    return mean


def _recurrence(cell: str, w: Mapping[str, Array], poems: Sequence[Ids]) -> dict[str, float]:
    """What decides the norms: ‖W‖ of an RNN, the forget gates of an LSTM (over poems, times)."""
    if cell != "lstm":
        W = w["rnn.weight_hh_l0"]
        bound = norm_bound(cell.split("-")[1], W, 1)
        return {"spectral_norm": float(np.linalg.norm(W, 2)), "bound": bound}
    f = np.stack([step.f for tokens in poems for step in lstm_on(w, tokens).steps])
    return {"forget_mean": float(f.mean()), "forget_above_0.9": float((f > 0.9).mean())}


# ---- writing ----------------------------------------------------------------------------------


class Curve(NamedTuple):
    """One line of a figure, one pair of rows of a table."""

    network: str
    jacobian: str
    label: str
    colour: str = ""
    style: str = "-"


#: RNNs are warm and dashed, LSTMs cold and solid.
COLOURS = ("#D55E00", "#E69F00", "#CC79A7", "#56B4E9", "#0072B2", "#009E73")
EVERY = [
    Curve(name, H, name, colour, "--" if name.startswith("RNN") else "-")
    for name, colour in zip(NETWORKS, COLOURS, strict=True)
]
PATHS = [
    Curve(SHOWN, STATE, STATE, "#0072B2"),
    Curve(SHOWN, H, H, "#009E73"),
    Curve(SHOWN, HOMEWORK, HOMEWORK, "#D55E00", "--"),
]


def write(report: Report) -> None:
    """The report of what was measured."""
    [s] = report.select("setting")
    distances = [n for n in DISTANCES if n <= s["length"]]
    lstms = [name for name, network in NETWORKS.items() if network["cell"] == "lstm"]
    tabulated = [Curve(name, STATE, f"{name}: {STATE}") for name in lstms]
    tabulated.append(Curve(SHOWN, HOMEWORK, f"{SHOWN}: {HOMEWORK}"))
    report.write(
        "How far back a gradient reaches",
        "How much of a change in the state at one character is left some characters later? The "
        f"spectral norm of `{H}` against the distance n = T − t, on {s['poems']} validation poems "
        f"of {s['length']} characters, for networks of {s['hidden']} hidden units: with the random "
        f"weights that training begins with (uniform in ±1/√H), and after {s['epochs']} epochs on "
        f"{s['train']:,} poems (vocabulary {s['vocabulary']:,}, embedding 64, the NumPy "
        "engine; AdamW, one-cycle up to 0.004, gradients clipped to norm 1). Means over poems are "
        "geometric, since the norms of products multiply; the shading reaches from the least poem "
        "to the greatest. The e-folding is the number of steps in which a norm falls to 1/e, "
        "fitted to the range named.",
        report.figure(
            "norms",
            _draw(report, EVERY),
            f"Spectral norm of {H} against distance, mean and range over poems",
        ),
        _norm_table(report, EVERY, distances),
        "What decides them, before → after training: an RNN's ‖W‖ and the bound "
        "max φ′ · ‖W‖ of one step ([docs/rnn.md](../../docs/rnn.md), 1.26); an LSTM's forget gates "
        "f, over all units and characters.",
        _network_table(report),
        report.findings(READ_ON, _findings),
        "## The two paths of an LSTM",
        f"An LSTM's state is the pair (h, c). `{H}` above is the upper left block of `{STATE}`: "
        "the effect by every path, c_t held fixed. The usual homework answer multiplies "
        "`∂h_j/∂h_{j-1}` alone and so drops every path through the cell "
        "([docs/lstm.md](../../docs/lstm.md), section 4).",
        report.figure(
            "paths",
            _draw(report, PATHS),
            f"The three Jacobians of the {SHOWN}",
        ),
        _norm_table(report, tabulated, distances),
        report.findings(READ_ON, _findings_on_paths),
    )


def _findings(report: Report) -> list[str]:
    """Numbers from the run; what is said about them was written after reading them."""
    sigmoid, tanh, relu, *lstms = NETWORKS
    random, trained = (
        {name: f"{_norms_of(report, name, w, H)['mean'][40]:.1g}" for name in NETWORKS}
        for w in WEIGHTS
    )
    f = [
        report.select("recurrence", network=lstms[0], weights=w)[0]["forget_mean"] for w in WEIGHTS
    ]
    best = {
        name: min(r["perplexity"] for r in report.select("validation", network=name))
        for name in NETWORKS
    }
    return [
        "With random weights every norm is an exponential of the distance, and the LSTM owes its "
        f"start to the bias, not to its form: 40 characters back the sigmoid has {random[sigmoid]} "
        f"left, ReLU {random[relu]}, tanh {random[tanh]}, and the LSTM without forget bias no more "
        f"than {random[lstms[0]]}; a forget bias of 1 leaves {random[lstms[1]]}, and with 2 "
        f"nothing vanishes ({random[lstms[2]]}, slowly growing).",
        "Training draws them together: it lengthens every memory but the longest. The LSTM without "
        f"forget bias opens its gates (mean f {f[0]:.2f} → {f[1]:.2f}) and ends at "
        f"{trained[lstms[0]]}, level with the two that began with a bias ({trained[lstms[1]]}, "
        f"{trained[lstms[2]]}); the RNNs enlarge W until its bound no longer excludes explosion, "
        f"which brings tanh and ReLU to {trained[tanh]} and {trained[relu]}, the sigmoid to no "
        f"more than {trained[sigmoid]}.",
        "A longer reach is not yet a better model: after this little training the ReLU network has "
        f"the lowest perplexity ({best[relu]:.0f}), before tanh ({best[tanh]:.0f}) and the LSTMs "
        f"({min(best[n] for n in lstms):.0f} to {max(best[n] for n in lstms):.0f}), all at one "
        "learning rate and one seed. The trained LSTMs' norms ripple with a period of 6, a line of "
        "five characters with its mark; those of random weights do not.",
    ]


def _findings_on_paths(report: Report) -> list[str]:
    right, homework = (
        [_norms_of(report, SHOWN, w, jacobian)["mean"][40] for w in WEIGHTS]
        for jacobian in (H, HOMEWORK)
    )
    return [
        "Without the cell path an LSTM vanishes as fast as a sigmoid RNN, before training and "
        f"after: at distance 40 the homework's product has {homework[0]:.1g} and "
        f"{homework[1]:.1g} where {right[0]:.1g} and {right[1]:.1g} are right; all of the long "
        "memory is what it drops."
    ]


def _draw(report: Report, curves: Sequence[Curve]) -> Figure:
    """Random weights left, trained ones right."""
    figure = Figure(figsize=(10, 5.2), layout="constrained")
    for axes, state in zip(figure.subplots(1, 2, sharey=True), WEIGHTS, strict=True):
        for curve in curves:
            norms = _norms_of(report, curve.network, state, curve.jacobian)
            x, colour = range(len(norms["mean"])), curve.colour
            axes.plot(x, norms["mean"], curve.style, color=colour, lw=1.8, label=curve.label)
            axes.fill_between(x, norms["low"], norms["high"], color=colour, alpha=0.12, lw=0)
        axes.set(yscale="log", xlabel="distance n = T − t (characters)", title=f"{state} weights")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_ylim(bottom=FLOOR)
    figure.axes[0].set_ylabel("spectral norm")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _norms_of(report: Report, network: str, weights: str, jacobian: str) -> Record:
    [found] = report.select("norms", network=network, weights=weights, jacobian=jacobian)
    return found


def _norm_table(report: Report, curves: Sequence[Curve], distances: Sequence[int]) -> str:
    far = distances[-1]
    near = far // 2
    rows = []
    for curve in curves:
        for state in WEIGHTS:
            mean = _norms_of(report, curve.network, state, curve.jacobian)["mean"]
            cells = [f"{mean[n]:.2g}" for n in distances]
            rows.append([curve.label, state, *cells, e_folding(mean, near, far)])
    headers = ["", "weights", *(f"n = {n}" for n in distances), f"e-folding {near}–{far}"]
    return table(headers, rows)


def e_folding(norms: Sequence[float], near: int, far: int) -> str:
    """The steps in which `norms` fall to 1/e between two distances: a line through their logs."""
    between = np.array(norms[near : far + 1])
    if not between.all():
        return "0"
    slope = np.polyfit(range(len(between)), np.log(between), 1)[0]
    return f"{-1 / slope:.1f}" if slope < 0 else "grows"


def _network_table(report: Report) -> str:
    headers = ["", "perplexity after training", "‖W‖", "bound of a step", "mean f", "f > 0.9"]
    rows = []
    for name in NETWORKS:
        perplexity = min(r["perplexity"] for r in report.select("validation", network=name))
        pairs = [report.select("recurrence", network=name, weights=state)[0] for state in WEIGHTS]
        row = [name, f"{perplexity:.0f}"]
        for key, form in RECURRENCE.items():
            row.append(" → ".join(form.format(r[key]) for r in pairs) if key in pairs[0] else "")
        rows.append(row)
    return table(headers, rows)
