"""Optimizers, in order of growing complexity. Each step is the one of its namesake in PyTorch.

    optimizer = Adam(weights)
    optimizer.step(gradients, learning_rate=1e-3)

w weight, g gradient, lr learning rate; the others are named where they occur.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import ClassVar

import numpy as np

from yinshi.engine.cells import Array


class Optimizer:
    """Updates `weights` (name → array) in place; `moments` is what it remembers between steps.

    `weight_decay` λ adds λw to the gradient: the derivative of ½λ‖w‖².
    """

    #: What is remembered of each weight: arrays of its shape, which start at zero.
    MOMENTS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, weights: Mapping[str, Array], weight_decay: float = 0.0) -> None:
        self.weights = weights
        self.weight_decay = weight_decay
        self.steps = 0
        self.moments: dict[str, dict[str, Array]] = {
            name: {moment: np.zeros_like(w) for moment in self.MOMENTS}
            for name, w in weights.items()
        }

    def step(self, gradients: Mapping[str, Array], learning_rate: float) -> None:
        """One update of every weight."""
        self.steps += 1
        for name, w in self.weights.items():
            g = self.decayed(w, gradients[name], learning_rate)
            self.update(w, g, learning_rate, [*self.moments[name].values()])

    def decayed(self, w: Array, g: Array, lr: float) -> Array:
        """The gradient to go by."""
        return g + self.weight_decay * w if self.weight_decay else g

    def update(self, w: Array, g: Array, lr: float, moments: Sequence[Array]) -> None:
        """Move `w` and renew its `moments`, in place."""
        raise NotImplementedError

    def state(self) -> dict[str, Array]:
        """All that the next step depends on, besides the weights."""
        arrays = {"steps": np.array([self.steps])}
        for name, moments in self.moments.items():
            arrays |= {f"{moment}.{name}": array for moment, array in moments.items()}
        return arrays

    def load_state(self, arrays: Mapping[str, Array]) -> None:
        """Go on from `state()`."""
        self.steps = int(arrays["steps"][0])
        for name, moments in self.moments.items():
            for moment, array in moments.items():
                array[...] = arrays[f"{moment}.{name}"]


class SGD(Optimizer):
    """w ← w − lr g (Robbins & Monro 1951)."""

    def update(self, w: Array, g: Array, lr: float, moments: Sequence[Array]) -> None:
        w -= lr * g


class Momentum(Optimizer):
    """v ← μv + g,  w ← w − lr v (Polyak 1964)."""

    MOMENTS = ("v",)

    def __init__(
        self, weights: Mapping[str, Array], momentum: float = 0.9, weight_decay: float = 0.0
    ) -> None:
        super().__init__(weights, weight_decay)
        self.momentum = momentum

    def update(self, w: Array, g: Array, lr: float, moments: Sequence[Array]) -> None:
        (v,) = moments
        v *= self.momentum
        v += g
        w -= lr * v


class Nesterov(Momentum):
    """v ← μv + g,  w ← w − lr (g + μv): the gradient as if already moved on (Nesterov 1983, in
    the form of Sutskever et al. 2013)."""

    def update(self, w: Array, g: Array, lr: float, moments: Sequence[Array]) -> None:
        (v,) = moments
        v *= self.momentum
        v += g
        w -= lr * (g + self.momentum * v)


class Adagrad(Optimizer):
    """s ← s + g²,  w ← w − lr g / (√s + ε) (Duchi et al. 2011)."""

    MOMENTS = ("s",)
    EPSILON = 1e-10

    def update(self, w: Array, g: Array, lr: float, moments: Sequence[Array]) -> None:
        (s,) = moments
        s += g * g
        w -= lr * g / (np.sqrt(s) + self.EPSILON)


class Adadelta(Optimizer):
    """s ← ρs + (1−ρ)g²,  d = g √(u+ε) / √(s+ε),  u ← ρu + (1−ρ)d²,  w ← w − lr d
    (Zeiler 2012, arXiv 1212.5701). Its own learning rate is 1."""

    MOMENTS = ("s", "u")
    RHO, EPSILON = 0.9, 1e-6

    def update(self, w: Array, g: Array, lr: float, moments: Sequence[Array]) -> None:
        s, u = moments
        s *= self.RHO
        s += (1 - self.RHO) * g * g
        d = g * np.sqrt((u + self.EPSILON) / (s + self.EPSILON))
        u *= self.RHO
        u += (1 - self.RHO) * d * d
        w -= lr * d


class RMSprop(Optimizer):
    """s ← αs + (1−α)g²,  v ← μv + g / (√s + ε),  w ← w − lr v (Tieleman & Hinton 2012)."""

    MOMENTS = ("s", "v")
    ALPHA, EPSILON = 0.99, 1e-8

    def __init__(
        self, weights: Mapping[str, Array], momentum: float = 0.0, weight_decay: float = 0.0
    ) -> None:
        super().__init__(weights, weight_decay)
        self.momentum = momentum

    def update(self, w: Array, g: Array, lr: float, moments: Sequence[Array]) -> None:
        s, v = moments
        s *= self.ALPHA
        s += (1 - self.ALPHA) * g * g
        v *= self.momentum
        v += g / (np.sqrt(s) + self.EPSILON)
        w -= lr * v


class Adam(Optimizer):
    """m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,  w ← w − lr m̂ / (√v̂ + ε), where m̂ = m / (1−β₁ᵗ)
    and v̂ = v / (1−β₂ᵗ) make up for the start at zero (Kingma & Ba 2015, arXiv 1412.6980)."""

    MOMENTS = ("m", "v")
    BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8

    def update(self, w: Array, g: Array, lr: float, moments: Sequence[Array]) -> None:
        m, v = moments
        m *= self.BETA1
        m += (1 - self.BETA1) * g
        v *= self.BETA2
        v += (1 - self.BETA2) * g * g
        m_share, v_share = 1 - self.BETA1**self.steps, 1 - self.BETA2**self.steps
        w -= lr / m_share * m / (np.sqrt(v) / sqrt(v_share) + self.EPSILON)


class AdamW(Adam):
    """Adam, with w ← w − lr λ w beside its step instead of λw in its gradient
    (Loshchilov & Hutter 2019, arXiv 1711.05101)."""

    def decayed(self, w: Array, g: Array, lr: float) -> Array:
        w *= 1 - lr * self.weight_decay
        return g


def clip_by_global_norm(gradients: Mapping[str, Array], max_norm: float) -> float:
    """Scale all `gradients` in place so that their norm, taken together, is at most `max_norm`
    (Pascanu et al. 2013, arXiv 1211.5063); returns the norm they had."""
    norm = sqrt(sum(float(np.vdot(g, g)) for g in gradients.values()))
    scale = max_norm / (norm + 1e-6)  # PyTorch's guard against 0
    if scale < 1:
        for g in gradients.values():
            g *= scale
    return norm
