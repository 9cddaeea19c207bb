"""`yinshi classify evaluate` and `predict`: the answers of a trained classifier."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from yinshi.apps.cli.classify.scores import figures, print_scores, warn_of
from yinshi.apps.cli.classify.tables import FILE, READING, load, reading
from yinshi.apps.cli.write import FEW
from yinshi.errors import UsageError

if TYPE_CHECKING:
    from yinshi.classify.encoder import Encoder
    from yinshi.classify.predictor import Predictor


MODELS = click.option("--model", "models", type=click.Path(path_type=Path), required=True,
    multiple=True, help="A run's folder or a classifier's file; of several the mean of their "
    "probabilities.")  # fmt: skip


@click.command("evaluate", short_help="Measure one, by class.")
@MODELS
@click.option("--data", type=FILE, required=True, help="A table with labels.")
@reading
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON.")
@click.option("--confusion", type=FILE, metavar="FIG",
              help="Draw which class is taken for which, .svg or .png.")  # fmt: skip
def evaluate_command(
    models: tuple[Path, ...], data: Path, as_json: bool, confusion: Path | None, **columns: Any
) -> None:
    """Measure a classifier on texts whose labels are known: each class, and all."""
    from yinshi.classify.confusion import draw_confusion, figure_format
    from yinshi.classify.scores import score
    from yinshi.classify.tables import check_labels

    if confusion:
        figure_format(confusion)  # its error comes first
    classifier, encoder = load_predictor(models)
    table = load("data", data, columns, err=as_json)
    check_labels(table, classifier.classes)
    began = time.perf_counter()
    answers = classifier.predict(table.texts)
    seconds = time.perf_counter() - began
    scores = score(table.labels, answers)
    unknown = encoder.unknown_rate(table.texts)
    if confusion:
        draw_confusion(scores, confusion)
    if as_json:
        told = {"models": [str(model) for model in models], "data": str(data), "rows": len(table)}
        told |= {"unknown_rate": unknown, "seconds": seconds} | asdict(scores)
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    print_scores(scores)
    click.echo(figures("", scores))
    click.echo(f"{len(table):,} texts in {seconds:.1f} s, {unknown:.2%} of their tokens unknown")
    warn_of(table.texts, encoder)


@click.command("predict", short_help="Label texts by one.")
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@MODELS
@click.option("--input", "source", type=FILE, help="A text a line, or a table.")
@READING["text_col"]
@READING["format"]
@READING["quoting"]
@click.option("--proba", is_flag=True, help="Every class's probability, under a header.")
def predict_command(
    texts: tuple[str, ...],
    models: tuple[Path, ...],
    source: Path | None,
    proba: bool,
    **columns: Any,
) -> None:
    """Print the label of each TEXT, a tab, and the text, its white space as single spaces.

    \b
    yinshi classify predict --model runs/shop 物流很快 "屏幕坏了, 退货"
    yinshi classify predict --model runs/shop --input reviews.txt --proba > labels.tsv
    yinshi classify predict --model runs/shop-0 --model runs/shop-1 物流很快

    What begins with a hyphen goes after --.
    """
    if bool(texts) == (source is not None):
        raise UsageError("expected either TEXT… or --input FILE")
    if source is None and len(texts) <= FEW:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy is imported
    classifier, encoder = load_predictor(models)
    if source is not None:
        texts = load("input", source, columns, err=True, labelled=False).texts
    found = classifier.predict_proba(texts)
    if proba:
        click.echo("\t".join(["label", *classifier.classes, "text"]))
    for text, shares in zip(texts, found, strict=True):
        numbers = [f"{share:.4f}" for share in shares] if proba else []
        click.echo("\t".join([classifier.classes[shares.argmax()], *numbers, _on_a_line(text)]))
    warn_of(texts, encoder)


def load_predictor(models: Sequence[Path]) -> tuple[Predictor, Encoder]:
    """All of them together, and how the first one reads a text."""
    from yinshi.classify.classifier import TextClassifier
    from yinshi.classify.predictor import Ensemble

    members = [TextClassifier.load(model) for model in models]
    return Ensemble(members), members[0].encoder


def _on_a_line(text: str) -> str:
    """Half a surrogate pair, which can't be written in UTF-8, becomes a question mark."""
    return " ".join(text.split()).encode("utf-8", "replace").decode()
