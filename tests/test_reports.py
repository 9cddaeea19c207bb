"""The reports in the repository are what their studies make of their metrics."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path

import pytest

from yinshi.corpus.dataset import Dataset
from yinshi.corpus.vocabulary import Vocabulary
from yinshi.studies import STUDIES
from yinshi.studies.report import Report

REPORTS = Path(__file__).parents[1] / "reports"


@pytest.mark.parametrize("name", STUDIES)
def test_the_report_is_that_of_its_metrics(name: str, tmp_path: Path) -> None:
    """Tables, figures and sentences; only the minutes it took are not in the metrics."""
    written = (REPORTS / name / "README.md").read_text(encoding="utf-8")
    found = re.search(r"data: `(\w+)`, hash `(\w+)`", written)
    made = re.search(r"--data \w+([^`]*)` in ", written)
    assert found
    assert made
    data = Dataset(Path(found[1]), {"hash": found[2]}, Vocabulary([]))
    report = Report(tmp_path / name, name, data, quick=False)
    report.arguments = made[1]
    with (REPORTS / name / "metrics.jsonl").open(encoding="utf-8") as lines:
        report.records = [json.loads(line) for line in lines]
    import_module(f"yinshi.studies.{name.replace('-', '_')}").write(report)

    again = (tmp_path / name / "README.md").read_text(encoding="utf-8")
    minutes = r"in \d+\.\d minutes"
    assert re.sub(minutes, "", again) == re.sub(minutes, "", written)
    files = {p.name for p in (tmp_path / name).iterdir()}
    assert files == {p.name for p in (REPORTS / name).iterdir()} - {"reading.md"}  # by a tool
    assert "\n- " in written  # its sentences are there


@pytest.mark.parametrize("path", sorted(REPORTS.rglob("*.*")), ids=lambda p: p.name)
def test_a_report_is_small_and_tells_nothing_of_the_machine(path: Path) -> None:
    content = path.read_bytes()
    assert len(content) < 150_000
    assert not re.search(rb"/(tmp|home|root|work|Users)/", content)
