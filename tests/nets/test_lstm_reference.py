"""The reference by hand; beside `nn.LSTM` it stands in test_lstm.py."""

from __future__ import annotations

import doctest
import math

import pytest
import torch

from yinshi.nets import lstm_reference
from yinshi.nets.lstm_reference import ReferenceLSTM


def test_the_example_in_its_docstring() -> None:
    assert doctest.testmod(lstm_reference) == (0, 4)


def sigmoid(a: float) -> float:
    return 1 / (1 + math.exp(-a))


def test_one_unit_two_steps_by_hand() -> None:
    """H = I = 1: (2.1) to (2.7) in scalars."""
    layer = ReferenceLSTM(1, 1).double()
    w, u, b = (p.flatten().tolist() for p in list(layer.parameters())[:3])
    with torch.no_grad():
        layer.bias_hh_l0.copy_(torch.tensor([1.0, 0.0, -1.0, 2.0]))
    b = [b[0] + 1, b[1], b[2] - 1, b[3] + 2]
    h, c, expected = 0.9, -0.5, []
    for x in (1.5, -2.0):
        i, f, g, o = (w[k] * x + u[k] * h + b[k] for k in range(4))
        c = sigmoid(f) * c + sigmoid(i) * math.tanh(g)
        h = sigmoid(o) * math.tanh(c)
        expected.append(h)
    inputs = torch.tensor([1.5, -2.0], dtype=torch.float64).view(2, 1, 1)
    h_0, c_0 = torch.tensor([0.9, -0.5], dtype=torch.float64).view(2, 1, 1, 1)
    outputs, (h_n, c_n) = layer(inputs, (h_0, c_0))
    assert outputs.flatten().tolist() == pytest.approx(expected, rel=1e-14)
    assert (h_n.item(), c_n.item()) == (pytest.approx(h, rel=1e-14), pytest.approx(c, rel=1e-14))


def test_the_order_of_the_sequences_does_not_matter() -> None:
    torch.manual_seed(0)
    layer = ReferenceLSTM(2, 3, num_layers=2)
    inputs, lengths, order = torch.randn(5, 4, 2), [2, 5, 0, 3], [2, 0, 3, 1]
    outputs, state = layer(inputs, lengths=lengths)
    moved, moved_state = layer(inputs[:, order], lengths=[lengths[n] for n in order])
    torch.testing.assert_close(moved, outputs[:, order])
    torch.testing.assert_close(moved_state, tuple(part[:, order] for part in state))
