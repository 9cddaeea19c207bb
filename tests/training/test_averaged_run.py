"""A run whose model is the average of its weights: what is validated, saved, and resumed."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from yinshi.corpus.dataset import Dataset
from yinshi.evaluation.evaluate import evaluate
from yinshi.model_file import ModelFile
from yinshi.recipe import Recipe
from yinshi.training.checkpoints import weights_in
from yinshi.training.loop import Stopped
from yinshi.training.metrics import read_metrics
from yinshi.training.run import Run


def recipe_of(**training: object) -> Recipe:
    return Recipe.from_dict(
        {
            "network": {
                "embedding": 8,
                "hidden": 16,
                "layers": 2,
                "input_dropout": 0.2,
                "output_dropout": 0.2,
                "weight_dropout": 0.2,
                "tie_weights": True,
            },
            "training": {
                "learning_rate": 0.01,
                "epochs": 4,
                "batch_size": 8,
                "device": "cpu",
                "precision": "float32",
                "ema_decay": 0.9,
                **training,
            },
        }
    )


@pytest.fixture(scope="module")
def finished(small_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run.start(recipe_of(), small_dataset, tmp_path_factory.mktemp("runs") / "whole")
    run.train()
    return run


def test_the_model_is_the_average_and_was_validated(finished: Run, small_dataset: Path) -> None:
    model = ModelFile.load(finished.best)
    arrays = load_file(finished.checkpoint)
    trained = weights_in(arrays)
    assert arrays["average.updates"].item() == 40
    for name, weight in model.weights.items():
        np.testing.assert_array_equal(weight, arrays[f"average.{name}"])
        assert not np.array_equal(weight, trained[name])
    last = [r for r in read_metrics(finished.folder) if r["kind"] == "validation"][-1]
    found = evaluate(model, Dataset.load(small_dataset), "validation", baseline=False)
    assert last["perplexity"] == pytest.approx(found.perplexity, rel=1e-4)


def test_stop_and_resume_is_the_same_run(
    finished: Run, small_dataset: Path, tmp_path: Path
) -> None:
    """Masks of all kinds, weights, averages: bit for bit, stopped in the middle of an epoch."""
    asked = iter(range(1000))
    run = Run.start(recipe_of(), small_dataset, tmp_path / "run")
    with pytest.raises(Stopped):
        run.train(should_stop=lambda: next(asked) == 16)
    Run.resume(tmp_path / "run").train()
    ours, theirs = (load_file(f / "last.safetensors") for f in (run.folder, finished.folder))
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        np.testing.assert_array_equal(ours[name], array, err_msg=name)


def test_training_does_not_see_the_average(
    finished: Run, small_dataset: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(ema_decay=None)
    run = Run.start(recipe, small_dataset, tmp_path / "run")
    run.train()
    ours, theirs = (weights_in(load_file(r.checkpoint)) for r in (run, finished))
    for name, weight in theirs.items():
        np.testing.assert_array_equal(ours[name], weight)
    nats = [[r["nats"] for r in read_metrics(r.folder) if r["kind"] == "train"]
            for r in (run, finished)]  # fmt: skip
    assert nats[0] == nats[1]
    assert all(math.isfinite(n) for n in nats[0])
