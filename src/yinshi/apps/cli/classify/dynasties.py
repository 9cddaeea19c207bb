"""`yinshi classify dynasties`"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from yinshi.apps.cli.train import FOLDER


@click.command("dynasties", short_help="Tables to learn from: 唐 or 宋?")
@click.option(
    "--data",
    type=FOLDER,
    required=True,
    help="Poems of both, made by `yinshi prepare --collection all --script simplified`.",
)
@click.option("--out", type=FOLDER, required=True, help="The tables' new folder.")
@click.option(
    "--poems",
    type=click.IntRange(min=10),
    default=20_000,
    show_default=True,
    help="Most of each dynasty.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="Of the split and of the draw.")  # fmt: skip
def dynasties_command(data: Path, out: Path, poems: int, seed: int) -> None:
    """Write train.tsv, dev.tsv and test.tsv: poems labelled 唐 or 宋, no author in two of them.

    Both dynasties stand there equally often. What would give away the edition instead of the poem
    is taken out: glyphs, punctuation, poems and authors found in both collections.

    \b
    yinshi prepare --collection all --script simplified --out data/all
    yinshi classify dynasties --data data/all --out data/dynasties
    yinshi classify baseline --train data/dynasties/train.tsv --test data/dynasties/test.tsv
    """
    from yinshi.classify.dynasties import check_new, dynasty_set
    from yinshi.corpus.dataset import Dataset

    check_new(out)  # its error comes first
    found = dynasty_set(Dataset.load(data), poems, seed)
    found.save(out)
    for why, count in found.left_out.items():
        if count:
            click.echo(f"left out, {why}: {count:,}")
    for name, rows in found.files.items():
        authors = Counter(label for label, _ in {(row.label, row.author) for row in rows})
        told = ", ".join(
            f"{n:,} by {authors[label]:,} authors of the {label}"
            for label, n in Counter(row.label for row in rows).most_common()
        )
        click.echo(f"{out / name}.tsv: {told}")
