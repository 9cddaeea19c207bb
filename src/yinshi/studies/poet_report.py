"""What the study of the poet says of its records: tables, sentences, a figure."""

from __future__ import annotations

from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from yinshi.studies.report import COLOURS, Record, Report, table

#: The data of the full run that the sentences are about.
READ_ON = "5d9ed04d61c3"
NOTHING = "–"
#: Group of variants → its colour.
GROUPS = {
    "base": COLOURS[7],
    "size": COLOURS[0],
    "regularisation": COLOURS[1],
    "optimisation": COLOURS[2],
    "told": COLOURS[4],
    "which poems": COLOURS[3],
    "longer": COLOURS[5],
    "attention": COLOURS[6],
}


def write(report: Report) -> None:
    """The report of what was measured."""
    [s] = report.select("setting")
    smaller = f" (every width divided by {s['shrink']})" if s["shrink"] > 1 else ""
    poems = s["poems"]
    base = trial_of(report, "all", "base")
    report.write(
        "The poet: what was tried",
        f"The base is one layer of LSTM, embedding 128, hidden 256{smaller}, "
        f"{base['parameters']:,} parameters: tied embeddings, dropout 0.2 before the output, "
        "AdamW, one-cycle up to 0.004, "
        f"weight decay 0.01, gradients clipped to norm 1, batches of {s['batch']}. Each line "
        "changes what it names and nothing else, and no learning rate is tuned for it. All read "
        f"the same {poems['all']:,} poems once ({base['steps']:,} steps, {base['tokens']:,} "
        f"tokens), {poems['tang']:,} of Tang and {poems['song']:,} of Song, drawn from the "
        f"training poems; vocabulary {s['vocabulary']:,} (what they have "
        f"{s['least']} times: {s['unknown_rate']:.1%} of the validation poems' characters are "
        "unknown, which makes all perplexities here lower). Perplexity is per token, of the Tang "
        f"poems among the validation poems: {s['validation']:,}, {s['validation_tokens']:,} "
        "tokens. The test poems were not touched.",
        "The shipped poet ([reading.md](reading.md)) is twice as wide and reads six times as many "
        "poems, several times: this budget is small so that many things could be tried. It can't "
        "tell what pays only later. A larger or deeper network is behind at first; what keeps a "
        "network from learning "
        "by heart only costs, as long as no poem is read twice (hence the second table); and a "
        "Transformer wants longer training than this. One seed each: the base's seeds "
        "show what a difference without any meaning looks like, and that is only training's share "
        f"of chance; all are judged by the same {s['validation']:,} poems.",
        report.findings(READ_ON, _findings),
        report.figure(
            "variants",
            _draw_changes(report),
            "Perplexity on Tang beside the base's (the mean of its seeds; the grey band is their "
            "range)",
        ),
        "## One pass over Tang and Song",
        _table(report),
        "*Tokens a second* are of one processor's time, in training alone, the median of the lines "
        "of metrics, and *processor seconds* follow from them; the machine was shared, which "
        "touches these two columns alone. *Song, then Tang* reads the same poems as the base in "
        "another order, each part with a one-cycle of its own (its steps and seconds are of the "
        "second part); *together, then Tang again* goes on from the base; *Tang alone* reads its "
        "poems as often as makes the base's steps. The Transformer is PyTorch's "
        "`nn.TransformerEncoder`: two layers, four heads, width 128, normalised first, learned "
        "positions, tied, dropout 0.1, the same one-cycle with its rise over a tenth of the steps.",
        "## What the network is told",
        _told_table(report),
        "The same poems, the same tokens counted; only what stands before a poem differs. In "
        "training a poem is without its header 3 times of 10, and else without each part of it.",
        "## Few poems, read often",
        f"{poems['few']:,} Tang poems, {s['few_passes']} times, one-cycle over all of it; else as "
        "above. *Best* is the lowest perplexity of any epoch, which early stopping would have "
        "kept; *last* tells how far the network went beyond it; *fitted* is the training poems' "
        "perplexity in the last epoch, with dropout.",
        _few_table(report),
        report.figure("few", _draw_few(report), "Few poems read many times, after each epoch"),
    )


def trial_of(report: Report, block: str, name: str) -> Record:
    [found] = report.select("trial", block=block, name=name)
    return found


def seeds_of(report: Report, block: str) -> list[float]:
    """The perplexities of the base's seeds."""
    return [
        t["perplexity"]
        for t in report.select("trial", block=block)
        if t["name"].split(",")[0] == "base" and not t["diverged"]
    ]


def change(report: Report, trial: Record) -> float:
    """Of its perplexity against the mean of the base's seeds: −0.05 is five per cent lower."""
    return float(trial["perplexity"]) / fmean(seeds_of(report, trial["block"])) - 1


# ---- sentences -----------------------------------------------------------------------------------


def _findings(report: Report) -> list[str]:
    """True of any run: what is named, and the numbers, are looked up."""
    few = trial_of(report, "few", "base")
    return [
        *_sorted_by_outcome(report, "all", "One pass"),
        _attention(report),
        _poems(report),
        _told(report),
        *_sorted_by_outcome(report, "few", "Few poems, the best epoch"),
        f"The few poems are too few: the base is best after epoch {_best_epoch(few)} of "
        f"{len(few['perplexities'])} ({few['perplexity']:.1f}) and ends at "
        f"{few['perplexities'][-1]:.1f}.",
    ]


def _sorted_by_outcome(report: Report, block: str, title: str) -> list[str]:
    """Which are better than the base, and worse, by more than its seeds lie apart, and which not;
    those that read the poems longer or in other order are left to sentences of their own."""
    seeds = seeds_of(report, block)
    apart = (max(seeds) - min(seeds)) / fmean(seeds)
    trials = [
        t
        for t in report.select("trial", block=block)
        if t["name"].split(",")[0] != "base" and t["group"] not in ("longer", "which poems")
    ]
    changes = {t["name"]: change(report, t) for t in trials if not t["diverged"]}
    ordered = sorted(changes.items(), key=lambda item: item[1])
    sorts = {
        "better": [(name, by) for name, by in ordered if by < -apart],
        "worse": [(name, by) for name, by in reversed(ordered) if by > apart],
        "no further from the base than its seeds from each other": [
            (name, by) for name, by in ordered if abs(by) <= apart
        ],
        "diverged": [(t["name"], None) for t in trials if t["diverged"]],
    }
    range_ = f"the base's seeds {min(seeds):.1f} to {max(seeds):.1f}"
    return [
        f"{title} ({range_}), {kind}: {'; '.join(_named(*item) for item in found)}."
        for kind, found in sorts.items()
        if found
    ]


def _named(name: str, by: float | None) -> str:
    return name if by is None else f"{name} ({_per_cent(by)})"


def _per_cent(share: float) -> str:
    """+1.0%, −1.0%, and never −0.0%."""
    return f"{round(share, 3) + 0.0:+.1%}".replace("-", "−")


def _attention(report: Report) -> str:
    found = [t for t in report.select("trial", group="attention") if not t["diverged"]]
    if not found:
        return "Both Transformers diverged."
    best = min(found, key=lambda t: float(t["perplexity"]))
    base, longer = (trial_of(report, "all", name) for name in ("base", "twice as long"))
    return (
        f"A Transformer of as many parameters ({best['parameters']:,}) has "
        f"{best['perplexity']:.1f} after as many steps as the base's {base['perplexity']:.1f}, "
        f"in {_seconds(best)} processor seconds against {_seconds(base)}; the base, twice as "
        f"long, has {longer['perplexity']:.1f} in {_seconds(longer)}."
    )


def _poems(report: Report) -> str:
    names = ("base", "Song alone", "Tang alone, as many steps", "Song, then Tang")
    base, song, tang, turn = (f"{trial_of(report, 'all', n)['perplexity']:.1f}" for n in names)
    again = trial_of(report, "all", "together, then Tang again")["perplexity"]
    return (
        f"Tang's verse learnt from Song alone has {song}, from Tang alone {tang}, from both "
        f"together {base}; Song first and then Tang, the same poems and steps, {turn}. After both "
        f"together once more over Tang: {again:.1f}."
    )


def _told(report: Report) -> str:
    one, whole = _tellable(report)
    parts = ", ".join(f"{name} {p:.1f}" for name, p in whole["told"].items())
    return (
        f"A network that may be told the dynasty has {one['perplexity']:.1f} untold and "
        f"{one['told']['dynasty']:.1f} told; one that may be told everything "
        f"{whole['perplexity']:.1f} untold, and told {parts}."
    )


def _tellable(report: Report) -> list[Record]:
    return report.select("trial", group="told")


def _best_epoch(trial: Record) -> int:
    perplexities = trial["perplexities"]
    return int(perplexities.index(min(perplexities))) + 1


# ---- tables --------------------------------------------------------------------------------------


def _table(report: Report) -> str:
    rows = []
    group = ""
    for t in report.select("trial", block="all"):
        name = t["name"] if t["group"] in ("base", group) else f"**{t['group']}**: {t['name']}"
        group = t["group"]
        found = ["diverged", "", f"{t['steps']:,}", "", ""]
        if not t["diverged"]:
            speed = t["tokens_per_second"]
            found = [
                f"{t['perplexity']:.1f}",
                _per_cent(change(report, t)),
                f"{t['steps']:,}",
                f"{speed:,.0f}" if speed else NOTHING,
                _seconds(t),
            ]
        rows.append([name, f"{t['parameters']:,}", *found])
    headers = ["", "parameters", "perplexity, Tang", "against the base", "steps"]
    return table([*headers, "tokens a second", "processor seconds"], rows)


def _seconds(trial: Record) -> str:
    return f"{trial['seconds']:.0f}" if trial["seconds"] else NOTHING


def _told_table(report: Report) -> str:
    parts = list(_tellable(report)[-1]["told"])
    rows = []
    for t in _tellable(report):
        told = [f"{t['told'][part]:.1f}" if part in t["told"] else "" for part in parts]
        rows.append([f"may be told {t['name']}", f"{t['perplexity']:.1f}", *told])
    return table(["", "nothing", *parts], rows)


def _few_table(report: Report) -> str:
    rows = []
    for t in report.select("trial", block="few"):
        if t["diverged"]:
            rows.append([t["name"], "diverged", *[""] * 4])
            continue
        rows.append(
            [
                t["name"],
                f"{t['perplexity']:.1f}",
                _per_cent(change(report, t)),
                str(_best_epoch(t)),
                f"{t['perplexities'][-1]:.1f}",
                f"{t['fitted']:.1f}" if t["fitted"] else NOTHING,
            ]
        )
    return table(["", "best", "against the base", "its epoch", "last", "fitted"], rows)


# ---- drawing -------------------------------------------------------------------------------------


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _draw_changes(report: Report) -> Figure:
    """Every variant of the first block, the best on top."""
    figure, axes = _axes(7.5, 7)
    trials = [t for t in report.select("trial", block="all") if not t["diverged"]]
    trials.sort(key=lambda t: float(t["perplexity"]), reverse=True)
    changes = [100 * change(report, t) for t in trials]
    places = range(len(trials))
    colours = [GROUPS[t["group"]] for t in trials]
    seeds = [100 * change(report, t) for t in trials if t["group"] == "base"]
    axes.axvspan(min(seeds), max(seeds), color="0.85")
    axes.hlines(places, 0, changes, colors=colours)
    axes.scatter(changes, places, color=colours, zorder=3)
    axes.set_yticks(places, [t["name"] for t in trials], fontsize=8)
    axes.set(xlabel="perplexity against the base, per cent")
    for group, colour in GROUPS.items():
        axes.plot([], [], "o-", color=colour, label=group)
    axes.legend(loc="upper right", fontsize=8)
    return figure


def _draw_few(report: Report) -> Figure:
    """The second block, after each epoch."""
    figure, axes = _axes(7.5, 5)
    trials = [t for t in report.select("trial", block="few") if not t["diverged"]]
    for number, t in enumerate(trials):
        style = "-" if number < len(COLOURS) else "--"
        perplexities = t["perplexities"]
        epochs = range(1, len(perplexities) + 1)
        colour = COLOURS[number % len(COLOURS)]
        axes.plot(epochs, perplexities, style, color=colour, lw=1.4, label=t["name"])
    axes.set(xlabel="epoch", ylabel="validation perplexity", yscale="log")
    lowest = min(t["perplexity"] for t in trials)
    axes.set_ylim(0.95 * lowest, 2.5 * lowest)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.legend(fontsize=8)
    return figure
