"""Texts of our own for tests of classification: one word tells the class, all else is noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from yinshi.classify.tables import Table

NOISE = list("天地玄黄宇宙洪荒日月盈昃辰宿列张")
TELLS = {"正": "喜", "负": "怒"}

#: Enough to learn it within a second.
SMALL: dict[str, Any] = {
    "embedding": 8,
    "hidden": 8,
    "dropout": 0.0,
    "embedding_dropout": 0.0,
    "learning_rate": 0.03,
    "epochs": 6,
    "batch_size": 8,
    "precision": "float32",
    "device": "cpu",
}


def told_by_a_word(count: int, seed: int, shuffled: bool = False) -> Table:
    """`count` texts, half of them of each class; with `shuffled` the labels mean nothing."""
    rng = np.random.default_rng(seed)
    labels = [sorted(TELLS)[row % 2] for row in range(count)]
    texts = []
    for label in labels:
        characters = list(rng.choice(NOISE, size=rng.integers(3, 12)))
        characters.insert(rng.integers(len(characters) + 1), TELLS[label])
        texts.append("".join(characters))
    if shuffled:
        labels = [str(label) for label in rng.permutation(labels)]
    return Table(tuple(texts), tuple(labels))


def write_table(path: Path, table: Table) -> Path:
    rows = "".join(
        f"{label}\t{text}\n" for label, text in zip(table.labels, table.texts, strict=True)
    )
    path.write_text(f"label\ttext\n{rows}", encoding="utf-8")
    return path
