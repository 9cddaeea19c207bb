"""Cross-entropy of the softmax, in nats: −log p(target), p = softmax(logits).

N tokens, I input, V vocabulary. Padding is masked before: N counts only what is to be predicted.
The gradients, always of Σ nats, are made in the forward pass, which has p at hand.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from yinshi.engine.cells import Array
from yinshi.engine.layers import Tokens, linear, linear_backward

Nats = NDArray[np.float64]

#: Rows of logits that exist at once: 512 × 7,000 float32 are 14 MB.
CHUNK = 512


def cross_entropy(logits: Array, targets: Tokens) -> Nats:
    """logits (N, V), targets (N,) → nats (N,): log Σ e^logit − logit of the target."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    wanted = shifted[np.arange(len(targets)), targets]
    np.exp(shifted, out=shifted)
    nats: Nats = np.log(shifted.sum(axis=1), dtype=np.float64) - wanted
    return nats


def cross_entropy_with_gradient(logits: Array, targets: Tokens) -> tuple[Nats, Array]:
    """(nats (N,), dlogits (N, V)): dlogits = p − one-hot(target)."""
    rows = np.arange(len(targets))
    p = logits - logits.max(axis=1, keepdims=True)
    wanted = p[rows, targets]
    np.exp(p, out=p)
    total = p.sum(axis=1)
    p /= total[:, None]
    p[rows, targets] -= 1
    return np.log(total, dtype=np.float64) - wanted, p


def linear_cross_entropy(x: Array, weight: Array, bias: Array, targets: Tokens) -> Nats:
    """Nats (N,) of the output layer: x (N, I), weight (V, I), bias (V,), targets (N,).

    `CHUNK` tokens at a time, so that the logits (N, V) never exist together.
    """
    nats = np.empty(len(targets))
    for part in _chunks(len(targets)):
        nats[part] = cross_entropy(linear(x[part], weight, bias), targets[part])
    return nats


def linear_cross_entropy_with_gradient(
    x: Array, weight: Array, bias: Array, targets: Tokens
) -> tuple[Nats, Array, Array, Array]:
    """(nats (N,), dx (N, I), dweight (V, I), dbias (V,)) of the output layer, in chunks too."""
    nats = np.empty(len(targets))
    dx, dweight, dbias = np.empty_like(x), np.zeros_like(weight), np.zeros_like(bias)
    for part in _chunks(len(targets)):
        logits = linear(x[part], weight, bias)
        nats[part], dlogits = cross_entropy_with_gradient(logits, targets[part])
        dx[part], dweight_part, dbias_part = linear_backward(dlogits, x[part], weight)
        dweight += dweight_part
        dbias += dbias_part
    return nats, dx, dweight, dbias


def _chunks(count: int) -> Iterator[slice]:
    return (slice(start, start + CHUNK) for start in range(0, count, CHUNK))
