"""The output layer and its cross-entropy, in chunks: the logits (N, V) never exist together.

N tokens, D width, V vocabulary. The output layer is most of a step, and its logits most of its
memory; here a chunk of them is made, turned into nats and at once into its gradient, and forgotten
(as in Cut Cross-Entropy, Wijmans et al. 2024, arXiv 2411.09009; rnn.md, section 3).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from yinshi.nets.pointwise import cell_dtype, choose_pointwise
from yinshi.nets.products import product

#: Rows of logits that exist at once: 512 × 7,000 in bfloat16 are 7 MB.
CHUNK = 512


def linear_cross_entropy(x: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """Σ nats of softmax(x weightᵀ + bias) at `targets`: a scalar, of at least float32.

    x (N, D), weight (V, D), bias (V,), targets (N,) int64. Under autocast the products are made in
    its dtype. The gradients are made in the forward, where p is at hand.
    """
    device = x.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        x, weight, bias = x.to(dtype), weight.to(dtype), bias.to(dtype)
    nats: Tensor = _LinearCrossEntropy.apply(  # type: ignore[no-untyped-call]
        x, weight, bias, targets, torch.is_grad_enabled()
    )
    return nats


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, learning: bool
    ) -> Tensor:
        pointwise = choose_pointwise(x.device.type, x.dtype)
        wide = cell_dtype(x.dtype)
        total = x.new_zeros((), dtype=torch.float64)
        needed = learning and any(ctx.needs_input_grad)
        dx, dbias = torch.empty_like(x), torch.zeros_like(bias, dtype=wide)
        dweight = weight.new_zeros(*weight.T.shape, dtype=wide)  # (D, V): x is smaller to transpose
        for start in range(0, len(x), CHUNK):
            part = slice(start, start + CHUNK)
            logits = product(x[part], weight.T, bias)
            total += pointwise.cross_entropy(logits, targets[part]).sum(dtype=torch.float64)
            if needed:
                dx[part] = product(logits, weight)
                dweight += product(x[part].T, logits)
                dbias += logits.new_ones(len(logits)) @ logits
        ctx.save_for_backward(dx, dweight.T, dbias)
        return total.to(wide)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor) -> tuple[Any, ...]:
        dx, dweight, dbias = (gradient * scale for gradient in ctx.saved_tensors)
        return dx, dweight, dbias, None, None
