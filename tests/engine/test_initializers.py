from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from yinshi.engine.initializers import (
    INITIALIZERS,
    constant,
    initial_weights,
    orthogonal,
    xavier_normal,
    xavier_uniform,
    zeros,
)
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


def rng_of(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_zeros_and_constant() -> None:
    assert not zeros((3, 4), rng_of()).any()
    np.testing.assert_array_equal(constant((3, 4), rng_of()), np.full((3, 4), 0.25))


@pytest.mark.parametrize("shape", [(300, 500), (500, 300), (400, 400)])
def test_xavier_has_glorots_variance(shape: tuple[int, int]) -> None:
    """Variance 2 / (I + O), to within 5 standard deviations of its estimate; the uniform one
    fills ±√(6 / (I + O))."""
    variance, N = 2 / sum(shape), shape[0] * shape[1]
    uniform, normal = xavier_uniform(shape, rng_of()), xavier_normal(shape, rng_of())
    assert uniform.shape == normal.shape == shape
    assert uniform.var() == pytest.approx(variance, rel=5 * math.sqrt(0.8 / N))
    assert normal.var() == pytest.approx(variance, rel=5 * math.sqrt(2 / N))
    for drawn in (uniform, normal):
        assert abs(drawn.mean()) < 5 * math.sqrt(variance / N)
    bound = math.sqrt(6 / sum(shape))
    assert 0.999 * bound < np.abs(uniform).max() <= bound
    assert np.abs(normal).max() > 4 * math.sqrt(variance)


@pytest.mark.parametrize("shape", [(30, 30), (50, 20), (20, 50), (1, 7)])
def test_orthogonal_is_orthogonal(shape: tuple[int, int]) -> None:
    q = orthogonal(shape, rng_of())
    assert q.shape == shape
    gram = q.T @ q if shape[0] >= shape[1] else q @ q.T
    np.testing.assert_allclose(gram, np.eye(min(shape)), rtol=0, atol=1e-14)


def test_orthogonal_prefers_no_direction() -> None:
    """Of 2,000 rotations or reflections of the plane each entry has mean 0 and variance 1/2, and
    half of the determinants are −1. Without the signs of R the first entries would lean."""
    rng = rng_of()
    drawn = np.array([orthogonal((2, 2), rng) for _ in range(2000)])
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=5 * math.sqrt(0.5 / 2000))
    np.testing.assert_allclose((drawn**2).mean(axis=0), 0.5, atol=5 * math.sqrt(0.125 / 2000))
    assert np.mean(np.linalg.det(drawn) < 0) == pytest.approx(0.5, abs=5 * 0.5 / math.sqrt(2000))


@pytest.mark.parametrize("initializer", INITIALIZERS)
def test_each_gate_is_drawn_by_itself(initializer: str) -> None:
    """The first gate of an LSTM gets what a matrix of its own shape would; biases are zero, and
    the embedding is what it always is."""
    network = NetworkRecipe(embedding=64, hidden=100)
    shapes = network.weight_shapes(V)
    weights = initial_weights(shapes, 100, rng_of(), initializer)
    rng = rng_of()
    expected: dict[str, Any] = {"embedding.weight": rng.normal(0, 64**-0.5, (V, 64))}
    for name, columns in (("lstm.weight_ih_l0", 64), ("lstm.weight_hh_l0", 100)):
        gates = [INITIALIZERS[initializer]((100, columns), rng) for _ in "ifgo"]
        expected[name] = np.concatenate(gates)
    expected["output.weight"] = INITIALIZERS[initializer]((V, 100), rng)
    for name, weight in weights.items():
        if name.rpartition(".")[2].startswith("bias"):
            assert not weight.any()
        else:
            np.testing.assert_array_equal(weight, expected[name].astype(np.float32))


def test_a_simple_network_has_one_block() -> None:
    network = NetworkRecipe("rnn-tanh", embedding=64, hidden=100)
    weights = initial_weights(network.weight_shapes(V), 100, rng_of(), "orthogonal")
    W = weights["rnn.weight_hh_l0"]
    np.testing.assert_allclose(W @ W.T, np.eye(100), rtol=0, atol=1e-5)


@pytest.mark.parametrize("initializer", ["uniform", "orthogonal"])
def test_the_forget_bias_moves_the_forget_gate_alone(initializer: str) -> None:
    shapes = TIED.weight_shapes(V)
    plain = initial_weights(shapes, 100, rng_of(), initializer)
    moved = initial_weights(shapes, 100, rng_of(), initializer, forget_bias=1.5)
    for name in shapes:
        difference = moved[name] - plain[name]
        if name.startswith("lstm.bias_ih"):
            np.testing.assert_allclose(difference[100:200], 1.5, rtol=1e-6)
            difference[100:200] = 0
        assert not difference.any(), name
