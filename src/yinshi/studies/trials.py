"""Small networks trained on a sample of the poems, by the project's own loop and NumPy engine."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yinshi.corpus.dataset import Dataset, write_dataset
from yinshi.corpus.vocabulary import Vocabulary
from yinshi.engine.initializers import initial_weights
from yinshi.model_file import ModelFile
from yinshi.recipe import Recipe
from yinshi.training.loop import Watch
from yinshi.training.run import Run


def draw_sample(data: Dataset, folder: Path, train: int, validation: int, seed: int = 0) -> Dataset:
    """A prepared folder of at most so many poems of two splits of `data`.

    Its vocabulary holds the characters seen twice in the sample's training poems.
    """
    rng, splits = np.random.default_rng(seed), {}
    for name, count in (("train", train), ("validation", validation)):
        poems = data.split(name)
        splits[name] = [poems[i] for i in rng.permutation(len(poems))[:count]]
    vocabulary = Vocabulary.count((poem.text for poem in splits["train"]), min_frequency=2)
    options = replace(data.options, min_frequency=2, max_vocabulary=None, sample=train + validation)
    write_dataset(folder, splits, vocabulary, options, {"sample_of": data.hash})
    return Dataset.load(folder)


def untrained(recipe: Recipe, data: Dataset) -> dict[str, NDArray[np.float32]]:
    """The weights with which `train` begins."""
    network = recipe.network
    return initial_weights(
        network.weight_shapes(len(data.vocabulary)),
        network.hidden,
        np.random.default_rng(recipe.training.seed),
        network.initializer,
        network.forget_bias,
    )


def train(recipe: Recipe, data: Dataset, watch: Watch) -> ModelFile:
    """The best epoch's model; `watch` sees every line of the run's metrics."""
    with tempfile.TemporaryDirectory() as folder:
        run = Run.start(recipe, data.folder, Path(folder, "run"), engine="numpy")
        run.train(watch)
        return ModelFile.load(run.best)
