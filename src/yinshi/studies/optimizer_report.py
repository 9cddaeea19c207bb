"""The report on optimizers: all that is made of the records of `optimizers.run`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from yinshi.studies.report import COLOURS, Record, Report, table

#: The reports' learning rate.
SHARED_RATE = 1e-3
#: Report A's perplexities of three optimizers, padding counted.
PUBLISHED = "17.67 / 24.48 / 39.37"
PADDED = 80
#: The data of the full run which the sentences of the report were written about.
READ_ON = "34c46f7acb40"
UNIGRAM = "character frequencies alone"
DIVERGED = "diverged"
#: How nats and perplexities are shown.
NATS, PERPLEXITY = ".3f", ".4g"


def write(report: Report) -> None:
    """The report of what was measured."""
    [s] = report.select("setting")
    shared = dict.fromkeys(optimizers(report), SHARED_RATE)
    best = {name: best_rate(report, name) for name in shared}
    report.write(
        "Which optimizer learns the poems best",
        f"Report A's network (embedding {s['embedding']}, an LSTM of {s['hidden']}, dropout 0.2, "
        f"untied) on {s['train']:,} poems, {s['batch']} a batch, for {s['epochs']} epochs, which "
        f"are {_steps(s):,} steps; validation on {s['validation']:,} more; vocabulary "
        f"{s['vocabulary']:,}; own layer, {s['precision']} products. Constant learning rate, no "
        "gradient clipping and, but for AdamW's 0.01, no weight decay. A seed draws the weights, "
        "the order of the poems and the dropout; seed 0 of one optimizer sees the same batches as "
        "seed 0 of another. Validation perplexity is per real token, that after the best epoch; "
        "training cross-entropy is with dropout.",
        "The budget is what two processor cores could give to all arms alike, not report A's, up "
        "to 100 epochs on all of Tang: it shows who learns fast, not where each would end. One arm "
        "at the report's budget: `yinshi train report-a --set training.optimizer=sgd "
        "--set training.learning_rate=1`.",
        "## What the reports saw: one learning rate for all",
        f"The reports give {SHARED_RATE}, for Adam. That they used it for every optimizer is the "
        "simplest reading, and Adagrad and Adadelta, which report B found to stall, fit it. One "
        f"seed. Last column: the same model with every poem padded to {PADDED} and the pads "
        "counted as tokens, report A's convention "
        "([docs/perplexity.md](../../docs/perplexity.md)); its poems, its vocabulary and its "
        "budget were others, and to which optimizers its second and third figure belong is not "
        "known to us.",
        report.figure(
            "one-rate",
            _draw_curves(report, shared, seeds=1),
            f"All at learning rate {SHARED_RATE}, seed 0",
        ),
        _shared_table(report, s),
        report.findings(READ_ON, _findings_at_one_rate),
        "## What is true: each at its best learning rate",
        f"Chosen by the validation perplexity of seed 0 from {s['rates']} rates each, then trained "
        f"with {s['seeds']} seeds. *Edge*: the best rate is the lowest or the highest that was "
        "tried, a better one may lie beyond.",
        report.figure(
            "best-rates",
            _draw_curves(report, best, s["seeds"]),
            "Each at the best rate of its grid, mean and range over seeds",
        ),
        _best_table(report, best),
        "The grids, seed 0:",
        report.figure(
            "grids",
            _draw_grids(report, s),
            "Validation perplexity against the learning rate, seed 0; a cross on the upper edge "
            "diverged or is beyond it",
        ),
        _grid_table(report, best),
        report.findings(READ_ON, _findings_at_best_rates),
    )


def _steps(s: Record) -> int:
    return int(s["epochs"]) * -(-int(s["train"]) // int(s["batch"]))


def _findings_at_one_rate(report: Report) -> list[str]:
    """Numbers from the run; what is said about them was written after reading them."""
    [s] = report.select("setting")
    found = {
        name: f"{_perplexity(trials_of(report, name, SHARED_RATE)[0]):.0f}"
        for name in optimizers(report)
    }
    return [
        f"At {SHARED_RATE} SGD, momentum and Adadelta hardly leave the start, where every "
        f"character is equally likely ({found['SGD']}, {found['SGD + momentum 0.9']} and "
        f"{found['Adadelta']} of {s['vocabulary']:,}), and Adagrad comes to rest at what character "
        f"frequencies alone give ({found['Adagrad']} against {s['unigram_perplexity']:.0f}): "
        f"report B's stall. RMSprop ({found['RMSprop']}) and the two Adams ({found['Adam']}, "
        f"{found['AdamW']}) learn.",
        "It says more about the rate than about the optimizers: Adadelta's own is 1, plain SGD "
        "needs thousands of times more than Adam, whose steps are about as long as its rate "
        "whatever the gradient.",
    ]


def _findings_at_best_rates(report: Report) -> list[str]:
    perplexities = {
        name: [_perplexity(trial) for trial in trials_of(report, name, best_rate(report, name))]
        for name in optimizers(report)
    }
    mean = {name: f"{np.mean(found):.0f}" for name, found in perplexities.items()}
    adam_at_report = _perplexity(trials_of(report, "Adam", SHARED_RATE)[0])
    lucky, unlucky = perplexities["SGD"][0], max(perplexities["SGD"])
    return [
        f"Each at its own rate: Adam and AdamW ({mean['Adam']}, {mean['AdamW']}; their ranges "
        f"overlap), RMSprop ({mean['RMSprop']}), and Adagrad ({mean['Adagrad']}), which nothing "
        "stalls now. Their ranges do not touch, so that the order is no accident of the seed, but "
        "a finer grid might yet change it.",
        f"Behind by far: momentum ({mean['SGD + momentum 0.9']}) and Adadelta "
        f"({mean['Adadelta']}), both best at the highest rate tried, and SGD ({mean['SGD']}), "
        f"which was chosen by the luck of seed 0: {lucky:.0f} there, {unlucky:.0f} at worst.",
        f"Report A's own choice, Adam at {SHARED_RATE}, is slow here: {adam_at_report:.0f} where "
        f"ten times the rate gives {mean['Adam']}. With its budget, up to seventy times this one, "
        "that need not hold.",
    ]


# ---- reading the records -----------------------------------------------------------------------


def optimizers(report: Report) -> list[str]:
    """Their names, in the order in which they were trained."""
    return list(dict.fromkeys(t["optimizer"] for t in report.select("trial")))


def best_rate(report: Report, name: str) -> float:
    """Of this optimizer's grid: that with the lowest validation perplexity with seed 0."""
    tried = report.select("trial", optimizer=name, seed=0)
    rate: float = min(tried, key=_perplexity)["rate"]
    return rate


def _perplexity(trial: Record) -> float:
    """That of the best epoch, infinite if the trial diverged in the end."""
    return math.inf if trial["diverged"] else float(min(trial["perplexities"]))


def trials_of(report: Report, name: str, rate: float) -> list[Record]:
    """One a seed."""
    return report.select("trial", optimizer=name, rate=rate)


def at_edge(report: Report, name: str, rate: float) -> bool:
    tried = [t["rate"] for t in report.select("trial", optimizer=name, seed=0)]
    return rate in (min(tried), max(tried))


def over_seeds(values: Sequence[float], form: str) -> str:
    """Mean and range; of the seeds that diverged only how many."""
    whole = [v for v in values if math.isfinite(v)]
    lost = len(values) - len(whole)
    if not whole:
        return DIVERGED
    text = f"{np.mean(whole):{form}}"
    if len(whole) > 1:
        text += f" ({min(whole):{form}}–{max(whole):{form}})"
    return f"{text}, {lost} {DIVERGED}" if lost else text


def _last_nats(trial: Record) -> float:
    """Training nats over the last steps, infinite if the trial diverged."""
    return math.inf if trial["diverged"] else float(trial["nats"][-1])


def _last_steps(report: Report) -> str:
    last = max(t["steps"][-1] for t in report.select("trial", diverged=None))
    return f"training nats, steps {last - 19}–{last}"


def _shared_table(report: Report, s: Record) -> str:
    rows = []
    for name in optimizers(report):
        trial = trials_of(report, name, SHARED_RATE)[0]
        [padded] = report.select("padded", optimizer=name)
        found = (_last_nats(trial), NATS), (_perplexity(trial), PERPLEXITY)
        cells = [over_seeds([value], form) for value, form in found]
        rows.append([name, f"{SHARED_RATE:g}", *cells, f"{padded['perplexity']:{PERPLEXITY}}"])
    rows.append([UNIGRAM, "", "", f"{s['unigram_perplexity']:{PERPLEXITY}}", ""])
    rows.append(["report A", f"{SHARED_RATE:g}", "", "", PUBLISHED])
    headers = ["", "learning rate", _last_steps(report), "validation perplexity"]
    return table([*headers, f"padded to {PADDED}"], rows)


def _best_table(report: Report, best: Mapping[str, float]) -> str:
    rows = []
    for name, rate in best.items():
        trials = trials_of(report, name, rate)
        rows.append(
            [
                name,
                f"{rate:g}" + (" (edge)" if at_edge(report, name, rate) else ""),
                over_seeds([_last_nats(t) for t in trials], NATS),
                over_seeds([_perplexity(t) for t in trials], PERPLEXITY),
            ]
        )
    return table(["", "learning rate", _last_steps(report), "validation perplexity"], rows)


def _grid_table(report: Report, best: Mapping[str, float]) -> str:
    """Each cell: a learning rate and what came of it, the best in bold."""
    rows = []
    for name in optimizers(report):
        cells = []
        for trial in report.select("trial", optimizer=name, seed=0):
            found = over_seeds([_perplexity(trial)], PERPLEXITY)
            shown = f"**{found}**" if trial["rate"] == best[name] else found
            cells.append(f"{trial['rate']:g} → {shown}")
        rows.append([name, *cells])
    headers = ["learning rate → validation perplexity", *[""] * (len(rows[0]) - 1)]
    return table(headers, rows)


# ---- drawing ----------------------------------------------------------------------------------


def _draw_curves(report: Report, rates: Mapping[str, float], seeds: int) -> Figure:
    """Training nats left, validation perplexity right; mean and range over the seeds."""
    [s] = report.select("setting")
    figure = Figure(figsize=(9, 5), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.4, 1])
    for (name, rate), colour in zip(rates.items(), COLOURS, strict=False):
        trials = [t for t in trials_of(report, name, rate)[:seeds] if not t["diverged"]]
        if not trials:
            continue
        style = "--" if name == "AdamW" else "-"  # Adam's lies beneath it
        label = f"{name} ({rate:g})"
        _draw_range(left, trials[0]["steps"], [t["nats"] for t in trials], colour, style, label)
        perplexities = [t["perplexities"] for t in trials]
        epochs = range(1, len(perplexities[0]) + 1)
        _draw_range(right, epochs, perplexities, colour, style + "o", label)
    nats = math.log(s["unigram_perplexity"])
    left.axhline(nats, color="black", linestyle=":", linewidth=1, label=UNIGRAM)
    left.set(xlabel="step", ylabel="nats per token", title="Training")
    right.set(xlabel="epoch", title="Validation")
    right.xaxis.get_major_locator().set_params(integer=True)
    _perplexity_axis(right, s)
    left.grid(alpha=0.3)
    left.spines[["top", "right"]].set_visible(False)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _draw_range(
    axes: Axes,
    x: Sequence[int],
    runs: Sequence[Sequence[float]],
    colour: str,
    style: str,
    name: str,
) -> None:
    axes.plot(x, np.mean(runs, axis=0), style, color=colour, lw=1.8, ms=4, label=name)
    low, high = np.min(runs, axis=0), np.max(runs, axis=0)
    axes.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)


def _perplexity_axis(axes: Axes, s: Record) -> None:
    """Logarithmic, and no higher than for a model that knows nothing; the frequencies dotted."""
    axes.axhline(s["unigram_perplexity"], color="black", linestyle=":", linewidth=1)
    axes.set(yscale="log", ylabel="perplexity per token")
    axes.set_ylim(top=min(axes.get_ylim()[1], 1.5 * s["vocabulary"]))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 6, 8)))
    axes.yaxis.set_major_formatter("{x:.0f}")
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_grids(report: Report, s: Record) -> Figure:
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    top = 1.5 * s["vocabulary"]
    for name, colour in zip(optimizers(report), COLOURS, strict=False):
        tried = report.select("trial", optimizer=name, seed=0)
        found = {t["rate"]: _perplexity(t) for t in tried}
        inside = [rate for rate in found if found[rate] <= top]
        style = "--o" if name == "AdamW" else "-o"
        axes.plot(
            inside, [found[rate] for rate in inside], style, color=colour, lw=1.8, ms=5, label=name
        )
        beyond = [rate for rate in found if found[rate] > top]
        axes.plot(beyond, [0.92 * top] * len(beyond), "x", color=colour, ms=9, mew=2)
    axes.set(xscale="log", xlabel="learning rate")
    _perplexity_axis(axes, s)
    axes.plot([], [], ":", color="black", lw=1, label=UNIGRAM)
    figure.legend(loc="outside lower center", ncols=4)
    return figure
