"""The elementwise parts of a training step: PyTorch's own operations, or kernels doing the same.

N rows, H hidden, V vocabulary; gates stand in the order i, f, g, o. Arrays are contiguous; the cell
c and its gradient stay float32 where the rest is bfloat16 (`cell_dtype`). The equations (2.x) are
those of docs/lstm.md.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol

import torch
from torch import Tensor


class Pointwise(Protocol):
    """What `lstm_function` and `output` need besides matrix products."""

    def lstm_forward(
        self, gates: Tensor, recurrent: Tensor, c_prev: Tensor, c: Tensor, h: Tensor
    ) -> None:
        """Fills `c` and `h` (N, H), and `gates` (N, 4H) with i, f, g, o.

        `gates` come as the input's share of the pre-activations, `recurrent` is the state's.
        """

    def lstm_backward(
        self, gates: Tensor, c_prev: Tensor, c: Tensor, dh: Tensor, dc: Tensor, dgates: Tensor
    ) -> None:
        """i, f, g, o and `dh`, the gradient by h, → `dgates` (N, 4H), which may be `gates`.

        `dc`, the gradient by c from the next step, becomes that by `c_prev`.
        """

    def cross_entropy(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Nats (N,) of `logits` (N, V), which become their own gradient, p − one-hot(target)."""


class TorchPointwise:
    """By PyTorch's operations: any device, any dtype, and the definition of the kernels."""

    def lstm_forward(
        self, gates: Tensor, recurrent: Tensor, c_prev: Tensor, c: Tensor, h: Tensor
    ) -> None:
        gates += recurrent  # (2.1)
        i, f, g, o = gates.chunk(4, dim=1)
        i.sigmoid_()  # (2.2)
        f.sigmoid_()  # (2.3)
        g.tanh_()  # (2.4)
        o.sigmoid_()  # (2.5)
        torch.mul(f, c_prev, out=c).add_(i * g)  # (2.6)
        h.copy_(torch.tanh(c).mul_(o))  # (2.7)

    def lstm_backward(
        self, gates: Tensor, c_prev: Tensor, c: Tensor, dh: Tensor, dc: Tensor, dgates: Tensor
    ) -> None:
        i, f, g, o = gates.to(c.dtype).chunk(4, dim=1)
        tanh_c = torch.tanh(c)
        dc.add_(dh * o * (1 - tanh_c * tanh_c))  # (2.27)
        do = dh * tanh_c * o * (1 - o)  # (2.28)
        dg = dc * i * (1 - g * g)
        df = dc * c_prev * f * (1 - f)
        di = dc * g * i * (1 - i)
        dc.mul_(f)  # (2.29)
        torch.cat([di, df, dg, do], dim=1, out=dgates)

    def cross_entropy(self, logits: Tensor, targets: Tensor) -> Tensor:
        rows = torch.arange(len(targets), device=targets.device)
        log_p = torch.log_softmax(logits, dim=1, dtype=cell_dtype(logits.dtype))
        nats = -log_p[rows, targets]
        logits.copy_(log_p.exp_())
        logits[rows, targets] -= 1
        return nats


def cell_dtype(dtype: torch.dtype) -> torch.dtype:
    """In which sums are kept: a half's digits would not last a poem."""
    return torch.promote_types(dtype, torch.float32)


@cache
def choose_pointwise(device: str, dtype: torch.dtype) -> Pointwise:
    """The quickest at hand for tensors of `dtype` on `device`."""
    if device == "cpu":
        from yinshi.nets.kernels.native import native_pointwise

        return native_pointwise(dtype) or TorchPointwise()
    if device == "cuda":
        try:
            from yinshi.nets.kernels.pointwise_triton import TritonPointwise
        except ImportError:  # PyTorch's builds for Windows come without Triton
            return TorchPointwise()
        return TritonPointwise()
    return TorchPointwise()
