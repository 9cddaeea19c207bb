from __future__ import annotations

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yinshi.engine import losses
from yinshi.engine.gradcheck import central_differences
from yinshi.engine.losses import (
    cross_entropy,
    cross_entropy_with_gradient,
    linear_cross_entropy,
    linear_cross_entropy_with_gradient,
)

torch: Any = pytest.importorskip("torch")


def test_by_hand() -> None:
    """Logits log 1, log 2, log 5: p = 1/8, 2/8, 5/8."""
    logits = np.log(np.array([[1.0, 2.0, 5.0], [1.0, 2.0, 5.0]]))
    nats, dlogits = cross_entropy_with_gradient(logits, np.array([2, 0]))
    np.testing.assert_allclose(nats, [math.log(8 / 5), math.log(8)], rtol=1e-14)
    np.testing.assert_allclose(
        dlogits, [[1 / 8, 2 / 8, -3 / 8], [-7 / 8, 2 / 8, 5 / 8]], rtol=1e-14
    )


def test_even_logits_cost_log_v() -> None:
    nats = cross_entropy(np.full((2, 7), 3.0), np.array([0, 6]))
    np.testing.assert_allclose(nats, math.log(7), rtol=1e-14)


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(1, 9), st.floats(0.1, 50), st.integers(0, 99))
def test_equals_pytorch(N: int, V: int, scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits, targets = scale * rng.normal(size=(N, V)), rng.integers(0, V, N)
    leaf = torch.tensor(logits, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(leaf, torch.tensor(targets), reduction="none")
    expected.sum().backward()
    nats, dlogits = cross_entropy_with_gradient(logits, targets)
    expected = expected.detach().numpy()
    np.testing.assert_allclose(nats, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(cross_entropy(logits, targets), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(dlogits, leaf.grad.numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_logits_do_not_overflow(dtype: type) -> None:
    logits = np.array([[1e4, -1e4, 0.0]], dtype=dtype)
    with np.errstate(all="raise", under="ignore"):
        nats, dlogits = cross_entropy_with_gradient(logits, np.array([1]))
    assert nats.tolist() == [2e4]
    assert dlogits.tolist() == [[1, -1, 0]]
    assert (nats.dtype, dlogits.dtype) == (np.float64, dtype)
    assert logits.tolist() == [[1e4, -1e4, 0.0]], "the caller's logits were changed"


def example(N: int = 11, I: int = 3, V: int = 5) -> tuple[Any, Any, Any, Any]:  # noqa: E741
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(N, I)), rng.normal(size=(V, I))
    return x, weight, rng.normal(size=V), rng.integers(0, V, N)


@pytest.mark.parametrize("chunk", [1, 4, 11, 512])
def test_the_output_layer_in_chunks(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the chunks, the last one full or not: PyTorch's values and gradients."""
    monkeypatch.setattr(losses, "CHUNK", chunk)
    x, weight, bias, targets = example()
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, weight, bias)]
    expected = torch.nn.functional.cross_entropy(
        torch.nn.functional.linear(*leaves), torch.tensor(targets), reduction="none"
    )
    expected.sum().backward()
    nats, *gradients = linear_cross_entropy_with_gradient(x, weight, bias, targets)
    np.testing.assert_allclose(nats, expected.detach().numpy(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(linear_cross_entropy(x, weight, bias, targets), nats, atol=1e-14)
    for found, leaf in zip(gradients, leaves, strict=True):
        np.testing.assert_allclose(found, leaf.grad.numpy(), rtol=0, atol=1e-12)


def test_gradients_are_central_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "CHUNK", 4)
    arrays = list(example()[:3])
    targets = example()[3]
    _, *gradients = linear_cross_entropy_with_gradient(*arrays, targets)
    for k, found in enumerate(gradients):

        def objective(moved: Any, k: int = k) -> float:
            return float(linear_cross_entropy(*arrays[:k], moved, *arrays[k + 1 :], targets).sum())

        np.testing.assert_allclose(found, central_differences(objective, arrays[k]), atol=1e-7)


def test_no_tokens_cost_nothing() -> None:
    x, weight, bias, _ = example(N=0)
    nats, dx, dweight, dbias = linear_cross_entropy_with_gradient(x, weight, bias, np.zeros(0, int))
    assert nats.shape == (0,)
    assert dx.shape == (0, 3)
    assert not dweight.any()
    assert not dbias.any()


def test_the_logits_never_exist_together() -> None:
    """8,192 tokens × 2,000 float32 would be 65 MB; three chunks of them are 12 MB."""
    x, weight, bias, targets = (
        a.astype(np.float32) if a.dtype.kind == "f" else a for a in example(8192, 4, 2000)
    )
    tracemalloc.start()
    linear_cross_entropy_with_gradient(x, weight, bias, targets)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16e6
