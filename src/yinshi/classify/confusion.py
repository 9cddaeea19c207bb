"""The confusion matrix as a figure: which class is taken for which."""

from __future__ import annotations

import io
import warnings
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from yinshi.atomic import write_atomically
from yinshi.classify.scores import Scores
from yinshi.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = ("svg", "png")


def figure_format(path: Path) -> str:
    """svg or png, by the suffix of `path`; raises UsageError for any other."""
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        raise UsageError(f"{path}: found a figure's name in {path.suffix!r}; expected .svg or .png")
    return suffix


def draw_confusion(scores: Scores, path: Path) -> None:
    """Write `path`: a row for each true class, shaded by shares of its texts, with their counts.

    In an SVG the classes' names are text, for the reader's own fonts. In a PNG they are drawn where
    a font that has their characters is installed; else the classes are numbered from 1 on, in the
    order of `scores.per_class`. Raises UsageError for another suffix, MissingExtraError without
    Matplotlib.
    """
    kind = figure_format(path)
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("a figure", "plot") from None
    names = [one.label for one in scores.per_class]
    font = font_with(set("".join(names)))
    readable = kind == "svg" or font is not None
    size = 2 + 0.45 * len(names)
    figure = Figure(figsize=(size, size), layout="constrained")
    axes = figure.subplots()
    _draw_cells(axes, scores.confusion)
    shown = names if readable else [str(number) for number in range(1, len(names) + 1)]
    style: dict[str, Any] = {"family": [font or "sans-serif", "sans-serif"], "parse_math": False}
    axes.set_xticks(np.arange(len(names)) + 0.5, shown, rotation=90, **style)
    axes.set_yticks(np.arange(len(names)) + 0.5, shown, **style)
    told = "" if readable else " (classes by number, in their order)"
    axes.set(xlabel=f"predicted{told}", ylabel="true", title=f"accuracy {scores.accuracy:.1%}")
    content = io.BytesIO()
    text_as_text = mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "yinshi"})
    with text_as_text, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # laid out, not drawn here
        metadata = {"Date": None} if kind == "svg" else {}
        figure.savefig(content, format=kind, dpi=150, metadata=metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content.getvalue())


def _draw_cells(axes: Axes, confusion: Sequence[Sequence[int]]) -> None:
    counts = np.array(confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=0.5)
    for row, column in np.argwhere(counts):
        color = "white" if shares[row, column] > 0.5 else "black"
        style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 8, "color": color}
        axes.text(column + 0.5, row + 0.5, str(counts[row, column]), **style)
    axes.set_aspect("equal")
    axes.invert_yaxis()
    axes.tick_params(length=0)


def font_with(characters: Collection[str]) -> str | None:
    """The family of an installed font with all of `characters`, Matplotlib's own before others."""
    from matplotlib.font_manager import FontProperties, fontManager, get_font

    own = FontProperties().get_name()
    entries = sorted(
        fontManager.ttflist,
        key=lambda entry: (
            entry.name != own,
            entry.style != "normal",
            str(entry.weight) != "400",
            entry.name,
        ),
    )
    for entry in entries:
        if "Last Resort" in entry.name:  # has every character, drawn as a box
            continue
        known = get_font(entry.fname).get_charmap()
        if all(ord(character) in known for character in characters):
            return entry.name
    return None
