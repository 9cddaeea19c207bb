"""The study's Transformer in a run: trained by the same loop, resumed exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from yinshi.corpus.dataset import Dataset
from yinshi.errors import ModelFileError
from yinshi.model_file import ModelFile
from yinshi.recipe import Recipe
from yinshi.training.checkpoints import weights_in
from yinshi.training.loop import Stopped
from yinshi.training.metrics import read_metrics
from yinshi.training.run import Run
from yinshi.training.transformer_run import TransformerRun

RECIPE = Recipe.from_dict(
    {
        "network": {"embedding": 16, "hidden": 32, "layers": 2, "dropout": 0.1},
        "training": {"learning_rate": 0.01, "epochs": 6, "batch_size": 8, "device": "cpu"},
    }
)


@pytest.fixture(scope="module")
def finished(small_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    run = TransformerRun.start(RECIPE, small_dataset, folder)
    run.train()
    return run


def test_it_learns_poems(finished: Run, small_dataset: Path) -> None:
    ends = [r["perplexity"] for r in read_metrics(finished.folder) if r["kind"] == "validation"]
    assert ends[-1] < ends[0] / 2 < len(Dataset.load(small_dataset).vocabulary)


def test_it_is_a_transformer_and_says_so(finished: Run) -> None:
    assert finished.asked["network"] == "transformer"
    assert finished.asked != Run.resume(finished.folder).asked
    weights = weights_in(load_file(finished.checkpoint))
    assert weights["positions.weight"].shape == (127, 16)  # <sos> and the longest poem
    assert not any("lstm" in name for name in weights)
    with pytest.raises(ModelFileError, match="the recipe asks for"):
        ModelFile.load(finished.best)


def test_stop_and_resume_is_the_same_run(
    finished: Run, small_dataset: Path, tmp_path: Path
) -> None:
    asked = iter(range(1000))
    run = TransformerRun.start(RECIPE, small_dataset, tmp_path / "run")
    with pytest.raises(Stopped):
        run.train(should_stop=lambda: next(asked) == 26)
    TransformerRun.resume(tmp_path / "run").train()
    ours, theirs = (load_file(r.checkpoint) for r in (run, finished))
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        np.testing.assert_array_equal(ours[name], array, err_msg=name)
