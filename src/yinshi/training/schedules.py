"""Learning rate against step, from simple to complex."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi

from yinshi.recipe import TrainingRecipe

#: A one-cycle run starts at peak/25 and ends at peak/10,000 (Smith & Topin 2017, arXiv 1708.07120).
START, END = 1 / 25, 1 / 10_000


def make_schedule(training: TrainingRecipe, total_steps: int) -> Callable[[int], float]:
    """step (from 0) → learning rate.

    constant    the recipe's learning rate, always
    cosine      from the learning rate to 0 along half a cosine
    one-cycle   up along a cosine in the first `warmup` of the steps, then down to almost nothing
    """
    peak = training.learning_rate
    rising = training.warmup * total_steps

    def constant(step: int) -> float:
        return peak

    def cosine(step: int) -> float:
        return _anneal(peak, 0.0, step / total_steps)

    def one_cycle(step: int) -> float:
        if step < rising:
            return _anneal(peak * START, peak, step / rising)
        return _anneal(peak, peak * END, (step - rising) / (total_steps - rising))

    return {"constant": constant, "cosine": cosine, "one-cycle": one_cycle}[training.schedule]


def _anneal(start: float, end: float, fraction: float) -> float:
    """Half a cosine from `start` (fraction 0) to `end` (fraction 1)."""
    return end + (start - end) * (1 + cos(pi * fraction)) / 2
