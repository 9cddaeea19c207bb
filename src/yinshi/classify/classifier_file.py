"""A trained classifier in one `.safetensors`: weights, how texts are read, classes. No pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yinshi.classify.encoder import Encoder
from yinshi.classify.tokenizer import Tokenizer
from yinshi.errors import ModelFileError, UsageError
from yinshi.model_file import BEST, check_shapes, read_tensors, write_tensors
from yinshi.recipe import ClassificationRecipe

FORMAT = "yinshi-classifier-1"


@dataclass(frozen=True)
class ClassifierFile:
    """All that is needed to classify a text.

    classes     in the order of the network's answers; none where it has only been pretrained
    facts       what is known of its training, for people
    """

    weights: Mapping[str, NDArray[Any]]
    recipe: ClassificationRecipe
    encoder: Encoder
    classes: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write atomically, weights as float32."""
        encoder = self.encoder
        header = {
            "recipe": self.recipe.to_dict(),
            "tokenizer": {"kind": encoder.tokenizer.kind, "words": encoder.tokenizer.words},
            "stop_words": sorted(encoder.stop_words),
            "words": encoder.words,
            "classes": self.classes,
            "facts": dict(self.facts),
        }
        tensors = {k: np.ascontiguousarray(w, dtype=np.float32) for k, w in self.weights.items()}
        write_tensors(path, FORMAT, tensors, header)

    @classmethod
    def load(cls, path: Path) -> ClassifierFile:
        """That in the file or the run's folder `path`; raises ModelFileError where there is none,
        or not a whole one."""
        path = path / BEST if path.is_dir() else path
        weights, header = read_tensors(path, FORMAT)
        try:
            recipe = ClassificationRecipe.from_dict(dict(header["recipe"]), name=str(path))
            tokenizer = Tokenizer(header["tokenizer"]["kind"], header["tokenizer"]["words"])
            stop_words = frozenset(header["stop_words"])
            encoder = Encoder(tokenizer, stop_words, tuple(header["words"]), recipe.text.max_length)
            classes, facts = tuple(header["classes"]), dict(header["facts"])
        except (KeyError, ValueError, TypeError, UsageError) as error:
            raise ModelFileError(
                f"{path}: damaged classifier ({error}); fetch or train it anew"
            ) from None
        network, V = recipe.classifier, len(encoder)
        shapes = network.weight_shapes(V, len(classes)) if classes else network.pretrained_shapes(V)
        check_shapes(path, weights, shapes)
        return cls(weights, recipe, encoder, classes, facts)
