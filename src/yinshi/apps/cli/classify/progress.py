"""A training as it goes on: a bar, and a line an epoch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from yinshi.apps.cli.train import interruptible

if TYPE_CHECKING:
    from yinshi.training.loop import Loop, Watch

#: What is trained with a watch, a wish to stop, and a way to say something.
Training = Callable[["Watch", Callable[[], bool], Callable[[str], None]], object]


def show(training: Training, targets: str, out: Path) -> None:
    """Do `training`, which counts its `targets` (texts, tokens) and whose folder is `out`.

    Exit code 130 where it is interrupted.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from yinshi.training.allocator import tune_allocator
    from yinshi.training.loop import Stopped

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
                console.print(f"{where}: {_worth(record)}")
                return
            speed = f"{record['tokens_per_second']:,.0f} {targets}/s"
            bar.update(task, figures=f"{record['nats']:.3f} nats, {speed}")

        say = partial(console.print, markup=False, highlight=False, soft_wrap=True)
        try:
            training(watch, should_stop, say)
            stopped = False
        except Stopped:
            stopped = True
    if stopped:
        click.echo("stopped; the same command goes on")
        raise SystemExit(130)
    if bar.tasks[task].total is None:  # not one line of metrics
        click.echo(f"{out}: this training was finished before; nothing was left to do")


def _worth(record: dict[str, Any]) -> str:
    if "error" in record:
        return f"dev accuracy {1 - record['error']:.1%}"
    return f"perplexity of what is held back {record['perplexity']:.1f}"
