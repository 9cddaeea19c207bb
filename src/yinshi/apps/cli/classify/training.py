"""`yinshi classify train`"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from yinshi.apps.cli.classify.progress import show
from yinshi.apps.cli.classify.scores import figures, warn_of
from yinshi.apps.cli.classify.settings import of_recipe, settings_of, with_settings
from yinshi.apps.cli.classify.tables import (
    FILE,
    READING,
    drop_overlap_option,
    load_tables,
    reading,
)
from yinshi.apps.cli.train import FOLDER, set_environment
from yinshi.recipe import ClassifierRecipe

if TYPE_CHECKING:
    from yinshi.classify.classifier import TextClassifier
    from yinshi.classify.tables import Table


@click.command("train", short_help="Train a classifier.")
@click.option("--train", type=FILE, required=True, help="The table to learn from.")
@click.option("--dev", type=FILE,
              help="The best epoch is that with the fewest errors here.  [default: a tenth of "
              "--train]")  # fmt: skip
@click.option("--test", type=FILE, help="Measured once, at the end.")
@reading
@with_settings
@of_recipe("--layers", "layers", ClassifierRecipe.layers, "1 to 3.", type=int)
@of_recipe("--pool", "pool", ClassifierRecipe.pool, "What is taken of all steps.",
           type=click.Choice(["last", "max", "mean", "attention"]))  # fmt: skip
@of_recipe("--vectors", "vectors", ClassifierRecipe.vectors,
           "random, word2vec (of the training texts) or a file.")  # fmt: skip
@of_recipe("--from", "pretrained", ClassifierRecipe.pretrained,
           "What `yinshi classify pretrain` wrote: the network begins with it.")  # fmt: skip
@click.option("--freeze", "freeze_embedding", is_flag=True, default=None,
              help="Leave the vectors as they are.")  # fmt: skip
@drop_overlap_option
@click.option("--out", type=FOLDER, required=True, help="The run's folder.")
def train_command(
    train: Path,
    dev: Path | None,
    test: Path | None,
    overrides: tuple[str, ...],
    drop_overlap: bool,
    out: Path,
    **options: Any,
) -> None:
    """Train a classifier; --out holds it, its checkpoint and its metrics.

    Ctrl-C saves, and the same command goes on.

    \b
    yinshi classify train --train reviews.csv --out runs/reviews
    yinshi classify train --train train.tsv --dev dev.tsv --text-col 1 --label-col 2 \\
        --model bilstm-attention --tokenizer jieba --set ngrams=2 --out runs/titles
    yinshi classify train --train few.csv --from runs/language --out runs/few
    """
    set_environment()
    from yinshi.classify.classifier import TextClassifier
    from yinshi.classify.tables import require_classes

    columns = {name: options.pop(name) for name in READING}
    classifier = TextClassifier(**settings_of(options, overrides))  # its faults come first
    tables = load_tables({"train": train, "dev": dev, "test": test}, columns, drop_overlap)
    if dev is None:
        click.echo("dev    a tenth of train, held back")
    require_classes(*tables.values())
    show(partial(classifier.fit, tables["train"], tables.get("dev"), out), "texts", out)
    _show_training(classifier, tables, out)


def _show_training(classifier: TextClassifier, tables: Mapping[str, Table], out: Path) -> None:
    """Which epoch was the best, and what the classifier is worth on the test."""
    from yinshi.training.metrics import read_metrics

    epochs = [record for record in read_metrics(out) if record["kind"] == "validation"]
    best = min(epochs, key=lambda record: record["error"])
    click.echo(f"dev accuracy {1 - best['error']:.1%} in epoch {best['epoch']}, the best")
    if "test" in tables:
        click.echo(figures("test", classifier.evaluate(tables["test"])))
    click.echo(f"trained in {epochs[-1]['seconds']:.0f} s: {out / 'best.safetensors'}")
    warn_of(tables["train"].texts, classifier.encoder)
