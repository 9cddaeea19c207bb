from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from yinshi.apps.cli.main import main
from yinshi.corpus.dataset import Dataset

pytest.importorskip("pyarrow")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """`yinshi prepare …` → (exit code, stdout, stderr)."""

    def prepare(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main(["prepare", *map(str, arguments)])
        captured = capsys.readouterr()
        return int(stopped.value.code or 0), captured.out, captured.err

    return prepare


@pytest.fixture
def poems(tmp_path: Path) -> Path:
    """50 quatrains of random characters as a text file, and one with a character of its own."""
    rng = np.random.default_rng(0)
    neutral = list("山水日月天地人心江海川石竹木花草春秋夜雨雪霜城村白青古今行坐")
    texts = [
        "".join("".join(rng.choice(neutral, 5)) + mark for mark in "，。，。") for _ in range(50)
    ]
    path = tmp_path / "poems.txt"
    path.write_text(
        "".join(f"其一::無名::{t}\n" for t in [*texts, "紅顏弄明月。"]), encoding="utf-8"
    )
    return path


def options(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = Dataset.load(folder).manifest["options"]
    return values


def test_prepares_and_tells_what_came_of_it(run: Run, poems: Path, tmp_path: Path) -> None:
    code, out, err = run("--source", poems, "--out", tmp_path / "data", "--ratio", "9:1")
    assert code == 0
    assert [" ".join(line.split()) for line in out.splitlines()[:3]] == [
        "read 51 poems",
        "left 51 poems",
        "train 46 poems, 0.000% of characters unknown",
    ]
    assert out.splitlines()[-1].startswith(f"{tmp_path / 'data'} written in")
    assert err.startswith("read: 51 poems\n")
    assert [len(Dataset.load(tmp_path / "data").split(s)) for s in ("train", "validation")] == [
        46,
        5,
    ]


def test_options_stand_above_the_recipe_and_that_above_the_defaults(
    run: Run, poems: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text("[corpus]\nmax_length = 20\nmin_frequency = 3\nratio = [4, 1]\n")
    out = tmp_path / "data"
    assert run("--source", poems, "--out", out, "--recipe", recipe, "--min-frequency", 2)[0] == 0
    found = options(out)
    assert found["max_length"] == 20
    assert found["min_frequency"] == 2
    assert found["ratio"] == [4, 1]
    assert found["seed"] == 0


def test_every_option_reaches_the_manifest(run: Run, poems: Path, tmp_path: Path) -> None:
    given = {
        "collection": "all",
        "script": "simplified",
        "form": "五绝",
        "layout": "titled",
        "min_length": 5,
        "max_length": 30,
        "too_long": "drop",
        "sample": 40,
        "min_frequency": 2,
        "max_vocabulary": 25,
        "seed": 7,
    }
    arguments = [a for k, v in given.items() for a in (f"--{k.replace('_', '-')}", v)]
    code, _, err = run(
        "--source", poems, "--out", tmp_path / "data", "--ratio", "80/20", *arguments
    )
    assert code == 0, err
    assert options(tmp_path / "data") == given | {"ratio": [80, 20]}


def test_a_shipped_recipe_by_name(run: Run, poems: Path, tmp_path: Path) -> None:
    assert run("--source", poems, "--out", tmp_path / "data", "--recipe", "smoke")[0] == 0
    assert options(tmp_path / "data")["max_vocabulary"] == 4000


def test_several_sources(run: Run, poems: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.txt"
    more.write_text("春眠不覺曉，處處聞啼鳥。\n", encoding="utf-8")
    assert run("--source", poems, "--source", more, "--out", tmp_path / "data")[0] == 0
    manifest = Dataset.load(tmp_path / "data").manifest
    assert manifest["counts"]["read"] == 52
    assert set(manifest["sources"]) == {"poems.txt", "more.txt"}


def test_without_a_source_the_archive_is_fetched(
    run: Run, poems: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch_archive(*, progress: Callable[[int, int | None], None]) -> Path:
        progress(0, None)
        progress(5, 10)
        return poems

    monkeypatch.setattr("yinshi.corpus.download.fetch_archive", fetch_archive)
    code, out, _ = run("--out", tmp_path / "data")
    assert code == 0
    assert "read" in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--source", "no-such-file"], 1, "no-such-file"),
        (["--ratio", "eight"], 2, "'eight', expected numbers such as 8:1:1"),
        (["--ratio", "1:1:1:1"], 2, "expected train, validation[, test]"),
        (["--recipe", "smoky"], 2, "no recipe 'smoky'"),
        (["--min-length", "0", "--max-length", "1"], 2, "min_length: found 0, expected at least 1"),
        (["--form", "七律"], 2, "no poem is left"),
        (["--collection", "qing"], 2, "'qing'"),
        (["--sample", "many"], 2, "'many'"),
    ],
)
def test_a_mistake_is_one_clear_line(
    run: Run, poems: Path, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    source = [] if "--source" in arguments else ["--source", poems]
    found, _, err = run(*source, "--out", tmp_path / "data", *arguments)
    assert found == code
    assert message in err.splitlines()[-1]
    assert "Traceback" not in err
    assert not (tmp_path / "data").exists()


def test_all_faults_of_the_options_at_once(run: Run, poems: Path, tmp_path: Path) -> None:
    _, _, err = run("--source", poems, "--out", tmp_path / "d", "--seed", -1, "--sample", 0)
    assert "corpus.seed" in err
    assert "corpus.sample" in err


def test_a_folder_of_the_users_is_refused_untouched(run: Run, poems: Path, tmp_path: Path) -> None:
    before = poems.read_bytes()
    code, _, err = run("--source", poems, "--out", tmp_path)
    assert code == 2
    assert "other files" in err
    assert [p.name for p in tmp_path.iterdir()] == ["poems.txt"]
    assert poems.read_bytes() == before


def test_two_processes_write_the_same_bytes(poems: Path, tmp_path: Path) -> None:
    for seed in ("1", "2"):
        arguments = ["prepare", "--source", str(poems), "--out", str(tmp_path / seed)]
        subprocess.run(
            [sys.executable, "-m", "yinshi.apps.cli.main", *arguments],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        )
    for file in (tmp_path / "1").iterdir():
        assert file.read_bytes() == (tmp_path / "2" / file.name).read_bytes()
    assert json.loads((tmp_path / "1" / "manifest.json").read_bytes())["format"] == "yinshi-data-1"


def test_help_shows_examples_and_needs_nothing_heavy() -> None:
    code = (
        "import sys; from yinshi.apps.cli.main import yinshi; "
        "yinshi.main(['prepare', '--help'], standalone_mode=False); "
        "assert not {'numpy', 'pyarrow', 'opencc', 'rich'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert "yinshi prepare --source poems.txt" in done.stdout.decode()
