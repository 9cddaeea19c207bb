"""Small prepared folders with poems of both dynasties, for tests: characters drawn at random, so
that no two poems are alike unless a test wants them to be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from yinshi.corpus.dataset import Dataset, write_dataset
from yinshi.corpus.poem import Poem
from yinshi.corpus.vocabulary import Vocabulary
from yinshi.recipe import CorpusRecipe

#: None of them is in another spelling than its own.
CHARACTERS = list("天地日月星云雨雪山川草木花鸟鱼龙春秋冬夏东西南北金玉车马门户衣食父母兄弟")


def random_text(rng: np.random.Generator) -> str:
    lines = ("".join(rng.choice(CHARACTERS, 5)) for _ in range(4))
    return "{}，{}。{}，{}。".format(*lines)


def poems_of(author: str, dynasty: str, count: int, seed: int) -> list[Poem]:
    rng = np.random.default_rng(seed)
    return [
        Poem(f"其{n}", author, random_text(rng), f"poet.{dynasty}.0.json") for n in range(count)
    ]


def both_dynasties(authors: int = 12, count: int = 5) -> list[Poem]:
    """`count` poems of each of so many authors of either: 唐甲, 唐乙, …, 宋甲, …"""
    return [
        poem
        for number, (dynasty, first) in enumerate([("tang", "唐"), ("song", "宋")])
        for n, second in enumerate("甲乙丙丁戊己庚辛壬癸子丑寅卯"[:authors])
        for poem in poems_of(first + second, dynasty, count, 100 * number + n)
    ]


def prepared(
    folder: Path,
    poems: Sequence[Poem],
    script: Literal["traditional", "simplified"] = "simplified",
) -> Dataset:
    """A folder as `yinshi prepare` leaves it, the first poem alone to validate with."""
    splits = {"train": poems[1:], "validation": poems[:1]}
    recipe = CorpusRecipe(collection="all", script=script, ratio=(9, 1))
    write_dataset(folder, splits, Vocabulary.count(p.text for p in splits["train"]), recipe)
    return Dataset.load(folder)
