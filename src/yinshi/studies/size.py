"""What do more units, wider embeddings and more layers bring? Perplexity against parameters, time.

One of the three is changed at a time, from report A's network on.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from yinshi.corpus.dataset import Dataset
from yinshi.evaluation.evaluate import token_nats
from yinshi.recipe import Recipe
from yinshi.studies.report import COLOURS, Record, Report, table
from yinshi.studies.trials import Outcome, PoemTrial, Trials


class Network(NamedTuple):
    """Embedding → LSTM layers → dropout → output, untied."""

    embedding: int
    hidden: int
    layers: int

    def __str__(self) -> str:
        return f"{self.embedding} × {self.hidden} × {self.layers}"


#: Report A's, which every series passes through.
BASE = Network(128, 256, 1)
#: What is changed → the sizes, rising. Embedding 100 and 2 layers are report A's too.
SERIES: dict[str, tuple[Network, ...]] = {
    "embedding": (Network(64, 256, 1), Network(100, 256, 1), BASE, Network(256, 256, 1)),
    "hidden units": (Network(128, 128, 1), BASE, Network(128, 512, 1)),
    "layers": (BASE, Network(128, 256, 2), Network(128, 256, 3)),
}
NETWORKS = tuple(dict.fromkeys(network for series in SERIES.values() for network in series))
#: Report A's perplexities, padding counted.
PUBLISHED = {BASE: "17.67", Network(128, 256, 2): "17.73", Network(100, 256, 1): "17.57 (word2vec)"}
PADDED = 80
#: The data of the full run which the sentences of the report were written about.
READ_ON = "34c46f7acb40"


@dataclass(frozen=True)
class Size:
    """What the study is run on, and with; the networks' numbers are divided by `shrink`."""

    train: int
    validation: int
    epochs: int
    batch: int
    shrink: int


FULL = Size(12000, 1000, epochs=4, batch=64, shrink=1)
QUICK = Size(80, 12, epochs=2, batch=4, shrink=16)


def run(data: Dataset, quick: bool, report: Report, trials: Trials) -> None:
    """Train every size, and write the report."""
    size = QUICK if quick else FULL
    sample = trials.sample(data, size.train, size.validation)
    recipes = {network: recipe_of(network, size) for network in NETWORKS}
    outcomes = trials.run(
        [PoemTrial(str(network), recipe, sample.folder) for network, recipe in recipes.items()]
    )
    V = len(sample.vocabulary)
    for (network, recipe), outcome in zip(recipes.items(), outcomes, strict=True):
        parameters = count_parameters(recipe, V)
        report.add("trial", **network._asdict(), **parameters, **_measured(outcome, sample))
    whole = next(outcome for outcome in outcomes if not outcome.diverged)
    report.add(
        "setting",
        **asdict(size),
        vocabulary=V,
        jobs=trials.at_a_time,
        precision=whole.model().facts["precision"],
    )
    write(report)


def recipe_of(network: Network, size: Size) -> Recipe:
    """All alike but for the three numbers."""
    sizes = {
        "embedding": network.embedding // size.shrink,
        "hidden": network.hidden // size.shrink,
        "layers": network.layers,
    }
    training = {
        "optimizer": "adamw",
        "learning_rate": 4e-3,
        "weight_decay": 0.01,
        "schedule": "one-cycle",
        "clip_norm": 1.0,
        "epochs": size.epochs,
        "batch_size": size.batch,
    }
    return Recipe.from_dict({"network": {**sizes, "dropout": 0.2}, "training": training})


def count_parameters(recipe: Recipe, vocabulary_size: int) -> dict[str, int]:
    """All of them, and those of the LSTM's layers alone."""
    shapes = recipe.network.weight_shapes(vocabulary_size)
    counts = {name: math.prod(shape) for name, shape in shapes.items()}
    recurrent = sum(n for name, n in counts.items() if name.startswith("lstm."))
    return {"parameters": sum(counts.values()), "recurrent": recurrent}


def _measured(outcome: Outcome, sample: Dataset) -> dict[str, Any]:
    """Perplexity of the best epoch; seconds of all of them; the median of the tokens a second."""
    if outcome.diverged:
        return {"diverged": outcome.diverged}
    poems = [sample.vocabulary.encode(text) for text in sample.texts("validation")]
    speeds = [line["tokens_per_second"] for line in outcome.select("train")]
    return {
        "diverged": None,
        "perplexity": outcome.perplexity,
        "padded": token_nats(outcome.model(), poems).padded_to(PADDED),
        "seconds": outcome.seconds,
        "tokens_per_second": median(speeds),
    }


# ---- writing ----------------------------------------------------------------------------------


def write(report: Report) -> None:
    """The report of what was measured."""
    [s] = report.select("setting")
    smaller = f" (every width divided by {s['shrink']})" if s["shrink"] > 1 else ""
    alone = (
        "one after another, so that their times may be compared"
        if s["jobs"] == 1
        else f"{s['jobs']} at a time, which share the machine: their times say little"
    )
    report.write(
        "What more units, wider embeddings and more layers bring",
        f"Report A's network, {BASE} (embedding × hidden units × layers){smaller}, and around it "
        f"one of the three changed at a time. {s['train']:,} training poems, {s['batch']} a "
        f"batch, {s['epochs']} epochs ({_steps(s):,} steps); {s['validation']:,} validation poems; "
        f"vocabulary {s['vocabulary']:,}. The same for all: AdamW, one-cycle up to 0.004, weight "
        "decay 0.01, gradients clipped to norm 1, dropout 0.2, no tied weights, own layer, "
        f"{s['precision']} products, one seed, which draws the same order of poems for all. The "
        "learning rate is tuned for none of them.",
        f"The trainings ran {alone}. *Seconds* are of all epochs with their validation; *tokens a "
        "second* are of training alone, the median of its lines of metrics. One seed and a budget "
        "far below the reports' (100 epochs on all of Tang): differences of a few per cent are no "
        "ranking, and what a larger network gains with time is not seen.",
        report.figure(
            "sizes",
            _draw(report),
            "Validation perplexity per token, best epoch, against parameters and training time; "
            "each line changes one number",
        ),
        _table(report),
        f"*Padded to {PADDED}*: the same model with the pads counted as tokens, as report A counts "
        "them ([docs/perplexity.md](../../docs/perplexity.md)); its data and budget were others.",
        report.findings(READ_ON, _findings),
    )


def _steps(s: Record) -> int:
    return int(s["epochs"]) * -(-int(s["train"]) // int(s["batch"]))


def _findings(report: Report) -> list[str]:
    """Numbers from the run; what is said about them was written after reading them."""
    found = {
        network: f"{t['perplexity']:.0f} in {t['seconds']:.0f} s"
        for network in NETWORKS
        if not (t := trial_of(report, network))["diverged"]
    }
    narrow, reports, base, wide = SERIES["embedding"]
    few, _, many = SERIES["hidden units"]
    _, two, three = SERIES["layers"]
    return [
        f"Hidden units bring most, and cost most: {few.hidden} {found[few]}, {base.hidden} "
        f"{found[base]}, {many.hidden} {found[many]}.",
        f"A wider embedding is cheap, for the output layer is what takes the time: "
        f"{narrow.embedding} {found[narrow]}, {wide.embedding} {found[wide]}. That "
        f"{reports.embedding} ({found[reports]}) is before {base.embedding} shows how much one "
        "seed means.",
        f"More layers begin more slowly: two have {found[two]}, and three ({found[three]}) are "
        "near what character frequencies alone gave in [optimizers](../optimizers/README.md), on "
        "fewer poems. In this budget depth is only a cost; report A, with up to fifty times the "
        "steps, found two layers as good as one and no better.",
    ]


def trial_of(report: Report, network: Network) -> Record:
    [found] = report.select("trial", **network._asdict())
    return found


def _table(report: Report) -> str:
    rows = []
    for network in NETWORKS:
        t = trial_of(report, network)
        counts = [f"{t['parameters']:,}", f"{t['recurrent']:,}"]
        found = ["diverged", "", "", ""]
        if not t["diverged"]:
            found = [
                f"{t['perplexity']:.1f}",
                f"{t['seconds']:.0f}",
                f"{t['tokens_per_second']:,.0f}",
                f"{t['padded']:.2f}",
            ]
        rows.append([str(network), *counts, *found, PUBLISHED.get(network, "")])
    headers = ["embedding × hidden × layers", "parameters", "of these in the LSTM"]
    headers += ["validation perplexity", "seconds", "tokens a second"]
    return table([*headers, f"padded to {PADDED}", "report A (padded)"], rows)


# ---- drawing ----------------------------------------------------------------------------------

#: Each series' colour, which of the numbers it changes, where the labels stand from the points.
LOOKS: dict[str, tuple[str, str, tuple[int, int]]] = {
    "embedding": (COLOURS[0], "embedding", (0, -15)),
    "hidden units": (COLOURS[3], "hidden", (0, 8)),
    "layers": (COLOURS[2], "layers", (10, -4)),
}


def _draw(report: Report) -> Figure:
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, x, unit in ((left, "parameters", 1e6), (right, "seconds", 1)):
        for name in SERIES:
            _draw_series(axes, report, name, x, unit)
        axes.set(xscale="log", yscale="log")
        axes.margins(0.12, 0.1)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 6, 8)))
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8)))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:g}")
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    left.set(xlabel="parameters (millions)", ylabel="validation perplexity per token")
    right.set(xlabel="training time (seconds)")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _draw_series(axes: Axes, report: Report, name: str, x: str, unit: float) -> None:
    """A line through the networks that did not diverge, each with its label."""
    colour, changed, place = LOOKS[name]
    found = {network: trial_of(report, network) for network in SERIES[name]}
    points = {
        network: (trial[x] / unit, trial["perplexity"])
        for network, trial in found.items()
        if not trial["diverged"]
    }
    axes.plot([p[0] for p in points.values()], [p[1] for p in points.values()], color=colour)
    for network, point in points.items():
        is_base = network == BASE
        label = str(network) if is_base else str(getattr(network, changed))
        axes.plot(*point, "o", color="black" if is_base else colour, zorder=3 if is_base else 2)
        if not is_base or name == "hidden units":
            axes.annotate(
                label,
                point,
                (14, 9) if is_base else place,
                textcoords="offset points",
                ha="left" if is_base else "center",
                color="black" if is_base else colour,
                fontsize=9,
            )
    axes.plot([], [], "-o", color=colour, label=name)
