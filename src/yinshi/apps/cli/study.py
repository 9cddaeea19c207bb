"""`yinshi study`"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click

from yinshi.apps.cli.train import set_environment
from yinshi.errors import UsageError
from yinshi.studies import STUDIES

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command("study")
@click.argument("name", required=False)
@click.option("--data", type=FOLDER, help="A folder written by `yinshi prepare`.")
@click.option("--quick", is_flag=True, help="In miniature, within minutes.")
@click.option("--out", type=FOLDER,
              help="The report's folder.  [default: reports/NAME; runs/NAME if quick]")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True,
              help="Trainings at a time, each in a process (and on a GPU) of its own.")  # fmt: skip
@click.option("--also", multiple=True, type=click.Path(path_type=Path, exists=True),
              help="For embeddings: a file of vectors, or a prepared folder to learn vectors from; "
              "may be repeated.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace a finished report.")
def command(
    name: str | None,
    data: Path | None,
    quick: bool,
    out: Path | None,
    jobs: int,
    also: tuple[Path, ...],
    overwrite: bool,
) -> None:
    """Run the study NAME on prepared poems and write its report; without NAME, list the studies.

    \b
    yinshi study gradient-flow --data data/tang
    yinshi study gradient-flow --data data/tang --quick
    yinshi study optimizers --data data/tang --jobs 2
    yinshi study embeddings --data data/tang --also data/all --also my-vectors.txt
    torchrun --nproc-per-node 4 -m yinshi study size --data data/tang

    A report is README.md, its figures, and metrics.jsonl with every number shown. A study that was
    interrupted goes on where it stopped when it is started again.
    """
    if name is None:
        width = max(map(len, STUDIES))
        for study, question in STUDIES.items():
            click.echo(f"{study:<{width}}  {question}")
        return
    if name not in STUDIES:
        raise UsageError(f"found no study {name!r}, expected one of {', '.join(STUDIES)}")
    if data is None:
        raise UsageError("found no --data, expected --data DIR; make it with `yinshi prepare`")
    if also and name != "embeddings":
        raise UsageError(f"--also is for the study embeddings; leave it out for {name}")
    set_environment()
    from yinshi.corpus.dataset import Dataset
    from yinshi.studies.report import Report
    from yinshi.studies.trials import Trials

    dataset = Dataset.load(data)
    out = out or Path("runs" if quick else "reports") / name
    report = Report(out, name, dataset, quick, click.echo, overwrite)  # its errors come first
    module = import_module(f"yinshi.studies.{name.replace('-', '_')}")
    more = {"also": also} if also else {}
    report.arguments = "".join(f" --also {path.name}" for path in also)
    module.run(dataset, quick, report, Trials(report, jobs), **more)
    click.echo(f"written: {out / 'README.md'}")
