"""One step of a recurrent cell, and below each step its backward.

B batch, H hidden; the gates stand in the order i, f, g, o (g is the derivation's C̃). A step takes
`gates`, the input's share of the pre-activations (x W_ihᵀ + b_ih + b_hh, made for all of T by one
product), adds the share of the state, and returns the new state. A step's backward takes dh (and
dc), the derivatives of the objective by the step's h (and c), fills `dgates`, its derivatives by
the pre-activations, and returns those by the state before the step. What follows from `dgates`
alone, the gradients of the weights and the input, is left to `sequence.py`: one product for all
of T. The numbers (1.x) are those of docs/rnn.md, (2.x) those of docs/lstm.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # float32, float64 or complex128: the caller's choice is kept throughout
State = tuple[Array, ...]  # (h,) of an RNN, (h, c) of an LSTM

CELLS = ("lstm", "rnn-tanh", "rnn-sigmoid", "rnn-relu")

#: Bytes of a weight that a core's cache holds while one matrix of a stack after another is
#: multiplied by them; so few, besides, that a BLAS doesn't share them out to threads.
CACHED = 1 << 19


def product(x: Array, weight: Array) -> Array:
    """x Wᵀ: (…, I), (O, I) → (…, O). In a stack (N, B, I) each matrix is multiplied for itself."""
    if x.ndim < 3:
        y: Array = x @ weight.T
        return y
    y = np.empty((*x.shape[:-1], len(weight)), x.dtype)
    rows = max(1, CACHED // weight[0].nbytes)
    for start in range(0, len(weight), rows):
        part = slice(start, start + rows)
        np.matmul(x, weight[part].T, out=y[..., part])
    return y


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x), as ½ tanh(x/2) + ½, which can't overflow."""
    half = x.dtype.type(0.5)
    result: Array = np.tanh(x * half) * half + half
    return result


def lstm_step(gates: Array, h_prev: Array, c_prev: Array, weight_hh: Array) -> State:
    """(h, c), each (B, H), after one step of an LSTM (Hochreiter & Schmidhuber 1997; Gers 2000).

    `gates` (B, 4H) holds the input's share and is overwritten: afterwards it holds i, f, g, o,
    which the backward needs. `h_prev`, `c_prev` (B, H) are the state before the step; `weight_hh`
    is (4H, H), as PyTorch stores it.
    """
    gates += product(h_prev, weight_hh)  # (2.1)
    scale = _tanh_scale(gates)
    gates *= scale
    np.tanh(gates, out=gates)
    gates *= scale
    gates += 1 - scale
    i, f, g, o = _blocks(gates)  # (2.2) to (2.5)
    c = f * c_prev + i * g  # (2.6)
    h = o * np.tanh(c)  # (2.7)
    return h, c


def lstm_step_backward(
    dh: Array, dc: Array, gates: Array, c_prev: Array, c: Array, weight_hh: Array, dgates: Array
) -> State:
    """(dh_prev, dc_prev), each (B, H); fills `dgates` (B, 4H).

    The error runs back along two paths, through h and through c: dc_prev = dc ⊙ f is the one that
    a recursion of δh alone would lose.
    """
    i, f, g, o = _blocks(gates)
    di, df, dg, do = _blocks(dgates)
    tanh_c = np.tanh(c)
    dc = dc + dh * o * (1 - tanh_c * tanh_c)  # (2.27)
    do[:] = dh * tanh_c * o * (1 - o)  # (2.28), by the pre-activations of o, g, f, i
    dg[:] = dc * i * (1 - g * g)
    df[:] = dc * c_prev * f * (1 - f)
    di[:] = dc * g * i * (1 - i)
    dc_prev = dc * f  # (2.29)
    dh_prev = dgates @ weight_hh  # (2.30)
    return dh_prev, dc_prev


def rnn_step(cell: str, gates: Array, h_prev: Array, weight_hh: Array) -> Array:
    """h (B, H) after one step of an RNN: h = φ(gates + h_prev W_hhᵀ) (Elman 1990).

    `gates` (B, H) holds the input's share and is overwritten by the pre-activations; `cell` names
    φ; `weight_hh` is (H, H).
    """
    gates += product(h_prev, weight_hh)  # (1.1)
    return _activation(cell, gates)  # (1.2)


def rnn_step_backward(cell: str, dh: Array, h: Array, weight_hh: Array, dgates: Array) -> Array:
    """dh_prev (B, H); fills `dgates` (B, H)."""
    dgates[:] = dh * _activation_derivative(cell, h)  # (1.21)
    dh_prev: Array = dgates @ weight_hh  # the share of the next step in (1.20)
    return dh_prev


def _activation(cell: str, z: Array) -> Array:
    """φ(z)."""
    if cell == "rnn-relu":
        return np.maximum(z, 0)
    return sigmoid(z) if cell == "rnn-sigmoid" else np.tanh(z)


def _activation_derivative(cell: str, h: Array) -> Array:
    """φ′(z), of h = φ(z), (1.5): at the corner of ReLU it is 0, as in PyTorch."""
    if cell == "rnn-relu":
        return h > 0
    derivative: Array = h * (1 - h) if cell == "rnn-sigmoid" else 1 - h * h
    return derivative


def _tanh_scale(gates: Array) -> Array:
    """(4H,): s = ½ for i, f, o and 1 for g, so that s tanh(s z) + 1 - s is each gate of z (B, 4H).

    For σ(z) = ½ tanh(½z) + ½, one tanh over the whole block serves all four gates.
    """
    scale = np.full(gates.shape[-1], 0.5, gates.dtype)
    _blocks(scale)[2][:] = 1
    return scale


def _blocks(gates: Array) -> tuple[Array, Array, Array, Array]:
    """The views i, f, g, o, each (…, H), of (…, 4H)."""
    H = gates.shape[-1] // 4
    return gates[..., :H], gates[..., H : 2 * H], gates[..., 2 * H : 3 * H], gates[..., 3 * H :]
