"""`yinshi train`"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from yinshi.errors import UsageError
from yinshi.recipe import load_recipe

if TYPE_CHECKING:
    from yinshi.recipe import Recipe
    from yinshi.training.distributed import Ranks
    from yinshi.training.loop import Loop
    from yinshi.training.run import Run

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command("train")
@click.argument("recipe", required=False)
@click.option("--data", type=FOLDER, help="A folder written by `yinshi prepare`.  "
              "[default: data/RECIPE, which is prepared if it is not there]")  # fmt: skip
@click.option("--out", type=FOLDER, help="The run's new folder.  [default: runs/RECIPE]")
@click.option("--resume", type=FOLDER, help="Go on with an interrupted run.")
@click.option("--from", "model", type=click.Path(path_type=Path),
              help="Fine-tune this model file, or the best of this run; the vocabularies may "
              "differ.")  # fmt: skip
@click.option("--engine", type=click.Choice(["torch", "numpy"]),
              help="PyTorch, or the networks by hand.  [default: torch]")  # fmt: skip
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE",
              help="Override a field of the recipe, e.g. training.epochs=3.")  # fmt: skip
@click.option("--tensorboard", is_flag=True, help="Write TensorBoard events too.")
def command(
    recipe: str | None,
    data: Path | None,
    out: Path | None,
    resume: Path | None,
    model: Path | None,
    engine: Literal["torch", "numpy"] | None,
    overrides: tuple[str, ...],
    tensorboard: bool,
) -> None:
    """Train RECIPE (a shipped name or a TOML file) on prepared poems.

    \b
    yinshi train smoke
    yinshi train smoke --data data/tang --out runs/wide --set network.hidden=512
    yinshi train smoke --out runs/by-hand --engine numpy
    yinshi train smoke --data data/mine --out runs/mine --from runs/smoke
    yinshi train --resume runs/smoke
    torchrun --nproc-per-node 4 -m yinshi train smoke --data data/tang --out runs/four

    Ctrl-C saves a checkpoint and stops.
    """
    set_environment()
    from yinshi.model_file import ModelFile, resolve_model
    from yinshi.training.allocator import tune_allocator
    from yinshi.training.distributed import join
    from yinshi.training.loop import Stopped
    from yinshi.training.metrics import draw_curves
    from yinshi.training.run import Run

    stopped = False
    with join() as ranks:
        if resume and not (recipe or data or out or model or engine or overrides):
            run = Run.resume(resume, ranks)
        elif recipe and not resume:
            wanted = load_recipe(recipe, overrides)
            data = data or _own_data(wanted, ranks)
            out = out or Path("runs") / wanted.name
            given = ModelFile.load(resolve_model(model)) if model else None
            run = Run.start(wanted, data, out, engine or "torch", ranks, given)
            for note in run.notes if ranks.first else ():
                click.echo(note)
        else:
            raise UsageError("expected either RECIPE, or --resume RUN alone")
        tuned = run.recipe.training.allocator == "tuned" and tune_allocator()
        if tuned and ranks.first:
            click.echo("memory is kept between steps (training.allocator)")
        try:
            _train(run, tensorboard)
            if ranks.first:
                draw_curves(run.folder)
        except Stopped:
            stopped = True
    if stopped:
        if ranks.first:
            click.echo(f"stopped; go on with: yinshi train --resume {run.folder}")
        raise SystemExit(130)
    if ranks.first:
        _show_result(run)


def _own_data(recipe: Recipe, ranks: Ranks) -> Path:
    """The prepared folder of the recipe's name, prepared as it says."""
    from yinshi.apps.cli.prepare import prepare_into
    from yinshi.corpus.dataset import Dataset

    folder = Path("data") / recipe.name
    if not folder.exists() and ranks.first:
        prepare_into(folder, recipe.corpus)
    ranks.wait()
    if Dataset.load(folder).options != recipe.corpus:
        raise UsageError(
            f"{folder}: found poems prepared with other options than the recipe's; give --data, "
            f"or prepare them anew with `yinshi prepare --recipe {recipe.name} --out {folder}`"
        )
    return folder


def set_environment() -> None:
    """Set what PyTorch reads from the environment when it is imported."""
    # Threads that spin while they wait make a run on a busy machine ten times slower
    # (docs/lab-notes.md).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Each of the compiled products that oneDNN keeps holds half a megabyte; by default it keeps
    # 1,024, and batches of ever new sizes compile new ones.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "512")


def _train(run: Run, tensorboard: bool) -> None:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, disable=not run.ranks.first) as bar, interruptible() as should_stop:
        task = bar.add_task("starting", total=None, figures="")

        def watch(loop: Loop, record: dict[str, Any]) -> None:
            where = f"epoch {record['epoch']}/{loop.training.epochs}"
            bar.update(task, total=loop.total_steps, completed=record["step"], description=where)
            if record["kind"] == "validation":
                bar.console.print(f"{where}: validation perplexity {record['perplexity']:.2f}")
                return
            figures = (
                f"{record['nats']:.3f} nats, perplexity {record['perplexity']:.1f}, "
                f"{record['tokens_per_second']:,.0f} tokens/s"
            )
            bar.update(task, figures=figures)

        run.train(watch, should_stop, tensorboard)


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Ctrl-C asks the loop to stop after its step; a second one interrupts at once."""
    wished = False

    def wish(signum: int, frame: object) -> None:
        nonlocal wished
        wished = True
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, wish)
    try:
        yield lambda: wished
    finally:
        signal.signal(signal.SIGINT, before)


def _show_result(run: Run) -> None:
    """The test perplexity and some poems."""
    from yinshi.corpus.dataset import Dataset
    from yinshi.evaluation.evaluate import evaluate
    from yinshi.model_file import ModelFile
    from yinshi.writing.poet import Poet

    dataset = Dataset.load(run.data)
    split = "test" if "test" in dataset.splits else "validation"
    model = ModelFile.load(run.best)
    result = evaluate(model, dataset, split, baseline=False)
    click.echo(f"{split} perplexity {result.perplexity:.2f} ({run.best})\n")
    if model.recipe.corpus.layout != "text":
        return  # it expects titles, and is for measuring
    prefixes = [character for character in "日山月" if character in model.vocabulary]
    for poem in Poet(model, str(run.best)).write(prefixes or "", seed=0):
        click.echo(f"{poem}\n")
