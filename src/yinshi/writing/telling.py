"""What a network is told of a poem beyond what was asked: the pattern and the rhyme left open.

A poem has one of each; which, the seed chooses. Told them, a network keeps them far more often than
if it has to find and remember its own. A network that was not trained with them is told neither.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from yinshi.corpus.header import Headers, Heading

if TYPE_CHECKING:
    from yinshi.writing.plan import Plan


def told_plan(heading: Heading, headers: Headers, plan: Plan, seed: int) -> Heading:
    """`heading`, and what `plan` makes of the poem."""
    rng = _generator(seed)
    heading = replace(heading, lengths=plan.sheet.lengths)
    if plan.demands.tones != "off":
        heading = with_pattern(heading, headers, plan.patterns, rng)
    if plan.demands.rhyme != "off":
        heading = with_rhyme(heading, headers, plan.rhyme_names, rng)
    return heading


def told_freely(heading: Heading, headers: Headers, seed: int) -> Heading:
    """`heading` and any rhyme."""
    return with_rhyme(heading, headers, headers.told("rhyme"), _generator(seed))


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


def _generator(seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, 1])  # seed alone draws the poem
