"""Dropout whose mask costs little: PyTorch's draws one number at a time on the CPU.

The mask is drawn anew for every unit, or one for all of a sequence.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

#: Bits of randomness a unit; the probability is kept to within 2⁻¹⁷.
BITS = 16


def dropout(x: Tensor, probability: float, training: bool) -> Tensor:
    """x with each unit 0 with `probability`, else scaled by 1 / (1 − probability); x itself else.

    Draws from PyTorch's global generator, on the CPU four units from one number of 64 bits.
    """
    if not training or not probability:
        return x
    if x.device.type != "cpu":
        return functional.dropout(x, probability)
    drawn = torch.empty(-(-x.numel() * BITS // 64), dtype=torch.int64).random_(-(2**63), None)
    units = drawn.view(torch.int16)[: x.numel()].view(x.shape)
    dropped = round(probability * 2**BITS) - 2 ** (BITS - 1)
    scale: Tensor = (units >= dropped).to(x.dtype).mul_(1 / (1 - probability))
    return x * scale


def variational_dropout(
    rows: Tensor, alive: Sequence[int], probability: float, training: bool
) -> Tensor:
    """`dropout` of packed rows (N, D), of which `alive[t]` reach step t, with one mask (D,) for all
    steps of a sequence (Gal & Ghahramani 2016, arXiv 1512.05287)."""
    if not training or not probability:
        return rows
    masks = dropout(rows.new_ones(alive[0], rows.shape[1]), probability, training)
    return rows * torch.cat([masks[:n] for n in alive])
