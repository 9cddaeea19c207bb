from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from yinshi.corpus.dataset import Dataset
from yinshi.recipe import Recipe
from yinshi.studies.trials import draw_sample, train, untrained


@pytest.fixture
def data(small_dataset: Path) -> Dataset:
    return Dataset.load(small_dataset)


def test_a_sample_is_drawn_within_each_split(data: Dataset, tmp_path: Path) -> None:
    sample = draw_sample(data, tmp_path / "sample", train=20, validation=5)
    for name, count in (("train", 20), ("validation", 5)):
        drawn = Counter(sample.texts(name))
        assert drawn.total() == count
        assert drawn <= Counter(data.texts(name))
    assert sample.texts("train") != data.texts("train")[:20]
    assert sample.manifest["sample_of"] == data.hash


def test_a_sample_is_a_function_of_its_seed(data: Dataset, tmp_path: Path) -> None:
    a, b, c = (draw_sample(data, tmp_path / f"{n}", 20, 5, seed=n // 2) for n in (2, 3, 4))
    assert a.hash == b.hash != c.hash


def test_a_sample_knows_what_it_trains_on_twice(data: Dataset, tmp_path: Path) -> None:
    sample = draw_sample(data, tmp_path / "sample", train=4, validation=5)
    counts = Counter("".join(sample.texts("train")))
    assert set(sample.vocabulary.characters) == {c for c, n in counts.items() if n >= 2}
    assert min(counts.values()) == 1


def test_no_more_than_there_are(data: Dataset, tmp_path: Path) -> None:
    sample = draw_sample(data, tmp_path / "sample", train=1000, validation=1000)
    assert Counter(sample.texts("train")) == Counter(data.texts("train"))


def test_training_begins_with_the_untrained_weights(data: Dataset) -> None:
    recipe = Recipe.from_dict(
        {
            "network": {"embedding": 3, "hidden": 4, "initializer": "orthogonal"},
            "training": {"optimizer": "sgd", "learning_rate": 1e-30, "epochs": 1, "seed": 5},
        }
    )
    lines: list[dict[str, Any]] = []
    model = train(recipe, data, lambda loop, record: lines.append(record))
    expected = untrained(recipe, data)
    assert model.weights.keys() == expected.keys()
    for name, weight in model.weights.items():
        np.testing.assert_allclose(weight, expected[name], rtol=0, atol=1e-20)
    assert [line["kind"] for line in lines] == ["validation"]
    assert model.facts["engine"] == "numpy"
