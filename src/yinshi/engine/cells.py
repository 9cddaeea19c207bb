"""One step of a recurrent cell. B batch, H hidden; the gates stand in the order i, f, g, o."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # float32 or float64: the caller's choice is kept throughout


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x), as ½ tanh(x/2) + ½, which can't overflow."""
    half = x.dtype.type(0.5)
    result: Array = np.tanh(x * half) * half + half
    return result


def lstm_step(gates_x: Array, h: Array, c: Array, weight_hh: Array) -> tuple[Array, Array]:
    """(h, c), each (B, H), after one step of an LSTM (Hochreiter & Schmidhuber 1997; Gers 2000).

    `gates_x` (B, 4H) is the input's share of the gates, x W_ih^T + b_ih + b_hh; `h` and `c` (B, H)
    are the state before the step; `weight_hh` is (4H, H), as PyTorch stores it.
    """
    H = h.shape[1]
    gates = gates_x + h @ weight_hh.T
    i = sigmoid(gates[:, :H])
    f = sigmoid(gates[:, H : 2 * H])
    g = np.tanh(gates[:, 2 * H : 3 * H])
    o = sigmoid(gates[:, 3 * H :])
    c = f * c + i * g
    return o * np.tanh(c), c
