"""A factorial experiment: what each level of a factor brings, whatever the other factors are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, stdev
from typing import NamedTuple

from yinshi.studies.report import Record


class Effect(NamedTuple):
    """Of all trials of one level: the means of the measures, and the differences from the factor's
    first level, as (mean, half its 95 % interval); none for the first one itself."""

    factor: str
    level: str
    trials: int
    means: dict[str, float]
    differences: dict[str, tuple[float, float]]


def main_effects(
    trials: Sequence[Record], factors: Mapping[str, Sequence[str]], measures: Sequence[str]
) -> Iterator[Effect]:
    """Of every level of every factor. A trial holds a level of each factor and all measures.

    Differences are taken between trials that are alike in all other factors; one whose partner is
    missing is left out of them, and of fewer than two pairs there are none.
    """
    for factor, levels in factors.items():
        others = [name for name in factors if name != factor]
        by_level: dict[str, dict[tuple[str, ...], Record]] = {level: {} for level in levels}
        for trial in trials:
            by_level[trial[factor]][tuple(trial[name] for name in others)] = trial
        first = by_level[levels[0]]
        for level, found in by_level.items():
            means = {m: fmean(trial[m] for trial in found.values()) for m in measures if found}
            shared = [key for key in found if key in first] if level != levels[0] else []
            differences = {
                m: interval([found[key][m] - first[key][m] for key in shared])
                for m in measures
                if len(shared) > 1
            }
            yield Effect(factor, level, len(found), means, differences)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The mean of two or more values, and half the width of its 95 % interval."""
    n = len(values)
    return fmean(values), student(n - 1) * stdev(values) / math.sqrt(n)


def student(freedom: int) -> float:
    """The 97.5 % quantile of Student's t, to 0.1 % from six degrees of freedom on.

    Abramowitz & Stegun, Handbook of Mathematical Functions, 26.7.5.
    """
    z, n = 1.959964, freedom
    return (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
    )
