"""`yinshi classify baseline`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from yinshi.apps.cli.classify.scores import figures, print_scores
from yinshi.apps.cli.classify.tables import FILE, drop_overlap_option, load_tables, reading


@click.command("baseline", short_help="The bar to beat.")
@click.option("--train", type=FILE, required=True, help="The table to learn from.")
@click.option("--dev", type=FILE, help="Measured too.")
@click.option("--test", type=FILE, required=True, help="Measured by class.")
@reading
@drop_overlap_option
def baseline_command(
    train: Path, dev: Path | None, test: Path, drop_overlap: bool, **columns: Any
) -> None:
    """What a simple method reaches: TF-IDF of character n-grams and a linear SVM."""
    from yinshi.classify.baseline import baseline
    from yinshi.classify.scores import score
    from yinshi.classify.tables import Table, require_classes

    tables = load_tables({"train": train, "dev": dev, "test": test}, columns, drop_overlap)
    require_classes(*tables.values())
    learnt = tables.pop("train")
    texts = [text for table in tables.values() for text in table.texts]
    labels = [label for table in tables.values() for label in table.labels]
    found = baseline(learnt, Table(tuple(texts), tuple(labels)))
    answers = iter(found.predictions)
    scores = {
        name: score(table.labels, [next(answers) for _ in table.labels])
        for name, table in tables.items()
    }
    print_scores(scores["test"])
    for name in scores:
        click.echo(figures(name, scores[name]))
    click.echo(f"{found.seconds:.1f} s to train and to answer")
