from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from yinshi.corpus.vocabulary import SOS
from yinshi.engine import sequence
from yinshi.engine.cells import Array
from yinshi.recipe import NetworkRecipe
from yinshi.studies.poem_jacobians import HOMEWORK, STATE, H, jacobian_norms

TOKENS: NDArray[np.int32] = np.array([4, 5, 4, 6], dtype=np.int32)


def zero_weights(cell: str, hidden: int) -> dict[str, Array]:
    shapes = NetworkRecipe(cell=cell, embedding=2, hidden=hidden).weight_shapes(7)  # type: ignore[arg-type]
    return {name: np.zeros(shape) for name, shape in shapes.items()}


@pytest.mark.parametrize("cell", ["rnn-tanh", "rnn-sigmoid"])
def test_norms_of_an_rnn_that_reads_nothing(cell: str) -> None:
    """Of tanh, h = 0 at all times and every step is W; a sigmoid's steps are multiplied out."""
    W = np.array([[0.9, 0.3], [-0.2, 0.5]])
    h, product = np.zeros(2), np.eye(2)
    steps = []
    for _ in TOKENS:
        h = np.tanh(W @ h) if cell == "rnn-tanh" else 1 / (1 + np.exp(-W @ h))
        steps.append(W if cell == "rnn-tanh" else (h * (1 - h))[:, None] * W)
    expected = [1.0]
    for step in reversed(steps):
        product = product @ step
        expected.append(float(np.linalg.svd(product)[1].max()))
    found = jacobian_norms(cell, zero_weights(cell, 2) | {"rnn.weight_hh_l0": W}, TOKENS)
    assert list(found) == [H]
    np.testing.assert_allclose(found[H], expected, rtol=1e-12)


@pytest.mark.parametrize("forget_bias", [0.0, 1.0, 2.0])
def test_norms_of_an_lstm_that_reads_nothing(forget_bias: float) -> None:
    """All weights 0: h = c = 0, o = ½, so that ∂h_T/∂c_t = ½ fⁿ, ∂c_T/∂c_t = fⁿ, and h no path."""
    w = zero_weights("lstm", 3)
    w["lstm.bias_ih_l0"][3:6] = forget_bias
    f = 1 / (1 + math.exp(-forget_bias))
    found = jacobian_norms("lstm", w, TOKENS)
    n = np.arange(5)
    expected = np.where(n == 0, 1, math.sqrt(1.25) * f**n)
    np.testing.assert_allclose(found[STATE], expected, rtol=1e-12)
    np.testing.assert_allclose(found[H], n == 0, atol=1e-15)
    np.testing.assert_allclose(found[HOMEWORK], n == 0, atol=1e-15)


def test_norms_are_those_of_central_differences() -> None:
    """Of the engine's forward over the last 3 characters, by the state before them."""
    rng = np.random.default_rng(3)
    w = {name: rng.normal(size=a.shape) for name, a in zero_weights("lstm", 2).items()}
    layer = {k: w[f"lstm.{k}_l0"] for k in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    x = w["embedding.weight"][[SOS, *TOKENS[:-1]]][:, None]

    def end(before: Array) -> Array:
        h, c = before.reshape(2, 1, 1, 2)
        return np.ravel(sequence.forward("lstm", [layer], x[1:], (h, c)).state)

    before = np.ravel(sequence.forward("lstm", [layer], x[:1]).state)
    step = 1e-6 * np.eye(4)
    J = np.stack([(end(before + e) - end(before - e)) / 2e-6 for e in step], axis=1)
    found = jacobian_norms("lstm", w, TOKENS)
    assert found[STATE][3] == pytest.approx(np.linalg.norm(J, 2), rel=1e-8)
    assert found[H][3] == pytest.approx(np.linalg.norm(J[:2, :2], 2), rel=1e-8)


def test_the_homework_agrees_up_to_distance_1_only() -> None:
    rng = np.random.default_rng(0)
    w = {name: rng.normal(size=a.shape) for name, a in zero_weights("lstm", 3).items()}
    found = jacobian_norms("lstm", w, TOKENS)
    np.testing.assert_allclose(found[H][:2], found[HOMEWORK][:2], rtol=1e-12)
    assert np.all(np.abs(found[H][2:] / found[HOMEWORK][2:] - 1) > 0.01)
    assert np.all(found[H] <= found[STATE] * (1 + 1e-12))  # a block of it
