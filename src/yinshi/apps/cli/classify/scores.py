"""What is shown of a classifier: its scores, and which texts it hardly read."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from yinshi.apps.cli.classify.tables import warn

if TYPE_CHECKING:
    from yinshi.classify.encoder import Encoder
    from yinshi.classify.scores import Scores


def figures(name: str, scores: Scores) -> str:
    """All of it on a line."""
    return (
        f"{name} accuracy {scores.accuracy:.1%}, macro-F1 {scores.macro_f1:.1%}, "
        f"majority rate {scores.majority:.1%}"
    ).lstrip()


def print_scores(scores: Scores) -> None:
    """A row for each class."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("class", box=SIMPLE_HEAD)
    for name in ("precision", "recall", "F1", "texts"):
        table.add_column(name, justify="right")
    for one in scores.per_class:
        shares = (f"{share:.1%}" for share in (one.precision, one.recall, one.f1))
        table.add_row(Text(one.label), *shares, f"{one.rows:,}")
    Console().print(table)


def warn_of(texts: Sequence[str], encoder: Encoder) -> None:
    """Say of which texts little or nothing was read."""
    for told in _shortcomings(texts, encoder):
        warn(told)


def _shortcomings(texts: Sequence[str], encoder: Encoder) -> Iterator[str]:
    from yinshi.classify.encoder import UNK

    whole = replace(encoder, max_length=sys.maxsize)
    encoded = [whole.encode(text) for text in texts]
    if long := sum(len(ids) > encoder.max_length for ids in encoded):
        yield (
            f"{long:,} of {len(texts):,} texts have more than {encoder.max_length:,} tokens: "
            "the rest is not read"
        )
    if blank := sum(not (ids > UNK).any() for ids in encoded):
        yield f"{blank:,} of {len(texts):,} texts have no known word: nothing tells their class"
