from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from yinshi.corpus.dataset import Dataset
from yinshi.errors import UsageError
from yinshi.studies.report import Report, table


@pytest.fixture
def data(small_dataset: Path) -> Dataset:
    return Dataset.load(small_dataset)


def figure() -> Figure:
    figure = Figure(figsize=(3, 2))
    figure.subplots().plot([1, 2], [3, 5], label="a line")
    return figure


def test_a_report_is_text_figures_and_every_record(data: Dataset, tmp_path: Path) -> None:
    report = Report(tmp_path / "deep" / "growth", "growth", data, quick=False)
    report.add("height", tree="松", metres=3.5)
    report.write("Growth", "First.", report.figure("trees", figure(), "Two trees"), "Last.")
    folder = report.folder
    files = {"README.md", "metrics.jsonl", "trees.svg", "trees.png"}
    assert {p.name for p in folder.iterdir()} == files
    assert json.loads((folder / "metrics.jsonl").read_text(encoding="utf-8")) == {
        "kind": "height",
        "tree": "松",
        "metres": 3.5,
    }
    text = (folder / "README.md").read_text(encoding="utf-8")
    order = ["# Growth", "First.", "![Two trees](trees.svg)", "Last.", "Made by", "data: `small`"]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert data.hash[:12] in text
    assert "quick" not in text


def test_a_quick_report_says_so(data: Dataset, tmp_path: Path) -> None:
    report = Report(tmp_path / "growth", "growth", data, quick=True)
    report.write("Growth")
    text = (tmp_path / "growth" / "README.md").read_text(encoding="utf-8")
    assert "**A quick run, in miniature: its numbers mean little.**" in text
    assert "yinshi study growth --data small --quick" in text


def test_findings_are_of_the_run_they_were_written_about(data: Dataset, tmp_path: Path) -> None:
    def findings(report: Report) -> list[str]:
        [tree] = report.select("height")
        return [f"It has {tree['metres']} m.", "It grows."]

    full, quick = (Report(tmp_path, "growth", data, quick=quick) for quick in (False, True))
    full.add("height", metres=3)
    assert full.findings(data.hash[:12], findings) == "- It has 3 m.\n- It grows."
    assert full.findings("0" * 12, findings) == ""
    assert quick.findings(data.hash[:12], findings) == ""


def test_no_path_of_the_machine(data: Dataset, tmp_path: Path) -> None:
    report = Report(tmp_path / "growth", "growth", data, quick=False)
    report.write("Growth", report.figure("t", figure(), "T"))
    for path in report.folder.iterdir():
        assert str(data.folder.parent).encode() not in path.read_bytes()
        assert str(tmp_path).encode() not in path.read_bytes()


def test_the_same_figure_gives_the_same_bytes(data: Dataset, tmp_path: Path) -> None:
    for name in ("one", "two"):
        report = Report(tmp_path / name, "growth", data, quick=False)
        report.write("Growth", report.figure("trees", figure(), "Two trees"))
    for name in ("trees.svg", "trees.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert not re.search(rb"<dc:date>", (tmp_path / "one" / "trees.svg").read_bytes())


def test_select_by_kind_and_values(data: Dataset, tmp_path: Path) -> None:
    report = Report(tmp_path, "growth", data, quick=False)
    for year, metres in ((1, 2), (2, 3)):
        report.add("height", year=year, metres=metres)
    report.add("age", year=1)
    assert [r["metres"] for r in report.select("height")] == [2, 3]
    assert report.select("height", year=2) == [{"kind": "height", "year": 2, "metres": 3}]
    assert report.select("height", year=3) == []


def test_a_table() -> None:
    assert table(["tree", "m"], [["松", "3"]]) == "| tree | m |\n| --- | ---: |\n| 松 | 3 |"


def test_a_finished_report_is_replaced_only_when_told(data: Dataset, tmp_path: Path) -> None:
    Report(tmp_path / "growth", "growth", data, quick=False).write("Old")
    readme = tmp_path / "growth" / "README.md"
    with pytest.raises(UsageError, match="found a finished report there"):
        Report(tmp_path / "growth", "growth", data, quick=False)
    again = Report(tmp_path / "growth", "growth", data, quick=False, overwrite=True)
    assert readme.read_text(encoding="utf-8").startswith("# Old")  # until the new one is there
    again.write("New")
    assert readme.read_text(encoding="utf-8").startswith("# New")


def test_what_is_unfinished_goes_when_the_report_is_written(data: Dataset, tmp_path: Path) -> None:
    report = Report(tmp_path / "growth", "growth", data, quick=False)
    (report.unfinished / "trial").mkdir(parents=True)
    Report(tmp_path / "growth", "growth", data, quick=False).write("Growth")  # is no obstacle
    assert not report.unfinished.exists()


def test_other_files_are_no_report(data: Dataset, tmp_path: Path) -> None:
    (tmp_path / "growth").mkdir()
    (tmp_path / "growth" / "thesis.tex").touch()
    with pytest.raises(UsageError, match=r"found thesis\.tex there, expected a folder that is"):
        Report(tmp_path / "growth", "growth", data, quick=False)
    with pytest.raises(UsageError, match="found a file, expected a folder"):
        Report(tmp_path / "growth" / "thesis.tex", "growth", data, quick=False)
