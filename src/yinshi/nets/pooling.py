"""Texts of uneven length side by side: where their rows stand, and what is made of each text's.

T time, B texts, D width, N real positions. The rows are packed step after step, the longest text
first, as in lstm_function.py; sums over a text are made in at least float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from yinshi.nets.pointwise import cell_dtype


class Packing:
    """The rows of a batch of which `alive[t]` texts reach step t.

    steps, texts (N,)  of each row its t and its b
    starts (T,)        the first row of each step: (t, b) is row starts[t] + b
    lengths (B,)       steps of each text
    mirrored (N,)      of each row (t, b) the row (L_b - 1 - t, b): each text read backwards, left
                       where it is. It is its own inverse.
    ends (B,)          each text's last row
    places (N,)        of each row its place t·B + b where padding has a place too
    """

    def __init__(self, alive: Sequence[int], device: torch.device) -> None:
        self.alive = alive
        T, B = len(alive), alive[0]
        columns = torch.arange(B)
        starts = torch.tensor(list(accumulate(alive, initial=0))[:-1])
        real = columns < torch.tensor(alive)[:, None]  # (T, B)
        lengths, places = real.sum(0), real.flatten().nonzero().squeeze(1)
        steps, texts = places // B, places % B
        mirrored = starts[lengths[texts] - 1 - steps] + texts
        ends = starts[lengths - 1] + columns
        self.shape = (T, B)
        self.steps, self.texts, self.starts, self.lengths, self.mirrored, self.ends, self.places = (
            part.to(device, non_blocking=True)
            for part in (steps, texts, starts, lengths, mirrored, ends, places)
        )

    def mirror(self, rows: Tensor) -> Tensor:
        """rows (N, D) with each text's in the opposite order."""
        mirrored: Tensor = _Involution.apply(rows, self.mirrored)  # type: ignore[no-untyped-call]
        return mirrored

    def pad(self, rows: Tensor) -> Tensor:
        """rows (N, D) → (T, B, D), 0 beyond a text's end."""
        T, B = self.shape
        padded = rows.new_zeros(T * B, rows.shape[1]).index_copy(0, self.places, rows)
        return padded.view(T, B, -1)

    def pack(self, padded: Tensor) -> Tensor:
        """(T, B, D) → its real rows (N, D)."""
        return padded.flatten(0, 1).index_select(0, self.places)

    def total(self, rows: Tensor) -> Tensor:
        """(B, …): the sums of each text's rows (N, …)."""
        wide = rows.to(cell_dtype(rows.dtype))
        return wide.new_zeros(self.shape[1], *rows.shape[1:]).index_add(0, self.texts, wide)


class _Involution(torch.autograd.Function):
    """x[index] for a permutation that is its own inverse: the backward is the same look-up, where
    autograd, which can't know it, would add row by row into zeros."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        return x.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, dx: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        return dx.index_select(0, index), None


def last(hidden: Tensor, packing: Packing, directions: int) -> Tensor:
    """(B, D): of each direction the state after its own last step, which is a text's last row, and
    for the direction that reads backwards its first."""
    forwards, *backwards = hidden.chunk(directions, dim=1)
    B = packing.shape[1]
    return torch.cat([forwards[packing.ends], *(part[:B] for part in backwards)], dim=1)


def maximum(hidden: Tensor, packing: Packing) -> Tensor:
    """(B, D): each unit's largest value; equal ones share the gradient."""
    lowest = hidden.new_full((packing.shape[1], hidden.shape[1]), -torch.inf)
    return lowest.scatter_reduce(0, packing.texts[:, None].expand_as(hidden), hidden, "amax")


def mean(hidden: Tensor, packing: Packing) -> Tensor:
    """(B, D)."""
    return packing.total(hidden) / packing.lengths[:, None]


def attention(hidden: Tensor, scores: Tensor, packing: Packing) -> Tensor:
    """(B, D): Σ_t a_t h_t, where a is the softmax of a text's scores (N,)."""
    texts = packing.texts
    with torch.no_grad():  # a does not depend on what is taken off all of a text's scores
        peaks = scores.new_full((packing.shape[1],), -torch.inf)
        peaks = peaks.scatter_reduce(0, texts, scores, "amax")
    shares = torch.exp(scores - peaks[texts])
    return packing.total(shares[:, None] * hidden) / packing.total(shares)[:, None]
