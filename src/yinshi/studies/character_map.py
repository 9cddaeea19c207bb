"""A map of characters: like vectors near each other in the plane, drawn with or without a font."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from yinshi.engine.cells import Array
from yinshi.errors import MissingExtraError

#: What the names of fonts with Chinese characters contain; Matplotlib brings none of them.
CHINESE = (
    "Noto Sans CJK", "Noto Serif CJK", "Source Han", "WenQuanYi", "AR PL", "Droid Sans Fallback",
    "YaHei", "JhengHei", "SimSun", "PingFang", "Songti", "Heiti",
)  # fmt: skip
#: t-SNE's: about how many neighbours count as near.
PERPLEXITY = 10


def check_scikit_learn() -> None:
    """Raises MissingExtraError where there is none to make a map with."""
    try:
        import sklearn.manifold  # noqa: F401
    except ImportError:
        raise MissingExtraError("a map of characters", "classify") from None


def place(vectors: Array) -> Array:
    """(N, E) → (N, 2): the plane of t-SNE (van der Maaten & Hinton 2008), by cosine distance.

    Who is near whom means something; the axes, distances between groups and their sizes do not.
    """
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    tsne = TSNE(perplexity=perplexity, metric="cosine", init="pca", random_state=0)
    found: Array = tsne.fit_transform(np.asarray(vectors, dtype=np.float64))
    return found


class CharacterMap(Figure):
    """A panel for each map of `draw`.

    In an SVG the characters are text, for the reader's own fonts; in a PNG they are drawn if there
    is a font of `CHINESE` here, else dots stand in their places.
    """

    def __init__(self, panels: int) -> None:
        super().__init__(figsize=(5.5 * panels, 5.5), layout="constrained")
        self._left = list(self.subplots(1, panels, squeeze=False)[0])
        self._font = chinese_font()
        self._characters: list[Any] = []
        self._dots: list[Any] = []

    def draw_map(self, title: str, characters: str, x: Sequence[float], y: Sequence[float]) -> None:
        """Fill the next panel."""
        axes = self._left.pop(0)
        self._dots += axes.plot(x, y, "o", color="black", markersize=3)
        style = {"ha": "center", "va": "center", "fontsize": 10, "family": self._font}
        for character, here, there in zip(characters, x, y, strict=True):
            self._characters.append(axes.text(here, there, character, **style))
        axes.set(title=title, xticks=[], yticks=[])

    def savefig(self, fname: Any, *, format: str, **options: Any) -> None:  # type: ignore[override]
        """As Matplotlib's."""
        readable = format == "svg" or self._font is not None
        for artists, shown in ((self._characters, readable), (self._dots, not readable)):
            for artist in artists:
                artist.set_visible(shown)
        with mpl.rc_context({"svg.fonttype": "none"}), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from")  # laid out, not drawn here
            super().savefig(fname, format=format, **options)


def chinese_font() -> str | None:
    """The name of an installed one."""
    names = sorted({font.name for font in fontManager.ttflist})
    return next((name for part in CHINESE for name in names if part in name), None)
