from __future__ import annotations

import math

import numpy as np
import pytest

from yinshi.engine.initializers import initial_weights
from yinshi.engine.language_model import LanguageModel
from yinshi.recipe import NetworkRecipe

V = 500
TIED = NetworkRecipe(embedding=64, hidden=100, layers=2, tie_weights=True)
UNTIED = NetworkRecipe(embedding=64, hidden=100)


@pytest.mark.parametrize("network", [TIED, UNTIED])
def test_weights_have_the_named_shapes_and_the_stated_spread(network: NetworkRecipe) -> None:
    shapes = network.weight_shapes(V)
    weights = initial_weights(shapes, network.hidden, np.random.default_rng(0))
    assert {name: w.shape for name, w in weights.items()} == shapes
    assert {w.dtype for w in weights.values()} == {np.dtype(np.float32)}
    assert not weights.pop("output.bias").any()
    assert weights.pop("embedding.weight").std() == pytest.approx(64**-0.5, rel=0.02)
    for weight in weights.values():
        assert 0.09 < np.abs(weight).max() <= np.float32(0.1)  # H^-1/2
        assert weight.std() == pytest.approx(0.1 / math.sqrt(3), rel=0.1)


def test_the_same_generator_gives_the_same_weights() -> None:
    shapes = TIED.weight_shapes(V)
    first, again, other = (
        initial_weights(shapes, 100, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert all((first[name] == again[name]).all() for name in shapes)
    assert (first["lstm.weight_hh_l1"] != other["lstm.weight_hh_l1"]).any()


@pytest.mark.parametrize("network", [TIED, UNTIED])
def test_a_new_network_pays_log_v_nats_a_token(network: NetworkRecipe) -> None:
    rng = np.random.default_rng(0)
    model = LanguageModel(initial_weights(network.weight_shapes(V), network.hidden, rng))
    inputs, targets = rng.integers(0, V, (2, 20, 8))
    nats = model.token_nats(inputs, targets, np.full(8, 20))
    assert nats.mean() == pytest.approx(math.log(V), rel=0.01)
