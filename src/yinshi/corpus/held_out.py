"""Poems given as the test split: read as they are, and kept out of every other split.

The file is a list of poems, a couplet a line or all in one:

    [{"title": "登鹳雀楼", "content": "白日依山尽，黄河入海流。\\n欲穷千里目，更上一层楼。"}, …]

Their notes, punctuation and script are brought to those of the other poems, and no more: a figure
published of these poems is of all of them, so that one of another form or length, with a lacuna,
without a title or given twice stays. Only an entry without any character of verse is left out.

Or it is a prepared folder, whose test poems these are: so a larger collection is measured on the
test split of a smaller one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from yinshi.corpus.cleaning import NORMALISING, CleaningStatistics, clean, clean_name
from yinshi.corpus.containers import read_file
from yinshi.corpus.dataset import Dataset
from yinshi.corpus.poem import Poem
from yinshi.corpus.script import to_simplified
from yinshi.corpus.sources import SINGLE_FILE_LIMIT, content_hash, entries_of_json
from yinshi.corpus.splits import characters_of, near_duplicate_groups
from yinshi.errors import SourceError
from yinshi.recipe import CorpusRecipe

_EXPECTED = 'a list of {"title": "…", "content": "line。\\nline。"}'


@dataclass(frozen=True)
class HeldOut:
    """The poems of a file, in its order. Entries are numbered from 1.

    name, hash   of the file; `sha256:…` of its bytes, or the hash of a prepared folder
    numbers      the entry of each of `poems`
    empty        entries left out because they hold no character of verse
    """

    name: str
    hash: str
    poems: list[Poem]
    numbers: list[int]
    empty: list[int]

    def kept(self, recipe: CorpusRecipe) -> dict[str, list[int]]:
        """Why a source would not have kept a poem, or not so → the entries of which it is true."""
        seen: set[str] = set()
        found: dict[str, list[int]] = {
            "untitled": [], "another_form": [], "another_length": [], "repeated": []
        }  # fmt: skip
        for number, poem in zip(self.numbers, self.poems, strict=True):
            characters = characters_of(poem.text)
            for why, holds in (
                ("untitled", not poem.title),
                ("another_form", bool(recipe.forms) and poem.form not in recipe.forms),
                ("another_length", not recipe.min_length <= len(poem.text) <= recipe.max_length),
                ("repeated", characters in seen),
            ):
                if holds:
                    found[why].append(number)
            seen.add(characters)
        return found

    def found_in(self, poems: Sequence[Poem]) -> int:
        """How many of them stand among `poems` character by character, in whatever script."""
        known = set(_spelling(poems))
        return sum(text in known for text in _spelling(self.poems))

    def apart_from(self, poems: Sequence[Poem]) -> tuple[list[Poem], dict[str, int]]:
        """(those of `poems` that are none of these, how many were left out as `same` and `near`).

        `near` are the near-duplicates of `near_duplicate_groups`, in chains too: so here, as
        between any two splits, no variant of a poem stands on both sides.
        """
        these, others = _spelling(self.poems), _spelling(poems)
        groups = near_duplicate_groups(these + others)
        alike = np.isin(groups[len(these) :], groups[: len(these)])
        same = set(these)
        left = [poem for poem, is_alike in zip(poems, alike, strict=True) if not is_alike]
        removed = sum(others[i] in same for i in np.flatnonzero(alike))
        return left, {"same": removed, "near": len(poems) - len(left) - removed}

    def facts(self, recipe: CorpusRecipe, everything: Sequence[Poem]) -> dict[str, Any]:
        """For the manifest: what the file is, how many of its poems stand among `everything` that
        the sources have, and what of them is unlike the other poems."""
        return {
            "name": self.name,
            "hash": self.hash,
            "poems": len(self.poems),
            "found": self.found_in(everything),
            "empty": self.empty,
            "kept": self.kept(recipe),
        }

    def notes(self, recipe: CorpusRecipe) -> Iterator[str]:
        """What is to be known of the file beside `recipe`, a line each."""
        if self.empty:
            yield f"test file: without any verse, left out: {_told(self.empty)}"
        for why, numbers in self.kept(recipe).items():
            if numbers:
                yield f"test file: {why.replace('_', ' ')}, kept: {_told(numbers)}"
        if len(recipe.ratio) > 2:
            *rest, last = (f"{r:g}" for r in recipe.ratio)
            yield (
                f"ratio: the test poems are given, so {last} is left aside, and {':'.join(rest)} "
                "are train and validation of the rest"
            )


def read_held_out(path: Path) -> HeldOut:
    """The poems of the file `path`, their notes and marks as those of other poems, not yet their
    script. Raises SourceError, with the number of the entry, for whatever is not such a file, and
    DataError for a folder without a test split."""
    if path.is_dir():
        given = Dataset.load(path)
        test = given.split("test")
        return HeldOut(path.name, given.hash, test, [*range(1, len(test) + 1)], [])
    content = read_file(path, SINGLE_FILE_LIMIT)
    poems, numbers, empty = list[Poem](), list[int](), list[int]()
    entries = entries_of_json(str(path), content)
    for number, entry in enumerate(entries, start=1):
        title, raw = _title_and_content(entry, f"{path}: entry {number} of {len(entries)}")
        text = clean(raw, CleaningStatistics(), NORMALISING)
        if text is None:
            empty.append(number)
        else:
            numbers.append(number)
            poems.append(Poem(clean_name(title), "", text, path.name))
    if not poems:
        raise SourceError(f"{path}: found no poem, expected {_EXPECTED}; give another file")
    return HeldOut(path.name, content_hash(content), poems, numbers, empty)


def _title_and_content(entry: Any, where: str) -> tuple[str, str]:
    """A title may be missing, but not be anything else than a text."""
    if not isinstance(entry, dict):
        found = f"one {type(entry).__name__}"
    elif "content" not in entry:
        found = "no content"
    else:
        title, content = entry.get("title") or "", entry["content"]
        if isinstance(title, str) and isinstance(content, str):
            return title, content
        found = "a title or a content that is no text"
    raise SourceError(f"{where}: found {found}, expected {_EXPECTED}; correct the file")


def _spelling(poems: Sequence[Poem]) -> list[str]:
    """The characters of each poem in simplified script, in which editions differ least: of poems
    made simplified and then traditional again two in five are spelt otherwise (爲 as 為), and three
    in a hundred share too little with their originals to be near them."""
    lines = "\n".join(characters_of(poem.text) for poem in poems)
    return to_simplified(lines).split("\n") if poems else []


def _told(numbers: Sequence[int]) -> str:
    first = ", ".join(map(str, numbers[:10])) + ", …" * (len(numbers) > 10)
    return f"{len(numbers):,} ({'entry' if len(numbers) == 1 else 'entries'} {first})"
