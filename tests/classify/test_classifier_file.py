from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from yinshi.classify.classifier_file import FORMAT, ClassifierFile
from yinshi.classify.encoder import Encoder
from yinshi.classify.tokenizer import Tokenizer
from yinshi.errors import ModelFileError
from yinshi.recipe import ClassificationRecipe

RECIPE = ClassificationRecipe.from_dict(
    {
        "text": {"max_length": 5, "tokenizer": "my-words.txt", "stop_words": "iso"},
        "classifier": {"model": "lstm", "embedding": 3, "hidden": 2, "ngrams": 2, "buckets": 7},
        "training": {"epochs": 3},
    }
)
ENCODER = Encoder(
    Tokenizer("words", ["好看", '"'.join("ab")]), frozenset("的了"), ("好看", "𠀀", "\n"), 5
)
CLASSES = ("差", "好", "好\u200b")


@pytest.fixture
def file() -> ClassifierFile:
    rng = np.random.default_rng(0)
    shapes = RECIPE.classifier.weight_shapes(len(ENCODER), len(CLASSES))
    weights = {name: rng.standard_normal(s).astype(np.float32) for name, s in shapes.items()}
    return ClassifierFile(weights, RECIPE, ENCODER, CLASSES, {"dev_error": 0.25})


@pytest.fixture
def path(file: ClassifierFile, tmp_path: Path) -> Path:
    file.save(tmp_path / "c.safetensors")
    return tmp_path / "c.safetensors"


def header_of(path: Path) -> dict[str, Any]:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as opened:
        return dict(json.loads(opened.metadata()[FORMAT]))


def test_what_is_loaded_is_what_was_saved(file: ClassifierFile, path: Path) -> None:
    """The list of words too: the file that it came from may be gone."""
    loaded = ClassifierFile.load(path)
    assert (loaded.recipe, loaded.classes, loaded.facts) == (RECIPE, CLASSES, {"dev_error": 0.25})
    found, expected = loaded.encoder, file.encoder
    assert found.words == expected.words
    assert found.stop_words == expected.stop_words
    assert found.max_length == expected.max_length
    assert (found.tokenizer.kind, found.tokenizer.words) == ("words", expected.tokenizer.words)
    for text in ("不好看的了", "好看\n𠀀", 'a"b'):
        assert found.encode(text).tolist() == expected.encode(text).tolist()
    for name, weight in file.weights.items():
        assert np.array_equal(loaded.weights[name], weight)


def test_the_same_classifier_gives_the_same_bytes(
    file: ClassifierFile, path: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again.safetensors"
    ClassifierFile.load(path).save(again)
    assert again.read_bytes() == path.read_bytes()
    assert {p.name for p in tmp_path.iterdir()} == {"c.safetensors", "again.safetensors"}


def test_float64_is_stored_as_float32(file: ClassifierFile, tmp_path: Path) -> None:
    wide = {name: weight.astype(np.float64).T.copy().T for name, weight in file.weights.items()}
    replace(file, weights=wide).save(tmp_path / "wide.safetensors")
    for name, weight in ClassifierFile.load(tmp_path / "wide.safetensors").weights.items():
        assert weight.dtype == np.float32
        assert np.array_equal(weight, file.weights[name])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("recipe", None),
        ("recipe", {"classifier": {"hidden": 0}}),
        ("recipe", {"poems": {}}),
        ("tokenizer", {"kind": "char"}),
        ("tokenizer", {"kind": "words", "words": []}),
        ("tokenizer", {"kind": "no-such-file", "words": []}),
        ("stop_words", 3),
        ("words", None),
        ("classes", None),
        ("facts", [1]),
    ],
)
def test_a_damaged_header(path: Path, key: str, value: object) -> None:
    header = header_of(path) | {key: value}
    save_file(load_file(path), path, {FORMAT: json.dumps(header)})
    with pytest.raises(ModelFileError, match=r"damaged classifier \(.*\); fetch or train it anew"):
        ClassifierFile.load(path)


def test_weights_that_do_not_fit(path: Path) -> None:
    header = {FORMAT: json.dumps(header_of(path))}
    weights = load_file(path)
    save_file({**weights, "output.bias": np.zeros(4, np.float32)}, path, header)
    with pytest.raises(ModelFileError, match=r"output\.bias has shape \(4,\), .* asks for \(3,\)"):
        ClassifierFile.load(path)
    del weights["ngrams.weight"]
    save_file(weights, path, header)
    with pytest.raises(ModelFileError, match=r"ngrams\.weight has shape None"):
        ClassifierFile.load(path)


def test_no_classifier(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no such file"):
        ClassifierFile.load(tmp_path / "none")
    half = tmp_path / "half.safetensors"
    half.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ModelFileError, match="not a whole safetensors file"):
        ClassifierFile.load(half)
    save_file({"a": np.zeros(1)}, half, {"yinshi-model-1": "{}"})
    with pytest.raises(ModelFileError, match=f"found format yinshi-model-1, expected {FORMAT}"):
        ClassifierFile.load(half)
