"""One model, one `.safetensors` file: weights, recipe, vocabulary and training facts.

The tensors carry PyTorch's parameter names (`lstm.weight_ih_l0`, …); everything else is JSON in the
file's own metadata. Nothing is pickled, so a stranger's file can be opened without running it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
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
BEST = "best.safetensors"
#: The model in the package.
SHIPPED = "tang"


@dataclass(frozen=True)
class ModelFile:
    """weights: name → float array, shaped as `recipe.network.weight_shapes(len(vocabulary))`."""

    weights: Mapping[str, NDArray[Any]]
    recipe: Recipe
    vocabulary: Vocabulary
    facts: Mapping[str, Any] = field(default_factory=dict)

    def save(self, path: Path, dtype: str = "float32") -> None:
        """Write atomically, floating weights as `dtype` (float16 halves the file)."""
        tensors = {k: np.ascontiguousarray(w, dtype=dtype) for k, w in self.weights.items()}
        header = {
            "recipe": self.recipe.to_dict(),
            "vocabulary": "".join(self.vocabulary.characters),
            "facts": dict(self.facts),
        }
        write_tensors(path, FORMAT, tensors, header)

    @classmethod
    def load(cls, path: Path) -> ModelFile:
        """The model in `path`, weights in the precision they were stored in."""
        tensors, header = read_tensors(path, FORMAT)
        try:
            recipe = Recipe.from_dict(dict(header["recipe"]), name=str(path))
            vocabulary = Vocabulary(header["vocabulary"])
            facts = dict(header["facts"])
        except (KeyError, ValueError, TypeError, RecipeError, DataError) as error:
            raise ModelFileError(
                f"{path}: damaged model file ({error}); fetch or train it anew"
            ) from None
        expected = recipe.network.weight_shapes(len(vocabulary))
        found = {name: tensor.shape for name, tensor in tensors.items()}
        if found != expected:
            wrong = next(n for n in {**expected, **found} if found.get(n) != expected.get(n))
            raise ModelFileError(
                f"{path}: weight {wrong} has shape {found.get(wrong)}, "
                f"the recipe asks for {expected.get(wrong)}; fetch or train it anew"
            )
        return cls(tensors, recipe, vocabulary, facts)


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


def read_tensors(path: Path, file_format: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """(tensors, header) of a file that `write_tensors` made in `file_format`."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if file_format not in metadata:
                raise ModelFileError(
                    f"{path}: found format {', '.join(metadata) or 'unnamed'}, "
                    f"expected {file_format}; is it another program's file?"
                )
            header = dict(json.loads(metadata[file_format]))
            return {name: file.get_tensor(name) for name in file.keys()}, header  # noqa: SIM118
    except FileNotFoundError:
        raise ModelFileError(f"{path}: no such file") from None
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"{path}: not a whole safetensors file ({error}); fetch or train it anew"
        ) from None
