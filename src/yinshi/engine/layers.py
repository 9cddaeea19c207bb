"""The layers around the recurrence: embedding, dropout, linear. Each backward stands right below.

N tokens, I input, O output, E embedding, V vocabulary. `dx` is the derivative of the objective, a
scalar, with respect to `x`, and has its shape.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray

from yinshi.engine.cells import Array, product

Tokens = NDArray[np.integer]


def embedding(tokens: Tokens, weight: Array) -> Array:
    """Row `tokens[…]` of `weight` (V, E) for each token: (…, E)."""
    vectors: Array = weight[tokens]
    return vectors


def embedding_backward(dvectors: Array, tokens: Tokens, weight: Array) -> Array:
    """dweight (V, E) from dvectors (N, E) at tokens (N,): a token's derivatives are summed.

    Equal tokens are brought together and summed a run at a time: `np.add.at` is much slower.
    """
    dweight = np.zeros_like(weight)
    if len(tokens):
        order = np.argsort(tokens, kind="stable")
        found, starts = np.unique(tokens[order], return_index=True)
        dweight[found] = np.add.reduceat(dvectors[order], starts, axis=0)
    return dweight


def dropout_mask(
    shape: tuple[int, ...], rate: float, rng: np.random.Generator, dtype: DTypeLike
) -> Array:
    """0 with probability `rate` (below 1), else 1 / (1 − rate): the mean stays what it was
    (Srivastava et al. 2014, JMLR 15)."""
    mask: Array = (rng.random(shape, np.float32) >= np.float32(rate)).astype(dtype)
    mask /= 1 - rate
    return mask


def dropout(x: Array, mask: Array) -> Array:
    return x * mask


def dropout_backward(dy: Array, mask: Array) -> Array:
    return dy * mask


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """x Wᵀ + b: (N, I), (O, I), (O,) → (N, O)."""
    y = product(x, weight)
    if bias is not None:
        y += bias
    return y


def linear_backward(dy: Array, x: Array, weight: Array) -> tuple[Array, Array, Array]:
    """(dx (N, I), dweight (O, I), dbias (O,)) from dy (N, O)."""
    return dy @ weight, dy.T @ x, dy.sum(axis=0)
