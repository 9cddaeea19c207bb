"""What the weights are before training."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def initial_weights(
    shapes: Mapping[str, tuple[int, ...]], hidden: int, rng: np.random.Generator
) -> dict[str, NDArray[np.float32]]:
    """Name → float32 weights of the poem network, drawn from `rng` in the order of `shapes`.

    - `embedding.weight` (V, E) is normal with deviation E^-1/2, so that its rows have length about
      1 and the logits start near 0 where it is the output layer too (Press & Wolf 2017,
      arXiv 1608.05859);
    - `output.bias` (V,) is zero, so that every token starts about equally likely: log V nats;
    - everything else is uniform in ±H^-1/2, as in PyTorch's `nn.LSTM`.
    """
    weights: dict[str, NDArray[np.float32]] = {}
    for name, shape in shapes.items():
        if name == "output.bias":
            drawn = np.zeros(shape)
        elif name == "embedding.weight":
            drawn = rng.normal(0.0, shape[1] ** -0.5, shape)
        else:
            drawn = rng.uniform(-(hidden**-0.5), hidden**-0.5, shape)
        weights[name] = drawn.astype(np.float32)
    return weights
