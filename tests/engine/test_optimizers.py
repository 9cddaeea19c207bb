"""Each optimizer beside its namesake in PyTorch: every weight, after every one of 100 steps."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pytest

from yinshi.engine.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    Momentum,
    Nesterov,
    Optimizer,
    RMSprop,
    clip_by_global_norm,
)

torch: Any = pytest.importorskip("torch")

PAIRS = {
    "sgd": (SGD, torch.optim.SGD),
    "momentum": (
        partial(Momentum, momentum=0.9),
        partial(torch.optim.SGD, momentum=0.9),
    ),
    "nesterov": (
        partial(Nesterov, momentum=0.9),
        partial(torch.optim.SGD, momentum=0.9, nesterov=True),
    ),
    "adagrad": (Adagrad, torch.optim.Adagrad),
    "adadelta": (Adadelta, torch.optim.Adadelta),
    "rmsprop": (RMSprop, torch.optim.RMSprop),
    "rmsprop with momentum": (
        partial(RMSprop, momentum=0.9),
        partial(torch.optim.RMSprop, momentum=0.9),
    ),
    "adam": (Adam, torch.optim.Adam),
    "adamw": (AdamW, torch.optim.AdamW),
}


def start() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {"matrix": rng.normal(size=(4, 3)), "vector": rng.normal(size=5)}


def gradients_of(weights: Mapping[str, Any], step: int) -> dict[str, Any]:
    """Noisy, of very different sizes, with entries that are 0 at times and always."""
    rng = np.random.default_rng(step)
    gradients = {}
    for name, w in weights.items():
        g = (w + rng.normal(size=w.shape)) * 10.0 ** rng.integers(-3, 2, w.shape)
        gradients[name] = g * (rng.random(w.shape) < 0.8)
        gradients[name][0] = 0
    return gradients


def rate(step: int) -> float:
    return 0.05 / (1 + step / 30)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("name", PAIRS)
def test_100_steps_equal_pytorchs(name: str, weight_decay: float) -> None:
    ours, theirs = PAIRS[name]
    weights = start()
    leaves = {key: torch.tensor(w) for key, w in start().items()}
    optimizer: Optimizer = ours(weights, weight_decay=weight_decay)
    expected = theirs(leaves.values(), lr=1.0, weight_decay=weight_decay)
    for step in range(100):
        gradients = gradients_of({key: leaf.numpy() for key, leaf in leaves.items()}, step)
        for key, leaf in leaves.items():
            leaf.grad = torch.tensor(gradients[key])
        expected.param_groups[0]["lr"] = rate(step)
        expected.step()
        optimizer.step(gradients, rate(step))
        for key, leaf in leaves.items():
            np.testing.assert_allclose(weights[key], leaf.numpy(), rtol=1e-12, atol=1e-12)
    assert all(np.abs(weights[key] - w).max() > 1e-3 for key, w in start().items())


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_are_updated_in_place_and_gradients_are_left(name: str, dtype: type) -> None:
    weights = {key: w.astype(dtype) for key, w in start().items()}
    arrays = dict(weights)
    gradients = {key: g.astype(dtype) for key, g in gradients_of(weights, 0).items()}
    copies = {key: g.copy() for key, g in gradients.items()}
    PAIRS[name][0](weights, weight_decay=0.1).step(gradients, 0.1)
    for key, w in start().items():
        assert weights[key] is arrays[key]
        assert weights[key].dtype == dtype
        assert (weights[key] != w).any()
        np.testing.assert_array_equal(gradients[key], copies[key])


@pytest.mark.parametrize("name", PAIRS)
def test_state_goes_on_bit_for_bit(name: str) -> None:
    weights = start()
    optimizer: Optimizer = PAIRS[name][0](weights)
    for step in range(5):
        optimizer.step(gradients_of(weights, step), 0.1)
    saved = {key: a.copy() for key, a in optimizer.state().items()}
    again = {key: w.copy() for key, w in weights.items()}
    resumed: Optimizer = PAIRS[name][0](again)
    resumed.load_state(saved)
    for step in range(5, 10):
        optimizer.step(gradients_of(weights, step), 0.1)
        resumed.step(gradients_of(again, step), 0.1)
    for key, w in weights.items():
        np.testing.assert_array_equal(again[key], w)
    assert resumed.state().keys() == optimizer.state().keys()


def test_by_hand() -> None:
    """w = 1, g = 2, lr = 0.1, twice with the same gradient."""

    def twice(kind: Any) -> list[float]:
        weights, seen = {"w": np.array([1.0])}, []
        optimizer = kind(weights)
        for _ in range(2):
            optimizer.step({"w": np.array([2.0])}, 0.1)
            seen.append(weights["w"].item())
        return seen

    assert twice(SGD) == pytest.approx([0.8, 0.6])
    assert twice(partial(Momentum, momentum=0.5)) == pytest.approx([0.8, 0.5])  # v = 2, 3
    assert twice(partial(Nesterov, momentum=0.5)) == pytest.approx([0.7, 0.35])  # 3, 3.5
    assert twice(Adagrad) == pytest.approx([0.9, 0.9 - 0.1 / 2**0.5])  # s = 4, 8
    assert twice(Adam) == pytest.approx([0.9, 0.8])  # m̂ = 2, v̂ = 4, both times


@pytest.mark.parametrize("max_norm", [0.5, 5.0, 100.0])
def test_clipping_equals_pytorchs(max_norm: float) -> None:
    gradients = start()
    leaves = [torch.nn.Parameter(torch.zeros(g.shape)) for g in gradients.values()]
    for leaf, g in zip(leaves, gradients.values(), strict=True):
        leaf.data = torch.zeros(g.shape, dtype=torch.float64)
        leaf.grad = torch.tensor(g)
    expected = torch.nn.utils.clip_grad_norm_(leaves, max_norm)
    assert clip_by_global_norm(gradients, max_norm) == pytest.approx(float(expected), rel=1e-14)
    for g, leaf in zip(gradients.values(), leaves, strict=True):
        np.testing.assert_allclose(g, leaf.grad.numpy(), rtol=1e-14)


def test_clipping_by_hand() -> None:
    gradients = {"a": np.array([3.0]), "b": np.array([0.0, 4.0])}
    assert clip_by_global_norm(gradients, 1.0) == 5.0
    np.testing.assert_allclose(gradients["a"], [0.6], rtol=1e-6)
    np.testing.assert_allclose(gradients["b"], [0, 0.8], rtol=1e-6)
