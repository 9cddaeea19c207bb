from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from small_poems import small_poems

from yinshi.apps.cli import prepare
from yinshi.apps.cli.main import main
from yinshi.corpus.dataset import Dataset
from yinshi.model_file import ModelFile
from yinshi.recipe import CorpusRecipe, load_recipe
from yinshi.training.metrics import read_metrics
from yinshi.training.run import Run

Capture = pytest.CaptureFixture[str]

SMALL = """
name = "small"
[network]
embedding = 8
hidden = 8
[training]
optimizer = "adam"
learning_rate = 0.02
epochs = 2
batch_size = 8
precision = "float32"
device = "cpu"
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL, encoding="utf-8")
    return path


def train(capsys: Capture, *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["train", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return int(stopped.value.code or 0), out, err


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_a_run_from_a_recipe_to_poems(
    engine: str, recipe: Path, small_dataset: Path, tmp_path: Path, capsys: Capture
) -> None:
    out_folder = tmp_path / "run"
    chosen = ["--engine", engine] if engine == "numpy" else []  # PyTorch is the default
    code, out, err = train(capsys, recipe, "--data", small_dataset, "--out", out_folder, *chosen)
    assert (code, err) == (0, "")
    validation = [r["perplexity"] for r in read_metrics(out_folder) if r["kind"] == "validation"]
    assert [f"{p:.2f}" for p in validation] == re.findall(
        r"epoch \d/2: validation perplexity ([\d.]+)", out
    )
    test = re.search(r"test perplexity ([\d.]+) \((.*)\)", out.replace("\n", ""))
    assert test
    assert float(test[1]) == pytest.approx(validation[-1], rel=0.2)
    assert test[2] == str(out_folder / "best.safetensors")
    for character in "日山月":
        assert re.search(f"^{character}", out, re.MULTILINE), out
    told = json.loads((out_folder / "run.json").read_text(encoding="utf-8"))
    assert told["engine"] == engine
    assert ModelFile.load(out_folder / "best.safetensors").facts["engine"] == engine
    assert (out_folder / "curves.svg").exists()


def test_overrides_reach_the_run(
    recipe: Path, small_dataset: Path, tmp_path: Path, capsys: Capture
) -> None:
    overrides = ["training.epochs=1", "network.cell=rnn-sigmoid", "training.precision=float64"]
    chosen = [part for o in overrides for part in ("--set", o)]
    code, *_ = train(
        capsys, recipe, "--data", small_dataset, "--out", tmp_path / "r", "--engine", "numpy",
        *chosen,
    )  # fmt: skip
    assert code == 0
    model = ModelFile.load(tmp_path / "r" / "best.safetensors")
    assert model.recipe == load_recipe(recipe, overrides)
    assert "rnn.weight_hh_l0" in model.weights
    assert model.facts["precision"] == "float64"


POEMS = "".join(f"其{n}::無名::{poem.text}\n" for n, poem in enumerate(small_poems(60)))


def test_a_recipe_is_all_it_takes(
    recipe: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its poems are prepared if they are not there, and the run has its name."""
    monkeypatch.chdir(tmp_path)
    archive = tmp_path / "poems.txt"
    archive.write_text(POEMS, encoding="utf-8")
    monkeypatch.setattr(prepare, "_download", lambda: archive)
    code, out, _ = train(capsys, recipe, "--set", "training.epochs=1")
    assert code == 0
    assert "data/small written" in out
    assert Dataset.load(Path("data/small")).options == CorpusRecipe()
    assert Path("runs/small/best.safetensors").exists()

    monkeypatch.setattr(prepare, "_download", None)  # would fail: the poems are there
    code, out, _ = train(capsys, recipe, "--set", "training.epochs=1", "--out", "again")
    assert code == 0
    assert "written" not in out

    code, _, err = train(capsys, recipe, "--set", "corpus.max_length=20", "--out", "other")
    assert code == 2
    assert err.startswith("error: data/small: found poems prepared with other options than the")
    assert not Path("other").exists()


def test_fine_tuning_keeps_the_rows_of_shared_characters(
    recipe: Path, small_dataset: Path, tmp_path: Path, capsys: Capture
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    train(capsys, recipe, "--data", small_dataset, "--out", first)
    code, out, _ = train(capsys, recipe, "--data", small_dataset, "--out", second, "--from", first)
    characters = len(Dataset.load(small_dataset).vocabulary.characters)
    assert code == 0
    assert out.startswith(f"kept the rows of {characters} characters; 0 are new, and 0 of the")
    before, after = (
        [r["perplexity"] for r in read_metrics(folder) if r["kind"] == "validation"]
        for folder in (first, second)
    )
    assert after[0] < before[-1]  # it goes on where the other stopped

    code, _, err = train(
        capsys, recipe, "--data", small_dataset, "--out", tmp_path / "third", "--from", first,
        "--set", "network.hidden=9",
    )  # fmt: skip
    assert code == 2
    assert err == (
        "error: the model has network.hidden 8, the recipe 9; take the model's by "
        "--set network.hidden=8\n"
    )
    assert not (tmp_path / "third").exists()


def test_a_model_is_kept_for_every_epoch_when_asked(
    recipe: Path, small_dataset: Path, tmp_path: Path, capsys: Capture
) -> None:
    """Named by its validation nats, as report C's are by their loss."""
    folder = tmp_path / "run"
    keep = ("--set", "training.keep_epochs=true")
    train(capsys, recipe, "--data", small_dataset, "--out", folder, *keep)
    validation = [r for r in read_metrics(folder) if r["kind"] == "validation"]
    expected = [f"epoch-{r['epoch']:02d}-{r['nats']:.4f}.safetensors" for r in validation]
    assert sorted(p.name for p in folder.glob("epoch-*")) == expected
    for record, name in zip(validation, expected, strict=True):
        model = ModelFile.load(folder / name)
        assert model.facts["validation_perplexity"] == record["perplexity"]
        assert model.facts["epochs"] == record["epoch"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--data", "d", "--out", "o"],
        ["--from", "m"],
        ["--resume", "r", "--data", "d"],
        ["smoke", "--resume", "r"],
        ["--resume", "r", "--engine", "numpy"],
        ["--resume", "r", "--set", "training.epochs=3"],
        ["--resume", "r", "--from", "m"],
    ],
)
def test_usage(arguments: list[str], capsys: Capture) -> None:
    code, out, err = train(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err == "error: expected either RECIPE, or --resume RUN alone\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["smok"], "no recipe 'smok' (nearest valid name: smoke); `yinshi recipes` lists them"),
        (["smoke", "--set", "training.epochs=many"], "epochs: found 'many', expected a whole"),
        (["smoke", "--set", "training.epoch=3"], "(nearest valid name: training.epochs)"),
        (["smoke", "--set", "epochs"], "'epochs': expected section.key=value"),
        (["smoke", "--set", "training.optimizer=nesterov"], "nesterov needs a number above 0"),
        (
            ["smoke", "--engine", "numpy", "--set", "training.precision=bfloat16"],
            "precision bfloat16: the numpy engine computes in float32 or float64",
        ),
        (["smoke", "--set", "network.cell=rnn-sigmoid"], "train it with --engine numpy"),
    ],
)
def test_a_fault_of_the_recipe_is_one_line_and_leaves_no_folder(
    arguments: list[str], told: str, small_dataset: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = tmp_path / "run"
    code, out, err = train(capsys, *arguments, "--data", small_dataset, "--out", folder)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert told in err
    assert err.count("\n") == 1
    assert not folder.exists()


def test_an_unknown_engine_or_option_is_a_usage_error(capsys: Capture) -> None:
    for arguments in (["smoke", "--engine", "jax"], ["smoke", "--epochs", 3]):
        code, out, err = train(capsys, *arguments)
        assert (code, out) == (2, "")
        assert "Usage: yinshi train" in err


def test_data_and_folders_that_do_not_fit(
    recipe: Path, small_dataset: Path, tmp_path: Path, capsys: Capture
) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "file").write_text("", encoding="utf-8")
    new = tmp_path / "new"
    cases = [
        ((recipe, "--data", tmp_path / "none", "--out", new), "found no such folder"),
        ((recipe, "--data", small_dataset, "--out", full), "already there and not empty"),
        (("--resume", full), "holds no training run"),
        (("--resume", tmp_path / "none"), "holds no training run"),
    ]
    for arguments, told in cases:
        code, out, err = train(capsys, *arguments)
        assert (code, out) == (1, "")
        assert err.startswith("error: ")
        assert told in err
        assert err.count("\n") == 1
    assert not new.exists()


def test_poems_are_written_of_any_vocabulary(recipe: Path, tmp_path: Path, capsys: Capture) -> None:
    """Neither 日 nor 山 nor 月 in it: it begins freely, instead of failing after all that work."""
    from yinshi.corpus.dataset import write_dataset
    from yinshi.corpus.poem import Poem
    from yinshi.corpus.vocabulary import Vocabulary

    poems = [Poem("", "", "風過竹聲細，花開江上城。", "test")] * 8
    splits: Any = {"train": poems, "validation": poems[:2]}
    write_dataset(tmp_path / "d", splits, Vocabulary.count(p.text for p in poems), CorpusRecipe())
    arguments = ["--data", tmp_path / "d", "--out", tmp_path / "r", "--engine", "numpy"]
    code, out, err = train(capsys, recipe, *arguments)
    assert (code, err) == (0, "")
    assert re.search(r"^validation perplexity .*\n\n.+[，。]", out, re.MULTILINE)


def start(*arguments: object) -> subprocess.Popen[str]:
    code = "import sys; from yinshi.apps.cli.main import main; main(sys.argv[1:])"
    return subprocess.Popen(
        [sys.executable, "-c", code, "train", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "COLUMNS": "500"},
    )


def test_ctrl_c_saves_and_says_how_to_go_on(
    recipe: Path, small_dataset: Path, tmp_path: Path, capsys: Capture
) -> None:
    """SIGINT in the midst of it; `--resume`, as told, ends in the run that was never stopped."""
    many = ("--engine", "numpy", "--set", "training.epochs=60")
    whole, folder = tmp_path / "whole", tmp_path / "stopped"
    assert train(capsys, recipe, "--data", small_dataset, "--out", whole, *many)[0] == 0
    child = start(recipe, "--data", small_dataset, "--out", folder, *many)
    metrics = folder / "metrics.jsonl"
    while not (metrics.exists() and metrics.stat().st_size):
        assert child.poll() is None, child.communicate()
        time.sleep(0.005)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (130, "")
    assert out.splitlines()[-1] == f"stopped; go on with: yinshi train --resume {folder}"
    assert len(read_metrics(folder)) < len(read_metrics(whole))
    assert Run.resume(folder).engine == "numpy"
    code, out, err = train(capsys, "--resume", folder)
    assert (code, err) == (0, "")
    assert "test perplexity" in out
    resumed, expected = (read_metrics(f)[-1]["nats"] for f in (folder, whole))
    assert resumed == expected


def test_a_finished_run_is_shown_again(
    recipe: Path, small_dataset: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = tmp_path / "run"
    train(capsys, recipe, "--data", small_dataset, "--out", folder, "--engine", "numpy")
    before = (folder / "metrics.jsonl").read_bytes()
    code, out, err = train(capsys, "--resume", folder)
    assert (code, err) == (0, "")
    assert "test perplexity" in out
    assert (folder / "metrics.jsonl").read_bytes() == before


def test_a_missing_pytorch_is_one_line(
    recipe: Path, small_dataset: Path, tmp_path: Path, capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delitem(sys.modules, "yinshi.nets.learner", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    folder = tmp_path / "run"
    code, out, err = train(capsys, recipe, "--data", small_dataset, "--out", folder)
    assert (code, out) == (1, "")
    assert err == "error: training needs optional packages: pip install 'yinshi[train]'\n"
    assert not folder.exists()
