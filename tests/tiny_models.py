"""Random models of a few characters, for tests of what is done with a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from yinshi.corpus.vocabulary import Vocabulary
from yinshi.engine.initializers import initial_weights
from yinshi.model_file import ModelFile
from yinshi.recipe import CorpusRecipe, NetworkRecipe, Recipe

#: 發/髮 and 後/后 share a simplified form; 峯 is a variant of 峰, which is missing.
CHARACTERS = "，。？月山日紅顏發髮後后風雲雨花峯來無人"
SIMPLIFIED = "，。？月山日红颜发后风云雨花峰来无人"


def tiny_model(
    characters: str = CHARACTERS, script: str = "traditional", seed: int = 0, layers: int = 1
) -> ModelFile:
    """E=8, H=12, projected and tied; large weights, so that the context counts."""
    network = NetworkRecipe(embedding=8, hidden=12, layers=layers, tie_weights=True)
    vocabulary = Vocabulary(characters)
    shapes = network.weight_shapes(len(vocabulary))
    weights = initial_weights(shapes, network.hidden, np.random.default_rng(seed))
    weights = {name: 4 * weight for name, weight in weights.items()}
    corpus = CorpusRecipe(script=script)  # type: ignore[arg-type]
    return ModelFile(weights, Recipe(name="tiny", corpus=corpus, network=network), vocabulary)


#: The tokens that `told_model` can be told with.
TOLD = ("dynasty:唐", "dynasty:宋", "lines:4", "length:5", "author:李白:唐", "title")


def told_model(
    characters: str = CHARACTERS, names: Sequence[str] = TOLD, love: float = 0.0, seed: int = 0
) -> ModelFile:
    """One that reads headers, of tokens called `names`, for which its output has `love`."""
    model = tiny_model(characters, seed=seed)
    network, V = model.recipe.network, len(model.vocabulary)
    shapes = network.weight_shapes(V + len(names))
    weights = initial_weights(shapes, network.hidden, np.random.default_rng(seed))
    weights = {name: 4 * weight for name, weight in weights.items()}
    weights["output.bias"][V:] += love
    return ModelFile(weights, model.recipe, model.vocabulary, header_names=tuple(names))
