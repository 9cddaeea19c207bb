"""`yinshi classify pretrain`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from yinshi.apps.cli.classify.progress import show
from yinshi.apps.cli.classify.settings import settings_of, with_settings
from yinshi.apps.cli.classify.tables import FILE, READING, load
from yinshi.apps.cli.train import FOLDER, set_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from yinshi.training.loop import Watch


@click.command("pretrain", short_help="Learn the language first.")
@click.argument("tables", nargs=-1, required=True, type=FILE, metavar="TABLE...")
@READING["text_col"]
@READING["format"]
@READING["quoting"]
@with_settings
@click.option("--out", type=FOLDER, required=True, help="The run's folder.")
def pretrain_command(
    tables: tuple[Path, ...], overrides: tuple[str, ...], out: Path, **options: Any
) -> None:
    """Train a language model of the texts in each TABLE, whose labels are not read.

    It learns to tell the next token and, for a model that reads both ways, the one before;
    `yinshi classify train --from` begins with what it knows. --train's own texts do, and more of
    the same kind do better. Ctrl-C saves, and the same command goes on.

    \b
    yinshi classify pretrain train.csv --out runs/language
    yinshi classify pretrain train.csv unlabelled.txt --set epochs=10 --out runs/language
    yinshi classify train --train train.csv --from runs/language --out runs/shop
    """
    set_environment()
    from yinshi.classify.classifier import pretrain

    columns = {name: options.pop(name) for name in ("text_col", "format", "quoting")}
    settings = settings_of(options, overrides)
    texts = [
        text
        for path in tables
        for text in load("texts", path, columns, labelled=False).texts
        if text.strip()
    ]

    def training(watch: Watch, should_stop: Callable[[], bool], say: Callable[[str], None]) -> None:
        pretrain(texts, out, watch, should_stop, **settings)

    show(training, "tokens", out)
    click.echo(f"trained: {out / 'best.safetensors'}")
