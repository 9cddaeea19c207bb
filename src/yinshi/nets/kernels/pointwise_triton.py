"""The elementwise part of one LSTM step as two Triton kernels: gates → (h, c), and its backward.

Not yet measured on hardware: the arithmetic is tested by Triton's interpreter, on the CPU.

PyTorch's own operations would read and write every array some ten times a step; each kernel reads
and writes it once. N rows, H hidden; gates stand in the order i, f, g, o. Rows may lie apart (the
leading columns, or rows, of a larger array); within a row the elements are adjacent. The numbers
(2.x) are those of docs/lstm.md. Triton comes with PyTorch's builds for CUDA.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from yinshi.nets.pointwise import TorchPointwise

#: Elements of a row that one program works on, two for each thread of Triton's four warps.
BLOCK = 256


class TritonPointwise(TorchPointwise):
    """Implements `Pointwise` on CUDA; the cross-entropy is PyTorch's."""

    def lstm_forward(
        self, gates: Tensor, recurrent: Tensor, c_prev: Tensor, c: Tensor, h: Tensor
    ) -> None:
        gates += recurrent  # (2.1)
        lstm_pointwise(gates, c_prev, c, h)

    def lstm_backward(
        self, gates: Tensor, c_prev: Tensor, c: Tensor, dh: Tensor, dc: Tensor, dgates: Tensor
    ) -> None:
        lstm_pointwise_backward(gates, c_prev, c, dh, dc, dgates)


def lstm_pointwise(gates: Tensor, c_prev: Tensor, c: Tensor, h: Tensor) -> None:
    """Pre-activations `gates` (N, 4H) → i, f, g, o in place; fills `c` and `h` (N, H).

    Computes in float64 if `gates` are, else in float32; every array may have a dtype of its own.
    """
    arrays = (gates, c_prev, c, h)
    _forward[_grid(c)](*arrays, *_strides(*arrays), c.shape[1], _precision(gates), BLOCK)


def lstm_pointwise_backward(
    gates: Tensor, c_prev: Tensor, c: Tensor, dh: Tensor, dc: Tensor, dgates: Tensor
) -> None:
    """i, f, g, o and `dh`, the gradient by h, → `dgates` (N, 4H), that by the pre-activations.

    `dc` (N, H), the gradient by c from the next step, becomes that by `c_prev`. `dgates` may be
    `gates`.
    """
    arrays = (gates, c_prev, c, dh, dc, dgates)
    _backward[_grid(c)](*arrays, *_strides(*arrays), c.shape[1], _precision(gates), BLOCK)


def _grid(c: Tensor) -> tuple[int, int]:
    """One program for each row and each BLOCK of its columns."""
    return len(c), triton.cdiv(c.shape[1], BLOCK)


def _strides(*arrays: Tensor) -> list[int]:
    """Elements from one row to the next."""
    return [array.stride(0) for array in arrays]


def _precision(gates: Tensor) -> tl.dtype:
    return tl.float64 if gates.dtype == torch.float64 else tl.float32


@triton.jit  # type: ignore[untyped-decorator]
def _sigmoid(x: tl.tensor) -> tl.tensor:
    """σ(x), whose exponential can't overflow."""
    e = tl.exp(-tl.abs(x))
    return tl.where(x < 0, e, 1.0) / (1.0 + e)


@triton.jit  # type: ignore[untyped-decorator]
def _tanh(x: tl.tensor) -> tl.tensor:
    """tanh x to a rounding error of 1: CUDA's own has no counterpart in the interpreter."""
    e = tl.exp(-2.0 * tl.abs(x))
    size = (1.0 - e) / (1.0 + e)
    return tl.where(x < 0, -size, size)


@triton.jit  # type: ignore[untyped-decorator]
def _forward(
    gates: tl.tensor,
    c_prev: tl.tensor,
    c: tl.tensor,
    h: tl.tensor,
    gates_stride: int,
    c_prev_stride: int,
    c_stride: int,
    h_stride: int,
    H: int,
    precision: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = column < H
    gate = gates + row * gates_stride + column
    i = _sigmoid(tl.load(gate, inside).to(precision))  # (2.2)
    f = _sigmoid(tl.load(gate + H, inside).to(precision))  # (2.3)
    g = _tanh(tl.load(gate + 2 * H, inside).to(precision))  # (2.4)
    o = _sigmoid(tl.load(gate + 3 * H, inside).to(precision))  # (2.5)
    c_before = tl.load(c_prev + row * c_prev_stride + column, inside).to(precision)
    c_now = f * c_before + i * g  # (2.6)
    tl.store(gate, i, inside)
    tl.store(gate + H, f, inside)
    tl.store(gate + 2 * H, g, inside)
    tl.store(gate + 3 * H, o, inside)
    tl.store(c + row * c_stride + column, c_now, inside)
    tl.store(h + row * h_stride + column, o * _tanh(c_now), inside)  # (2.7)


@triton.jit  # type: ignore[untyped-decorator]
def _backward(
    gates: tl.tensor,
    c_prev: tl.tensor,
    c: tl.tensor,
    dh: tl.tensor,
    dc: tl.tensor,
    dgates: tl.tensor,
    gates_stride: int,
    c_prev_stride: int,
    c_stride: int,
    dh_stride: int,
    dc_stride: int,
    dgates_stride: int,
    H: int,
    precision: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    row = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = column < H
    gate = gates + row * gates_stride + column
    i = tl.load(gate, inside).to(precision)
    f = tl.load(gate + H, inside).to(precision)
    g = tl.load(gate + 2 * H, inside).to(precision)
    o = tl.load(gate + 3 * H, inside).to(precision)
    c_before = tl.load(c_prev + row * c_prev_stride + column, inside).to(precision)
    tanh_c = _tanh(tl.load(c + row * c_stride + column, inside).to(precision))
    dh_now = tl.load(dh + row * dh_stride + column, inside).to(precision)
    dc_next = tl.load(dc + row * dc_stride + column, inside).to(precision)
    dc_now = dh_now * o * (1.0 - tanh_c * tanh_c) + dc_next  # (2.27)
    # (2.28). All is loaded before anything is stored, so that dgates may be gates.
    dgate = dgates + row * dgates_stride + column
    tl.store(dgate, dc_now * g * i * (1.0 - i), inside)
    tl.store(dgate + H, dc_now * c_before * f * (1.0 - f), inside)
    tl.store(dgate + 2 * H, dc_now * i * (1.0 - g * g), inside)
    tl.store(dgate + 3 * H, dh_now * tanh_c * o * (1.0 - o), inside)
    tl.store(dc + row * dc_stride + column, dc_now * f, inside)  # (2.29)
