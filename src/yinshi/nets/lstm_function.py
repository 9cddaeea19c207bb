"""One LSTM layer over packed rows: the backward is the one derived in docs/lstm.md.

T time, B batch, I input, H hidden. The sequences stand longest first, and `alive[t]` of them reach
step t; the N = Σ alive real positions are packed step after step, so that step t owns the rows
[start, start + alive[t]) and padding costs nothing. Whatever does not depend on the step before is
one product over N rows. The equations are (2.x) of docs/lstm.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from yinshi.nets.pointwise import Pointwise
from yinshi.nets.products import product


class LSTMFunction(torch.autograd.Function):
    """(x, h_0, c_0, weight_ih, weight_hh, bias, alive, pointwise, keep_gates) → (h, h_n, c_n)

    x (N, I), h (N, H): packed rows; h_0, c_0 (B, H): before the first step; h_n, c_n (B, H): after
    each sequence's own last; weight_ih (4H, I), weight_hh (4H, H), bias (4H,). All share one dtype
    but c_0 and c_n, which have `cell_dtype` of it. With `keep_gates` the gradients may be taken
    several times (retain_graph): nothing that is saved is written to.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        h_0: Tensor,
        c_0: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias: Tensor,
        alive: Sequence[int],
        pointwise: Pointwise,
        keep_gates: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        B, H = h_0.shape
        gates = product(x, weight_ih.T, bias)  # (2.1), the input's share
        h, c = x.new_empty(B + len(x), H), c_0.new_empty(B + len(x), H)
        h[:B], c[:B] = h_0, c_0  # the initial state first: step t follows the rows before its own
        before = 0
        for start, n in _steps(alive, B):
            previous, own = slice(before, before + n), slice(start, start + n)
            recurrent = product(h[previous], weight_hh.T)  # (2.1), the state's share
            packed = slice(start - B, start - B + n)
            pointwise.lstm_forward(gates[packed], recurrent, c[previous], c[own], h[own])
            before = start
        last = _last_rows(alive, B, x.device)
        ctx.save_for_backward(x, h, c, gates, weight_ih, weight_hh)
        ctx.alive, ctx.pointwise = alive, pointwise
        ctx.keep_gates, ctx.spent = keep_gates, False
        return h[B:], h[last], c[last]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dh: Tensor, dh_n: Tensor, dc_n: Tensor) -> tuple[Any, ...]:
        if ctx.spent:
            raise RuntimeError("LSTM: a second backward needs keep_gates=True")
        x, h, c, gates, weight_ih, weight_hh = ctx.saved_tensors
        B = len(dh_n)
        dgates, ctx.spent = (torch.empty_like(gates), False) if ctx.keep_gates else (gates, True)
        # Row b of these waits until its sequence's last step.
        dh_next, dc = (d.clone(memory_format=torch.contiguous_format) for d in (dh_n, dc_n))
        steps = _steps(ctx.alive, B)
        befores = [0, *(start for start, _ in steps)]
        for (start, n), before in zip(reversed(steps), reversed(befores[:-1]), strict=True):
            previous, own, row = slice(before, before + n), slice(start, start + n), start - B
            packed = slice(row, row + n)
            dh_next[:n] += dh[packed]  # (2.26)
            ctx.pointwise.lstm_backward(
                gates[packed], c[previous], c[own], dh_next[:n], dc[:n], dgates[packed]
            )
            dh_next[:n] = product(dgates[packed], weight_hh)  # (2.30)
        dx = product(dgates, weight_ih) if ctx.needs_input_grad[0] else None  # (2.32)
        h_prev = h[_previous_rows(ctx.alive, B, x.device)]
        dweight_ih = product(x.T, dgates).T  # (2.31), transposing the smaller factor
        dweight_hh = product(h_prev.T, dgates).T
        dbias = dgates.new_ones(len(dgates)) @ dgates
        return dx, dh_next, dc, dweight_ih, dweight_hh, dbias, None, None, None


def _steps(alive: Sequence[int], B: int) -> list[tuple[int, int]]:
    """(first row, number of rows) of each step, B rows of initial state standing before all."""
    starts = accumulate(alive, initial=B)
    return list(zip(starts, alive, strict=False))


def _last_rows(alive: Sequence[int], B: int, device: torch.device) -> Tensor | slice:
    """(B,): the row of each sequence's own last step; of the initial state where it has none."""
    if set(alive) <= {B}:  # all equally long: nothing to look up, nor to bring to the device
        return slice(B * len(alive), None)
    starts = torch.tensor([0, *(start for start, _ in _steps(alive, B))])
    lengths = (torch.tensor(alive)[:, None] > torch.arange(B)).sum(0)
    return (starts[lengths] + torch.arange(B)).to(device)


def _previous_rows(alive: Sequence[int], B: int, device: torch.device) -> Tensor | slice:
    """(N,): for each packed row, the row of the state that it follows."""
    if set(alive) <= {B}:
        return slice(B * len(alive))
    befores = [0, *(start for start, _ in _steps(alive, B))]
    rows = [torch.arange(before, before + n) for before, n in zip(befores, alive, strict=False)]
    return torch.cat(rows).to(device)
