from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_models import tiny_model

from yinshi.apps.cli.main import main
from yinshi.writing.poet import Poet

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command sets this for its own process; here it must not outlive the test."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", os.environ.get("OPENBLAS_NUM_THREADS", "1"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    tiny_model().save(path)
    return path


def write(capsys: Capture, *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["write", *map(str, arguments)])
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


def test_poems_are_parted_by_blank_lines(model: Path, capsys: Capture) -> None:
    code, out, err = write(capsys, "月", "红", "--model", model, "--count", 2, "--seed", 5)
    poems = Poet.load(model).write(["月", "红"], count=2, seed=5)
    assert code == 0
    assert out == "\n\n".join(map(str, poems)) + "\n"
    assert err == ""


def test_the_seed_taken_at_random_writes_the_same_again(model: Path, capsys: Capture) -> None:
    code, out, err = write(capsys, "--model", model)
    seed = re.search(r"--seed (\d+) writes the same again", err)
    assert code == 0
    assert seed
    assert write(capsys, "--model", model, "--seed", seed[1]) == (0, out, "")


def test_json(model: Path, capsys: Capture) -> None:
    code, out, err = write(capsys, "红", "--model", model, "--count", 2, "--json")
    told = json.loads(out)
    assert (code, err) == (0, "")
    assert told["model"] == str(model)
    assert len(told["poems"]) == 2
    for poem in told["poems"]:
        assert poem["text"].startswith("紅")
        (again,) = Poet.load(model).write("红", seed=poem["seed"])
        assert again.to_dict() == pytest.approx(poem)


def test_every_option_reaches_the_poet(model: Path, capsys: Capture) -> None:
    poet = Poet.load(model)
    for options, arguments in [
        ({"seed": 1, "temperature": 2.0}, ["--seed", 1, "--temperature", 2]),
        ({"seed": 1, "top_k": 2}, ["--seed", 1, "--top-k", 2]),
        ({"seed": 1, "top_p": 0.3}, ["--seed", 1, "--top-p", 0.3]),
        ({"seed": 1, "max_length": 9}, ["--seed", 1, "--max-length", 9]),
        ({"seed": 1, "script": "simplified"}, ["--seed", 1, "--script", "simplified"]),
        ({"method": "greedy"}, ["--greedy"]),
        ({"method": "beam", "beam_width": 3, "count": 2}, ["--beam", 3, "--count", 2]),
    ]:
        expected = "\n\n".join(map(str, poet.write("紅顏", **options))) + "\n"  # type: ignore[arg-type]
        assert write(capsys, "紅顏", "--model", model, *arguments) == (0, expected, "")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["犬"], "error: the model has never seen 犬"),
        (["月", "--count", 0], "error: count 0"),
        (["月", "--temperature", 0], "error: temperature 0"),
        (["月", "--greedy", "--beam", 3], "error: found --greedy and --beam"),
        (["月", "--greedy", "--top-p", 0.5], "error: found --top-p with --greedy"),
        (
            ["月", "--beam", 3, "--seed", 1, "--top-k", 5],
            "error: found --seed, --top-k with --beam",
        ),
        (["月", "--beam", 0], "error: beam_width 0"),
    ],
)
def test_faults_of_the_request(
    arguments: list[object], told: str, model: Path, capsys: Capture
) -> None:
    code, out, err = write(capsys, *arguments, "--model", model)
    assert (code, out) == (2, "")
    assert err.startswith(told)
    assert err.count("\n") == 1


def test_a_foreign_file_is_not_a_model(tmp_path: Path, capsys: Capture) -> None:
    foreign = tmp_path / "poem.txt"
    foreign.write_text("月。")
    for path in (foreign, tmp_path, tmp_path / "none"):
        code, out, err = write(capsys, "月", "--model", path)
        assert (code, out) == (1, "")
        assert err.startswith(f"error: {path}")
        assert err.count("\n") == 1


def test_writing_needs_neither_pytorch_nor_what_training_needs(model: Path) -> None:
    absent = ("torch", "pyarrow", "rich", "matplotlib", "tensorboardX", "tomli_w")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({absent}))\n"  # None: the import fails
        "from yinshi.apps.cli.main import main\n"
        f"main(['write', '月', '发', '--seed', '0', '--model', {str(model)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    expected = "\n\n".join(map(str, Poet.load(model).write(["月", "发"], seed=0)))
    assert done.stderr.decode() == ""
    assert done.stdout.decode().splitlines() == expected.splitlines()
