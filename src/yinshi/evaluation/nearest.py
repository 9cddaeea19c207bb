"""The lines of real poems that a line is nearest to, with author and title."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yinshi.corpus import script
from yinshi.corpus.dataset import Dataset
from yinshi.corpus.poem import Poem, lines_of

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class NearLine:
    """`similarity`: from 0 to 1, which is the very line; see `nearest_lines`."""

    text: str
    author: str
    title: str
    similarity: float


def nearest_lines(lines: Sequence[str], dataset: Dataset, k: int = 3) -> list[list[NearLine]]:
    """For each of `lines` the `k` real lines, of all splits, that are nearest, the nearest first.

    Similarity is Dice's coefficient over characters and pairs of neighbours: twice the number of
    different ones in common, over those of the one and those of the other. Both scripts are alike.
    A line that stands in several poems is told once, of the first; one with nothing in common, not
    at all.
    """
    poems = [poem for name in dataset.splits for poem in dataset.split(name)]
    first: dict[str, Poem] = {}
    for poem in poems:
        for line in lines_of(poem.text):
            first.setdefault(line, poem)
    postings = _Postings(script.to_simplified("\n".join(first)).split("\n"))
    texts, homes = list(first), list(first.values())
    found = []
    for line in lines:
        near = postings.nearest(script.to_simplified(line), k)
        found.append(
            [NearLine(texts[i], homes[i].author, homes[i].title, score) for i, score in near]
        )
    return found


class _Postings:
    """Every pair (feature, line), by feature; a feature is a character or two neighbours."""

    def __init__(self, lines: Sequence[str]) -> None:
        features, line = _features(lines)
        order = np.argsort(features, kind="stable")
        features, line = features[order], line[order]
        new = np.r_[True, (features[1:] != features[:-1]) | (line[1:] != line[:-1])]
        self._features, self._line = features[new[: len(line)]], line[new[: len(line)]]
        self._sizes = np.bincount(self._line, minlength=len(lines))

    def nearest(self, line: str, k: int) -> list[tuple[int, float]]:
        """(number of the line, similarity) of the k nearest to `line`."""
        wanted = np.unique(_features([line])[0])
        starts = np.searchsorted(self._features, wanted)
        ends = np.searchsorted(self._features, wanted, side="right")
        having = [self._line[a:b] for a, b in zip(starts, ends, strict=True)]
        shared = np.bincount(np.concatenate([[], *having]).astype(int), minlength=len(self._sizes))
        similarity = 2 * shared / (len(wanted) + self._sizes)
        best = np.argsort(-similarity, kind="stable")[:k]
        return [(int(i), float(similarity[i])) for i in best if shared[i]]


def _features(lines: Sequence[str]) -> tuple[Integers, Integers]:
    """(features, number of the line of each), those of the characters first."""
    codes = np.frombuffer("".join(lines).encode("utf-32-le"), dtype="<u4").astype(np.int64)
    line = np.repeat(np.arange(len(lines)), [len(text) for text in lines])
    within = line[1:] == line[:-1]
    pairs = (codes[:-1] << 21 | codes[1:])[within]
    return np.concatenate([codes, pairs]), np.concatenate([line, line[1:][within]])
