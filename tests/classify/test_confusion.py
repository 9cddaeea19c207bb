from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from yinshi.classify import confusion
from yinshi.classify.confusion import draw_confusion, figure_format, font_with
from yinshi.classify.scores import ClassScore, Scores
from yinshi.errors import MissingExtraError, UsageError

LABELS = ("工学", "医学", "a<b & $x$")
SCORES = Scores(
    accuracy=0.75,
    macro_f1=0.5,
    majority=0.5,
    per_class=tuple(ClassScore(label, 0.5, 0.5, 0.5, 4) for label in LABELS),
    confusion=((31, 2, 0), (0, 17, 5), (0, 0, 0)),
)


@pytest.fixture(autouse=True)
def _matplotlib() -> None:
    pytest.importorskip("matplotlib", reason="needs Matplotlib")


@pytest.fixture(params=[True, False], ids=["font", "no font"])
def has_font(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a machine has a font for the labels or not."""
    found = "DejaVu Sans" if request.param else None
    monkeypatch.setattr(confusion, "font_with", lambda characters: found)
    return bool(request.param)


def texts(svg: Path) -> list[tuple[str, ElementTree.Element]]:
    found = ElementTree.fromstring(svg.read_text(encoding="utf-8"))
    return [(str(e.text), e) for e in found.iter() if e.tag.endswith("}text")]


def test_labels_and_counts_are_text_in_an_svg(has_font: bool, tmp_path: Path) -> None:
    draw_confusion(SCORES, tmp_path / "c.svg")
    found = [text for text, _ in texts(tmp_path / "c.svg")]
    for label in LABELS:
        assert found.count(label) == 2, found
    assert [t for t in found if t.isdecimal()] == ["31", "2", "17", "5"]  # row by row, zeros blank
    assert {"accuracy 75.0%", "predicted", "true"} <= set(found)


def test_a_png_has_the_labels_or_numbers(
    has_font: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.axes import Axes

    ticks = []
    plain = Axes.set_yticks

    def set_yticks(self: Axes, at: object, shown: list[str], **style: object) -> object:
        ticks.append(shown)
        return plain(self, at, shown, **style)

    monkeypatch.setattr(Axes, "set_yticks", set_yticks)
    draw_confusion(SCORES, tmp_path / "c.png")
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    assert ticks == [list(LABELS) if has_font else ["1", "2", "3"]]


def test_what_stands_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are true classes, from the top; white on the dark cells, with most of their row."""
    from matplotlib.axes import Axes

    cells, plain = [], Axes.text

    def text(self: Axes, x: float, y: float, s: str, **style: object) -> object:
        cells.append((x, y, s, style["color"]))
        return plain(self, x, y, s, **style)

    monkeypatch.setattr(Axes, "text", text)
    draw_confusion(SCORES, tmp_path / "c.svg")
    first = [(0.5, 0.5, "31", "white"), (1.5, 0.5, "2", "black")]
    assert cells == [*first, (1.5, 1.5, "17", "white"), (2.5, 1.5, "5", "black")]
    heights = {text: float(element.get("y", 0)) for text, element in texts(tmp_path / "c.svg")}
    assert heights["31"] == heights["2"] < heights["17"] == heights["5"]


def test_the_same_scores_give_the_same_bytes_and_nothing_else(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        draw_confusion(SCORES, tmp_path / "new" / name)
    first, second = (tmp_path / "new" / name for name in ("a.svg", "b.svg"))
    assert first.read_bytes() == second.read_bytes()
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"a.svg", "b.svg"}


@pytest.mark.parametrize("name", ["c.pdf", "c", "c.svg.gz"])
def test_other_formats_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected \.svg or \.png"):
        draw_confusion(SCORES, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    assert figure_format(Path("C.PNG")) == "png"


def test_the_font_has_the_characters() -> None:
    assert font_with("abc") == "DejaVu Sans"
    assert font_with("") == "DejaVu Sans"
    assert font_with("a\U000f0000") is None  # a private character, in no font but the last resort
    found = font_with("工学")
    assert found is None or "Last Resort" not in found


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"a figure needs .*yinshi\[plot\]"):
        draw_confusion(SCORES, tmp_path / "c.svg")
    assert list(tmp_path.iterdir()) == []
