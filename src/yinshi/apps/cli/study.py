"""`yinshi study`"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from yinshi.apps.cli.train import set_environment
from yinshi.errors import UsageError
from yinshi.studies import STUDIES

if TYPE_CHECKING:
    from yinshi.corpus.dataset import Dataset
    from yinshi.studies.labelled_data import LabelledData

FOLDER = click.Path(path_type=Path, file_okay=False)
#: Option → the study it is for.
ONLY_FOR = {"also": "embeddings", "text_col": "classify", "label_col": "classify"}


@click.command("study")
@click.argument("name", required=False)
@click.option("--data", type=FOLDER,
              help="A folder written by `yinshi prepare`; for classify one with the tables train, "
              "dev and test, or with one table, which is split.")  # fmt: skip
@click.option("--quick", is_flag=True, help="In miniature, within minutes.")
@click.option("--out", type=FOLDER,
              help="The report's folder.  [default: reports/NAME; runs/NAME if quick]")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True,
              help="Trainings at a time, each in a process (and on a GPU) of its own.")  # fmt: skip
@click.option("--also", multiple=True, type=click.Path(path_type=Path, exists=True),
              help="For embeddings: a file of vectors, or a prepared folder to learn vectors from; "
              "may be repeated.")  # fmt: skip
@click.option("--text-col", metavar="COL",
              help="For classify: a column's name or, from 0, its number.  [default: text, review, "
              "… if there is a header]")  # fmt: skip
@click.option("--label-col", metavar="COL",
              help="Likewise.  [default: label, class, …]")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace a finished report.")
def command(
    name: str | None,
    data: Path | None,
    quick: bool,
    out: Path | None,
    jobs: int,
    overwrite: bool,
    **only: Any,
) -> None:
    """Run the study NAME on its data and write its report; without NAME, list the studies.

    \b
    yinshi study gradient-flow --data data/tang
    yinshi study gradient-flow --data data/tang --quick
    yinshi study optimizers --data data/tang --jobs 2
    yinshi study embeddings --data data/tang --also data/all --also my-vectors.txt
    yinshi study classify --data data/titles --text-col 1 --label-col 2
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
    given = {option: value for option, value in only.items() if value}
    for option in given:
        if name != ONLY_FOR[option]:
            raise UsageError(
                f"{flag(option)} is for the study {ONLY_FOR[option]}; leave it out for {name}"
            )
    set_environment()
    from yinshi.studies.report import Report
    from yinshi.studies.trials import Trials

    loaded = load(name, data, only)
    out = out or Path("runs" if quick else "reports") / name
    report = Report(out, name, loaded, quick, click.echo, overwrite)  # its errors come first
    module = import_module(f"yinshi.studies.{name.replace('-', '_')}")
    more = {"also": given["also"]} if "also" in given else {}
    report.arguments = arguments(given)
    module.run(loaded, quick, report, Trials(report, jobs), **more)
    click.echo(f"written: {out / 'README.md'}")


def load(name: str, data: Path | None, columns: dict[str, Any]) -> Dataset | LabelledData:
    """What the study `name` is run on."""
    if name == "classify":
        from yinshi.studies.labelled_data import LabelledData

        if data is None:
            raise UsageError("found no --data, expected --data DIR, with tables of labelled texts")
        found = (columns["text_col"], columns["label_col"])
        return LabelledData.load(data, *(int(c) if c and c.isdecimal() else c for c in found))
    from yinshi.corpus.dataset import Dataset

    if data is None:
        raise UsageError("found no --data, expected --data DIR; make it with `yinshi prepare`")
    return Dataset.load(data)


def arguments(given: dict[str, Any]) -> str:
    """For the report: of a path its last part only."""
    values = {
        option: [path.name for path in value] if option == "also" else [value]
        for option, value in given.items()
    }
    return "".join(f" {flag(option)} {one}" for option in values for one in values[option])


def flag(option: str) -> str:
    return f"--{option.replace('_', '-')}"
