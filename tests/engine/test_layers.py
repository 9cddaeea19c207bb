"""Each layer's values by hand, and its backward beside central differences and PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yinshi.engine.gradcheck import central_differences
from yinshi.engine.layers import (
    dropout,
    dropout_backward,
    dropout_mask,
    embedding,
    embedding_backward,
    linear,
    linear_backward,
)

torch: Any = pytest.importorskip("torch")
RNG = np.random.default_rng(0)


def assert_derivative(found: Any, objective: Callable[[Any], float], array: Any) -> None:
    expected = central_differences(objective, array)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_embedding_takes_rows() -> None:
    weight = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    tokens = np.array([[2, 0], [2, 2]])
    np.testing.assert_array_equal(embedding(tokens, weight), [[[4, 5], [0, 1]], [[4, 5], [4, 5]]])


def test_embedding_backward_sums_what_a_token_received() -> None:
    dvectors = np.array([[1.0, 2.0], [10.0, 20.0], [100.0, 200.0]])
    dweight = embedding_backward(dvectors, np.array([2, 0, 2]), np.ones((4, 2)))
    np.testing.assert_array_equal(dweight, [[10, 20], [0, 0], [101, 202], [0, 0]])


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(0, 12), st.integers(0, 99))
def test_embedding_backward_equals_pytorch(V: int, N: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight, tokens, dvectors = (
        rng.normal(size=(V, 3)),
        rng.integers(0, V, N),
        rng.normal(size=(N, 3)),
    )
    leaf = torch.tensor(weight, requires_grad=True)
    torch.nn.functional.embedding(torch.tensor(tokens), leaf).backward(torch.tensor(dvectors))
    found = embedding_backward(dvectors, tokens, weight)
    np.testing.assert_allclose(found, leaf.grad.numpy(), rtol=0, atol=1e-12)


def test_linear_by_hand() -> None:
    x, weight = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0], [7.0, 8.0]])
    assert linear(x, weight).tolist() == [[11, 17, 23]]
    assert linear(x, weight, np.array([1.0, 0.0, -1.0])).tolist() == [[12, 17, 22]]


def test_linear_backward() -> None:
    x, weight, bias = RNG.normal(size=(5, 3)), RNG.normal(size=(4, 3)), RNG.normal(size=4)
    dy = RNG.normal(size=(5, 4))
    dx, dweight, dbias = linear_backward(dy, x, weight)
    assert_derivative(dx, lambda a: float(np.sum(dy * linear(a, weight, bias))), x)
    assert_derivative(dweight, lambda a: float(np.sum(dy * linear(x, a, bias))), weight)
    assert_derivative(dbias, lambda a: float(np.sum(dy * linear(x, weight, a))), bias)
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, weight, bias)]
    torch.nn.functional.linear(*leaves).backward(torch.tensor(dy))
    for found, leaf in zip((dx, dweight, dbias), leaves, strict=True):
        np.testing.assert_allclose(found, leaf.grad.numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [0.0, 0.3, 0.95])
def test_dropout_mask_keeps_the_mean(rate: float, dtype: type) -> None:
    """A share `rate` of zeros, to within 5 standard deviations; the rest is 1 / (1 − rate)."""
    N = 200_000
    mask = dropout_mask((N // 2, 2), rate, np.random.default_rng(1), dtype)
    assert mask.dtype == dtype
    zeros = float(np.mean(mask == 0))
    assert zeros == pytest.approx(rate, abs=5 * (rate * (1 - rate) / N) ** 0.5)
    np.testing.assert_allclose(np.unique(mask[mask > 0]), 1 / (1 - rate), rtol=1e-6)


def test_dropout_masks_are_drawn_from_the_generator() -> None:
    first, second = (
        dropout_mask((4, 5), 0.5, np.random.default_rng(s), np.float64) for s in (1, 1)
    )
    np.testing.assert_array_equal(first, second)
    rng = np.random.default_rng(1)
    dropout_mask((4, 5), 0.5, rng, np.float64)
    assert (dropout_mask((4, 5), 0.5, rng, np.float64) != first).any()


def test_dropout_backward() -> None:
    x, dy = RNG.normal(size=(2, 4, 3))
    mask = dropout_mask(x.shape, 0.5, RNG, np.float64)
    assert_derivative(dropout_backward(dy, mask), lambda a: float(np.sum(dy * dropout(a, mask))), x)
