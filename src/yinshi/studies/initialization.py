"""What do the weights before training decide? Curves, and how many hidden units stay distinct.

docs/lstm.md, section 6, proves that units which start equal stay equal; section 7 says what each
initializer does to the variance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from yinshi.corpus.dataset import Dataset
from yinshi.engine.cells import Array
from yinshi.evaluation.ngram import unigram_nats
from yinshi.recipe import Recipe
from yinshi.studies.report import COLOURS, Record, Report, table
from yinshi.studies.trials import PoemTrial, Trials
from yinshi.training.loop import Loop
from yinshi.training.starting_weights import starting_weights

#: The settings compared: what each changes in the recipe's network.
COMPARED: dict[str, dict[str, Any]] = {
    "zeros": {"initializer": "zeros"},
    "constant 1/I": {"initializer": "constant"},
    "uniform": {"initializer": "uniform"},
    "Xavier uniform": {"initializer": "xavier-uniform"},
    "Xavier normal": {"initializer": "xavier-normal"},
    "orthogonal": {"initializer": "orthogonal"},
    "uniform, forget bias 1": {"forget_bias": 1.0},
    "uniform, forget bias 2": {"forget_bias": 2.0},
}
#: What breaks the symmetry, and what was thought to and does not; each with one seed.
BREAKING: dict[str, dict[str, Any]] = {
    "constant 1/I, in float32": {"initializer": "constant", "precision": "float32"},
    "constant 1/I, with dropout 0.2": {"initializer": "constant", "dropout": 0.2},
    "zeros, tied to the random embedding": {"initializer": "zeros", "tie_weights": True},
}
#: The data of the full run which the sentences of the report were written about.
READ_ON = "34c46f7acb40"
SETTINGS = (*COMPARED, *BREAKING)
UNIGRAM = "character frequencies alone"
#: Two units are the same if none of their weights differ by more.
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Size:
    """What the study is run on, and with."""

    train: int
    validation: int
    hidden: int
    epochs: int
    batch: int
    seeds: int


FULL = Size(train=1500, validation=300, hidden=64, epochs=3, batch=16, seeds=3)
QUICK = Size(train=80, validation=12, hidden=8, epochs=4, batch=8, seeds=2)


def run(data: Dataset, quick: bool, report: Report, trials: Trials) -> None:
    """Train every setting with every seed, and write the report."""
    size = QUICK if quick else FULL
    sample = trials.sample(data, size.train, size.validation)
    unigram = unigram_nats(sample)
    V = len(sample.vocabulary)
    report.add("sample", **asdict(size), vocabulary=V, unigram_nats=unigram)
    runs = [(name, COMPARED[name], seed) for name in COMPARED for seed in range(size.seeds)]
    runs += [(name, changes, 0) for name, changes in BREAKING.items()]
    planned = [
        PoemTrial(
            f"{name.replace('/', ' by ')}, seed {seed}",
            recipe_of(changes, size, seed),
            sample.folder,
            "numpy",
            watch_units,
        )
        for name, changes, seed in runs
    ]
    outcomes = trials.run(planned)
    for (name, _, seed), trial, outcome in zip(runs, planned, outcomes, strict=True):
        start, _ = starting_weights(trial.recipe, sample)
        report.add("units", setting=name, seed=seed, step=0, **count_units(start))
        for record in outcome.records:
            report.add(record["kind"], setting=name, seed=seed, **_shown(record))
    write(report)


def _shown(record: Record) -> Record:
    kept = ("step", "nats", "distinct", "spread")
    return {key: record[key] for key in kept if key in record}


def recipe_of(changes: Mapping[str, Any], size: Size, seed: int) -> Recipe:
    """Embedding and hidden size are equal, so that tied weights need no projection."""
    network = {"embedding": size.hidden, "hidden": size.hidden, "dropout": 0.0, **changes}
    precision = network.pop("precision", "float64")
    training = {
        "learning_rate": 5e-3,
        "clip_norm": 1.0,
        "epochs": size.epochs,
        "batch_size": size.batch,
        "precision": precision,
        "seed": seed,
    }
    return Recipe.from_dict({"network": network, "training": training})


def watch_units(loop: Loop, record: Record) -> None:
    """Count the units after each epoch."""
    if record["kind"] == "validation" and loop.metrics:
        counted = count_units(loop.learner.weights())
        loop.metrics.append({"kind": "units", "step": record["step"], **counted})


def count_units(weights: Mapping[str, Array]) -> dict[str, float]:
    """How many hidden units differ, and by how much at most."""
    units = hidden_units(weights)
    return {
        "distinct": distinct_rows(units, TOLERANCE),
        "spread": float(np.ptp(units, axis=0).max()),
    }


def hidden_units(weights: Mapping[str, Array]) -> Array:
    """(H, 4 (I + H + 1)): all that a unit computes with, its row in every gate of
    [weight_ih | weight_hh | bias_ih + bias_hh].

    Two units with equal rows have equal h_t and c_t at all times, whatever is read.
    """
    bias = weights["lstm.bias_ih_l0"] + weights["lstm.bias_hh_l0"]
    parts = [weights["lstm.weight_ih_l0"], weights["lstm.weight_hh_l0"], bias[:, None]]
    gates = np.concatenate(parts, axis=1).astype(np.float64)
    return np.concatenate(np.split(gates, 4), axis=1)


def distinct_rows(rows: Array, tolerance: float) -> int:
    """The number of rows of which none is within `tolerance`, entry by entry, of one before it."""
    kept: list[Array] = []
    for row in rows:
        if not any(np.abs(row - other).max() <= tolerance for other in kept):
            kept.append(row)
    return len(kept)


# ---- writing ----------------------------------------------------------------------------------


def write(report: Report) -> None:
    """The report of what was measured."""
    [s] = report.select("sample")
    steps = report.select("validation")[-1]["step"]
    report.write(
        "What the weights before training decide",
        f"An LSTM language model with E = H = {s['hidden']}, untied, no dropout, trained by the "
        f"NumPy engine in float64 for {steps} steps ({s['epochs']} epochs on {s['train']:,} poems, "
        f"{s['batch']} a batch, vocabulary {s['vocabulary']:,}; AdamW, constant learning rate "
        f"0.005, gradients clipped to norm 1). Only the initial weights differ: those of the LSTM "
        "and of the output layer are drawn as named, the embedding is random in every run. The "
        f"same {s['seeds']} seeds for each, which draw the weights and the order of the poems. "
        "*uniform* is ±1/√H, PyTorch's; *constant* is 1/I for a matrix of I inputs.",
        report.figure(
            "curves",
            _draw(report),
            "Left: training cross-entropy, mean and range over seeds. Right: validation perplexity "
            "at the end, a dot a seed",
        ),
        _curve_table(report, s),
        report.findings(READ_ON, _findings),
        "## How many hidden units there are",
        "Two units are counted as one if no weight of theirs differs by more than "
        f"{TOLERANCE:g}: their rows of [weight_ih | weight_hh | bias] in all four gates. Such "
        "units compute the same number at every character. *Spread* is the largest difference "
        "between two units' weights anywhere.",
        _unit_table(report, steps),
    )


def _findings(report: Report) -> list[str]:
    """Numbers from the run; what is said about them was written after reading them."""
    perplexity = {name: np.mean(_final_perplexities(report, name)) for name in SETTINGS}
    unit = {name: report.select("units", setting=name)[-1] for name in SETTINGS}
    [sample] = report.select("sample")
    frequencies, hidden = np.exp(sample["unigram_nats"]), sample["hidden"]
    zeros, constant, uniform, *others, bias_1, bias_2 = COMPARED
    rounded, dropped, tied = BREAKING
    return [
        f"From zeros the {hidden} units stay {unit[zeros]['distinct']}: no weight of the LSTM "
        "ever moves, only the output bias learns, and that slowly (AdamW moves it by about "
        f"the learning rate a step), so that the end, perplexity {perplexity[zeros]:.0f}, is far "
        f"above what character frequencies alone give ({frequencies:.0f}).",
        f"From a constant everything moves, but all units alike: {unit[constant]['distinct']} "
        f"distinct unit, spread {unit[constant]['spread']:.1g}, and perplexity "
        f"{perplexity[constant]:.0f}, no better than the frequencies; rounding in float32 splits "
        f"them into {unit[rounded]['distinct']} groups that stay close and help nothing "
        f"({perplexity[rounded]:.0f}), whereas dropout on the hidden units "
        f"({perplexity[dropped]:.0f}) or, from zeros, a random output layer "
        f"({perplexity[tied]:.0f}) makes all {unit[tied]['distinct']} distinct.",
        "Among the random starts little is decided: Xavier and orthogonal "
        f"({min(perplexity[n] for n in others):.0f} to {max(perplexity[n] for n in others):.0f}) "
        f"are no better here than PyTorch's uniform ({perplexity[uniform]:.0f}), a forget bias of "
        f"1 or 2 helps a little ({perplexity[bias_1]:.0f}, {perplexity[bias_2]:.0f}), and with "
        f"{sample['seeds']} seeds whose ranges overlap this is no ranking.",
    ]


def _draw(report: Report) -> Figure:
    figure = Figure(figsize=(10, 5.2), layout="constrained")
    curves, ends = figure.subplots(1, 2, width_ratios=[1.4, 1])
    for place, (colour, name) in enumerate(zip(COLOURS, COMPARED, strict=True)):
        _draw_curve(curves, report, name, colour)
        perplexities = _final_perplexities(report, name)
        ends.plot(perplexities, [place] * len(perplexities), "o", color=colour, alpha=0.8)
    [sample] = report.select("sample")
    nats = sample["unigram_nats"]
    curves.axhline(nats, color="black", linestyle=":", linewidth=1, label=UNIGRAM)
    ends.axvline(np.exp(nats), color="black", linestyle=":", linewidth=1)
    curves.set(xlabel="step", ylabel="nats per token", title="Training")
    curves.legend(loc="center right")
    ends.set_yticks(range(len(COMPARED)), list(COMPARED))
    for label, colour in zip(ends.get_yticklabels(), COLOURS, strict=True):
        label.set(color=colour, fontweight="bold")
    ends.invert_yaxis()
    ends.set(xscale="log", xlabel="perplexity per token", title="Validation, at the end")
    ends.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 5, 6, 8)))
    ends.xaxis.set_major_formatter("{x:.0f}")
    ends.minorticks_off()
    for axes in (curves, ends):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _draw_curve(axes: Axes, report: Report, name: str, colour: str) -> None:
    """The mean over seeds and their range."""
    by_step: dict[int, list[float]] = {}
    for record in report.select("train", setting=name):
        by_step.setdefault(record["step"], []).append(record["nats"])
    steps, nats = list(by_step), list(by_step.values())
    axes.plot(steps, [np.mean(n) for n in nats], color=colour)
    axes.fill_between(
        steps, list(map(min, nats)), list(map(max, nats)), color=colour, alpha=0.12, lw=0
    )


def _final_perplexities(report: Report, name: str) -> list[float]:
    """One a seed."""
    last = {r["seed"]: r["nats"] for r in report.select("validation", setting=name)}
    return [float(np.exp(nats)) for nats in last.values()]


def _curve_table(report: Report, sample: Record) -> str:
    found = [r["step"] for r in report.select("train")]
    shown = sorted({min(found), max(found) // 2 // 20 * 20, max(found)})
    rows = []
    for name in COMPARED:
        cells = []
        for step in shown:
            nats = [r["nats"] for r in report.select("train", setting=name, step=step)]
            cells.append(f"{np.mean(nats):.3f}")
        rows.append([name, *cells, _range(_final_perplexities(report, name))])
    rows.append([UNIGRAM, *[""] * len(shown), f"{np.exp(sample['unigram_nats']):.1f}"])
    headers = ["", *(f"nats, steps {n - 19}–{n}" for n in shown), "validation perplexity"]
    return table(headers, rows)


def _range(values: Sequence[float]) -> str:
    mean = f"{np.mean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.1f}–{max(values):.1f})"


def _unit_table(report: Report, steps: int) -> str:
    rows = []
    for name in SETTINGS:
        start, end = (report.select("units", setting=name, step=n) for n in (0, steps))
        counts = [
            "–".join(map(str, sorted({r["distinct"] for r in ends}))) for ends in (start, end)
        ]
        spreads = [f"{max(r['spread'] for r in ends):.1g}" for ends in (start, end)]
        rows.append([name, *counts, *spreads, _range(_final_perplexities(report, name))])
    headers = ["", "distinct units at the start", "distinct units at the end"]
    headers += ["spread at the start", "spread at the end", "validation perplexity"]
    return table(headers, rows)
