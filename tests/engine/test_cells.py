from __future__ import annotations

import math

import numpy as np
import pytest

from yinshi.engine.cells import (
    lstm_step,
    lstm_step_backward,
    rnn_step,
    rnn_step_backward,
    sigmoid,
)


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


def test_lstm_step_leaves_the_gates_where_their_pre_activations_were() -> None:
    gates = np.array([[0.1, 0.2, 0.3, 0.4]])
    lstm_step(gates, np.zeros((1, 1)), np.zeros((1, 1)), np.ones((4, 1)))
    expected = [1 / (1 + math.exp(-z)) for z in (0.1, 0.2, 0.4)]
    np.testing.assert_allclose(gates[0, [0, 1, 3]], expected, rtol=1e-14)
    np.testing.assert_allclose(gates[0, 2], math.tanh(0.3), rtol=1e-14)


@pytest.mark.parametrize(
    ("cell", "expected"), [("rnn-tanh", math.tanh(-0.9)), ("rnn-sigmoid", 0.289050497374996)]
)
def test_rnn_step_by_hand(cell: str, expected: float) -> None:
    """z = 0.1 + 0.5 · (−2) = −0.9."""
    h = rnn_step(cell, np.array([[0.1]]), np.array([[0.5]]), np.array([[-2.0]]))
    np.testing.assert_allclose(h, [[expected]], rtol=1e-14)


def test_relu_and_its_derivative_are_zero_up_to_and_at_the_corner() -> None:
    z = np.array([[-1.0, 0.0, 2.0]])
    h = rnn_step("rnn-relu", z, np.zeros((1, 3)), np.eye(3))
    assert h.tolist() == [[0, 0, 2]]
    dgates = np.empty_like(h)
    dh_prev = rnn_step_backward("rnn-relu", np.full((1, 3), 5.0), h, np.eye(3), dgates)
    assert dgates.tolist() == dh_prev.tolist() == [[0, 0, 5]]


def test_lstm_step_backward_equals_autograd() -> None:
    torch = pytest.importorskip("torch")
    B, H = 3, 4
    rng = np.random.default_rng(1)
    arrays = [rng.normal(size=shape) for shape in ((B, 4 * H), (B, H), (B, H), (4 * H, H))]
    dh, dc = rng.normal(size=(2, B, H))
    leaves = [torch.tensor(array, requires_grad=True) for array in arrays]
    a, h_prev, c_prev, weight_hh = leaves
    i, f, g, o = (a + h_prev @ weight_hh.T).chunk(4, dim=1)
    c = f.sigmoid() * c_prev + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    ((torch.tensor(dh) * h).sum() + (torch.tensor(dc) * c).sum()).backward()

    _, new_c = lstm_step(*arrays)
    dgates = np.empty((B, 4 * H))
    found = lstm_step_backward(dh, dc, arrays[0], arrays[2], new_c, arrays[3], dgates)
    for ours, leaf in zip((dgates, *found), leaves, strict=False):
        np.testing.assert_allclose(ours, leaf.grad, rtol=0, atol=1e-14)


@pytest.mark.parametrize("cell", ["rnn-tanh", "rnn-sigmoid", "rnn-relu"])
def test_rnn_step_backward_equals_autograd(cell: str) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    gates, h_prev, dh = rng.normal(size=(3, 3, 4))
    weight_hh = rng.normal(size=(4, 4))
    z, before = (torch.tensor(array, requires_grad=True) for array in (gates, h_prev))
    after = getattr(torch, cell[4:])(z + before @ torch.tensor(weight_hh).T)
    (torch.tensor(dh) * after).sum().backward()

    h = rnn_step(cell, gates, h_prev, weight_hh)
    dgates = np.empty_like(h)
    dh_prev = rnn_step_backward(cell, dh, h, weight_hh, dgates)
    np.testing.assert_allclose(h, after.detach(), rtol=0, atol=1e-15)
    np.testing.assert_allclose(dgates, z.grad, rtol=0, atol=1e-14)
    np.testing.assert_allclose(dh_prev, before.grad, rtol=0, atol=1e-14)
