"""The figures of the report on classifiers."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from yinshi.classify.confusion import font_with
from yinshi.studies.report import COLOURS, Record, Report


def draw_factors(report: Report, factors: Mapping[str, Sequence[str]]) -> Figure:
    """A panel for each factor, a column for each level, a dot for each training, coloured by its
    model; the baseline is a line across."""
    colours = dict(zip(factors["model"], COLOURS, strict=False))
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    widths = [len(levels) for levels in factors.values()]
    panels = figure.subplots(1, len(factors), sharey=True, width_ratios=widths)
    [bar] = report.select("baseline")
    for axes, (factor, levels) in zip(panels, factors.items(), strict=True):
        for column, level in enumerate(levels):
            _draw_level(axes, column, report.select("trial", **{factor: level}), colours)
        axes.axhline(100 * bar["test"], color="black", linestyle="--", linewidth=1)
        names = [level.replace(", ", ",\n").replace("-", "-\n") for level in levels]
        axes.set_xticks(range(len(levels)), names)
        axes.set(title=factor.replace("_", " "), xlim=(-0.6, len(levels) - 0.4))
        axes.grid(alpha=0.3, axis="y")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("test accuracy, %")
    for model, colour in colours.items():
        panels[0].plot([], [], "o", color=colour, ms=4, label=model)
    panels[0].plot([], [], "--", color="black", lw=1, label="baseline")
    figure.legend(loc="outside lower center", ncols=5)
    return figure


def _draw_level(
    axes: Axes, column: int, found: Sequence[Record], colours: Mapping[str, str]
) -> None:
    """The dots side by side in the order of the records, which is that of all columns."""
    if not found:
        return
    x = column + np.linspace(-0.3, 0.3, len(found))
    y = [100 * trial["test"] for trial in found]
    axes.scatter(x, y, s=14, c=[colours[trial["model"]] for trial in found])
    axes.hlines(fmean(y), column - 0.4, column + 0.4, color="black", linewidth=2)


class ConfusionFigure(Figure):
    """Which class is taken for which, by the best network and by the baseline.

    In an SVG the classes' names are text, for the reader's own fonts; in a PNG they are drawn if a
    font that has them is here, else the classes have numbers.
    """

    def __init__(self, report: Report) -> None:
        super().__init__(layout="constrained")
        self._answers = report.select("answers")
        size = 1.5 + 0.36 * max(len(answers["per_class"]) for answers in self._answers)
        self.set_size_inches(2 * size, size)
        for axes, answers in zip(self.subplots(1, 2), self._answers, strict=True):
            self._draw_cells(axes, np.array(answers["confusion"]))
            axes.set(xlabel="answer", title=f"{answers['of']}: {answers['accuracy']:.1%}")
        self.axes[0].set_ylabel("true")

    def _draw_cells(self, axes: Axes, counts: Any) -> None:
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.argwhere(counts):
            colour = "white" if shares[row, column] > 0.5 else "black"
            style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 7}
            axes.text(column, row, str(counts[row, column]), color=colour, **style)
        axes.tick_params(length=0)

    def savefig(self, fname: Any, *, format: str, **options: Any) -> None:  # type: ignore[override]
        """As Matplotlib's."""
        for axes, answers in zip(self.axes, self._answers, strict=True):
            names = [one["label"] for one in answers["per_class"]]
            font = font_with(set("".join(names)))
            if format != "svg" and font is None:
                names = [str(number) for number in range(1, len(names) + 1)]
            family = [font or "sans-serif", "sans-serif"]
            places = range(len(names))
            axes.set_xticks(places, names, rotation=90, family=family, parse_math=False)
            axes.set_yticks(places, names, family=family, parse_math=False)
        with mpl.rc_context({"svg.fonttype": "none"}), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from")  # laid out, not drawn here
            super().savefig(fname, format=format, **options)
