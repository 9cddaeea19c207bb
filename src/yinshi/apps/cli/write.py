"""`yinshi write`: poems on stdout, the seed that writes them again on stderr."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from yinshi.errors import UsageError

DRAWING = ("seed", "temperature", "top_k", "top_p")

#: Up to so many poems, one thread is best: their products are too small to share, and on a busy
#: machine each would wait for the slower thread (measured on two busy cores: 0.06 s became 3 s).
FEW = 16


@click.command("write", short_help="Write poems that begin as you ask.")
@click.argument("prefixes", nargs=-1, metavar="[PREFIX]...")
@click.option("--model", metavar="PATH", help="A model file or a run's folder.")
@click.option("--count", default=1, show_default=True, help="Poems for each prefix.")
@click.option("--seed", type=int, help="To write the same poems again.")
@click.option("--temperature", type=float, help="Below 1 safer, above bolder.  [default: 0.6]")
@click.option("--top-k", type=int, help="Draw only from the K likeliest characters.")
@click.option("--top-p", type=float, help="Draw only from the likeliest that sum to P.")
@click.option("--greedy", is_flag=True, help="Take the likeliest character, draw nothing.")
@click.option("--beam", type=int, metavar="WIDTH", help="Search the likeliest poem, draw nothing.")
@click.option("--script", type=click.Choice(["traditional", "simplified"]), help="Of the poems.")
@click.option("--max-length", default=64, show_default=True, help="Counts punctuation too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    prefixes: tuple[str, ...],
    model: str | None,
    count: int,
    greedy: bool,
    beam: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Write a poem that begins with each PREFIX; without one, begin freely.

    A prefix may be in traditional or simplified characters, of any length:

    \b
        yinshi write 日 红 山
        yinshi write 白日依山盡， --count 3 --seed 7
    """
    if len(prefixes) * count <= FEW:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy is imported
    from yinshi.writing.poet import Poet, fresh_seed

    options = {name: value for name, value in options.items() if value is not None}
    options |= _method(greedy, beam, options)
    seed_is_ours = options.get("method") is None and "seed" not in options
    if seed_is_ours:
        options["seed"] = fresh_seed()
    poet = Poet.load(model)
    poems = poet.write(prefixes or "", count=count, **options)
    if as_json:
        told = {"model": poet.name, "poems": [poem.to_dict() for poem in poems]}
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    click.echo("\n\n".join(map(str, poems)))
    if seed_is_ours:
        click.secho(f"\n--seed {options['seed']} writes the same again", err=True, dim=True)


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
