"""The average of the weights along training, which is often better than the last of them.

θ₁, θ₂, … are the weights after each update and β the decay; the average after the t-th is

    θ̄_t = Σ_s β^(t−s) θ_s / Σ_s β^(t−s)        s = 1 … t

an exponential moving average whose weights add up to 1 from the first update on (as Adam corrects
its moments; Polyak & Juditsky 1992 average evenly), so that what was drawn before training has no
part in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


class WeightAverage:
    """The exponential moving average of a network's weights, beginning with the weights it has.

    updates   how many weights θ_s it is the average of
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self._weights = dict(network.named_parameters())
        self._averages = {name: w.detach().clone() for name, w in self._weights.items()}

    @torch.no_grad()
    def update(self) -> None:
        """θ̄_t = θ̄_{t−1} + (1 − β)/(1 − β^t) · (θ_t − θ̄_{t−1})"""
        self.updates += 1
        share = (1 - self.decay) / (1 - self.decay**self.updates)
        for name, average in self._averages.items():
            average.lerp_(self._weights[name], share)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Meanwhile the network has the averages for its weights."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        for name, average in self._averages.items():
            weight = self._weights[name]
            kept = weight.clone()
            weight.copy_(average)
            average.copy_(kept)

    def weights(self) -> dict[str, NDArray[Any]]:
        """Name → average."""
        return {name: average.cpu().numpy() for name, average in self._averages.items()}

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that the next update depends on, besides the network."""
        return {"updates": np.array([self.updates]), **self.weights()}

    @torch.no_grad()
    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from `state()`."""
        self.updates = int(arrays["updates"].item())
        for name, average in self._averages.items():
            average.copy_(torch.from_numpy(arrays[name]))
