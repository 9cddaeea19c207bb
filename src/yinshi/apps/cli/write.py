"""`yinshi write`: poems on stdout, the seed that writes them again on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from yinshi.errors import UsageError

if TYPE_CHECKING:
    from yinshi.writing.written_poem import WrittenPoem

DRAWING = ("seed", "temperature", "top_k", "top_p")

#: Up to so many poems, one thread is best: their products are too small to share, and on a busy
#: machine each would wait for the slower thread (measured on two busy cores: 0.06 s became 3 s).
FEW = 16


@click.command("write", short_help="Write poems that begin as you ask.")
@click.argument("prefixes", nargs=-1, metavar="[PREFIX]...")
@click.option("--model", metavar="PATH", help="A model file or a run's folder.")
@click.option("--count", default=1, show_default=True, help="Poems for each prefix.")
@click.option("--seed", type=int, help="To write the same poems again.")
@click.option(
    "--temperature",
    type=float,
    help="Below 1 safer, above bolder.  [default: 0.8]",
)
@click.option("--top-k", type=int, help="Draw only from the K likeliest characters.")
@click.option("--top-p", type=float, help="Draw only from the likeliest that sum to P.")
@click.option("--greedy", is_flag=True, help="Take the likeliest character, draw nothing.")
@click.option("--beam", type=int, metavar="WIDTH", help="Search the likeliest poem, draw nothing.")
@click.option("--script", type=click.Choice(["traditional", "simplified"]), help="Of the poems.")
@click.option("--max-length", default=64, show_default=True, help="Counts punctuation too.")
@click.option("--title", metavar="TITLE", help="What it is about, for a model that reads titles.")
@click.option("--style", metavar="AUTHOR", help="In whose manner, for a model that knows authors.")
@click.option("--dynasty", help="唐 or 宋.  [default: the author's, or 唐]")
@click.option("--form", help="五绝, 七绝, 五律, 七律, 排律:N or free.")
@click.option("--rhyme", metavar="RHYME", help="One of the 106 (东), auto or off.")
@click.option("--tones", type=click.Choice(["strict", "loose", "off"]))
@click.option("--acrostic", metavar="TEXT", help="A character for each line, _ for any.")
@click.option("--acrostic-at", metavar="PLACE", help="head, end or a position.  [default: head]")
@click.option("--first", metavar="TEXT", help="How the poem begins; the same as PREFIX.")
@click.option("--line", "lines", multiple=True, metavar="N:TEXT", help='E.g. "3:____春".')
@click.option("--keep", metavar="FILE", help="A poem with □ for what is to be written anew.")
@click.option("--avoid", metavar="TEXT", help="Characters that may not stand in it.")
@click.option("--no-repeat", is_flag=True, help="No character stands in it twice.")
@click.option("--candidates", type=int, help="Drafts to choose a poem from.  [default: 64]")
@click.option("--allow-quotes", is_flag=True, help="Lines of the training poems are welcome.")
@click.option("--corpus", type=click.Path(path_type=Path, file_okay=False),
              help="Prepared poems: show the real line nearest to each.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    prefixes: tuple[str, ...],
    model: str | None,
    count: int,
    greedy: bool,
    beam: int | None,
    as_json: bool,
    first: str | None,
    lines: tuple[str, ...],
    keep: str | None,
    no_repeat: bool,
    corpus: Path | None,
    **options: Any,
) -> None:
    """Write a poem that begins with each PREFIX; without one, begin freely.

    A prefix may be in traditional or simplified characters, of any length:

    \b
        yinshi write 日 红 山
        yinshi write 白日依山盡， --count 3 --seed 7

    Wishes, from --form to --no-repeat, go together as you like; a poem meets them all, or you
    are told which collide:

    \b
        yinshi write --form 七律 --rhyme 东
        yinshi write --form 五绝 --acrostic 春夏秋冬 --avoid 愁

    A model trained with network.conditions can be told more:

    \b
        yinshi write --title 秋夜寄友 --style 李白 --form 五律
    """
    if len(prefixes) * count <= FEW:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy is imported
    from yinshi.writing.poet import Poet, fresh_seed

    options = {name: value for name, value in options.items() if value is not None}
    options |= _method(greedy, beam, options)
    if first is not None:
        if prefixes:
            raise UsageError(f"found PREFIX {prefixes[0]} and --first {first}: expected one")
        prefixes = (first,)
    if str(at := options.get("acrostic_at", "")).isdecimal():
        options["acrostic_at"] = int(at)
    options |= _wishes(lines, keep, no_repeat)
    seed_is_ours = options.get("method") is None and "seed" not in options
    if seed_is_ours:
        options["seed"] = fresh_seed()
    poet = Poet.load(model)
    poems = poet.write(prefixes or "", count=count, **options)
    near = _nearest(poems, corpus) if corpus else [[] for _ in poems]
    if as_json:
        found = [
            poem.to_dict() | ({"nearest": real} if corpus else {})
            for poem, real in zip(poems, near, strict=True)
        ]
        told = {"model": poet.name, "poems": found}
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    click.echo("\n\n".join(map(_shown, poems, near)))
    if seed_is_ours:
        click.secho(f"\n--seed {options['seed']} writes the same again", err=True, dim=True)


def _nearest(poems: Sequence[WrittenPoem], corpus: Path) -> list[list[dict[str, Any]]]:
    """For each poem, the real line nearest to each of its lines."""
    from yinshi.corpus.dataset import Dataset
    from yinshi.corpus.poem import lines_of
    from yinshi.evaluation.nearest import nearest_lines

    lines = [lines_of(poem.text) for poem in poems]
    found = iter(nearest_lines([line for poem in lines for line in poem], Dataset.load(corpus), 1))
    return [
        [{"line": line} | asdict(real) for line in poem for real in next(found)] for poem in lines
    ]


def _shown(poem: WrittenPoem, near: Sequence[Mapping[str, Any]]) -> str:
    rows = ["{line}  {similarity:.0%} {text}  {author}《{title}》".format(**real) for real in near]
    return "\n".join([str(poem), *([""] if rows else []), *rows])


def _method(greedy: bool, beam: int | None, options: dict[str, Any]) -> dict[str, Any]:
    """Poet.write's arguments for `--greedy` and `--beam`."""
    if not greedy and beam is None:
        return {}
    if greedy and beam is not None:
        raise UsageError("found --greedy and --beam: expected one of them")
    idle = [f"--{name.replace('_', '-')}" for name in DRAWING if name in options]
    if idle:
        chosen = "--greedy" if greedy else "--beam"
        raise UsageError(
            f"found {', '.join(idle)} with {chosen}, which draws nothing: leave out one"
        )
    return {"method": "greedy"} if greedy else {"method": "beam", "beam_width": beam}


def _wishes(lines: tuple[str, ...], keep: str | None, no_repeat: bool) -> dict[str, Any]:
    """Poet.write's arguments for `--line`, `--keep` and `--no-repeat`."""
    found: dict[str, Any] = {"no_repeat": True} if no_repeat else {}
    if keep is not None:
        found["keep"] = _read(keep)
    for number, text in map(_line, lines):
        asked = found.setdefault("lines", {})
        if number in asked:
            raise UsageError(
                f"found --line {number} twice, {asked[number]!r} and {text!r}: expected one, "
                "with _ for each character to be written"
            )
        asked[number] = text
    return found


def _line(asked: str) -> tuple[int, str]:
    """(3, "____春") of 3:____春."""
    number, colon, text = asked.replace("：", ":").partition(":")
    if not (number.strip().isdecimal() and colon):
        raise UsageError(f"found --line {asked!r}: expected a number and a line, as 3:____春")
    return int(number), text


def _read(name: str) -> str:
    """The text of the file `name`; - is standard input."""
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"--keep {name}: {error.strerror}; expected a poem with □") from None
    except UnicodeDecodeError:
        raise UsageError(f"--keep {name}: found bytes that are not UTF-8 text") from None
    if not text.strip():
        raise UsageError(f"--keep {name}: found nothing; expected a poem with □")
    return text
