"""Splits by poem: no poem, and no variant reading of it, stands on two sides.

Near-duplicates are found exactly, not by sketches: two poems are near-duplicates when at least 70 %
of the shorter one's 5-grams occur in the other, punctuation left out. A gram that a poem repeats
(a refrain) may be counted once or each time: either count makes them near-duplicates.

Nearly every 5-gram of classical verse occurs in one poem only, so almost all poems are ruled out by
counting their grams that occur elsewhere at all; for the few left, the shared grams are counted
through the list of poems of each gram.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yinshi.corpus.poem import HAN, Poem

GRAM = 5
#: Near-duplicates share at least SHARED / OUT_OF of the shorter poem's grams.
SHARED, OUT_OF = 7, 10

_NOT_HAN = re.compile(f"[^{HAN}]+")
#: An odd multiplier (2^64 / golden ratio) for the polynomial hash of a gram.
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
#: At most about so many (poem, other poem) entries are counted at a time.
_AT_A_TIME = 1 << 23

Integers = NDArray[np.int64]


def characters_of(text: str) -> str:
    """`text` without punctuation and whatever else is no Chinese character."""
    return _NOT_HAN.sub("", text)


def drop_duplicates(poems: Sequence[Poem]) -> list[Poem]:
    """The poems whose text has not stood before, in order."""
    first: dict[str, Poem] = {}
    for poem in poems:
        first.setdefault(poem.text, poem)
    return list(first.values())


def near_duplicate_groups(texts: Sequence[str]) -> Integers:
    """A group number for each text (N,), numbered from 0 in order of first appearance.

    Texts in one group are linked by a chain of near-duplicates. A text of fewer than five
    characters is a near-duplicate of those with the same characters only. Grams are compared by a
    64-bit hash: one wrong match is expected in 10^5 collections the size of Tang and Song.
    """
    postings = _Postings.of(texts)
    return _components(len(texts), postings.links())


def split(groups: Integers, ratio: Sequence[float], seed: int) -> list[Integers]:
    """Indices of each split, ascending; every group whole in one of them.

    Groups are shuffled, then dealt large ones first, each to the split that is furthest behind its
    share. So the sizes are the ratio's to within one poem wherever enough poems stand alone.
    """
    sizes = np.bincount(groups)
    shuffled = np.random.default_rng(seed).permutation(len(sizes))
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    side_of_group = np.empty(len(sizes), dtype=np.int64)
    side_of_group[order] = _deal(sizes[order].tolist(), ratio)
    side = side_of_group[groups]
    return [np.flatnonzero(side == k) for k in range(len(ratio))]


def _deal(sizes: Sequence[int], ratio: Sequence[float]) -> list[int]:
    whole = sum(ratio)
    behind = [0.0] * len(ratio)
    dealt = []
    for size in sizes:
        behind = [b + r * size for b, r in zip(behind, ratio, strict=True)]
        side = behind.index(max(behind))
        behind[side] -= whole * size
        dealt.append(side)
    return dealt


@dataclass(frozen=True)
class _Postings:
    """Every distinct pair (gram, poem), by gram and then by poem."""

    gram: Integers  # number of the gram, 0, 1, …
    poem: Integers
    times: Integers  # how often the poem has the gram
    poems: int

    @classmethod
    def of(cls, texts: Sequence[str]) -> _Postings:
        hashes, poem = _grams(texts)
        order = np.argsort(hashes, kind="stable")
        hashes, poem = hashes[order], poem[order]
        new_gram = hashes[1:] != hashes[:-1]
        first = np.flatnonzero(np.r_[True, new_gram | (poem[1:] != poem[:-1])][: len(poem)])
        gram = np.cumsum(np.r_[0, new_gram])[first]
        return cls(gram, poem[first], np.diff(first, append=len(poem)), len(texts))

    def links(self) -> Iterator[tuple[Integers, Integers]]:
        """Pairs (shorter, longer) of near-duplicates, in portions."""
        sizes = np.bincount(self.poem, minlength=self.poems)
        lengths = self._sum_by_poem(self.times)
        spread = np.bincount(self.gram)  # in how many poems each gram occurs
        starts = np.cumsum(spread) - spread
        elsewhere = spread[self.gram] > 1
        candidate = (OUT_OF * self._sum_by_poem(elsewhere) >= SHARED * sizes) | (
            OUT_OF * self._sum_by_poem(elsewhere * self.times) >= SHARED * lengths
        )
        rows = np.flatnonzero(elsewhere & candidate[self.poem])
        rows = rows[np.argsort(self.poem[rows], kind="stable")]
        for part in _portions(rows, self.poem[rows], spread[self.gram[rows]]):
            count = spread[self.gram[part]]
            step = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
            other = self.poem[np.repeat(starts[self.gram[part]], count) + step]
            pair, inverse, shared = np.unique(
                np.repeat(self.poem[part], count) * self.poems + other,
                return_inverse=True,
                return_counts=True,
            )
            covered = np.bincount(inverse, np.repeat(self.times[part], count))
            a, b = np.divmod(pair, self.poems)
            once = OUT_OF * shared >= SHARED * sizes[a]
            each_time = (OUT_OF * covered >= SHARED * lengths[a]) & (lengths[a] <= lengths[b])
            near = (a != b) & (once | each_time)
            yield a[near], b[near]

    def _sum_by_poem(self, values: NDArray[Any]) -> Integers:
        return np.bincount(self.poem, values, self.poems).astype(np.int64)


def _grams(texts: Sequence[str]) -> tuple[NDArray[np.uint64], Integers]:
    """(hash, poem) of every 5-gram; a shorter text is filled up to one gram."""
    bare = [characters_of(text).ljust(GRAM, "\0") for text in texts]
    codes = np.frombuffer("".join(bare).encode("utf-32-le"), dtype=np.uint32)
    poem = np.repeat(np.arange(len(texts)), [len(text) for text in bare])
    hashes = np.zeros(max(len(codes) - GRAM + 1, 0), dtype=np.uint64)
    for offset in range(GRAM):
        hashes = hashes * _MULTIPLIER + codes[offset : offset + len(hashes)]
    first, last = poem[: len(hashes)], poem[GRAM - 1 :]
    return hashes[first == last], first[first == last]


def _portions(rows: Integers, poem: Integers, cost: Integers) -> Iterator[Integers]:
    """`rows` in parts of about `_AT_A_TIME` summed cost that never divide the rows of one poem."""
    poem_ends = np.flatnonzero(np.diff(poem, append=-1)) + 1
    total = np.cumsum(cost)[poem_ends - 1]
    part_ends = poem_ends[np.flatnonzero(np.diff(total // _AT_A_TIME, append=-1))]
    yield from np.split(rows, part_ends[:-1]) if len(rows) else ()


def _components(n: int, links: Iterator[tuple[Integers, Integers]]) -> Integers:
    """Connected components of the graph on 0…n-1 (union by smaller root, paths halved)."""
    parent = list(range(n))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    for shorter, longer in links:
        for a, b in zip(shorter.tolist(), longer.tolist(), strict=True):
            a, b = sorted((root(a), root(b)))
            parent[b] = a
    roots = np.array([root(i) for i in range(n)], dtype=np.int64)
    return np.unique(roots, return_inverse=True)[1]
