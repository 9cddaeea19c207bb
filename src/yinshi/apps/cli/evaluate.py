"""`yinshi evaluate`"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from yinshi.evaluation.evaluate import Evaluation

MEANINGS = {
    "per_token": "the figure: every token, padding never",
    "per_character": "Chinese characters only",
    "padded_to": "cut or padded to this length, pads counted",
    "mean_of_poems": "mean over poems of each one's perplexity",
    "base2_of_nats": "2^nats, the wrong base, as others have printed",
}


@click.command("evaluate")
@click.argument("model", type=click.Path(path_type=Path), required=False)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Poems made by `yinshi prepare`.",
)
@click.option("--split", default="test", show_default=True, help="train, validation or test.")
@click.option(
    "--pad-to",
    type=click.IntRange(min=1),
    default=80,
    show_default=True,
    metavar="L",
    help="The length for the convention that counts padding.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(model: Path | None, data: Path, split: str, pad_to: int, as_json: bool) -> None:
    """Measure a model's perplexity, under our convention and under others'.

    MODEL is a model file or the folder of a training run; without it, the shipped model. Figures
    are only comparable for the same split, vocabulary and convention.
    """
    from yinshi.corpus.dataset import Dataset
    from yinshi.evaluation.evaluate import evaluate
    from yinshi.model_file import ModelFile, resolve_model

    path = resolve_model(model)
    loaded, dataset = ModelFile.load(path), Dataset.load(data)
    with _progress_bar() as progress:
        evaluation = evaluate(loaded, dataset, split, pad_to, progress=progress)
    if as_json:
        _print_json(evaluation, path, data, split)
    else:
        _print_card(evaluation, f"{model or 'the shipped model'} on the {split} split of {data}")


@contextmanager
def _progress_bar() -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, and only on a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("evaluating", total=None)
        yield lambda done, poems: bar.update(task, completed=done, total=poems)


def _print_json(evaluation: Evaluation, model: Path, data: Path, split: str) -> None:
    import json
    from dataclasses import asdict

    facts = {"model": str(model), "data": str(data), "split": split, **asdict(evaluation)}
    click.echo(json.dumps(facts, ensure_ascii=False, indent=2))


def _print_card(evaluation: Evaluation, title: str) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table("convention", box=SIMPLE_HEAD)
    table.add_column("perplexity", justify="right")
    table.add_column("what is counted")
    for name, value in evaluation.conventions.items():
        meaning = next(text for key, text in MEANINGS.items() if name.startswith(key))
        style = "bold" if name == "per_token" else None
        table.add_row(name, f"{value:.2f}", meaning, style=style)
    if evaluation.baseline is not None:
        table.add_section()
        table.add_row("trigram", f"{evaluation.baseline:.2f}", "the baseline, counted per token")
    click.echo(title)
    Console().print(table)
    click.echo(
        f"poems {evaluation.poems:,}, tokens {evaluation.tokens:,}, "
        f"V {evaluation.vocabulary_size:,}, unknown characters {evaluation.unknown_rate:.2%}"
    )
    for warning in evaluation.warnings:
        click.secho(f"note: {warning}", fg="yellow")
