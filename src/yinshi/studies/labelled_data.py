"""What a study of classification is run on: three tables of texts with labels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from yinshi.classify.tables import Table, load_table, require_classes, stratified_split
from yinshi.errors import DataError

SPLITS = ("train", "dev", "test")
ENDINGS = (".tsv", ".csv", ".txt", ".zip")
#: How a single table is split.
RATIO = (8, 1, 1)


@dataclass(frozen=True)
class LabelledData:
    """To train on, to choose by, to measure on; `folder` is where they came from."""

    folder: Path
    train: Table
    dev: Table
    test: Table

    @classmethod
    def load(
        cls,
        folder: Path,
        text_column: str | int | None = None,
        label_column: str | int | None = None,
    ) -> LabelledData:
        """The tables train, dev and test in `folder`, or the parts of the only table there.

        Columns: see `load_table`. Raises DataError where there are other tables, or labels unknown
        in train, and what `load_table` raises.
        """
        read = [load_table(path, text_column, label_column) for path in _paths(folder)]
        parts = read if len(read) > 1 else stratified_split(read[0], RATIO, seed=0)
        train, dev, test = parts
        require_classes(train, dev, test)
        return cls(folder, train, dev, test)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of all texts and labels, hexadecimal."""
        tables = [(table.texts, table.labels) for table in (self.train, self.dev, self.test)]
        return hashlib.sha256(json.dumps(tables).encode()).hexdigest()

    def sample(self, train: int, held_out: int) -> LabelledData:
        """At most so many rows to train on, and of dev and test each; of these two without the
        labels that are not among the first."""
        rng = np.random.default_rng(0)

        def draw(table: Table, count: int) -> Table:
            return table.take(rng.permutation(len(table))[:count].tolist())

        few = draw(self.train, train)
        known = set(few.labels)
        dev, test = (
            table.take(row for row, label in enumerate(table.labels) if label in known)
            for table in (draw(self.dev, held_out), draw(self.test, held_out))
        )
        require_classes(few, dev, test)
        return LabelledData(self.folder, few, dev, test)


def _paths(folder: Path) -> Sequence[Path]:
    """Those of train, dev and test, or that of the only table."""
    if not folder.is_dir():
        raise DataError(f"{folder}: found no folder, expected one with the tables train, dev, test")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
    if len(found) == 1:
        return found
    if len(found) == len(SPLITS) and {path.stem for path in found} == set(SPLITS):
        return sorted(found, key=lambda path: SPLITS.index(path.stem))
    raise DataError(
        f"{folder}: found {', '.join(path.name for path in found) or 'no table'}, expected "
        f"{', '.join(SPLITS)} ({', '.join(ENDINGS)}) or a single table, which is then split"
    )
