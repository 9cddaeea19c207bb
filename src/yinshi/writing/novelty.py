"""Which spans of a poem stand in the training poems word for word: a Bloom filter.

The filter holds every window of 5 characters within a line, and at each pause the four characters
before it with the four after it. A span is known if all windows in it are. So no line of five
characters or more, and no run of such lines, is ever missed; shorter ones are common property and
never known. A window that the poems lack is taken for one of theirs at the filter's rate of false
positives, 0.8 % (measured in tests/writing/test_novelty.py): a new line of five is too, one of
seven, with three windows, far more seldom.

A character and its variants, traditional and simplified, are one. The index carries the table for
that, so that nothing but NumPy is needed to ask it.

B. H. Bloom 1970, "Space/time trade-offs in hash coding with allowable errors"; two hashes in place
of many: Kirsch and Mitzenmacher 2006, "Less hashing, same performance".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yinshi.corpus import script
from yinshi.corpus.poem import PUNCTUATION
from yinshi.errors import ModelFileError

#: Characters in a window within a line, the shortest span that can be known.
SIZE = 5
#: Characters before a pause, and after it, in the window that spans it.
OVERHANG = 4

#: With 10 bits a window, 7 hashes are best (10 ln 2) and (1 − e^(−7/10))⁷ = 0.82 % false.
BITS_PER_WINDOW, HASHES = 10, 7

#: The arrays of an index.
KINDS = {"characters": "uint32, 2-d", "bits": "uint8, 1-d"}
#: An odd multiplier (2^64 / golden ratio) for the polynomial hash of a window.
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_LINE = re.compile(f"[^{PUNCTUATION}\\s]+")

Codes = NDArray[np.uint32]
Places = NDArray[np.int64]


class NoveltyIndex:
    """The spans of the poems it was made from; a text to ask about may be in either script.

    characters: (2, N) code points, ascending: a character, and the one that stands for it
    bits:       (M,) uint8, the filter
    """

    def __init__(self, characters: Codes, bits: NDArray[np.uint8]) -> None:
        self._characters = characters
        self._bits = bits

    @classmethod
    def from_texts(cls, texts: Sequence[str]) -> NoveltyIndex:
        """The index of these poems, each one string with its punctuation."""
        index = cls(_representatives(texts), np.zeros(1, dtype=np.uint8))
        windows = np.unique(_windows(index._stream(texts)[0])[2])
        set_bits = np.zeros(8 * max(1, len(windows) * BITS_PER_WINDOW // 8), dtype=np.bool_)
        for places in _bloom_places(windows, len(set_bits)):
            set_bits[places] = True
        index._bits = np.packbits(set_bits, bitorder="little")
        return index

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> NoveltyIndex:
        """The index of which `arrays` are the `to_arrays`; they may be mapped files.

        Raises ModelFileError for other arrays, of another version or a damaged file.
        """
        found = {name: f"{array.dtype}, {array.ndim}-d" for name, array in arrays.items()}
        if found != KINDS:
            raise ModelFileError(
                f"index of training lines: found {found or 'none'}, expected {KINDS}; "
                "fetch or train the model anew"
            )
        return cls(arrays["characters"], arrays["bits"])

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Name → array, as a model file keeps them."""
        return {"characters": self._characters, "bits": self._bits}

    def contains(self, line: str) -> bool:
        """Whether `line`, of five characters or more, stands in the poems within one line.

        A line with pauses is several; they have to stand there one after the other.
        """
        return bool(self.known([line])[0])

    def known(self, lines: Sequence[str]) -> NDArray[np.bool_]:
        """(N,) `contains` of each of N lines, in one sweep."""
        codes, _ = self._stream(lines)
        starts, _ = self._unknown(codes)
        breaks = np.flatnonzero((codes[:-1] == 0) & (codes[1:] == 0))  # one before each line
        fresh = np.bincount(np.searchsorted(breaks, starts) - 1, minlength=len(lines))
        length = np.diff(np.cumsum(codes != 0)[breaks])
        known: NDArray[np.bool_] = (fresh[: len(lines)] == 0) & (length >= SIZE)
        return known

    def longest_known_span(self, poem: str) -> str:
        """The longest span of `poem` that is known, as it stands there; "" for under five
        characters. One across a pause has at least four on either side, and nine in all, so that
        two windows speak for it."""
        codes, places = self._stream([poem])
        reach = _reach(len(codes), *self._unknown(codes))
        counted = np.r_[0, np.cumsum(codes != 0)]
        best, first, last = SIZE - 1, 0, 0
        for start in np.flatnonzero(codes):
            if counted[reach[start]] - counted[start] <= best:
                continue
            end = _without_stump(codes, int(start), int(reach[start]))
            if (length := int(counted[end] - counted[start])) > best:
                best, first, last = length, int(places[start]), int(places[end - 1]) + 1
        return poem[first:last]

    def _stream(self, texts: Iterable[str]) -> tuple[Codes, Places]:
        """(code points in normal form, where each stands in its text).

        A 0 is a pause; two are the beginning or the end of a text.
        """
        pieces, places = ["\0\0"], [np.array([-1, -1])]
        for text in texts:
            for line in _LINE.finditer(text):
                pieces += [line[0], "\0"]
                places += [np.arange(line.start(), line.end()), np.array([-1])]
            pieces.append("\0")
            places.append(np.array([-1]))
        codes = np.frombuffer("".join(pieces).encode("utf-32-le"), dtype="<u4")
        return self._normal(codes.astype(np.uint32)), np.concatenate(places)

    def _normal(self, codes: Codes) -> Codes:
        listed, standing = self._characters
        if not len(listed):
            return codes
        place = np.minimum(np.searchsorted(listed, codes), len(listed) - 1)
        return np.where(listed[place] == codes, standing[place], codes)

    def _unknown(self, codes: Codes) -> tuple[Places, Places]:
        """(starts, ends) of the windows that the filter lacks, and of the pauses in no window."""
        starts, ends, windows = _windows(codes)
        found = np.ones(len(windows), dtype=np.bool_)
        for places in _bloom_places(windows, 8 * len(self._bits)):
            found &= (self._bits[places >> np.uint64(3)] >> (places & np.uint64(7))) & 1 == 1
        blank = codes == 0
        inner = np.flatnonzero(blank[1:-1] & ~blank[:-2] & ~blank[2:]) + 1
        spanned = starts[ends - starts > SIZE] + OVERHANG
        lone = inner[~np.isin(inner, spanned)]
        return np.r_[starts[~found], lone], np.r_[ends[~found], lone + 1]


def _windows(codes: Codes) -> tuple[Places, Places, NDArray[np.uint64]]:
    """(starts, ends, hashes) of all windows of a stream."""
    blank = codes == 0
    blanks = np.r_[0, np.cumsum(blank)]
    starts, ends, hashes = [], [], []
    for size in (SIZE, 2 * OVERHANG + 1):
        inside = blanks[size:] - blanks[:-size]
        if size == SIZE:
            kept = np.flatnonzero(inside == 0)
        else:  # its only blank is the pause in the middle
            kept = np.flatnonzero((inside == 1) & blank[OVERHANG : OVERHANG + len(inside)])
        code = np.full(len(kept), size, dtype=np.uint64)
        for offset in range(size):
            code = code * _MULTIPLIER + codes[kept + offset]
        starts.append(kept)
        ends.append(kept + size)
        hashes.append(_mixed(code))
    return np.concatenate(starts), np.concatenate(ends), np.concatenate(hashes)


def _mixed(code: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Every bit made to depend on every other: the finalizer of SplitMix64 (Steele et al. 2014)."""
    code = (code ^ (code >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    code = (code ^ (code >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return code ^ (code >> np.uint64(31))


def _bloom_places(windows: NDArray[np.uint64], bits: int) -> Iterable[NDArray[np.uint64]]:
    """For each hash, the bit that it sets for each window."""
    first, second = windows & np.uint64(0xFFFFFFFF), windows >> np.uint64(32)
    for number in range(HASHES):
        yield (first + np.uint64(number) * (second | np.uint64(1))) % np.uint64(bits)


def _reach(length: int, starts: Places, ends: Places) -> Places:
    """(length,) for each start the furthest end of a span without any of the windows in it.

    The stream is of one text: its last two codes are no part of it.
    """
    reach = np.full(length, length - 2)
    np.minimum.at(reach, starts, ends - 1)
    backwards: Places = np.minimum.accumulate(reach[::-1])
    return backwards[::-1]


def _without_stump(codes: Codes, start: int, end: int) -> int:
    """The end of the span, less fewer than four characters beyond its last pause, which no window
    has checked; `start` if it has so few before its first, or only one window."""
    pauses = start + np.flatnonzero(codes[start:end] == 0)
    if not len(pauses):
        return end
    if end - pauses[-1] <= OVERHANG:
        end = int(pauses[-1])
    one_window = len(pauses) == 1 and end - start == 2 * OVERHANG + 1
    return start if pauses[0] - start < OVERHANG or one_window else end


def _representatives(texts: Sequence[str]) -> Codes:
    """(2, N) each character of `texts` and each of its variants, and one that stands for them.

    Simplified forms are also those that OpenCC chooses by the phrase (沈 alone stays, 浮沈 has 沉).
    """
    parents: dict[str, str] = {}

    def root(character: str) -> str:
        while (parent := parents.get(character, character)) != character:
            character = parent
        return character

    joined = "\n".join(texts)
    phrases = script.to_simplified(joined)
    pairs = set(zip(joined, phrases, strict=True)) if len(phrases) == len(joined) else set()
    pairs |= {(c, variant) for c in set(joined) for variant in script.variants(c)}
    for pair in sorted(pairs):
        low, high = sorted(map(root, pair))
        parents[high] = low
    table = sorted((ord(c), ord(root(c))) for c in parents if root(c) != c)
    return np.array(table, dtype=np.uint32).reshape(-1, 2).T.copy()
