from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from yinshi.corpus.vocabulary import Vocabulary
from yinshi.errors import ModelFileError
from yinshi.model_file import FORMAT, ModelFile, resolve_model
from yinshi.recipe import Recipe

RECIPE = Recipe.from_dict(
    {"name": "tiny", "network": {"embedding": 3, "hidden": 4, "tie_weights": True}}
)
VOCABULARY = Vocabulary('月山，𠀀\n"')
FACTS = {"data_hash": "abc", "validation_perplexity": 41.5, "note": "試"}


@pytest.fixture
def model() -> ModelFile:
    rng = np.random.default_rng(0)
    shapes = RECIPE.network.weight_shapes(len(VOCABULARY))
    weights = {name: rng.standard_normal(s).astype(np.float32) for name, s in shapes.items()}
    return ModelFile(weights, RECIPE, VOCABULARY, FACTS)


@pytest.fixture
def path(model: ModelFile, tmp_path: Path) -> Path:
    model.save(tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


def metadata(**changes: object) -> dict[str, str]:
    whole = {
        "recipe": RECIPE.to_dict(),
        "vocabulary": "".join(VOCABULARY.characters),
        "facts": FACTS,
    }
    header = {key: value for key, value in {**whole, **changes}.items() if value is not None}
    return {FORMAT: json.dumps(header)}


def test_what_is_loaded_is_what_was_saved(model: ModelFile, path: Path) -> None:
    loaded = ModelFile.load(path)
    assert loaded.recipe == RECIPE
    assert loaded.vocabulary.characters == VOCABULARY.characters
    assert loaded.facts == FACTS
    assert loaded.weights.keys() == model.weights.keys()
    for name, weight in model.weights.items():
        assert loaded.weights[name].dtype == np.float32
        assert np.array_equal(loaded.weights[name], weight)


def test_float16_rounds_to_half_the_size(model: ModelFile, tmp_path: Path) -> None:
    model.save(tmp_path / "half.safetensors", dtype="float16")
    for name, weight in ModelFile.load(tmp_path / "half.safetensors").weights.items():
        assert weight.dtype == np.float16
        assert np.array_equal(weight, model.weights[name].astype(np.float16))


def test_int8_is_a_byte_a_weight_and_the_nearest_of_255_steps(tmp_path: Path) -> None:
    """By hand: rows of 127 and of 2.54 at most have steps of 1 and of 0.02; the third is zeros."""
    shapes = RECIPE.network.weight_shapes(len(VOCABULARY))
    weights = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    weights["embedding.weight"][:2] = [[-127, 3.4, 3.6], [2.54, 0.029, -0.011]]
    weights["output.bias"][:] = np.float32(1 / 3)  # a vector is kept as it is
    ModelFile(weights, RECIPE, VOCABULARY).save(tmp_path / "m", dtype="int8")
    loaded = ModelFile.load(tmp_path / "m")
    rows = loaded.weights["embedding.weight"][:3]
    np.testing.assert_allclose(rows, [[-127, 3, 4], [2.54, 0.02, -0.02], [0, 0, 0]], rtol=1e-6)
    assert loaded.weights["output.bias"].tolist() == weights["output.bias"].tolist()
    assert {w.dtype for w in loaded.weights.values()} == {np.dtype(np.float32)}
    loaded.save(tmp_path / "again", dtype="int8")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()
    with safe_open(tmp_path / "m", framework="numpy") as file:
        assert file.get_tensor("lstm.weight_hh_l0").dtype == np.int8
        assert file.get_tensor("lstm.weight_hh_l0.scale").shape == (16,)


def test_scales_that_fit_no_matrix(model: ModelFile, tmp_path: Path) -> None:
    weights = {**model.weights, "output.bias.scale": np.ones(3, np.float32)}
    for wrong in (weights, {"absent.scale": np.ones(3, np.float32)}):
        save_file(wrong, tmp_path / "m", metadata())
        with pytest.raises(ModelFileError):
            ModelFile.load(tmp_path / "m")


def test_weights_need_not_be_contiguous(model: ModelFile, tmp_path: Path) -> None:
    turned = {name: np.asfortranarray(weight) for name, weight in model.weights.items()}
    ModelFile(turned, RECIPE, VOCABULARY).save(tmp_path / "turned.safetensors")
    loaded = ModelFile.load(tmp_path / "turned.safetensors")
    assert np.array_equal(loaded.weights["embedding.weight"], model.weights["embedding.weight"])


@pytest.mark.parametrize("kept", [0, 1, 7, 8, 9, 200, -1])
def test_a_file_cut_short(path: Path, kept: int) -> None:
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ModelFileError, match="not a whole safetensors file") as caught:
        ModelFile.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"PK\x03\x04 a zip", b"\x80\x02 a pickle", b"\xff" * 100])
def test_a_foreign_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "foreign").write_bytes(content)
    with pytest.raises(ModelFileError, match="not a whole safetensors file"):
        ModelFile.load(tmp_path / "foreign")


def test_a_folder_and_nothing_at_all(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="not a whole safetensors file"):
        ModelFile.load(tmp_path)
    with pytest.raises(ModelFileError, match="absent: no such file"):
        ModelFile.load(tmp_path / "absent")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": None}, "damaged model file"),
        ({"recipe": "{"}, "damaged model file"),
        ({"recipe": [1]}, "damaged model file"),
        ({"recipe": {"network": {"hiden": 4}}}, "damaged model file .*network.hiden"),
        ({"vocabulary": "月月"}, "damaged model file .*distinct single characters"),
        ({"vocabulary": "月"}, r"embedding\.weight has shape \(10, 3\), .* asks for \(5, 3\)"),
        ({"facts": 3}, "damaged model file"),
    ],
)
def test_a_header_that_does_not_fit(
    model: ModelFile, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    save_file(dict(model.weights), tmp_path / "m", metadata(**changes))
    with pytest.raises(ModelFileError, match=message):
        ModelFile.load(tmp_path / "m")


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({}, "found format unnamed"),
        ({"yinshi-model-0": "{}"}, "found format yinshi-model-0"),
        ({FORMAT: "{"}, "not a whole safetensors file"),
    ],
)
def test_another_format(
    model: ModelFile, tmp_path: Path, found: dict[str, str], message: str
) -> None:
    save_file(dict(model.weights), tmp_path / "m", found)
    with pytest.raises(ModelFileError, match=message):
        ModelFile.load(tmp_path / "m")


def test_names_of_header_tokens_come_along(model: ModelFile, path: Path, tmp_path: Path) -> None:
    assert ModelFile.load(path).header_names == ()
    assert b"header_names" not in path.read_bytes()
    names = ("author:李白:唐", "title")
    rows = np.zeros((2, 3), np.float32)
    weights = dict(model.weights)
    weights["embedding.weight"] = np.concatenate([weights["embedding.weight"], rows])
    weights["output.bias"] = np.concatenate([weights["output.bias"], [0, 0]])
    ModelFile(weights, RECIPE, VOCABULARY, FACTS, header_names=names).save(tmp_path / "told")
    loaded = ModelFile.load(tmp_path / "told")
    assert loaded.header_names == names
    assert loaded.vocabulary.characters == VOCABULARY.characters
    assert loaded.weights["embedding.weight"].shape == (len(VOCABULARY) + 2, 3)
    save_file(dict(model.weights), tmp_path / "m", metadata(header_names=names))
    with pytest.raises(ModelFileError, match=r"has shape \(10, 3\), .* asks for \(12, 3\)"):
        ModelFile.load(tmp_path / "m")
    save_file(dict(model.weights), tmp_path / "m", metadata(header_names=3))
    with pytest.raises(ModelFileError, match="damaged model file"):
        ModelFile.load(tmp_path / "m")


def test_the_same_model_gives_the_same_bytes(model: ModelFile, path: Path, tmp_path: Path) -> None:
    model.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_metadata_that_fits_loads(model: ModelFile, tmp_path: Path) -> None:
    """Negative control for the test above."""
    save_file(dict(model.weights), tmp_path / "m", metadata())
    assert ModelFile.load(tmp_path / "m").facts == FACTS


def test_weights_that_are_missing_too_many_or_of_another_shape(
    model: ModelFile, tmp_path: Path
) -> None:
    weights: dict[str, Any] = dict(model.weights)
    without = {name: w for name, w in weights.items() if name != "output.bias"}
    turned = {**weights, "projection.weight": weights["projection.weight"].T.copy()}
    for wrong, message in [
        (without, r"output\.bias has shape None, the recipe asks for \(10,\)"),
        ({**weights, "extra": np.zeros(2)}, r"extra has shape \(2,\), the recipe asks for None"),
        (turned, r"projection\.weight has shape \(4, 3\), the recipe asks for \(3, 4\)"),
    ]:
        save_file(wrong, tmp_path / "m", metadata())
        with pytest.raises(ModelFileError, match=message):
            ModelFile.load(tmp_path / "m")


def test_a_failed_save_leaves_the_old_file(
    model: ModelFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("yinshi.atomic.os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        ModelFile(model.weights, RECIPE, VOCABULARY).save(path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_resolve_model_takes_a_file_a_run_or_the_shipped_one(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert resolve_model(path) == path
    best = tmp_path / "best.safetensors"
    path.rename(best)
    assert resolve_model(tmp_path) == best
    (tmp_path / "models").mkdir()
    shipped = tmp_path / "models" / "poet.safetensors"
    best.rename(shipped)
    monkeypatch.setattr("yinshi.model_file.resources.files", lambda package: tmp_path)
    assert resolve_model(None) == shipped


def test_resolve_model_says_what_it_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelFileError, match="absent: no such file; expected a model file"):
        resolve_model(tmp_path / "absent")
    with pytest.raises(ModelFileError, match=r"best\.safetensors: no such file; expected"):
        resolve_model(tmp_path)
    monkeypatch.setattr("yinshi.model_file.resources.files", lambda package: tmp_path)
    with pytest.raises(ModelFileError, match="install it anew or name a model file"):
        resolve_model(None)


def test_the_index_of_lines_travels_along_and_is_mapped(model: ModelFile, tmp_path: Path) -> None:
    novelty: dict[str, Any] = {
        "bits": np.arange(7, dtype=np.uint8),
        "characters": np.array([[70000, 2], [3, 4]], dtype=np.uint32),
    }
    indexed = ModelFile(model.weights, RECIPE, VOCABULARY, FACTS, novelty)
    indexed.save(tmp_path / "m", dtype="float16")
    loaded = ModelFile.load(tmp_path / "m")
    assert loaded.weights.keys() == model.weights.keys()
    assert loaded.novelty.keys() == novelty.keys()
    for name, array in novelty.items():
        assert isinstance(loaded.novelty[name], np.memmap)
        assert loaded.novelty[name].dtype == array.dtype
        assert np.array_equal(loaded.novelty[name], array)
    loaded.save(tmp_path / "again", dtype="float16")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()


def test_a_file_without_an_index_has_none(path: Path) -> None:
    assert ModelFile.load(path).novelty == {}


def test_an_indexed_file_cut_short(model: ModelFile, tmp_path: Path) -> None:
    novelty: dict[str, Any] = {"bits": np.zeros(50, dtype=np.uint8)}
    ModelFile(model.weights, RECIPE, VOCABULARY, FACTS, novelty).save(tmp_path / "m")
    (tmp_path / "m").write_bytes((tmp_path / "m").read_bytes()[:-1])
    with pytest.raises(ModelFileError, match="not a whole safetensors file"):
        ModelFile.load(tmp_path / "m")


def test_an_index_of_another_type(model: ModelFile, tmp_path: Path) -> None:
    novelty: dict[str, Any] = {"bits": np.zeros(3, dtype=np.int64)}
    ModelFile(model.weights, RECIPE, VOCABULARY, FACTS, novelty).save(tmp_path / "m")
    with pytest.raises(ModelFileError, match=r"novelty\.bits has type I64, expected U8"):
        ModelFile.load(tmp_path / "m")


def test_an_index_without_variants(model: ModelFile, tmp_path: Path) -> None:
    novelty: dict[str, Any] = {"characters": np.zeros((2, 0), dtype=np.uint32)}
    ModelFile(model.weights, RECIPE, VOCABULARY, FACTS, novelty).save(tmp_path / "m")
    assert ModelFile.load(tmp_path / "m").novelty["characters"].shape == (2, 0)
