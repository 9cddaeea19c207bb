"""Texts with labels, read from a file; what was found in it; splits of them.

A table is as its file: duplicates are counted and reported, and dropped where `drop_duplicates` is
asked for. Only byte-order marks and rows without a text are left out, and both are counted too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yinshi.classify.delimited import Rows, read_rows
from yinshi.corpus.splits import split
from yinshi.errors import DataError, UsageError

#: Names that make the first row a header, the likelier ones first.
TEXT_COLUMNS = ("text", "review", "content", "sentence", "comment", "title", "文本", "评论", "内容")
LABEL_COLUMNS = ("label", "class", "category", "sentiment", "标签", "类别")


@dataclass(frozen=True)
class TableReport:
    """What a file held, for the reader to check: `str()` of it is one line."""

    rows: int  # kept
    lines: int  # of the file = header + rows + empty + blank_lines + line_breaks
    header: bool
    format: str  # csv or tsv
    quoted: bool
    line_breaks: int  # within quoted cells
    blank_lines: int
    empty: int  # rows without a text, dropped (0 where unlabelled, since they are kept)
    duplicates: int  # rows whose text and label have stood before
    conflicting: int  # rows whose text has stood before, but never with this label
    byte_order_marks: int  # removed

    def __str__(self) -> str:
        counts = [
            (self.line_breaks, "line breaks inside texts"),
            (self.blank_lines, "blank lines"),
            (self.empty, "empty texts dropped"),
            (self.duplicates, "duplicates"),
            (self.conflicting, "texts again with another label"),
            (self.byte_order_marks, "byte-order marks removed"),
        ]
        kind = [self.format, "quoted" if self.quoted else "no quoting"]
        kind += ["a header" if self.header else "no header"]
        found = "".join(f"; {what}: {count:,}" for count, what in counts if count)
        return f"{self.rows:,} rows of {self.lines:,} lines ({', '.join(kind)}){found}"


@dataclass(frozen=True)
class Table:
    """N texts and their labels as they stand in the file; `labels` is empty where there are none.

    `report` is there for a table as it was read, None for a part of one.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    report: TableReport | None = field(default=None, compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels that occur, in the order of their characters."""
        return tuple(sorted(set(self.labels)))

    def take(self, rows: Iterable[int]) -> Table:
        """The rows of those numbers, in that order."""
        rows = list(rows)
        labels = tuple(self.labels[i] for i in rows) if self.labels else ()
        return Table(tuple(self.texts[i] for i in rows), labels)


def load_table(
    path: str | Path,
    text_column: str | int | None = None,
    label_column: str | int | None = None,
    format: str = "auto",
    quoting: str = "auto",
    labelled: bool = True,
) -> Table:
    """The table in `path`: .csv, .tsv or a .zip with one of them in it, in UTF-8.

    A column is given by its name or, from 0, by its number; where it is not given, it is the first
    of `TEXT_COLUMNS` or `LABEL_COLUMNS` in the header, or the only column there is. The first row
    is a header if one of these names, or a name that was given, stands in it. `format` and
    `quoting`: see `delimited.read_rows`.

    With `labelled` False there are no labels, and empty texts are kept: a prediction each.

    Raises UsageError where a column is missing, SourceError where the file can't be read, DataError
    where it is empty or damaged, each with the line number where there is one.
    """
    path = Path(path)
    found = read_rows(path, format, quoting)
    wanted = [name for name in (text_column, label_column) if isinstance(name, str)]
    first = [cell.strip() for cell in found.rows[0][1]]
    is_header = any(c in wanted or c.lower() in TEXT_COLUMNS + LABEL_COLUMNS for c in first)
    columns = _Columns(path, first, is_header)
    text = columns.number(text_column, "text", TEXT_COLUMNS)
    label = columns.number(label_column, "label", LABEL_COLUMNS) if labelled else None
    if text == label:
        raise UsageError(f"{path}: column {text} is to be both text and label; choose two columns")
    rows = found.rows[is_header:]
    texts = tuple(cells[text] for _, cells in rows)
    if label is None:
        return _reported(texts, (), found, is_header, 0)
    filled = [(line, cells) for line, cells in rows if cells[text].strip()]
    if not filled:
        raise DataError(f"{path}: no row with a text in column {text}; is it the right column?")
    for line, cells in filled:
        if not cells[label].strip():
            raise DataError(f"{path}: line {line} has no label; write one, or remove the line")
    texts = tuple(cells[text] for _, cells in filled)
    labels = tuple(cells[label].strip() for _, cells in filled)
    return _reported(texts, labels, found, is_header, len(rows) - len(filled))


@dataclass(frozen=True)
class _Columns:
    path: Path
    first: list[str]
    is_header: bool

    def number(self, asked: str | int | None, what: str, known: Sequence[str]) -> int:
        """The column asked for, or the first known one. Raises UsageError."""
        if asked is None:
            return self._default(what, known)
        if isinstance(asked, str) and asked in self.first:
            return self.first.index(asked)
        if str(asked).isdecimal() and int(asked) < len(self.first):
            return int(asked)
        raise UsageError(f"{self.path}: no {what} column {asked!r}; {self._found()}")

    def _default(self, what: str, known: Sequence[str]) -> int:
        names = [name.lower() for name in self.first] if self.is_header else []
        for name in known:
            if name in names:
                return names.index(name)
        if len(self.first) == 1 and what == "text":
            return 0
        raise UsageError(
            f"{self.path}: which column is the {what}? {self._found()}; "
            f"give its name or its number (--{what}-col)"
        )

    def _found(self) -> str:
        cells = ", ".join(
            f"{i} {cell[:20] + '…' if len(cell) > 20 else cell!r}"
            for i, cell in enumerate(self.first)
        )
        return f"found {cells}" + ("" if self.is_header else " (the first row: there is no header)")


def _reported(
    texts: tuple[str, ...], labels: tuple[str, ...], found: Rows, is_header: bool, empty: int
) -> Table:
    pairs = set(zip(texts, labels, strict=True)) if labels else {(text, "") for text in texts}
    report = TableReport(
        rows=len(texts),
        lines=found.lines,
        header=is_header,
        format=found.format,
        quoted=found.quoted,
        line_breaks=found.line_breaks,
        blank_lines=found.blank_lines,
        empty=empty,
        duplicates=len(texts) - len(pairs),
        conflicting=len(pairs) - len(set(texts)),
        byte_order_marks=found.byte_order_marks,
    )
    return Table(texts, labels, report)


def require_classes(train: Table, *others: Table) -> None:
    """Raises DataError where `train` has one class only, or another table a label unknown to it."""
    classes = train.classes
    if len(classes) < 2:
        found = f"only the label {classes[0]!r}" if classes else "no labels"
        raise DataError(
            f"training data: found {found}; expected two classes or more; is it the right column?"
        )
    for table in others:
        check_labels(table, classes)


def check_labels(table: Table, classes: Sequence[str]) -> None:
    """Raises DataError where `table` has a label that is none of `classes`."""
    unknown = Counter(label for label in table.labels if label not in classes)
    if unknown:
        label, rows = unknown.most_common(1)[0]
        raise DataError(
            f"{len(unknown)} label(s) unknown in the training data, such as {label!r} "
            f"({rows} rows); expected {', '.join(classes[:10])}"
            f"{', …' if len(classes) > 10 else ''}; is it the right column?"
        )


def drop_duplicates(table: Table) -> Table:
    """The first row of each text, whatever the labels of the others."""
    first: dict[str, int] = {}
    for row, text in enumerate(table.texts):
        first.setdefault(text, row)
    return table.take(first.values())


def overlap(train: Table, test: Table) -> int:
    """How many rows of `test` have a text that stands in `train` too."""
    known = set(train.texts)
    return sum(text in known for text in test.texts)


def drop_overlap(train: Table, test: Table) -> Table:
    """`train` without the texts of `test`, which stays what others measure on."""
    held_out = set(test.texts)
    return train.take(i for i, text in enumerate(train.texts) if text not in held_out)


def stratified_split(table: Table, ratio: Sequence[float], seed: int) -> tuple[Table, ...]:
    """Parts of `table` in `ratio` (8, 1, 1), of each class alike to within a row.

    Rows of one text are on one side, even where their labels differ: they count as of the first
    one's class. Raises UsageError where a part would be empty.
    """
    return tuple(table.take(side.tolist()) for side in _stratified(table, ratio, seed))


def stratified_folds(table: Table, folds: int, seed: int) -> list[tuple[Table, Table]]:
    """(train, test) of each fold, split as by `stratified_split`; every row is in one test."""
    if folds < 2:
        raise UsageError(f"{folds} fold(s): expected 2 or more")
    rows = np.arange(len(table))
    return [
        (table.take(np.setdiff1d(rows, side).tolist()), table.take(side.tolist()))
        for side in _stratified(table, [1] * folds, seed)
    ]


def _stratified(table: Table, ratio: Sequence[float], seed: int) -> list[NDArray[np.int64]]:
    """Row numbers of each part, ascending."""
    if not table.labels or min(ratio) <= 0:
        raise UsageError(f"can't split by class in the ratio {ratio}; expected labels, parts > 0")
    first: dict[str, int] = {}
    group = np.array([first.setdefault(text, row) for row, text in enumerate(table.texts)])
    stratum = np.array(table.labels)[group]
    parts: list[list[NDArray[np.int64]]] = [[] for _ in ratio]
    for label in table.classes:
        rows = np.flatnonzero(stratum == label)
        groups = np.unique(group[rows], return_inverse=True)[1]
        for part, chosen in zip(parts, split(groups, ratio, seed), strict=True):
            part.append(rows[chosen])
    sides = [np.sort(np.concatenate(part)) for part in parts]
    if not all(len(side) for side in sides):
        raise UsageError(f"{len(table)} rows are too few to split in the ratio {ratio}")
    return sides
