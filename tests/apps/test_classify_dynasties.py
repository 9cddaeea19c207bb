from __future__ import annotations

from pathlib import Path

import pytest
from two_dynasties import both_dynasties, poems_of, prepared

from yinshi.apps.cli.main import main
from yinshi.corpus.poem import Poem

pytest.importorskip("pyarrow")

Capture = pytest.CaptureFixture[str]

POEMS = both_dynasties()


def classify(capsys: Capture, *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["classify", *map(str, arguments)])
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


def test_the_tables_are_written_and_told_of(tmp_path: Path, capsys: Capture) -> None:
    more = poems_of("无名氏", "tang", 3, 50) + poems_of("徐铉", "tang", 1, 51)
    prepared(tmp_path / "data", POEMS + more + poems_of("徐铉", "song", 1, 52))
    given = ["dynasties", "--data", tmp_path / "data", "--poems", "50"]
    code, out, err = classify(capsys, *given, "--out", tmp_path / "a")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:3] == [
        "left out, without an author: 3",
        "left out, by authors of both dynasties: 2",
        "left out, not drawn: 20",
    ]
    for line, name, size in zip(lines[3:], ("train", "dev", "test"), (40, 5, 5), strict=True):
        where, told = line.split(": ")
        assert where == str(tmp_path / "a" / f"{name}.tsv")
        authors = 10 if name == "train" else 1
        assert sorted(told.split(", ")) == [
            f"{size} by {authors} authors of the {label}" for label in "唐宋"
        ]
        rows = (tmp_path / "a" / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
        assert rows[0].split("\t") == ["label", "text", "author"]
        assert len(rows) == 1 + 2 * size
    classify(capsys, *given, "--out", tmp_path / "b")
    classify(capsys, *given, "--seed", "1", "--out", tmp_path / "c")
    a, b, c = ((tmp_path / n / "train.tsv").read_bytes() for n in "abc")
    assert a == b != c


def test_the_baseline_reads_them(tmp_path: Path, capsys: Capture) -> None:
    pytest.importorskip("sklearn")
    prepared(tmp_path / "data", POEMS)
    classify(capsys, "dynasties", "--data", tmp_path / "data", "--out", tmp_path / "set")
    files = [p for n in ("train", "test") for p in (f"--{n}", tmp_path / "set" / f"{n}.tsv")]
    code, out, err = classify(capsys, "baseline", *files)
    assert (code, err) == (0, "")
    assert out.startswith("train  100 rows of 101 lines (tsv, no quoting, a header)\n")


@pytest.mark.parametrize(
    ("poems", "script", "code", "told"),
    [
        (POEMS[:60], "simplified", 1, "found no poem of the 宋 to use, expected both dynasties"),
        (POEMS, "traditional", 1, "found traditional characters, expected simplified ones"),
        (both_dynasties(2), "simplified", 1, "found too few authors to fill dev, expected ten"),
        (None, "simplified", 1, "found no such folder, expected prepared data"),
    ],
    ids=["tang-only", "traditional", "two-authors", "none"],
)
def test_poems_that_do_not_do_are_one_line(
    poems: list[Poem] | None, script: str, code: int, told: str, tmp_path: Path, capsys: Capture
) -> None:
    if poems:
        prepared(tmp_path / "data", poems, script)  # type: ignore[arg-type]
    given = ["dynasties", "--data", tmp_path / "data", "--out", tmp_path / "set"]
    found, out, err = classify(capsys, *given)
    assert (found, out) == (code, "")
    assert err.startswith(f"error: {tmp_path / 'data'}: {told}")
    assert err.count("\n") == 1
    assert not (tmp_path / "set").exists()


def test_nothing_is_overwritten(tmp_path: Path, capsys: Capture) -> None:
    """Known before the poems are read."""
    mine = tmp_path / "set" / "train.tsv"
    mine.parent.mkdir()
    mine.write_text("mine", encoding="utf-8")
    given = ["dynasties", "--data", tmp_path / "none", "--out", tmp_path / "set"]
    code, out, err = classify(capsys, *given)
    assert (code, out) == (2, "")
    assert err == (
        f"error: {tmp_path / 'set'}: found something there, expected a new folder; choose another\n"
    )
    assert mine.read_text(encoding="utf-8") == "mine"
