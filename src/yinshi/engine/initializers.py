"""What the weights are before training.

Each initializer draws one matrix (O, I). PyTorch's fused matrices hold four gates, and every gate
is a layer of its own in the derivation (docs/lstm.md), so each is drawn by itself, as
`for block in weight.chunk(4): nn.init.xavier_uniform_(block)` does. Drawn as one layer with 4H
outputs they would start too small.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Initializer = Callable[[tuple[int, int], np.random.Generator], Matrix]


def zeros(shape: tuple[int, int], rng: np.random.Generator) -> Matrix:
    """All hidden units start equal, and stay equal: nothing tells one from another."""
    return np.zeros(shape)


def constant(shape: tuple[int, int], rng: np.random.Generator) -> Matrix:
    """1 / I, so that every unit receives the mean of its inputs: as symmetric as zeros."""
    return np.full(shape, 1 / shape[1])


def xavier_uniform(shape: tuple[int, int], rng: np.random.Generator) -> Matrix:
    """Uniform in ±√(6 / (I + O)), of variance 2 / (I + O) (Glorot & Bengio 2010, eq. 16)."""
    bound = sqrt(6 / sum(shape))
    return rng.uniform(-bound, bound, shape)


def xavier_normal(shape: tuple[int, int], rng: np.random.Generator) -> Matrix:
    """Normal with variance 2 / (I + O) (Glorot & Bengio 2010, eq. 12)."""
    return rng.normal(0.0, sqrt(2 / sum(shape)), shape)


def orthogonal(shape: tuple[int, int], rng: np.random.Generator) -> Matrix:
    """Orthonormal columns, or rows if there are fewer (Saxe et al. 2014, arXiv 1312.6120).

    Q of a normal matrix's QR; with the signs of R's diagonal it is uniformly distributed
    (Mezzadri 2007, arXiv math-ph/0609050).
    """
    tall = rng.normal(size=(max(shape), min(shape)))
    q, r = np.linalg.qr(tall)
    q *= np.sign(np.diag(r))
    return q if q.shape == shape else q.T


INITIALIZERS: dict[str, Initializer] = {
    "zeros": zeros,
    "constant": constant,
    "xavier-uniform": xavier_uniform,
    "xavier-normal": xavier_normal,
    "orthogonal": orthogonal,
}


def initial_weights(
    shapes: Mapping[str, tuple[int, ...]],
    hidden: int,
    rng: np.random.Generator,
    initializer: str = "uniform",
    forget_bias: float = 0.0,
) -> dict[str, NDArray[np.float32]]:
    """Name → float32 weights of the poem network, drawn from `rng` in the order of `shapes`.

    - `embedding.weight` (V, E) is normal with deviation E^-1/2, so that its rows have length about
      1 and the logits start near 0 where it is the output layer too (Press & Wolf 2017,
      arXiv 1608.05859);
    - `output.bias` (V,) is zero, so that every token starts about equally likely: log V nats;
    - everything else is uniform in ±H^-1/2, as in PyTorch's `nn.LSTM`; with an `initializer` of
      `INITIALIZERS` matrices are drawn by it, gate by gate, and biases are zero;
    - `forget_bias` is added to the forget gates' `bias_ih` (Jozefowicz et al. 2015).
    """
    weights: dict[str, NDArray[np.float32]] = {}
    for name, shape in shapes.items():
        if name == "output.bias":
            drawn = np.zeros(shape)
        elif name == "embedding.weight":
            drawn = rng.normal(0.0, shape[1] ** -0.5, shape)
        elif initializer == "uniform":
            drawn = rng.uniform(-(hidden**-0.5), hidden**-0.5, shape)
        elif len(shape) == 1:
            drawn = np.zeros(shape)
        else:
            gates = 4 if name.startswith("lstm.") else 1
            block = (shape[0] // gates, shape[1])
            drawn = np.concatenate([INITIALIZERS[initializer](block, rng) for _ in range(gates)])
        if name.startswith("lstm.bias_ih"):
            drawn[hidden : 2 * hidden] += forget_bias
        weights[name] = drawn.astype(np.float32)
    return weights
