"""A study's folder: what it says, shows, and measured.

README.md           the report: tables, figures, sentences
metrics.jsonl       every number drawn or tabulated, a record a line
NAME.svg, NAME.png  each figure
unfinished/         what the study has trained so far, until the report is written
"""

from __future__ import annotations

import io
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from yinshi.atomic import write_atomically
from yinshi.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Record = dict[str, Any]

#: Told apart by the colour-blind too (Okabe & Ito 2008).
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#7F7F7F", "#000000")
SUFFIXES = {".md", ".jsonl", ".svg", ".png"}
UNFINISHED = "unfinished"


class Data(Protocol):
    """What a study is run on, as far as its report tells of it."""

    @property
    def folder(self) -> Path: ...

    @property
    def hash(self) -> str:
        """Tells it from any other."""


class Report:
    """Collects `records` and figures; nothing is written before `write`.

    `arguments` are those that made it, besides its data. Of the processes that torchrun started
    (`ranks`), the first writes, when all others are done.

    Raises UsageError where `folder` holds a finished report (unless it may be overwritten) or
    something other than a report, MissingExtraError without Matplotlib: all before a study begins.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        data: Data,
        quick: bool,
        say: Callable[[str], None] = lambda line: None,
        overwrite: bool = False,
    ) -> None:
        _check_replaceable(folder, overwrite)
        _check_matplotlib()
        self.folder, self.name, self.say = folder, name, say
        self._data, self._quick = data, quick
        self.records: list[Record] = []
        self._files: dict[str, bytes] = {}
        self.arguments = ""
        self._start = perf_counter()
        self.seconds_before = 0.0
        self.rank = int(os.environ.get("RANK", 0))
        self.ranks = int(os.environ.get("WORLD_SIZE", 1))

    @property
    def unfinished(self) -> Path:
        """For what the study has to keep until it is written."""
        return self.folder / UNFINISHED

    def add(self, kind: str, **values: Any) -> None:
        """One line of metrics.jsonl."""
        self.records.append({"kind": kind, **values})

    def select(self, kind: str, **values: Any) -> list[Record]:
        """The records of this kind that hold these values, in the order they were added."""
        wanted = {"kind": kind, **values}
        return [r for r in self.records if wanted.items() <= r.items()]

    def figure(self, name: str, figure: Figure, caption: str) -> str:
        """Keep `figure` as SVG and PNG; the Markdown which shows it, with `caption` for a text."""
        import matplotlib as mpl

        for kind, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
            buffer = io.BytesIO()
            with mpl.rc_context({"svg.hashsalt": "yinshi"}):
                figure.savefig(buffer, format=kind, dpi=110, metadata=metadata)
            self._files[f"{name}.{kind}"] = buffer.getvalue()
        return f"![{caption}]({name}.svg)\n\n*{caption}* ([PNG]({name}.png))"

    def findings(self, read_on: str, write: Callable[[Report], list[str]]) -> str:
        """Sentences written after reading a full run on the data whose hash begins with `read_on`.

        Of another run they may be false: it is shown without them.
        """
        read = not self._quick and self._data.hash.startswith(read_on)
        return "\n".join(f"- {sentence}" for sentence in write(self)) if read else ""

    def write(self, title: str, *paragraphs: str) -> None:
        """README.md with these paragraphs (text, tables, figures), metrics.jsonl, the figures."""
        if not self._is_first_and_last():
            return
        name, quick = self._data.folder.absolute().name, " --quick" if self._quick else ""
        warning = "**A quick run, in miniature: its numbers mean little.**" if quick else ""
        minutes = (self.seconds_before + perf_counter() - self._start) / 60
        made = (
            f"Made by `yinshi study {self.name} --data {name}{quick}{self.arguments}` in "
            f"{minutes:.1f} minutes; data: `{name}`, hash "
            f"`{self._data.hash[:12]}`. [metrics.jsonl](metrics.jsonl) holds every number shown."
        )
        text = "\n\n".join(p for p in (f"# {title}", warning, *paragraphs, made) if p) + "\n"
        lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in self.records]
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, content in self._files.items():
            write_atomically(self.folder / name, content)
        write_atomically(self.folder / "metrics.jsonl", "".join(lines).encode())
        write_atomically(self.folder / "README.md", text.encode())
        shutil.rmtree(self.unfinished, ignore_errors=True)

    def _is_first_and_last(self) -> bool:
        """Whether this is the first process; then only when the others need nothing any more."""
        done = [self.unfinished / f"done-{rank}" for rank in range(1, self.ranks)]
        if self.rank:
            done[self.rank - 1].touch()
        while not self.rank and not all(path.exists() for path in done):
            time.sleep(0.5)
        return not self.rank


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are aligned to the right."""
    rule = ["---"] + ["---:"] * (len(headers) - 1)
    return "\n".join(f"| {' | '.join(row)} |" for row in [headers, rule, *rows])


def _check_replaceable(folder: Path, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: found a file, expected a folder to write; choose another")
    strange = [
        p.name for p in folder.glob("*") if p.suffix not in SUFFIXES and p.name != UNFINISHED
    ]
    if strange:
        raise UsageError(
            f"{folder}: found {min(strange)} there, expected a folder that is empty or holds an "
            "earlier report; choose another --out"
        )
    if (folder / "README.md").exists() and not overwrite:
        raise UsageError(
            f"{folder}: found a finished report there; choose another --out, or --overwrite it"
        )


def _check_matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingExtraError("a study", "train") from None
