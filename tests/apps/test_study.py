from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from labelled_texts import told_by_a_word, write_table

from yinshi.apps.cli.main import main
from yinshi.corpus.dataset import Dataset
from yinshi.studies import STUDIES, gradient_flow
from yinshi.studies.labelled_data import LabelledData
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


@pytest.mark.parametrize(
    ("name", "option", "for_study"),
    [
        ("size", "--also", "embeddings"),
        ("classify", "--also", "embeddings"),
        ("size", "--text-col", "classify"),
        ("embeddings", "--label-col", "classify"),
    ],
)
def test_what_only_one_study_takes(
    name: str, option: str, for_study: str, small_dataset: Path, capsys: Capture
) -> None:
    code, _, err = study(capsys, name, "--data", small_dataset, option, small_dataset)
    assert code == 2
    assert err == f"error: {option} is for the study {for_study}; leave it out for {name}\n"


# ---- classify, which is run on other data ------------------------------------------------------


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Columns: label, text."""
    folder = tmp_path / "titles"
    folder.mkdir()
    for name, seed in (("train", 1), ("dev", 2), ("test", 3)):
        write_table(folder / f"{name}.tsv", told_by_a_word(12, seed))
    return folder


@pytest.fixture
def short_classify(monkeypatch: pytest.MonkeyPatch) -> list[LabelledData]:
    """What the study was run on; it measures nothing."""
    given = []

    def run(data: LabelledData, quick: bool, report: Report, trials: Trials) -> None:
        given.append(data)
        report.write("Short")

    monkeypatch.setattr(import_module("yinshi.studies.classify"), "run", run)
    return given


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), ""),
        (("--label-col", "label"), " --label-col label"),
        (("--text-col", "1", "--label-col", "0"), " --text-col 1 --label-col 0"),
    ],
)
def test_columns_are_named_in_the_report(
    options: tuple[str, ...],
    told: str,
    tables: Path,
    short_classify: list[LabelledData],
    tmp_path: Path,
    capsys: Capture,
) -> None:
    out = tmp_path / "out"
    code, _, err = study(capsys, "classify", "--data", tables, *options, "--out", out)
    assert (code, err) == (0, "")
    text = (out / "README.md").read_text(encoding="utf-8")
    assert f"Made by `yinshi study classify --data titles{told}` in" in text
    assert short_classify == [LabelledData.load(tables)]


@pytest.mark.usefixtures("short_classify")
def test_other_columns_are_other_labels(tables: Path, capsys: Capture) -> None:
    code, _, err = study(capsys, "classify", "--data", tables, "--text-col", 0, "--label-col", 1)
    assert code == 1
    assert err.startswith("error: 12 label(s) unknown in the training data, such as ")
    assert err.count("\n") == 1


def test_classify_needs_tables(tmp_path: Path, capsys: Capture) -> None:
    code, _, err = study(capsys, "classify")
    assert code == 2
    assert err == "error: found no --data, expected --data DIR, with tables of labelled texts\n"
    code, _, err = study(capsys, "classify", "--data", tmp_path)
    assert code == 1
    assert "found no table, expected train, dev, test" in err
    code, _, err = study(capsys, "classify", "--data", tmp_path / "nowhere")
    assert code == 1
    assert "found no folder, expected one with the tables train, dev, test" in err


def test_a_folder_of_poems_is_told_what_is_expected(small_dataset: Path, capsys: Capture) -> None:
    code, _, err = study(capsys, "classify", "--data", small_dataset)
    assert code == 1
    assert "expected train, dev, test (.tsv, .csv, .txt, .zip) or a single table" in err
