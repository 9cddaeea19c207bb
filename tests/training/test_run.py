"""Whole runs on a small collection, by either engine: learning, interruption, resume, failure."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from small_poems import small_poems

from yinshi.corpus.dataset import Dataset, write_dataset
from yinshi.corpus.vocabulary import Vocabulary
from yinshi.engine.language_model import LanguageModel
from yinshi.errors import TrainingError
from yinshi.model_file import ModelFile
from yinshi.recipe import CorpusRecipe, Recipe
from yinshi.training.loop import LOG_EVERY, Loop, Stopped
from yinshi.training.metrics import draw_curves, read_metrics
from yinshi.training.run import Engine, Run

RECIPE = {
    "name": "small",
    "network": {"embedding": 16, "hidden": 16, "layers": 2, "dropout": 0.3, "tie_weights": True},
    "training": {
        "optimizer": "adamw",
        "learning_rate": 0.01,
        "schedule": "one-cycle",
        "epochs": 12,
        "batch_size": 8,
        "checkpoint_every": 7,
        "device": "cpu",
    },
}


def recipe(**training: object) -> Recipe:
    return Recipe.from_dict({**RECIPE, "training": {**RECIPE["training"], **training}})  # type: ignore[dict-item]


def without_times(folder: Path) -> list[dict[str, object]]:
    return [
        {k: v for k, v in record.items() if k not in ("tokens_per_second", "seconds")}
        for record in read_metrics(folder)
    ]


@pytest.fixture(scope="module", params=["torch", "numpy"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def finished(engine: Engine, small_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run.start(recipe(), small_dataset, tmp_path_factory.mktemp("runs") / "whole", engine)
    run.train()
    return run


def assert_same_run(found: Path, expected: Path) -> None:
    """Weights, optimizer, random state and metrics, bit for bit."""
    ours, theirs = load_file(found / "last.safetensors"), load_file(expected / "last.safetensors")
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        np.testing.assert_array_equal(ours[name], array, err_msg=name)
    assert without_times(found) == without_times(expected)
    best, other = (ModelFile.load(f / "best.safetensors") for f in (found, expected))
    for name, weight in other.weights.items():
        np.testing.assert_array_equal(best.weights[name], weight)


def test_a_run_learns(finished: Run) -> None:
    validation = [r for r in read_metrics(finished.folder) if r["kind"] == "validation"]
    assert [r["epoch"] for r in validation] == list(range(1, 13))
    vocabulary = len(Dataset.load(finished.data).vocabulary)
    assert validation[0]["perplexity"] < vocabulary
    assert validation[-1]["perplexity"] < validation[0]["perplexity"] / 3
    assert validation[-1]["perplexity"] == math.exp(validation[-1]["nats"])


def test_metrics_are_logged_at_even_distances(finished: Run) -> None:
    train = [r for r in read_metrics(finished.folder) if r["kind"] == "train"]
    assert [r["step"] for r in train] == list(range(LOG_EVERY, 121, LOG_EVERY))
    assert all(r["tokens_per_second"] > 0 for r in train)


def test_best_is_the_model_that_was_validated(finished: Run) -> None:
    """The engine, from the file alone, finds the perplexity which the loop had measured."""
    model = ModelFile.load(finished.best)
    dataset = Dataset.load(finished.data)
    engine = LanguageModel(model.weights)
    nats, tokens = 0.0, 0
    for text in dataset.texts("validation"):
        ids = model.vocabulary.encode(text)
        inputs, targets = np.append(1, ids)[:, None], np.append(ids, 2)[:, None]
        nats += float(engine.token_nats(inputs, targets, np.array([len(targets)])).sum())
        tokens += len(targets)
    assert model.facts["validation_perplexity"] == pytest.approx(math.exp(nats / tokens), rel=0.02)
    assert model.facts["data_hash"] == dataset.hash
    assert model.facts["engine"] == finished.engine


def test_curves_are_drawn(finished: Run) -> None:
    svg = draw_curves(finished.folder).read_text(encoding="utf-8")
    assert "<svg" in svg
    assert svg.count("<path") > 10


def test_the_recipe_says_what_the_data_are(tmp_path: Path) -> None:
    """A recipe for traditional poems, trained on simplified ones, makes a simplified poet."""
    poems = small_poems(30)
    vocabulary = Vocabulary.count(poem.text for poem in poems)
    options = CorpusRecipe(script="simplified", ratio=(4, 1))
    write_dataset(tmp_path / "d", {"train": poems, "validation": poems}, vocabulary, options)
    run = Run.start(recipe(), tmp_path / "d", tmp_path / "run")
    assert Run.resume(tmp_path / "run").recipe.corpus.script == "simplified"
    assert run.recipe.corpus.ratio == (4, 1)


def test_stop_and_resume_is_the_same_run(
    finished: Run, small_dataset: Path, tmp_path: Path
) -> None:
    """Stopped in the middle of an epoch, off the checkpoints' and the metrics' beat."""
    run = Run.start(recipe(), small_dataset, tmp_path / "run", finished.engine)
    asked = iter(range(1000))
    with pytest.raises(Stopped):
        run.train(should_stop=lambda: next(asked) == 32)
    Run.resume(tmp_path / "run").train()
    assert_same_run(tmp_path / "run", finished.folder)


def test_kill_and_resume_is_the_same_run(
    finished: Run, small_dataset: Path, tmp_path: Path
) -> None:
    """kill -9 at an arbitrary moment, several times; each resume goes on from the checkpoint."""
    folder = tmp_path / "run"
    Run.start(recipe(), small_dataset, folder, finished.engine)
    script = (
        "import sys, time; from pathlib import Path; from yinshi.training.run import Run\n"
        "Run.resume(Path(sys.argv[1])).train(should_stop=lambda: time.sleep(0.01))"
    )
    for steps in (20, 60):
        child = subprocess.Popen([sys.executable, "-c", script, str(folder)])
        while _logged_steps(folder) < steps:
            assert child.poll() is None, "ended before it could be killed"
            time.sleep(0.005)
        child.send_signal(signal.SIGKILL)
        child.wait()
    Run.resume(folder).train()
    assert_same_run(folder, finished.folder)


def _logged_steps(folder: Path) -> int:
    metrics = folder / "metrics.jsonl"
    lines = metrics.read_bytes().split(b"\n")[:-1] if metrics.exists() else []
    return max((json.loads(line)["step"] for line in lines), default=0)


def test_early_stopping_ends_the_run(small_dataset: Path, tmp_path: Path) -> None:
    """At learning rate ~0 nothing is ever gained after the first epochs' noise."""
    frozen = recipe(learning_rate=1e-12, schedule="constant", patience=2, precision="float32")
    run = Run.start(frozen, small_dataset, tmp_path / "run")
    progress = run.train()
    assert progress.epochs_without_gain == 2
    assert progress.epoch < 12


def test_nan_is_one_error_and_spares_the_checkpoint(
    engine: Engine, small_dataset: Path, tmp_path: Path
) -> None:
    wild = recipe(
        optimizer="sgd", learning_rate=1e38, clip_norm=1e30, schedule="constant", checkpoint_every=1
    )
    run = Run.start(wild, small_dataset, tmp_path / "run", engine)
    with pytest.raises(TrainingError, match=r"smaller training\.learning_rate"):
        run.train()
    kept = load_file(run.checkpoint)
    assert all(np.isfinite(a).all() for a in kept.values() if a.dtype.kind == "f")
    assert not run.best.exists()


def test_full_disk_spares_the_checkpoint(
    small_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.start(recipe(), small_dataset, tmp_path / "run")
    saved: list[bytes] = []

    def watch(loop: Loop, record: dict[str, object]) -> None:
        if record["step"] == 40:
            saved.append(run.checkpoint.read_bytes())
            monkeypatch.setattr(os, "fsync", _full)

    with pytest.raises(OSError, match="No space left"):
        run.train(watch)
    assert run.checkpoint.read_bytes() == saved[0]
    assert not list(run.folder.glob(".last*"))


def _full(handle: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_folder_in_use_is_refused(finished: Run, small_dataset: Path) -> None:
    with pytest.raises(TrainingError, match="already there"):
        Run.start(recipe(), small_dataset, finished.folder)


def test_resume_needs_a_run_and_its_data(
    finished: Run, small_dataset: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="holds no training run"):
        Run.resume(tmp_path)
    changed = Run(finished.folder, finished.recipe, finished.data, "another hash")
    with pytest.raises(TrainingError, match="prepared anew"):
        changed.train()


def test_a_damaged_checkpoint_is_one_line(small_dataset: Path, tmp_path: Path) -> None:
    run = Run.start(recipe(), small_dataset, tmp_path / "run")
    run.checkpoint.write_bytes(b"\x08\0\0\0\0\0\0\0{}")
    with pytest.raises(TrainingError, match="no usable checkpoint"):
        run.train()


def test_tensorboard_events_when_asked(small_dataset: Path, tmp_path: Path) -> None:
    run = Run.start(recipe(epochs=2), small_dataset, tmp_path / "run")
    run.train(tensorboard=True)
    events = list((run.folder / "tensorboard").glob("events.out.tfevents.*"))
    assert len(events) == 1
    assert b"validation/perplexity" in events[0].read_bytes()
