"""PyTorch's learner of a recipe, as a run makes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from yinshi.nets.language_model import LanguageModel
from yinshi.nets.learner import TorchLearner
from yinshi.recipe import Recipe


def torch_learner(
    recipe: Recipe, weights: Mapping[str, NDArray[Any]], rank: int = 0
) -> TorchLearner:
    def build() -> LanguageModel:
        V = len(weights["embedding.weight"])
        return LanguageModel(recipe.network, V, recipe.training.backend)

    return TorchLearner(build, recipe.training, weights, rank)
