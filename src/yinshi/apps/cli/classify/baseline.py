"""`yinshi classify baseline`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from yinshi.apps.cli.classify.answers import load_predictor
from yinshi.apps.cli.classify.scores import figures, print_scores
from yinshi.apps.cli.classify.tables import FILE, drop_overlap_option, load_tables, reading
from yinshi.errors import UsageError


@click.command("baseline", short_help="The bar to beat.")
@click.option("--train", type=FILE, required=True, help="The table to learn from.")
@click.option("--dev", type=FILE, help="Measured too.")
@click.option("--test", type=FILE, required=True, help="Measured by class.")
@click.option("--model", "models", multiple=True, type=click.Path(path_type=Path),
              help="A trained classifier: what it and the SVM reach together, too.  [needs --dev]"
              )  # fmt: skip
@reading
@drop_overlap_option
def baseline_command(
    train: Path,
    dev: Path | None,
    test: Path,
    models: tuple[Path, ...],
    drop_overlap: bool,
    **columns: Any,
) -> None:
    """What a simple method reaches: TF-IDF of character n-grams and a linear SVM.

    Classifiers that are given as --model err on other texts than it does: the sum of both, weighted
    as is best on --dev, is measured as well.

    \b
    yinshi classify baseline --train train.csv --test test.csv
    yinshi classify baseline --train train.csv --dev dev.csv --test test.csv --model runs/shop
    """
    if models and dev is None:
        raise UsageError("found --model without --dev, by which its weight is chosen: give both")
    networks = load_predictor(models)[0] if models else None  # its faults come first
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
    if networks:
        from yinshi.classify.mixing import mixture

        together = mixture(networks, learnt, tables["dev"], tables["test"])
        click.echo(figures("test, with the networks:", together.scores))
        click.echo(f"weight of the networks {together.weight:g}, chosen on dev")
