"""From sources of poems to a prepared folder.

read → clean → script → form → length → duplicates → (without the given test poems) → sample
→ near-duplicates → split → vocabulary

Duplicates and near-duplicates are judged on the texts as they are written, after truncation and
after the sample: so what is promised of the folder can be checked on the folder alone, and two long
poems with the same beginning, of which only the beginning is kept, never stand on two sides.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from yinshi.corpus.cleaning import clean_poems
from yinshi.corpus.dataset import SPLITS, check_replaceable, write_dataset
from yinshi.corpus.held_out import HeldOut, read_held_out
from yinshi.corpus.poem import SENTENCE_ENDS, Poem, laid_out
from yinshi.corpus.script import to_simplified, to_traditional
from yinshi.corpus.sources import read_sources
from yinshi.corpus.splits import drop_duplicates, near_duplicate_groups, split
from yinshi.corpus.vocabulary import Vocabulary
from yinshi.errors import UsageError
from yinshi.recipe import CorpusRecipe


class _Stages:
    """How many poems are left after each stage; reported as it happens, if it took any away."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self.counts: dict[str, int] = {}
        self._report = report

    def after(self, stage: str, poems: list[Poem], what: str) -> list[Poem]:
        """`poems`, counted under `stage`; raises UsageError where none is left."""
        if len(poems) not in list(self.counts.values())[-1:]:
            self._report(f"{what}: {len(poems):,} poems")
        self.counts[stage] = len(poems)
        if not poems:
            so_far = ", ".join(f"{name} {n:,}" for name, n in self.counts.items())
            raise UsageError(
                f"no poem is left: found 0 after stage {stage!r} ({so_far}), expected at least "
                "one; give other sources or wider options"
            )
        return poems


def prepare(
    sources: Sequence[Path],
    recipe: CorpusRecipe,
    out: Path,
    report: Callable[[str], None] = lambda line: None,
    test_file: Path | None = None,
) -> dict[str, Any]:
    """Write the prepared folder `out` from `sources`; returns its manifest.

    The poems of `test_file` (see held_out.py) are the test split, in their order; neither they nor
    their near-duplicates are in another one, and the ratio's first two numbers are of what is left.

    `report` gets a line a stage. Raises SourceError (a source can't be read), UsageError (no poem
    is left, too few for the ratio, or `out` holds something else) and OSError (a full disk); then
    what was in `out` is untouched.
    """
    check_replaceable(out)
    held_out = read_held_out(test_file) if test_file else None  # its faults before any work
    stages = _Stages(report)
    read = read_sources(sources, recipe.collection)
    poems = stages.after("read", read.poems, "read")
    poems, cleaning = clean_poems(poems)
    stages.after("cleaning", poems, "cleaned")
    poems = everything = in_script(poems, recipe.script)
    poems = [p for p in poems if not recipe.forms or p.form in recipe.forms]
    stages.after("form", poems, f"of form {recipe.form}")
    poems, truncated = within_length(poems, recipe)
    stages.after("length", poems, f"of {recipe.min_length} to {recipe.max_length} characters")
    poems = stages.after("duplicates", drop_duplicates(poems), "without duplicates")
    facts: dict[str, Any] = {}
    if held_out:
        given = held_out.poems
        held_out = replace(held_out, poems=in_script(given, recipe.script))
        if held_out.poems != given:
            report(f"test file: converted to {recipe.script} characters")
        for line in held_out.notes(recipe):
            report(line)
        poems, removed = held_out.apart_from(poems)
        stages.after("test_file", poems, "without the test poems and those near them")
        facts["test_file"] = held_out.facts(recipe, everything) | {"removed": removed}
    poems = stages.after("sample", sample(poems, recipe.sample, recipe.seed), "sampled")
    groups = near_duplicate_groups([p.text for p in poems])
    alike = [size for size in np.bincount(groups).tolist() if size > 1]
    report(f"near-duplicates: {sum(alike):,} poems in {len(alike):,} groups")
    splits = _split(poems, groups, recipe, held_out)
    texts = {name: [laid_out(p, recipe.layout) for p in part] for name, part in splits.items()}
    vocabulary = Vocabulary.count(texts["train"], recipe.min_frequency, recipe.max_vocabulary)
    report(f"vocabulary: {len(vocabulary):,} characters; writing {out}")
    facts |= {
        "sources": dict(sorted(read.hashes.items())),
        "counts": stages.counts | {name: len(part) for name, part in splits.items()},
        "truncated": truncated,
        "near_duplicates": {"groups": len(alike), "poems": sum(alike)},
        "cleaning": {
            "touched": dict(sorted(cleaning.touched.items())),
            "dropped": dict(sorted(cleaning.dropped.items())),
        },
        "untitled": sum(not p.title for part in splits.values() for p in part),
        "vocabulary_size": len(vocabulary),
        "characters": {name: sum(map(len, part)) for name, part in texts.items()},
        "unknown_rate": {name: unknown_rate(part, vocabulary) for name, part in texts.items()},
    }
    return write_dataset(out, splits, vocabulary, recipe, facts)


def in_script(poems: Sequence[Poem], script: str) -> list[Poem]:
    """The poems in `script`, title and author too.

    A source (one file) already in it is left alone: converting it again would do harm, since 余, 云
    and 后 are traditional characters too. Which script a source is in is decided by all its texts:
    by whether more of its characters change on the way to simplified or to traditional ones.
    """
    convert = to_simplified if script == "simplified" else to_traditional
    of_source: dict[str, list[str]] = defaultdict(list)
    for poem in poems:
        of_source[poem.source].append(poem.text)
    foreign = {source for source, texts in of_source.items() if script_of("".join(texts)) != script}
    return [
        Poem(convert(p.title), convert(p.author), convert(p.text), p.source)
        if p.source in foreign
        else p
        for p in poems
    ]


def script_of(text: str) -> str:
    """`traditional` or `simplified`, as more of its characters are; traditional if undecided."""
    counts = Counter(text)
    characters = "\n".join(counts)
    only_traditional = _changed(counts, to_simplified(characters).split("\n"))
    only_simplified = _changed(counts, to_traditional(characters).split("\n"))
    return "simplified" if only_simplified > only_traditional else "traditional"


def _changed(counts: Mapping[str, int], converted: list[str]) -> int:
    return sum(n for (c, n), other in zip(counts.items(), converted, strict=True) if c != other)


def within_length(poems: Sequence[Poem], recipe: CorpusRecipe) -> tuple[list[Poem], int]:
    """(poems of `min_length` to `max_length` characters with punctuation, how many were cut)."""
    kept, cut = [], 0
    for poem in poems:
        if len(poem.text) > recipe.max_length:
            if recipe.too_long == "drop":
                continue
            poem = replace(poem, text=truncate(poem.text, recipe.max_length))
            cut += len(poem.text) >= recipe.min_length
        if len(poem.text) >= recipe.min_length:
            kept.append(poem)
    return kept, cut


def truncate(text: str, max_length: int) -> str:
    """`text` to the last sentence end within `max_length`; cut hard where there is none.

    >>> truncate("白日依山盡，黃河入海流。欲窮千里目，更上一層樓。", 20)
    '白日依山盡，黃河入海流。'
    """
    if len(text) <= max_length:
        return text
    head = text[:max_length]
    end = max(head.rfind(mark) for mark in SENTENCE_ENDS) + 1
    return head[: end or max_length]


def sample(poems: list[Poem], size: int | None, seed: int) -> list[Poem]:
    """`size` of the poems drawn without replacement, in their order; all where there are fewer."""
    if size is None or size >= len(poems):
        return poems
    chosen = np.random.default_rng(seed).choice(len(poems), size, replace=False)
    return [poems[i] for i in np.sort(chosen).tolist()]


def _split(
    poems: list[Poem], groups: Any, recipe: CorpusRecipe, held_out: HeldOut | None
) -> dict[str, list[Poem]]:
    ratio = recipe.ratio[:2] if held_out else recipe.ratio
    parts = split(groups, ratio, recipe.seed)
    splits = {
        name: [poems[i] for i in part.tolist()] for name, part in zip(SPLITS, parts, strict=False)
    }
    empty = [name for name, part in splits.items() if not part]
    if empty:
        told = ":".join(f"{r:g}" for r in ratio)
        raise UsageError(
            f"found {len(poems)} poems in {len(set(groups.tolist()))} groups of near-duplicates, "
            f"too few for ratio {told}: {empty[0]} would be empty; give more poems"
        )
    return splits | ({"test": held_out.poems} if held_out else {})


def unknown_rate(texts: Sequence[str], vocabulary: Vocabulary) -> float:
    """Share of the texts' characters, punctuation included, that `vocabulary` lacks."""
    counts = Counter("".join(texts))
    return sum(n for c, n in counts.items() if c not in vocabulary) / counts.total()
