"""Random models of a few characters, for tests of what is done with a model."""

from __future__ import annotations

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
