"""`yinshi study`"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click

from yinshi.errors import UsageError
from yinshi.studies import STUDIES

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command("study")
@click.argument("name", required=False)
@click.option("--data", type=FOLDER, help="A folder written by `yinshi prepare`.")
@click.option("--quick", is_flag=True, help="In miniature, within half a minute.")
@click.option("--out", type=FOLDER,
              help="The report's folder.  [default: reports/NAME; runs/NAME if quick]")  # fmt: skip
def command(name: str | None, data: Path | None, quick: bool, out: Path | None) -> None:
    """Run the study NAME on prepared poems and write its report; without NAME, list the studies.

    \b
    yinshi study gradient-flow --data data/tang
    yinshi study gradient-flow --data data/tang --quick

    A report is README.md, its figures, and metrics.jsonl with every number shown.
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
    _run(name, data, quick, out or Path("runs" if quick else "reports") / name)


def _run(name: str, data: Path, quick: bool, out: Path) -> None:
    from yinshi.corpus.dataset import Dataset
    from yinshi.studies.report import Report

    dataset = Dataset.load(data)
    report = Report(out, name, dataset, quick, click.echo)  # its errors come before the measuring
    study = import_module(f"yinshi.studies.{name.replace('-', '_')}")
    study.run(dataset, quick, report)
    click.echo(f"written: {out / 'README.md'}")
