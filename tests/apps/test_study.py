from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from yinshi.apps.cli.main import main
from yinshi.corpus.dataset import Dataset
from yinshi.studies import STUDIES, gradient_flow
from yinshi.studies.report import Report
from yinshi.studies.trials import Trials

Capture = pytest.CaptureFixture[str]


def study(capsys: Capture, *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["study", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return int(stopped.value.code or 0), out, err


@pytest.fixture
def short_study(monkeypatch: pytest.MonkeyPatch) -> None:
    """A study which measures nothing, in the place of gradient-flow."""

    def run(data: Dataset, quick: bool, report: Report, trials: Trials) -> None:
        report.say(f"measuring, {trials.jobs} at a time")
        report.write("Short")

    monkeypatch.setattr(gradient_flow, "run", run)


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_has_its_module(name: str) -> None:
    assert callable(import_module(f"yinshi.studies.{name.replace('-', '_')}").run)


def test_lists_the_studies(capsys: Capture) -> None:
    code, out, err = study(capsys)
    assert (code, err) == (0, "")
    assert [line.split("  ")[0].strip() for line in out.splitlines()] == list(STUDIES)
    for question in STUDIES.values():
        assert question in out


def test_an_unknown_study_is_told_the_others(small_dataset: Path, capsys: Capture) -> None:
    code, out, err = study(capsys, "gradients", "--data", small_dataset)
    assert (code, out) == (2, "")
    expected = ", ".join(STUDIES)
    assert err == f"error: found no study 'gradients', expected one of {expected}\n"


def test_needs_data(tmp_path: Path, capsys: Capture) -> None:
    code, _, err = study(capsys, "gradient-flow")
    assert code == 2
    assert "expected --data DIR; make it with `yinshi prepare`" in err
    code, _, err = study(capsys, "gradient-flow", "--data", tmp_path, "--out", tmp_path / "out")
    assert code == 1
    assert "make it with `yinshi prepare`" in err


@pytest.mark.usefixtures("short_study")
@pytest.mark.parametrize(
    ("options", "folder"),
    [
        ((), "reports/gradient-flow"),
        (("--quick",), "runs/gradient-flow"),  # a rehearsal leaves the report alone
        (("--quick", "--out", "here"), "here"),
    ],
)
def test_where_the_report_goes(
    options: tuple[str, ...],
    folder: str,
    small_dataset: Path,
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = study(capsys, "gradient-flow", "--data", small_dataset, *options)
    assert (code, err) == (0, "")
    assert out == f"measuring, 1 at a time\nwritten: {folder}/README.md\n"
    assert (tmp_path / folder / "README.md").read_text(encoding="utf-8").startswith("# Short")


@pytest.mark.usefixtures("short_study")
def test_other_files_are_not_mixed_with_a_report(
    small_dataset: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "README.md").write_text("mine", encoding="utf-8")
    (tmp_path / "pyproject.toml").touch()
    code, out, err = study(capsys, "gradient-flow", "--data", small_dataset, "--out", tmp_path)
    assert (code, out) == (2, "")
    assert "found pyproject.toml there" in err
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == "mine"


@pytest.mark.usefixtures("short_study")
def test_a_finished_report_is_kept_unless_told(
    small_dataset: Path, tmp_path: Path, capsys: Capture
) -> None:
    arguments = ("gradient-flow", "--data", small_dataset, "--out", tmp_path / "flow")
    assert study(capsys, *arguments)[0] == 0
    code, out, err = study(capsys, *arguments)
    assert (code, out) == (2, "")
    assert "found a finished report there" in err
    code, out, _ = study(capsys, *arguments, "--overwrite", "--jobs", 2)
    assert (code, out.splitlines()[0]) == (0, "measuring, 2 at a time")


def test_what_only_one_study_takes(small_dataset: Path, capsys: Capture) -> None:
    code, _, err = study(capsys, "size", "--data", small_dataset, "--also", small_dataset)
    assert code == 2
    assert err == "error: --also is for the study embeddings; leave it out for size\n"
