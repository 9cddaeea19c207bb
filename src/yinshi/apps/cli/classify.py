"""`yinshi classify`: train a classifier of texts, measure it, use it; and the bar to beat."""

from __future__ import annotations

import os
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from yinshi.apps.cli.train import interruptible, set_environment
from yinshi.apps.cli.write import FEW
from yinshi.errors import DataError, UsageError
from yinshi.recipe import ClassifierRecipe, TextRecipe, TrainingRecipe

if TYPE_CHECKING:
    from yinshi.classify.classifier import TextClassifier
    from yinshi.classify.encoder import Encoder
    from yinshi.classify.scores import Scores
    from yinshi.classify.tables import Table
    from yinshi.training.loop import Loop

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)

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

Command = Callable[..., Any]


def reading(command: Command) -> Command:
    """Add the options of `READING`."""
    for option in reversed(READING.values()):
        command = option(command)
    return command


def of_recipe(flag: str, field: str, default: object, told: str, **options: Any) -> Command:
    """An option for a recipe's field, None where it is not given."""
    options = {"default": None, **options}
    return click.option(flag, field, help=f"{told}  [default: {default}]", **options)


@click.group("classify")
def command() -> None:
    """Classify Chinese texts.

    \b
    yinshi classify train --train train.csv --dev dev.csv --test test.csv --out runs/shop
    yinshi classify evaluate --model runs/shop --data test.csv --confusion confusion.svg
    yinshi classify predict --model runs/shop 物流很快 "屏幕坏了, 退货"
    yinshi classify baseline --train train.csv --test test.csv

    A table is a .csv, .tsv, .txt or a .zip with one in it, UTF-8: a text and its label a row.
    """


@command.command("train", short_help="Train a classifier.")
@click.option("--train", type=FILE, required=True, help="The table to learn from.")
@click.option("--dev", type=FILE,
              help="The best epoch is that with the fewest errors here.  [default: a tenth of "
              "--train]")  # fmt: skip
@click.option("--test", type=FILE, help="Measured once, at the end.")
@reading
@of_recipe("--tokenizer", "tokenizer", TextRecipe.tokenizer, "char, jieba or a file of words.")
@of_recipe(
    "--stopwords", "stop_words", TextRecipe.stop_words, "none, iso or a file of words to leave out."
)
@click.option(
    "--keep-negations", is_flag=True, default=None, help="不, 没, 别, … are no stop words."
)
@of_recipe("--vectors", "vectors", ClassifierRecipe.vectors,
           "random, word2vec (of the training texts) or a file.")  # fmt: skip
@click.option("--freeze", "freeze_embedding", is_flag=True, default=None,
              help="Leave the vectors as they are.")  # fmt: skip
@of_recipe("--model", "model", ClassifierRecipe.model, "The network.",
           type=click.Choice(["rnn", "lstm", "bilstm", "bilstm-attention"]))  # fmt: skip
@of_recipe("--layers", "layers", ClassifierRecipe.layers, "1 to 3.", type=int)
@of_recipe("--hidden", "hidden", ClassifierRecipe.hidden, "Units of a direction.", type=int)
@of_recipe("--pool", "pool", ClassifierRecipe.pool, "What is taken of all steps.",
           type=click.Choice(["last", "max", "mean", "attention"]))  # fmt: skip
@of_recipe("--max-length", "max_length", TextRecipe.max_length, "Tokens read of a text.", type=int)
@of_recipe("--seed", "seed", TrainingRecipe.seed, "Of all that is drawn.", type=int)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE",
              help="Any other setting: epochs=5, patience, batch_size, learning_rate, embedding, "
              "ngrams, dropout, …; may be repeated.")  # fmt: skip
@click.option("--drop-overlap", is_flag=True,
              help="Leave out of --train, and of --dev, what stands in a later table.")  # fmt: skip
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
    """
    set_environment()
    from yinshi.classify.classifier import TextClassifier
    from yinshi.classify.tables import require_classes

    columns = {name: options.pop(name) for name in READING}
    given = {name: value for name, value in options.items() if value is not None}
    classifier = TextClassifier(**_settings(given, overrides))  # its faults come first
    tables = _load_tables({"train": train, "dev": dev, "test": test}, columns, drop_overlap)
    if dev is None:
        click.echo("dev    a tenth of train, held back")
    require_classes(*tables.values())
    _fit(classifier, tables, out)
    _show_training(classifier, tables, out)


@command.command("evaluate", short_help="Measure one, by class.")
@click.option("--model", type=click.Path(path_type=Path), required=True,
              help="A run's folder or a classifier's file.")  # fmt: skip
@click.option("--data", type=FILE, required=True, help="A table with labels.")
@reading
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON.")
@click.option("--confusion", type=FILE, metavar="FIG",
              help="Draw which class is taken for which, .svg or .png.")  # fmt: skip
def evaluate_command(
    model: Path, data: Path, as_json: bool, confusion: Path | None, **columns: Any
) -> None:
    """Measure a classifier on texts whose labels are known: each class, and all."""
    from yinshi.classify.classifier import TextClassifier
    from yinshi.classify.confusion import draw_confusion, figure_format
    from yinshi.classify.scores import score
    from yinshi.classify.tables import check_labels

    if confusion:
        figure_format(confusion)  # its error comes first
    classifier = TextClassifier.load(model)
    table = _load("data", data, columns, err=as_json)
    check_labels(table, classifier.classes)
    began = time.perf_counter()
    answers = classifier.predict(table.texts)
    seconds = time.perf_counter() - began
    scores = score(table.labels, answers)
    unknown = classifier.encoder.unknown_rate(table.texts)
    if confusion:
        draw_confusion(scores, confusion)
    if as_json:
        told = {"model": str(model), "data": str(data), "rows": len(table)}
        _print_json(told | {"unknown_rate": unknown, "seconds": seconds} | asdict(scores))
        return
    _print_scores(scores)
    click.echo(_figures("", scores))
    click.echo(f"{len(table):,} texts in {seconds:.1f} s, {unknown:.2%} of their tokens unknown")
    _warn_of(table.texts, classifier.encoder)


@command.command("predict", short_help="Label texts by one.")
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option("--model", type=click.Path(path_type=Path), required=True,
              help="A run's folder or a classifier's file.")  # fmt: skip
@click.option("--input", "source", type=FILE, help="A text a line, or a table.")
@READING["text_col"]
@READING["format"]
@READING["quoting"]
@click.option("--proba", is_flag=True, help="Every class's probability, under a header.")
def predict_command(
    texts: tuple[str, ...], model: Path, source: Path | None, proba: bool, **columns: Any
) -> None:
    """Print the label of each TEXT, a tab, and the text, its white space as single spaces.

    \b
    yinshi classify predict --model runs/shop 物流很快 "屏幕坏了, 退货"
    yinshi classify predict --model runs/shop --input reviews.txt --proba > labels.tsv

    What begins with a hyphen goes after --.
    """
    if bool(texts) == (source is not None):
        raise UsageError("expected either TEXT… or --input FILE")
    if source is None and len(texts) <= FEW:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy is imported
    from yinshi.classify.classifier import TextClassifier

    classifier = TextClassifier.load(model)
    if source is not None:
        texts = _load("input", source, columns, err=True, labelled=False).texts
    found = classifier.predict_proba(texts)
    if proba:
        click.echo("\t".join(["label", *classifier.classes, "text"]))
    for text, shares in zip(texts, found, strict=True):
        numbers = [f"{share:.4f}" for share in shares] if proba else []
        click.echo("\t".join([classifier.classes[shares.argmax()], *numbers, _on_a_line(text)]))
    _warn_of(texts, classifier.encoder)


@command.command("baseline", short_help="The bar to beat.")
@click.option("--train", type=FILE, required=True, help="The table to learn from.")
@click.option("--dev", type=FILE, help="Measured too.")
@click.option("--test", type=FILE, required=True, help="Measured by class.")
@reading
@click.option("--drop-overlap", is_flag=True,
              help="Leave out of --train, and of --dev, what stands in a later table.")  # fmt: skip
def baseline_command(
    train: Path, dev: Path | None, test: Path, drop_overlap: bool, **columns: Any
) -> None:
    """What a simple method reaches: TF-IDF of character n-grams and a linear SVM."""
    from yinshi.classify.baseline import baseline
    from yinshi.classify.scores import score
    from yinshi.classify.tables import Table, require_classes

    tables = _load_tables({"train": train, "dev": dev, "test": test}, columns, drop_overlap)
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
    _print_scores(scores["test"])
    for name in scores:
        click.echo(_figures(name, scores[name]))
    click.echo(f"{found.seconds:.1f} s to train and to answer")


def _settings(given: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """The recipe's fields by their bare names; a value is TOML, or a bare word."""
    from yinshi.classify.classifier import SECTIONS

    settings = dict(given)
    for override in overrides:
        key, equals, text = (part.strip() for part in override.partition("="))
        section, _, bare = key.rpartition(".")
        key = bare if section in SECTIONS else key
        if not (key and equals):
            raise UsageError(f"found --set {override!r}: expected KEY=VALUE, such as ngrams=2")
        if key in settings:
            raise UsageError(f"found {key} twice, {settings[key]} and {text}: expected it once")
        try:
            settings[key] = tomllib.loads(f"v = {text}")["v"]
        except tomllib.TOMLDecodeError:
            settings[key] = None if text == "none" else text
    return settings


def _load_tables(
    paths: Mapping[str, Path | None], columns: Mapping[str, Any], drop_overlap: bool
) -> dict[str, Table]:
    """By name, those that are given; what stands in two of them is counted, and left out of the
    earlier one if wished."""
    from yinshi.classify import tables as t

    tables = {name: _load(name, path, columns) for name, path in paths.items() if path}
    for earlier, later in combinations(tables, 2):
        count = t.overlap(tables[earlier], tables[later])
        if not count:
            continue
        told = f"texts of {later} that stand in {earlier} too: {count:,}"
        if drop_overlap:
            tables[earlier] = t.drop_overlap(tables[earlier], tables[later])
            click.echo(f"{told}; left out of {earlier}, {len(tables[earlier]):,} rows are left")
        else:
            _warn(f"{told}; --drop-overlap leaves them out of {earlier}")
        if not tables[earlier]:
            raise DataError(f"{earlier}: all its texts stand in {later}; expected others")
    return tables


def _load(
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


def _fit(classifier: TextClassifier, tables: Mapping[str, Table], out: Path) -> None:
    """Train in `out`, with a bar and a line an epoch; exit code 130 where it is interrupted."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from yinshi.training.allocator import tune_allocator
    from yinshi.training.loop import Stopped

    if classifier.recipe.training.allocator == "tuned":
        tune_allocator()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(compact=True),
    )
    console = Console()
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with bar, interruptible() as should_stop:
        task = bar.add_task("starting", total=None, figures="")

        def watch(loop: Loop, record: dict[str, Any]) -> None:
            where = f"epoch {record['epoch']}/{loop.training.epochs}"
            bar.update(task, total=loop.total_steps, completed=record["step"], description=where)
            if record["kind"] == "validation":
                console.print(f"{where}: dev accuracy {1 - record['error']:.1%}")
                return
            speed = f"{record['tokens_per_second']:,.0f} texts/s"
            bar.update(task, figures=f"{record['nats']:.3f} nats, {speed}")

        say = partial(console.print, markup=False, highlight=False, soft_wrap=True)
        try:
            classifier.fit(tables["train"], tables.get("dev"), out, watch, should_stop, say)
            stopped = False
        except Stopped:
            stopped = True
    if stopped:
        click.echo("stopped; the same command goes on")
        raise SystemExit(130)
    if bar.tasks[task].total is None:  # not one line of metrics
        click.echo(f"{out}: this training was finished before; nothing was left to do")


def _show_training(classifier: TextClassifier, tables: Mapping[str, Table], out: Path) -> None:
    """Which epoch was the best, and what the classifier is worth on the test."""
    from yinshi.training.metrics import read_metrics

    epochs = [record for record in read_metrics(out) if record["kind"] == "validation"]
    best = min(epochs, key=lambda record: record["error"])
    click.echo(f"dev accuracy {1 - best['error']:.1%} in epoch {best['epoch']}, the best")
    if "test" in tables:
        click.echo(_figures("test", classifier.evaluate(tables["test"])))
    click.echo(f"trained in {epochs[-1]['seconds']:.0f} s: {out / 'best.safetensors'}")
    _warn_of(tables["train"].texts, classifier.encoder)


def _figures(name: str, scores: Scores) -> str:
    return (
        f"{name} accuracy {scores.accuracy:.1%}, macro-F1 {scores.macro_f1:.1%}, "
        f"majority rate {scores.majority:.1%}"
    ).lstrip()


def _print_scores(scores: Scores) -> None:
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


def _print_json(figures: Mapping[str, Any]) -> None:
    import json

    click.echo(json.dumps(figures, ensure_ascii=False, indent=2))


def _warn_of(texts: Sequence[str], encoder: Encoder) -> None:
    """Say of which texts little or nothing was read."""
    for told in _shortcomings(texts, encoder):
        _warn(told)


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


def _warn(told: str) -> None:
    click.secho(f"note: {told}", fg="yellow", err=True)


def _on_a_line(text: str) -> str:
    """Half a surrogate pair, which can't be written in UTF-8, becomes a question mark."""
    return " ".join(text.split()).encode("utf-8", "replace").decode()
