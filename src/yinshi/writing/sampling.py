"""Choosing the next character from the network's scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yinshi.errors import UsageError

Scores = NDArray[Any]  # (B, V) log-probabilities, −inf where a token is not allowed

BLOCK = 64


def log_softmax(logits: Scores) -> Scores:
    """log p (B, V) of logits (B, V), in nats."""
    shifted: Scores = logits - logits.max(axis=1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw: sharpen by `temperature`, keep the `top_k` likeliest tokens, then the likeliest
    whose probabilities sum to `top_p` (nucleus sampling: Holtzman et al. 2020, arXiv 1904.09751).

    Tokens as likely as the last one kept are kept too. Raises UsageError.
    """

    temperature: float = 0.6
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not 0.01 <= self.temperature <= 100:
            raise UsageError(f"temperature {self.temperature}: expected 0.01 to 100")
        if self.top_k is not None and self.top_k < 1:
            raise UsageError(f"top_k {self.top_k}: expected at least 1")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise UsageError(f"top_p {self.top_p}: expected a number above 0 and up to 1")

    def choose(self, scores: Scores, uniforms: NDArray[np.float64]) -> NDArray[np.intp]:
        """A token (B,) for each row of `scores`, from one number of [0, 1) a row.

        The inverse of the cumulative distribution in the order of the vocabulary: a row's choice
        depends on nothing but its scores and its number.
        """
        return inverse_cumulative(self.weights(scores), uniforms)

    def weights(self, scores: Scores) -> Scores:
        """Probabilities (B, V), not normalised; 0 for what is filtered out."""
        if self.top_k is not None and self.top_k < scores.shape[1]:
            least = np.partition(scores, -self.top_k, axis=1)[:, -self.top_k, None]
            scores = np.where(scores < least, -np.inf, scores)
        weights: Scores = scores - scores.max(axis=1, keepdims=True)
        weights /= self.temperature
        np.exp(weights, out=weights)
        if self.top_p is not None and self.top_p < 1:
            falling = -np.sort(-weights, axis=1)
            mass = np.cumsum(falling, axis=1, dtype=np.float64)
            last = (mass < self.top_p * mass[:, -1:]).sum(axis=1, keepdims=True)
            weights[weights < np.take_along_axis(falling, last, axis=1)] = 0
        return weights


def choose(
    samplings: Sequence[Sampling], scores: Scores, uniforms: NDArray[np.float64]
) -> NDArray[np.intp]:
    """A token (B,) for each row, drawn by its own of the `samplings`: see `Sampling.choose`."""
    distinct = set(samplings)
    if len(distinct) == 1:
        return samplings[0].choose(scores, uniforms)
    tokens = np.empty(len(scores), dtype=np.intp)
    for sampling in distinct:
        rows = np.array([k for k, each in enumerate(samplings) if each == sampling])
        tokens[rows] = sampling.choose(scores[rows], uniforms[rows])
    return tokens


def inverse_cumulative(weights: Scores, uniforms: NDArray[np.float64]) -> NDArray[np.intp]:
    """The first column (B,) at which a row's running sum exceeds its share of the row's total.

    Two levels, first the block, then the column in it: one running sum along whole rows would
    cost as much as the network.
    """
    B, V = weights.shape
    rows = np.arange(B)
    blocks = np.add.reduceat(weights, np.arange(0, V, BLOCK), axis=1)
    sums = np.cumsum(blocks, axis=1, dtype=np.float64)
    wanted = uniforms * sums[:, -1]
    block = (sums <= wanted[:, None]).sum(axis=1)
    wanted -= sums[rows, block] - blocks[rows, block]
    columns = block[:, None] * BLOCK + np.arange(BLOCK)
    inside = np.where(columns < V, weights[rows[:, None], np.minimum(columns, V - 1)], 0)
    sums = np.cumsum(inside, axis=1, dtype=np.float64)
    # Block and running sum round differently: stay inside the block.
    wanted = np.clip(wanted, 0, np.nextafter(sums[:, -1], 0))
    chosen: NDArray[np.intp] = columns[rows, (sums <= wanted[:, None]).sum(axis=1)]
    return chosen
