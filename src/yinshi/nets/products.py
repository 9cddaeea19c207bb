"""Matrix products by the quicker of PyTorch's two libraries.

On the CPU PyTorch gives float32 products to MKL, which on other makers' processors leaves half of
their width unused (docs/lab-notes.md); the LSTM's products and those of bfloat16 go to oneDNN,
which does not. This sends ours there too. Where PyTorch comes without it, `@` does the work.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor


def product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """a b + bias for a (N, K), b (K, M), bias (M,). No gradient is recorded."""
    linear = _onednn_linear() if a.dtype == torch.float32 and a.device.type == "cpu" else None
    if linear is not None and a.numel():
        result: Tensor = linear(a, b.T, bias, "none", [], "")
        return result
    return a @ b if bias is None else torch.addmm(bias, a, b)


@cache
def _onednn_linear() -> Any:
    """x Wᵀ + b of oneDNN, which PyTorch uses for what it compiles; None where it is absent."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return None
    return getattr(torch.ops.mkldnn, "_linear_pointwise", None)
