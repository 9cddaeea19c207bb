from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from yinshi.corpus.dataset import Dataset
from yinshi.corpus.vectors import WordVectors, train_vectors
from yinshi.corpus.vocabulary import SPECIALS, Vocabulary
from yinshi.engine.initializers import initial_weights
from yinshi.errors import UsageError
from yinshi.model_file import ModelFile
from yinshi.recipe import Recipe
from yinshi.training.run import Engine, Run
from yinshi.training.starting_weights import Weights, starting_weights

ROWS = ("embedding.weight", "output.weight", "output.bias")


@pytest.fixture
def data(small_dataset: Path) -> Dataset:
    return Dataset.load(small_dataset)


def recipe_of(training: dict[str, object] | None = None, **network: object) -> Recipe:
    sizes = {"embedding": 6, "hidden": 5}
    return Recipe.from_dict({"network": sizes | network, "training": training or {}})


def drawn(recipe: Recipe, data: Dataset) -> Weights:
    shapes = recipe.network.weight_shapes(len(data.vocabulary))
    return dict(initial_weights(shapes, recipe.network.hidden, np.random.default_rng(0)))


def assert_equal(found: Weights, expected: Weights) -> None:
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        np.testing.assert_array_equal(found[name], weight, err_msg=name)


def test_random_is_what_the_recipe_draws(data: Dataset) -> None:
    found, notes = starting_weights(recipe_of(), data)
    assert_equal(found, drawn(recipe_of(), data))
    assert notes == []


# ---- word vectors ------------------------------------------------------------------------------


def vectors_file(folder: Path, words: str, dimension: int = 6) -> Path:
    matrix = np.arange(len(words) * dimension, dtype=np.float32).reshape(len(words), dimension)
    WordVectors(tuple(words), matrix).save(folder / "some.vec")
    return folder / "some.vec"


def test_vectors_of_a_file_stand_in_their_characters_rows(data: Dataset, tmp_path: Path) -> None:
    known = data.vocabulary.characters[2] + data.vocabulary.characters[0]
    path = vectors_file(tmp_path, "龘" + known)
    recipe = recipe_of(vectors=str(path))
    found, notes = starting_weights(recipe, data)
    expected = drawn(recipe, data)
    expected["embedding.weight"][len(SPECIALS) + 2] = range(6, 12)
    expected["embedding.weight"][len(SPECIALS) + 0] = range(12, 18)
    assert_equal(found, expected)
    assert notes == [f"vectors for 2 of {len(data.vocabulary) - 4} words or characters ({path})"]


def test_word2vec_is_trained_on_the_training_poems(data: Dataset) -> None:
    found, _ = starting_weights(recipe_of(vectors="word2vec"), data)
    vectors = train_vectors(data.texts("train"), 6, seed=0)
    places, rows = vectors.rows_for(data.vocabulary.characters)
    np.testing.assert_array_equal(found["embedding.weight"][places + len(SPECIALS)], rows)
    assert len(places) == len(data.vocabulary.characters)
    specials = drawn(recipe_of(), data)["embedding.weight"][: len(SPECIALS)]
    np.testing.assert_array_equal(found["embedding.weight"][: len(SPECIALS)], specials)


@pytest.mark.parametrize(
    ("words", "dimension", "told"),
    [
        ("龘", 6, "found none of the data's"),
        ("春", 7, "found 7 dimensions, expected 6; set the embedding to 7"),
    ],
)
def test_vectors_that_do_not_fit(
    words: str, dimension: int, told: str, data: Dataset, tmp_path: Path
) -> None:
    path = vectors_file(tmp_path, words, dimension)
    with pytest.raises(UsageError, match=told):
        Run.start(recipe_of(vectors=str(path)), data.folder, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_a_frozen_embedding_stays_and_the_rest_learns(
    engine: Engine, data: Dataset, tmp_path: Path
) -> None:
    settings = {"epochs": 1, "weight_decay": 0.1, "clip_norm": 0.01, "device": "cpu"}
    for frozen in (True, False):
        recipe = recipe_of(settings | {"freeze_embedding": frozen})
        run = Run.start(recipe, data.folder, tmp_path / f"{frozen}", engine)
        run.train()
        moved = {
            name
            for name, weight in ModelFile.load(run.best).weights.items()
            if np.any(weight != drawn(recipe, data)[name])
        }
        assert ("embedding.weight" in moved) is not frozen
        assert moved >= drawn(recipe, data).keys() - {"embedding.weight"}


def test_both_engines_take_the_same_steps_with_a_frozen_embedding(
    data: Dataset, tmp_path: Path
) -> None:
    """In float64: what is clipped is the norm of those gradients that are used."""
    recipe = recipe_of(
        {"epochs": 1, "clip_norm": 0.1, "precision": "float64", "device": "cpu",
         "freeze_embedding": True},
        dropout=0.0,
    )  # fmt: skip
    found = {}
    for engine in ("numpy", "torch"):
        run = Run.start(recipe, data.folder, tmp_path / engine, engine)  # type: ignore[arg-type]
        run.train()
        found[engine] = ModelFile.load(run.best).weights
    for name, weight in found["numpy"].items():
        np.testing.assert_allclose(found["torch"][name], weight, rtol=1e-6, atol=1e-7)


# ---- another model -----------------------------------------------------------------------------


def model_of(vocabulary: Vocabulary, recipe: Recipe) -> ModelFile:
    shapes = recipe.network.weight_shapes(len(vocabulary))
    return ModelFile(
        dict(initial_weights(shapes, recipe.network.hidden, np.random.default_rng(9))),
        recipe,
        vocabulary,
    )


def test_a_model_hands_over_its_rows_by_character(data: Dataset) -> None:
    recipe, ours = recipe_of(tie_weights=True), data.vocabulary
    theirs = Vocabulary(["龘", *reversed(ours.characters[5:])])
    model = model_of(theirs, recipe)
    found, notes = starting_weights(recipe, data, model)
    expected = drawn(recipe, data)
    for character in ours.characters[5:]:
        for name in ("embedding.weight", "output.bias"):
            expected[name][ours.id(character)] = model.weights[name][theirs.id(character)]
    for name in ("embedding.weight", "output.bias"):
        expected[name][: len(SPECIALS)] = model.weights[name][: len(SPECIALS)]
    expected |= {name: w for name, w in model.weights.items() if name not in ROWS}
    assert_equal(found, expected)
    shared = len(ours.characters) - 5
    assert notes == [
        f"kept the rows of {shared} characters; 5 are new, and 1 of the model's are not in the data"
    ]


def test_a_model_of_the_same_vocabulary_is_handed_over_whole(data: Dataset) -> None:
    model = model_of(data.vocabulary, recipe_of())
    found, _ = starting_weights(recipe_of(vectors="nowhere.vec"), data, model)
    assert_equal(found, dict(model.weights))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"hidden": 7}, "the model has network.hidden 5, the recipe 7"),
        ({"layers": 2}, "the model has network.layers 1, the recipe 2"),
        ({"cell": "rnn-tanh"}, "--set network.cell=lstm"),
        ({"tie_weights": True}, "--set network.tie_weights=false"),
    ],
)
def test_a_model_of_another_network(change: dict[str, object], told: str, data: Dataset) -> None:
    model = model_of(data.vocabulary, recipe_of())
    with pytest.raises(UsageError, match=told):
        starting_weights(recipe_of(**change), data, model)


def test_a_run_resumes_without_what_it_started_from(data: Dataset, tmp_path: Path) -> None:
    """The checkpoint of step 0 holds it all."""
    path = vectors_file(tmp_path, "".join(data.vocabulary.characters))
    recipe = recipe_of({"epochs": 1, "device": "cpu"}, vectors=str(path))
    whole, other = (Run.start(recipe, data.folder, tmp_path / f) for f in ("whole", "other"))
    whole.train()
    path.unlink()
    resumed = Run.resume(other.folder)
    resumed.train()
    ours, theirs = (dict(ModelFile.load(run.best).weights) for run in (resumed, whole))
    assert_equal(ours, theirs)
