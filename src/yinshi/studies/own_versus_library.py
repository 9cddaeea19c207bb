"""Do our layer, PyTorch's and the NumPy engine learn the same, from the same weights and batches?

In exact arithmetic all three are one function: what differs is the order in which sums are rounded,
and how far training carries that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from yinshi.corpus.dataset import Dataset
from yinshi.engine.cells import Array
from yinshi.recipe import Recipe
from yinshi.studies.report import COLOURS, Record, Report, table
from yinshi.studies.trials import Outcome, PoemTrial, Trials
from yinshi.training.checkpoints import load_checkpoint
from yinshi.training.loop import Loop
from yinshi.training.run import Engine
from yinshi.training.starting_weights import starting_weights


class Arm(NamedTuple):
    """One training: who computes it, in which precision, from which seed."""

    engine: Engine
    backend: str
    precision: str
    seed: int = 0


ARMS = {
    "own, float64": Arm("torch", "own", "float64"),
    "library, float64": Arm("torch", "library", "float64"),
    "NumPy, float64": Arm("numpy", "own", "float64"),
    "own, float32": Arm("torch", "own", "float32"),
    "library, float32": Arm("torch", "library", "float32"),
    "NumPy, float32": Arm("numpy", "own", "float32"),
    "own, bfloat16": Arm("torch", "own", "bfloat16"),
    "own, float32, another seed": Arm("torch", "own", "float32", seed=1),
}


class Pair(NamedTuple):
    """Two arms that are compared, and their line in the figure."""

    arm: str
    other: str
    colour: str
    style: str = "-"

    @property
    def label(self) -> str:
        return f"{self.arm} − {self.other}"


PAIRS = [
    Pair("library, float64", "own, float64", COLOURS[0]),
    Pair("NumPy, float64", "own, float64", COLOURS[5], "--"),
    Pair("library, float32", "own, float32", COLOURS[3]),
    Pair("NumPy, float32", "own, float32", COLOURS[1], "--"),
    Pair("own, float32", "own, float64", COLOURS[2], ":"),
    Pair("own, bfloat16", "own, float32", COLOURS[7], "-."),
    # Other weights and other batches: what a difference that means nothing looks like.
    Pair("own, float32, another seed", "own, float32", COLOURS[6]),
]
#: The data of the full run which the sentences of the report were written about.
READ_ON = "34c46f7acb40"
#: About so many of the weights are followed along the training: every n-th of them.
FOLLOWED = 2000
#: Where equal numbers are drawn on a logarithmic axis, which has no 0.
FLOOR = 1e-16
#: The curves drawn, the widest first: the others lie on it.
DRAWN = {
    "own, float32": (COLOURS[5], "-", 7),
    "library, float32": (COLOURS[3], "-", 3),
    "NumPy, float32": (COLOURS[7], "--", 1.2),
}


@dataclass(frozen=True)
class Size:
    """What the study is run on, and with."""

    train: int
    validation: int
    embedding: int
    hidden: int
    epochs: int
    batch: int


FULL = Size(train=3000, validation=500, embedding=128, hidden=256, epochs=6, batch=32)
QUICK = Size(train=80, validation=12, embedding=6, hidden=8, epochs=6, batch=8)


def run(data: Dataset, quick: bool, report: Report, trials: Trials) -> None:
    """Train every arm, compare them pair by pair, and write the report."""
    size = QUICK if quick else FULL
    sample = trials.sample(data, size.train, size.validation)
    recipes = {name: recipe_of(arm, size) for name, arm in ARMS.items()}
    outcomes = trials.run(
        [
            PoemTrial(name, recipes[name], sample.folder, arm.engine, watch_weights)
            for name, arm in ARMS.items()
        ]
    )
    by_arm = dict(zip(ARMS, outcomes, strict=True))
    report.add("sample", **asdict(size), vocabulary=len(sample.vocabulary))
    for name, outcome in by_arm.items():
        if outcome.diverged:
            report.add("diverged", arm=name)
        for record in outcome.select("train") + outcome.select("validation"):
            kept = ("step", "nats", "perplexity", "tokens_per_second")
            shown = {key: record[key] for key in kept if key in record}
            report.add(record["kind"], arm=name, **shown)
    for pair in PAIRS:
        start, _ = starting_weights(recipes[pair.other], sample)
        _compare_weights(report, pair, by_arm[pair.arm], by_arm[pair.other], start)
    write(report)


def recipe_of(arm: Arm, size: Size) -> Recipe:
    """Without dropout, whose masks are drawn by another generator in each engine."""
    network = {"embedding": size.embedding, "hidden": size.hidden, "dropout": 0.0}
    training = {
        "backend": arm.backend,
        "precision": arm.precision,
        "device": "cpu",
        "epochs": size.epochs,
        "batch_size": size.batch,
        "seed": arm.seed,
    }
    return Recipe.from_dict({"network": network, "training": training})


# ---- measuring --------------------------------------------------------------------------------


def watch_weights(loop: Loop, record: Record) -> None:
    """Keep some of the weights at each line of the training's metrics."""
    if record["kind"] == "train" and loop.metrics:
        values = followed(loop.learner.weights()).tolist()
        loop.metrics.append({"kind": "weights", "step": record["step"], "values": values})


def followed(weights: Mapping[str, Array]) -> Array:
    """Every n-th weight (about FOLLOWED,), the same ones of every arm."""
    every = flat(weights)
    return every[:: max(1, len(every) // FOLLOWED)]


def flat(weights: Mapping[str, Array]) -> Array:
    """All weights (N,) in float64, which holds those of any arm as they are."""
    return np.concatenate([weights[name].ravel() for name in sorted(weights)], dtype=np.float64)


def final_weights(outcome: Outcome) -> dict[str, Array]:
    """Those of the checkpoint, in the precision they were trained in: a model file has float32."""
    _, arrays = load_checkpoint(outcome.folder / "last.safetensors")
    prefix = "weights."
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}


def compare(weights: Array, others: Array, start: Array) -> dict[str, float]:
    """How far `weights` are from `others`, which were `start` before training; (N,) each.

    largest    of the differences of two numbers
    relative   the distance between the two, as vectors, divided by that which `others` came
    """
    difference = weights - others
    relative = np.linalg.norm(difference) / np.linalg.norm(others - start)
    return {"largest": float(np.abs(difference).max()), "relative": float(relative)}


def _compare_weights(
    report: Report, pair: Pair, outcome: Outcome, other: Outcome, start: Mapping[str, Array]
) -> None:
    """Add what `compare` finds: of those followed at each line of metrics, of all at the end."""
    names = {"arm": pair.arm, "other": pair.other}
    for ours, theirs in zip(outcome.select("weights"), other.select("weights"), strict=False):
        found = compare(np.array(ours["values"]), np.array(theirs["values"]), followed(start))
        report.add("weights", **names, step=ours["step"], **found)
    found = compare(flat(final_weights(outcome)), flat(final_weights(other)), flat(start))
    report.add("end", **names, **found)


# ---- writing ----------------------------------------------------------------------------------


def write(report: Report) -> None:
    """The report of what was measured."""
    [s] = report.select("sample")
    steps = max(r["step"] for r in report.select("validation"))
    report.write(
        "Our layer, PyTorch's, and the NumPy engine",
        "Three computations of one network: our LSTM layer under autograd with the backward that "
        "was derived by hand (*own*), `nn.LSTM` (*library*), and the NumPy engine, whose "
        "forward, backward and optimizer are all written by hand. Embedding "
        f"{s['embedding']}, hidden {s['hidden']}, vocabulary {s['vocabulary']:,}, {s['train']:,} "
        f"poems in batches of {s['batch']}, {s['epochs']} epochs, {steps} steps; AdamW at a "
        "constant 0.001; no dropout, whose masks would differ. A seed draws the same weights and "
        "the same order of the poems for all, so that in exact arithmetic every arm with one "
        "seed would give the same numbers: what is seen here is rounding, and what training "
        "makes of it. All on the CPU.",
        report.figure(
            "curves",
            _draw(report),
            "Left: training cross-entropy, the mean of 20 steps; the three curves cover each "
            "other. Middle: how far those means of two arms have been apart so far, at most; as "
            f"long as they are equal, {FLOOR:g} is drawn. Right: the distance between the weights "
            f"of two arms (every n-th of them, about {FOLLOWED:,}), divided by that which training "
            "has moved the second",
        ),
        report.findings(READ_ON, _findings),
        _arm_table(report),
        "Tokens per second are the median of the lines of metrics, on whatever else the machine "
        "did at the time: no benchmark; those are in [benchmarks/](../../benchmarks/).",
        "## How far two arms lie apart",
        "Of the cross-entropy, in nats per token, each a mean over 20 steps; of the weights at "
        "the end, the largest difference between two numbers, and the distance between the two "
        "arms divided by that which training has moved the second. Another seed has other weights "
        "and other batches: it is what a difference without any meaning looks like.",
        _pair_table(report),
    )


def _findings(report: Report) -> list[str]:
    """Numbers from the run; what is said about them was written after reading them."""
    end = {(r["arm"], r["other"]): (r["relative"], r["largest"]) for r in report.select("end")}
    apart = {pair[:2]: max(differences(report, pair).values()) for pair in PAIRS}
    library, numpy, library_32, numpy_32, own_32, bfloat, _ = (pair[:2] for pair in PAIRS)
    along = {
        pair[:2]: [r["relative"] for r in report.select("weights", arm=pair.arm, other=pair.other)]
        for pair in PAIRS
    }
    perplexity = {name: report.select("validation", arm=name)[-1]["perplexity"] for name in ARMS}
    steps = report.select("validation")[-1]["step"]
    return [
        f"In float64 the three are one: after {steps} steps no weight of the library's differs "
        f"from ours by more than {end[library][1]:.1g}, none of NumPy's by more than "
        f"{end[numpy][1]:.1g}, and the training nats by no more than {apart[library]:.1g} and "
        f"{apart[numpy]:.1g}.",
        f"In float32 NumPy is as far from us as our own float32 is from our float64 "
        f"({end[numpy_32][0]:.1g} of the way that training went, and {end[own_32][0]:.1g}): it is "
        f"rounding. The library is nearer ({end[library_32][0]:.1g}), since all but the layer is "
        f"the same code there. Their perplexities are {perplexity['own, float32']:.3f}, "
        f"{perplexity['library, float32']:.3f} and {perplexity['NumPy, float32']:.3f}.",
        f"Training makes more of rounding, by a factor of some five to a hundred, up to about step "
        f"320 and no further: in float32 from {along[library_32][0]:.1g} to "
        f"{along[library_32][-1]:.1g} (library) and from {along[numpy_32][0]:.1g} to "
        f"{along[numpy_32][-1]:.1g} (NumPy), in bfloat16 from {along[bfloat][0]:.1g} to "
        f"{along[bfloat][-1]:.1g}.",
        f"Even bfloat16 ({perplexity['own, bfloat16']:.2f}) ends nearer to float32 than another "
        f"seed does ({perplexity['own, float32, another seed']:.2f}).",
    ]


def differences(report: Report, pair: Pair) -> dict[int, float]:
    """Step → |difference| of the training nats, where both arms have a line."""
    ours, theirs = (
        {r["step"]: r["nats"] for r in report.select("train", arm=arm)}
        for arm in (pair.arm, pair.other)
    )
    return {step: abs(nats - theirs[step]) for step, nats in ours.items() if step in theirs}


def _draw(report: Report) -> Figure:
    figure = Figure(figsize=(11.5, 5.2), layout="constrained")
    curves, nats, weights = figure.subplots(1, 3)
    for name, (colour, style, width) in DRAWN.items():
        records = report.select("train", arm=name)
        x, y = [r["step"] for r in records], [r["nats"] for r in records]
        curves.plot(x, y, style, color=colour, lw=width, label=name)
    curves.set(ylabel="nats per token", title="Training")
    curves.legend()
    nats.set(ylabel="|difference|, nats per token", title="Cross-entropies apart", yscale="log")
    weights.set(ylabel="distance / distance moved", title="Weights apart", yscale="log")
    for pair in PAIRS:
        apart = differences(report, pair)
        so_far = np.maximum.accumulate(list(apart.values()))
        _draw_pair(nats, pair, dict(zip(apart, so_far, strict=True)))
        along = report.select("weights", arm=pair.arm, other=pair.other)
        _draw_pair(weights, pair, {r["step"]: r["relative"] for r in along})
    for axes in figure.axes:
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(*nats.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _draw_pair(axes: Axes, pair: Pair, apart: Mapping[int, float]) -> None:
    y = np.maximum(list(apart.values()), FLOOR)
    axes.plot(list(apart), y, pair.style, color=pair.colour, lw=1.8, label=pair.label)


def _arm_table(report: Report) -> str:
    steps = [r["step"] for r in report.select("train")]
    first, last = min(steps), max(steps)
    rows = []
    for name in ARMS:
        if report.select("diverged", arm=name):
            rows.append([name, *["diverged"] * 4])
            continue
        lines = report.select("train", arm=name)
        nats = {r["step"]: f"{r['nats']:.4f}" for r in lines}
        perplexity = report.select("validation", arm=name)[-1]["perplexity"]
        speed = np.median([r["tokens_per_second"] for r in lines])
        rows.append([name, nats[first], nats[last], f"{perplexity:.3f}", f"{speed:,.0f}"])
    headers = ["", *(f"nats, steps {n - 19}–{n}" for n in (first, last))]
    return table([*headers, "validation perplexity", "tokens per second"], rows)


def _pair_table(report: Report) -> str:
    steps = sorted({r["step"] for r in report.select("train")})
    shown = sorted({steps[0], steps[len(steps) // 2], steps[-1]})
    rows = []
    for pair in PAIRS:
        if any(report.select("diverged", arm=name) for name in pair[:2]):
            rows.append([pair.label, *["diverged"] * (len(shown) + 3)])
            continue
        apart = differences(report, pair)
        [end] = report.select("end", arm=pair.arm, other=pair.other)
        cells = [apart[step] for step in shown] + [max(apart.values())]
        cells += [end["largest"], end["relative"]]
        rows.append([pair.label, *(f"{x:.1g}" for x in cells)])
    headers = ["", *(f"nats, steps {n - 19}–{n}" for n in shown), "nats, largest"]
    return table([*headers, "weights, largest", "weights, relative"], rows)
