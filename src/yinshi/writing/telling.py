"""What a network is told of a poem beyond what was asked: form, pattern and rhyme left open.

A poem has one of each; which, the seed and the prefix choose. Told them, a network keeps them far
more often than if it has to find and remember its own; it is not held to them. A network that was
not trained with them is told none.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from yinshi.corpus.header import OLD_STYLE, Headers, Heading
from yinshi.corpus.poem import lines_of

if TYPE_CHECKING:
    from yinshi.writing.plan import Plan

#: Characters of each line of 五绝, 七绝, 五律 and 七律.
SHAPES = tuple((length,) * lines for lines in (4, 8) for length in (5, 7))


def told_plan(
    heading: Heading, headers: Headers, plan: Plan, seed: int, prefix: str = ""
) -> Heading:
    """`heading`, and what `plan` makes of the poem."""
    rng = _generator(seed, prefix)
    heading = replace(heading, lengths=plan.sheet.lengths)
    if plan.demands.tones != "off":
        heading = with_pattern(heading, headers, plan.patterns, rng)
    if plan.demands.rhyme != "off":
        heading = with_rhyme(heading, headers, plan.rhyme_names, rng)
    return heading


def told_freely(
    heading: Heading, headers: Headers, seed: int, prefix: str, max_length: int
) -> Heading:
    """`heading`, and a form that begins with `prefix` within `max_length`, a pattern and a rhyme;
    as it is where `prefix` is more than a line, which shows its own."""
    fitting = [
        shape
        for shape in SHAPES
        if prefix == "".join(lines_of(prefix)) and len(prefix) <= shape[0]
        if sum(shape) + len(shape) <= max_length
    ]
    if not fitting:
        return heading
    rng = _generator(seed, prefix)
    heading = replace(heading, lengths=fitting[rng.integers(len(fitting))])
    patterns = {pattern for pattern in headers.told("pattern") if pattern != OLD_STYLE}
    heading = with_pattern(heading, headers, patterns, rng)
    return with_rhyme(heading, headers, headers.told("rhyme"), rng)


def with_rhyme(
    heading: Heading, headers: Headers, fitting: Collection[str], rng: np.random.Generator
) -> Heading:
    """`heading` and a rhyme of those `fitting`; as it is where the network knows none of them.

    A rhyme is the likelier the more of the training poems have it: the share of the one at place k
    of N falls as (N − k)², within a point of what it is among Tang poems.
    """
    known = headers.told("rhyme")
    weights = np.array([(len(known) - k) ** 2 * (r in fitting) for k, r in enumerate(known)])
    if not weights.any():
        return heading
    return replace(heading, rhyme=str(rng.choice(known, p=weights / weights.sum())))


def with_pattern(
    heading: Heading, headers: Headers, fitting: Collection[str], rng: np.random.Generator
) -> Heading:
    """`heading` and a pattern of those `fitting`; as it is where the network knows none of them."""
    known = [pattern for pattern in headers.told("pattern") if pattern in fitting]
    return replace(heading, pattern=str(rng.choice(known))) if known else heading


def _generator(seed: int, prefix: str) -> np.random.Generator:
    """Another than the one that draws the poem; of each prefix another, or all poems of a seed
    would rhyme in one."""
    return np.random.default_rng([seed, 1, *map(ord, prefix)])
