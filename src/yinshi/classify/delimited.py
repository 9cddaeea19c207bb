"""Rows of a comma- or tab-separated file, with none lost.

Much Chinese data is separated by tabs and not quoted at all: a quotation mark is a character like
any other. Read with the quoting of ordinary .csv, a text that begins with one swallows everything
up to the next, with the line ends in between, and rows are lost without a word. So the file is read
both ways and the rows are held against its lines:

- the reading in which fewer rows depart from the first one's number of columns is the right one;
- if both fit, a file of as many rows as lines is unquoted, unless each quotation mark belongs to a
  pair around a whole cell (RFC 4180), where the two readings differ by these pairs only.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from yinshi.classify.text_file import BYTE_ORDER_MARK, read_text
from yinshi.errors import DataError, UsageError

DELIMITERS = {"csv": ",", "tsv": "\t"}
#: The largest C long where it is shortest (Windows, 32 bits): `csv.field_size_limit(sys.maxsize)`
#: fails there with "Python int too large to convert to C long".
LARGEST_FIELD = 2**31 - 1

#: (number of the line it begins on, cells)
Row = tuple[int, list[str]]


@dataclass(frozen=True)
class Rows:
    """What a file holds; `lines` = rows + `blank_lines` + `line_breaks` (within quoted cells)."""

    rows: list[Row]  # all of one width
    format: str  # csv or tsv
    quoted: bool
    lines: int
    blank_lines: int
    line_breaks: int
    byte_order_marks: int  # removed, wherever they stood


def read_rows(path: Path, format: str = "auto", quoting: str = "auto") -> Rows:
    """All rows of `path` (a header, if there is one, is the first of them).

    `format`: csv, tsv or auto, which is csv for a name in .csv whose first line has no tab, and tsv
    for every other file. `quoting`: none or auto (see the module). In a file of one column a blank
    line is a row. Raises UsageError, SourceError, DataError.
    """
    _check(format, "format", ("auto", *DELIMITERS))
    _check(quoting, "quoting", ("auto", "none"))
    name, text = read_text(path)
    marks = text.count(BYTE_ORDER_MARK)
    text = text.replace(BYTE_ORDER_MARK, "")
    if format == "auto":
        format = _detected_format(name, text)
    unquoted = _unquoted_rows(text, DELIMITERS[format])
    quoted = None
    if quoting == "auto" and '"' in text:
        quoted = _quoted_rows(text, DELIMITERS[format])
    rows = unquoted if quoted is None or not _is_quoted(unquoted, quoted) else quoted
    even = _even_rows(path, rows, rows is quoted)
    return Rows(
        rows=even,
        format=format,
        quoted=rows is quoted,
        lines=len(unquoted),
        blank_lines=len(rows) - len(even),
        line_breaks=sum(cell.count("\n") for _, cells in rows for cell in cells),
        byte_order_marks=marks,
    )


def _check(value: str, what: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"{what} {value!r}: expected {', '.join(choices[:-1])} or {choices[-1]}")


def _detected_format(name: str, text: str) -> str:
    first_line = text.lstrip("\r\n").partition("\n")[0]
    return "csv" if name.lower().endswith(".csv") and "\t" not in first_line else "tsv"


def _unquoted_rows(text: str, delimiter: str) -> list[Row]:
    """Only line feeds end a line: other line separators do occur inside texts."""
    lines = text.removesuffix("\n").split("\n")
    return [(n, line.removesuffix("\r").split(delimiter)) for n, line in enumerate(lines, 1)]


def _quoted_rows(text: str, delimiter: str) -> list[Row] | None:
    """None where the quotation marks don't pair up around cells."""
    rows = []
    with _fields_of_any_length():
        reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter, strict=True)
        try:
            while True:
                line = reader.line_num + 1
                rows.append((line, next(reader) or [""]))
        except StopIteration:
            return rows
        except csv.Error:
            return None


@contextmanager
def _fields_of_any_length() -> Iterator[None]:
    before = csv.field_size_limit(LARGEST_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _is_quoted(unquoted: list[Row], quoted: list[Row]) -> bool:
    without, with_quotes = _departing(unquoted), _departing(quoted)
    if without != with_quotes:
        return with_quotes < without
    marked = (cell for _, cells in unquoted for cell in cells if '"' in cell)
    return len(quoted) == len(unquoted) and all(cell.startswith('"') for cell in marked)


def _departing(rows: list[Row]) -> int:
    filled = [len(cells) for _, cells in rows if not _is_blank(cells)]
    return sum(width != filled[0] for width in filled)


def _even_rows(path: Path, rows: list[Row], quoted: bool) -> list[Row]:
    """The rows without blank lines. Raises DataError where one has another number of columns."""
    filled = [(line, cells) for line, cells in rows if not _is_blank(cells)]
    if not filled:
        raise DataError(f"{path}: an empty file; expected one text a row; is it the right one?")
    first, cells = filled[0]
    if len(cells) == 1:
        filled = rows
    for line, row in filled:
        if len(row) != len(cells):
            raise DataError(
                f"{path}: line {line} has {len(row)} column(s), expected {len(cells)} as in line "
                f"{first} (read {'with' if quoted else 'without'} quoting); correct the line, or "
                "choose another format or quoting"
            )
    return filled


def _is_blank(cells: list[str]) -> bool:
    return len(cells) == 1 and not cells[0].strip()
