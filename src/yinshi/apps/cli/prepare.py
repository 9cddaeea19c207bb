"""`yinshi prepare`: sources of poems → a prepared folder."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from yinshi.recipe import CorpusRecipe


def _ratio(ctx: click.Context, param: click.Parameter, value: str | None) -> list[float] | None:
    """8:1:1 or 80/20 as numbers."""
    if value is None:
        return None
    try:
        return [int(part) if part.isdigit() else float(part) for part in re.split("[:/]", value)]
    except ValueError:
        raise click.BadParameter(f"found {value!r}, expected numbers such as 8:1:1") from None


@click.command("prepare")
@click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Folder, .zip, .tar.* or text file (标题::作者::正文, one poem a line); may be repeated.  "
    "[default: download the pinned chinese-poetry archive]",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option("--recipe", metavar="NAME|PATH", help="Recipe whose [corpus] is the default.")
@click.option("--collection", type=click.Choice(["tang", "song", "all"]), help="Which poems.")
@click.option("--script", type=click.Choice(["traditional", "simplified"]), help="Characters.")
@click.option(
    "--form", type=click.Choice(["any", "五绝", "七绝", "五律", "七律"]), help="Fixed form."
)
@click.option("--min-length", type=int, help="Shortest poem kept, in characters.")
@click.option("--max-length", type=int, help="Longest poem kept, punctuation counted.")
@click.option(
    "--too-long", type=click.Choice(["drop", "truncate"]), help="What becomes of longer poems."
)
@click.option("--sample", type=int, help="Keep so many poems, drawn at random.")
@click.option("--min-frequency", type=int, help="Rarer characters become <unk>.")
@click.option("--max-vocabulary", type=int, help="Most ids, the four specials included.")
@click.option(
    "--ratio", callback=_ratio, metavar="A:B[:C]", help="train:validation[:test], e.g. 8:1:1."
)
@click.option("--seed", type=int, help="Seed of sample and split.")
def command(sources: tuple[Path, ...], out: Path, recipe: str | None, **options: Any) -> None:
    """Clean, de-duplicate, split and encode a collection of poems.

    Options that are not given come from the recipe, or else have the defaults of a recipe without
    a [corpus] section. Lengths count punctuation.

    \b
    Examples:
      yinshi prepare --out data/tang
      yinshi prepare --source chinese-poetry.tar.xz --recipe tang --out data/tang
      yinshi prepare --source poems.txt --script simplified --ratio 9:1 --out data/mine
      yinshi prepare --source quan-tang-shi.zip --form 五绝 --max-vocabulary 4000 --out data/jueju
    """
    given = {key: value for key, value in options.items() if value is not None}
    prepare_into(out, _corpus_recipe(recipe, given), sources)


def prepare_into(out: Path, corpus: CorpusRecipe, sources: Sequence[Path] = ()) -> None:
    """Write the prepared folder `out` of the sources, or of the pinned archive, and tell of it."""
    from yinshi.corpus.prepare import prepare

    started = time.perf_counter()
    manifest = prepare(
        sources or [_download()], corpus, out, report=lambda line: click.echo(line, err=True)
    )
    for line in _summary(manifest):
        click.echo(line)
    click.echo(f"{out} written in {time.perf_counter() - started:.1f} s")


def _corpus_recipe(name: str | None, given: dict[str, Any]) -> CorpusRecipe:
    """The recipe's [corpus] with the given options over it; all faults reported at once."""
    from yinshi.recipe import Recipe, load_recipe

    values = load_recipe(name).to_dict() if name else {}
    values["corpus"] = values.get("corpus", {}) | given
    return Recipe.from_dict(values, name=name or "of the options").corpus


def _download() -> Path:
    """The pinned archive, from the cache or fetched under a progress bar."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from yinshi.corpus.download import fetch_archive

    columns = (TextColumn("downloading"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, visible=False)
        return fetch_archive(
            progress=lambda done, total: bar.update(task, completed=done, total=total, visible=True)
        )


def _summary(manifest: dict[str, Any]) -> Iterator[str]:
    """What came of it, a line each; what didn't happen is not mentioned."""
    counts = manifest["counts"]
    near = manifest["near_duplicates"]
    rows = [
        ("read", counts["read"], "poems"),
        ("dropped", counts["read"] - counts["cleaning"], _rules(manifest, "dropped")),
        (
            "rules applied",
            sum(manifest["cleaning"]["touched"].values()),
            _rules(manifest, "touched"),
        ),
        ("another form", counts["cleaning"] - counts["form"], ""),
        ("another length", counts["form"] - counts["length"], ""),
        ("truncated", manifest["truncated"], ""),
        ("duplicates", counts["length"] - counts["duplicates"], ""),
        ("left", counts["sample"], "poems"),
        ("near-duplicates", near["poems"], f"in {near['groups']:,} groups, each on one side"),
    ]
    for name, unknown in manifest["unknown_rate"].items():
        rows.append((name, counts[name], f"poems, {unknown:.3%} of characters unknown"))
    rows.append(("vocabulary", manifest["vocabulary_size"], "ids, the specials included"))
    for label, number, note in rows:
        if number:
            yield f"{label:<16}{number:>9,}  {note}".rstrip()


def _rules(manifest: dict[str, Any], what: str) -> str:
    """The cleaning rules used most, with their counts; the manifest has all."""
    counts = sorted(manifest["cleaning"][what].items(), key=lambda item: -item[1])
    most = ", ".join(f"{rule} {n:,}" for rule, n in counts[:4])
    return most + ", …" * (len(counts) > 4)
