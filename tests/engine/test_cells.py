from __future__ import annotations

import math

import numpy as np
import pytest

from yinshi.engine.cells import lstm_step, sigmoid


def test_sigmoid_is_the_logistic_function() -> None:
    x = np.array([-3.0, -0.5, 0.0, 0.5, 3.0])
    np.testing.assert_allclose(sigmoid(x), [1 / (1 + math.exp(-v)) for v in x], rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_of_huge_numbers_neither_overflows_nor_changes_precision(dtype: type) -> None:
    x = np.array([-1e30, -800.0, 800.0, 1e30], dtype=dtype)
    with np.errstate(all="raise", under="ignore"):
        result = sigmoid(x)
    assert result.tolist() == [0, 0, 1, 1]
    assert result.dtype == dtype


def test_step_by_hand() -> None:
    """H = 1, gates_x 0.1, 0.2, 0.3, 0.4, h = 0.5, c = 2, weights 1, -1, 2, 0."""

    def s(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    h, c = lstm_step(
        np.array([[0.1, 0.2, 0.3, 0.4]]),
        np.array([[0.5]]),
        np.array([[2.0]]),
        np.array([[1.0], [-1.0], [2.0], [0.0]]),
    )
    expected_c = s(-0.3) * 2 + s(0.6) * math.tanh(1.3)
    np.testing.assert_allclose(c, [[expected_c]], rtol=1e-14)
    np.testing.assert_allclose(h, [[s(0.4) * math.tanh(expected_c)]], rtol=1e-14)


def test_step_equals_pytorch() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    B, E, H = 3, 4, 5
    cell = torch.nn.LSTMCell(E, H, dtype=torch.float64)
    x, h, c = (rng.normal(size=(B, n)) for n in (E, H, H))
    expected = cell(torch.tensor(x), (torch.tensor(h), torch.tensor(c)))
    w = {name: p.detach().numpy() for name, p in cell.named_parameters()}
    gates_x = x @ w["weight_ih"].T + w["bias_ih"] + w["bias_hh"]
    for ours, theirs in zip(lstm_step(gates_x, h, c, w["weight_hh"]), expected, strict=True):
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=0, atol=1e-14)
