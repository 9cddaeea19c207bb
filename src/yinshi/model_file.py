"""One model, one `.safetensors` file: weights, recipe, vocabulary and training facts.

The tensors carry PyTorch's parameter names (`lstm.weight_ih_l0`, …), or `novelty.` and the name of
an array of the index of training lines, where there is one; everything else is JSON in the file's
own metadata. Nothing is pickled, so a stranger's file can be opened without running it.

A matrix may be kept as int8, a byte a weight: then its name and `.scale` is the tensor of what each
row is to be multiplied by, the largest of its weights over 127.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from yinshi.atomic import write_atomically
from yinshi.corpus.vocabulary import Vocabulary
from yinshi.errors import DataError, ModelFileError, RecipeError
from yinshi.recipe import Recipe

FORMAT = "yinshi-model-1"
#: What the names of the index's arrays begin with.
NOVELTY = "novelty."
BEST = "best.safetensors"
#: What the name of a matrix's scales ends with.
SCALE = ".scale"
#: safetensors' names of the types of the index's arrays.
DTYPES = {"U8": "u1", "U32": "<u4"}
#: The model in the package.
SHIPPED = "poet"


@dataclass(frozen=True)
class ModelFile:
    """weights: name → float array, shaped as `recipe.network.weight_shapes(len(vocabulary) +
    len(header_names))`.

    novelty: the arrays of a `writing.novelty.NoveltyIndex` of the training poems, or none. Those of
    a loaded file are mapped: nothing of them is read before it is asked for.

    header_names: of the tokens that may stand before a poem (corpus/header.py); their rows come
    after those of the vocabulary.
    """

    weights: Mapping[str, NDArray[Any]]
    recipe: Recipe
    vocabulary: Vocabulary
    facts: Mapping[str, Any] = field(default_factory=dict)
    novelty: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    header_names: tuple[str, ...] = ()

    def save(self, path: Path, dtype: str = "float32") -> None:
        """Write atomically, the weights as `dtype`: float32, float16, which halves the file, or
        int8, which quarters it: each row of a matrix in 255 steps, vectors as float32."""
        tensors = _quantized(self.weights) if dtype == "int8" else _floating(self.weights, dtype)
        tensors |= {NOVELTY + k: np.ascontiguousarray(a) for k, a in self.novelty.items()}
        header = {
            "recipe": self.recipe.to_dict(),
            "vocabulary": "".join(self.vocabulary.characters),
            "facts": dict(self.facts),
        }
        if self.header_names:
            header["header_names"] = list(self.header_names)
        write_tensors(path, FORMAT, tensors, header)

    @classmethod
    def load(cls, path: Path) -> ModelFile:
        """The model in `path`, weights in the precision they were stored in, int8 as float32."""
        tensors, header = read_tensors(path, FORMAT, mapped=NOVELTY)
        novelty = {
            name.removeprefix(NOVELTY): tensors.pop(name)
            for name in list(tensors)
            if name.startswith(NOVELTY)
        }
        try:
            weights = _dequantized(tensors)
            recipe = Recipe.from_dict(dict(header["recipe"]), name=str(path))
            vocabulary = Vocabulary(header["vocabulary"])
            facts = dict(header["facts"])
            names = tuple(map(str, header.get("header_names", ())))
        except (KeyError, ValueError, TypeError, RecipeError, DataError) as error:
            raise ModelFileError(
                f"{path}: damaged model file ({error}); fetch or train it anew"
            ) from None
        shapes = recipe.network.weight_shapes(len(vocabulary) + len(names))
        check_shapes(path, weights, shapes)
        return cls(weights, recipe, vocabulary, facts, novelty, names)


def _floating(weights: Mapping[str, NDArray[Any]], dtype: str) -> dict[str, NDArray[Any]]:
    return {name: np.ascontiguousarray(w, dtype=dtype) for name, w in weights.items()}


def _quantized(weights: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    tensors = _floating(weights, "float32")
    for name, matrix in [(name, w) for name, w in tensors.items() if w.ndim == 2]:
        scale = np.maximum(np.abs(matrix).max(axis=1), np.finfo(np.float32).tiny) / 127
        tensors[name] = np.rint(matrix / scale[:, None]).astype(np.int8)
        tensors[name + SCALE] = scale
    return tensors


def _dequantized(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    weights = dict(tensors)
    for name in [name for name in tensors if name.endswith(SCALE)]:
        matrix, scale = name.removesuffix(SCALE), weights.pop(name)
        weights[matrix] = weights[matrix] * scale[:, None]
    return weights


def check_shapes(
    path: Path, weights: Mapping[str, NDArray[Any]], expected: Mapping[str, tuple[int, ...]]
) -> None:
    """Raises ModelFileError unless the `weights` of `path` have the names and shapes `expected`."""
    found = {name: weight.shape for name, weight in weights.items()}
    if found != expected:
        wrong = next(n for n in {**expected, **found} if found.get(n) != expected.get(n))
        raise ModelFileError(
            f"{path}: weight {wrong} has shape {found.get(wrong)}, "
            f"the recipe asks for {expected.get(wrong)}; fetch or train it anew"
        )


def resolve_model(path: Path | None) -> Path:
    """The model file meant by `path`: a file, a run's folder (its best), or None: the shipped one.

    Raises ModelFileError where there is no such file.
    """
    if path is None:
        found = Path(str(resources.files("yinshi"))) / "models" / f"{SHIPPED}.safetensors"
        advice = "the package is not whole, install it anew or name a model file"
    elif path.is_dir():
        found = path / BEST
        advice = "expected a model file or the folder of a run"
    else:
        found = path
        advice = "expected a model file, the folder of a run, or nothing for the shipped model"
    if not found.is_file():
        raise ModelFileError(f"{found}: no such file; {advice}")
    return found


def write_tensors(
    path: Path, file_format: str, tensors: dict[str, NDArray[Any]], header: Mapping[str, Any]
) -> None:
    """A safetensors file, written atomically; `header` is JSON under one key of its metadata,
    whose order would otherwise vary: the same model gives the same bytes."""
    text = json.dumps(header, ensure_ascii=False, sort_keys=True)
    write_atomically(path, save(tensors, {file_format: text}))


def read_tensors(
    path: Path, file_format: str, mapped: str | None = None
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """(tensors, header) of a file that `write_tensors` made in `file_format`.

    The tensors whose names begin with `mapped` are mapped from the file, not read.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if file_format not in metadata:
                raise ModelFileError(
                    f"{path}: found format {', '.join(metadata) or 'unnamed'}, "
                    f"expected {file_format}; is it another program's file?"
                )
            header = dict(json.loads(metadata[file_format]))
            left = [name for name in file.keys() if mapped and name.startswith(mapped)]  # noqa: SIM118
            read = [name for name in file.keys() if name not in left]  # noqa: SIM118
            tensors: dict[str, NDArray[Any]] = {name: file.get_tensor(name) for name in read}
            return tensors | (_mapped(path, left) if left else {}), header
    except FileNotFoundError:
        raise ModelFileError(f"{path}: no such file") from None
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"{path}: not a whole safetensors file ({error}); fetch or train it anew"
        ) from None


def _mapped(path: Path, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """The tensors `names` of a safetensors file that is known to be whole: its first eight bytes
    are the length of a JSON header, which says where each tensor lies after it."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    tensors: dict[str, NDArray[Any]] = {}
    for name in names:
        told = header[name]
        if told["dtype"] not in DTYPES:
            raise ValueError(f"{name} has type {told['dtype']}, expected {' or '.join(DTYPES)}")
        dtype, shape = DTYPES[told["dtype"]], tuple(told["shape"])
        start = 8 + length + told["data_offsets"][0]
        empty = 0 in shape  # which can't be mapped
        tensors[name] = (
            np.zeros(shape, dtype) if empty else np.memmap(path, dtype, "r", start, shape)
        )
    return tensors
