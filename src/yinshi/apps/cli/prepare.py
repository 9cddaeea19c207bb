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
    "--form",
    metavar="FORM",
    help="any; 五绝, 七绝, 五律 or 七律, several joined by +; or regulated: all of these.",
)
@click.option(
    "--layout",
    type=click.Choice(["text", "titled"]),
    help="What a network reads: the text alone, or the title, then a sentence a line.",
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
@click.option(
    "--test-file",
    type=click.Path(path_type=Path),
    metavar="JSON|DIRECTORY",
    help='The test split: [{"title": …, "content": "line。\\nline。"}, …], or that of a prepared '
    "folder; kept out of the others.",
)
def command(
    sources: tuple[Path, ...],
    out: Path,
    recipe: str | None,
    test_file: Path | None,
    **options: Any,
) -> None:
    """Clean, de-duplicate, split and encode a collection of poems.

    Options that are not given come from the recipe, or else have the defaults of a recipe without
    a [corpus] section. Lengths count punctuation.

    The poems of a --test-file are the test split as they stand there; they and their
    near-duplicates are taken out of all other poems, which A:B of --ratio then divides.

    \b
    Examples:
      yinshi prepare --out data/tang
      yinshi prepare --source chinese-poetry.tar.xz --recipe tang --out data/tang
      yinshi prepare --source poems.txt --script simplified --ratio 9:1 --out data/mine
      yinshi prepare --source quan-tang-shi.zip --form 五绝 --max-vocabulary 4000 --out data/jueju
      yinshi prepare --recipe four-forms --test-file poems.json --out data/four-forms
      yinshi prepare --collection all --ratio 99:1 --test-file data/tang --out data/all
    """
    given = {key: value for key, value in options.items() if value is not None}
    prepare_into(out, _corpus_recipe(recipe, given), sources, test_file)


def prepare_into(
    out: Path,
    corpus: CorpusRecipe,
    sources: Sequence[Path] = (),
    test_file: Path | None = None,
) -> None:
    """Write the prepared folder `out` of the sources, or of the pinned archive, and tell of it."""
    from yinshi.corpus.prepare import prepare

    started = time.perf_counter()
    manifest = prepare(
        sources or [_download()],
        corpus,
        out,
        report=lambda line: click.echo(line, err=True),
        test_file=test_file,
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
        *_of_test_file(manifest.get("test_file")),
        ("left", counts["sample"], "poems"),
        ("near-duplicates", near["poems"], f"in {near['groups']:,} groups, each on one side"),
    ]
    for name, unknown in manifest["unknown_rate"].items():
        rows.append((name, counts[name], f"poems, {unknown:.3%} of characters unknown"))
    rows.append(("vocabulary", manifest["vocabulary_size"], "ids, the specials included"))
    if manifest["options"]["layout"] == "titled":
        rows.append(("untitled", manifest["untitled"], "poems, which begin with an empty line"))
    for label, number, note in rows:
        if number:
            yield f"{label:<16}{number:>9,}  {note}".rstrip()


def _of_test_file(facts: dict[str, Any] | None) -> Iterator[tuple[str, int, str]]:
    """Rows of the summary, where the test poems were given."""
    if not facts:
        return
    yield "test file", facts["poems"], f"poems, {facts['found']:,} of them found in the sources"
    yield "  without verse", len(facts["empty"]), "left out"
    for why, numbers in facts["kept"].items():
        yield f"  {why.replace('_', ' ')}", len(numbers), "kept"
    yield "  removed, same", facts["removed"]["same"], "poems taken out of the others"
    yield "  removed, near", facts["removed"]["near"], "near-duplicates taken out of the others"


def _rules(manifest: dict[str, Any], what: str) -> str:
    """The cleaning rules used most, with their counts; the manifest has all."""
    counts = sorted(manifest["cleaning"][what].items(), key=lambda item: -item[1])
    most = ", ".join(f"{rule} {n:,}" for rule, n in counts[:4])
    return most + ", …" * (len(counts) > 4)
