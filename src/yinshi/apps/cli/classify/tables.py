"""The tables that a command is given: how they are read, and what is told of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from yinshi.errors import DataError

if TYPE_CHECKING:
    from yinshi.classify.tables import Table

FILE = click.Path(path_type=Path, dir_okay=False)

#: How tables are read: the same options in every command.
READING = {
    "text_col": click.option("--text-col", metavar="COL",
        help="A name or, from 0, a number.  [default: text, review, … if there is a header]"),
    "label_col": click.option("--label-col", metavar="COL",
        help="Likewise.  [default: label, class, …]"),
    "format": click.option("--format", type=click.Choice(["auto", "csv", "tsv"]), default="auto",
        show_default=True),
    "quoting": click.option("--quoting", type=click.Choice(["auto", "none"]), default="auto",
        show_default=True, help="none: a quotation mark is a character like any other."),
}  # fmt: skip

drop_overlap_option = click.option("--drop-overlap", is_flag=True,
    help="Leave out of --train, and of --dev, what stands in a later table.")  # fmt: skip

Command = Callable[..., Any]


def reading(command: Command) -> Command:
    """Add the options of `READING`."""
    for option in reversed(READING.values()):
        command = option(command)
    return command


def load_tables(
    paths: Mapping[str, Path | None], columns: Mapping[str, Any], drop_overlap: bool
) -> dict[str, Table]:
    """By name, those that are given; what stands in two of them is counted, and left out of the
    earlier one if wished."""
    from yinshi.classify import tables as t

    tables = {name: load(name, path, columns) for name, path in paths.items() if path}
    for earlier, later in combinations(tables, 2):
        count = t.overlap(tables[earlier], tables[later])
        if not count:
            continue
        told = f"texts of {later} that stand in {earlier} too: {count:,}"
        if drop_overlap:
            tables[earlier] = t.drop_overlap(tables[earlier], tables[later])
            click.echo(f"{told}; left out of {earlier}, {len(tables[earlier]):,} rows are left")
        else:
            warn(f"{told}; --drop-overlap leaves them out of {earlier}")
        if not tables[earlier]:
            raise DataError(f"{earlier}: all its texts stand in {later}; expected others")
    return tables


def load(
    name: str, path: Path, columns: Mapping[str, Any], err: bool = False, labelled: bool = True
) -> Table:
    """The table, and a line about what was found in it."""
    from yinshi.classify.tables import load_table

    text, label = (_column(columns.get(f"{what}_col")) for what in ("text", "label"))
    table = load_table(path, text, label, columns["format"], columns["quoting"], labelled)
    click.echo(f"{name:<5}  {table.report}", err=err)
    return table


def _column(asked: str | None) -> str | int | None:
    return int(asked) if asked and asked.isdecimal() else asked


def warn(told: str) -> None:
    """A note beside the answers, on stderr."""
    click.secho(f"note: {told}", fg="yellow", err=True)
