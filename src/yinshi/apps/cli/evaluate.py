"""`yinshi evaluate`"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from yinshi.errors import SourceError, UsageError

if TYPE_CHECKING:
    from yinshi.evaluation.evaluate import Evaluation
    from yinshi.evaluation.poems import Comparison, Figures
    from yinshi.model_file import ModelFile

MEANINGS = {
    "per_token": "the figure: every token, padding never",
    "per_character": "Chinese characters only",
    "padded_to": "cut or padded to this length, pads counted",
    "mean_of_poems": "mean over poems of each one's perplexity",
    "base2_of_nats": "2^nats, the wrong base, as others have printed",
}

#: What stands in the table of poems: label, and a figure as text.
ROWS: tuple[tuple[str, Callable[[Figures], str]], ...] = (
    ("poems", lambda f: f"{f.poems:,}"),
    ("regulated, not 古體", lambda f: f"{f.regulated:.1%}"),
    ("rhyme", lambda f: f"{f.rhyme:.1%}"),
    ("tones, strict", lambda f: f"{f.strict:.1%}"),
    ("tones, loose", lambda f: f"{f.loose:.1%}"),
    ("characters repeated", lambda f: f"{f.repeated:.1%}"),
    ("distinct-1", lambda f: f"{f.distinct[0]:.3f}"),
    ("distinct-2", lambda f: f"{f.distinct[1]:.3f}"),
    ("distinct-3", lambda f: f"{f.distinct[2]:.3f}"),
    ("lines copied", lambda f: f"{f.copied:.1%}"),
    ("known span, mean", lambda f: f"{f.span:.2f}"),
    ("known span, longest", lambda f: f"{f.longest}"),
    ("nats per character", lambda f: f"{f.nats:.2f}"),
)
#: Tokens that a poem drawn without a form may have: enough for eight lines of seven, and more.
MAX_LENGTH = 128
#: Poems drawn at a time.
PORTION = 16


@click.command("evaluate")
@click.argument("model", type=click.Path(path_type=Path), required=False)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Poems made by `yinshi prepare`.",
)
@click.option("--split", default="test", show_default=True, help="train, validation or test.")
@click.option(
    "--pad-to",
    type=click.IntRange(min=1),
    default=80,
    show_default=True,
    metavar="L",
    help="The length for the convention that counts padding.",
)
@click.option("--given", multiple=True, metavar="PARTS",
              help="Tell the model of each poem first: dynasty+form+pattern+rhyme+author+title, or "
              "some.  Several times, none among them, to compare.")  # fmt: skip
@click.option("--poems", type=click.IntRange(min=1), metavar="N", help="Judge N poems drawn.")
@click.option("--file", metavar="FILE", help="Judge the poems of a text file; - is stdin.")
@click.option("--form", "forms", multiple=True, help="Draw N poems of this form; may be repeated.")
@click.option("--rhyme", help="Of the poems drawn, as in yinshi write.")
@click.option("--tones", type=click.Choice(["strict", "loose", "off"]), help="As in yinshi write.")
@click.option("--temperature", type=float, help="As in yinshi write.")
@click.option("--seed", default=0, show_default=True, help="Of the first poem drawn.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def command(
    model: Path | None,
    data: Path,
    split: str,
    pad_to: int,
    given: tuple[str, ...],
    poems: int | None,
    file: str | None,
    forms: tuple[str, ...],
    seed: int,
    as_json: bool,
    **wishes: Any,
) -> None:
    """Measure a model's perplexity, under our convention and under others'; or judge poems.

    MODEL is a model file or the folder of a training run; without it, the shipped model. Figures
    are only comparable for the same split, vocabulary and convention, and the same --given.

    With --poems or --file, poems are judged by form: rhyme, tones, repetition, diction, copied
    lines and likelihood, each beside the same figure of real poems of the split and of their
    lines recombined at random.
    """
    from yinshi.corpus.dataset import Dataset
    from yinshi.model_file import ModelFile, resolve_model

    path = resolve_model(model)
    loaded, dataset = ModelFile.load(path), Dataset.load(data)
    told = {"model": str(path), "data": str(data), "split": split}
    name = str(model or "the shipped model")
    wishes = {wish: value for wish, value in wishes.items() if value is not None}
    _check(poems, file, bool(forms or wishes))
    if given and (poems or file):
        raise UsageError("found --given with --poems or --file: it is for perplexity alone")
    conditions = [_conditions(text) for text in given] or [()]
    if poems or file:
        from yinshi.evaluation.poems import Critic

        critic = Critic(loaded, dataset, split)
        texts = _read(file) if file else _drawn(loaded, poems or 0, forms, seed, wishes)
        found = critic.compare(texts)
        if as_json:
            _print_comparisons_json(found, told | {"file": file, "seed": seed, **wishes}, texts)
        else:
            source = file or f"{len(texts):,} poems of {name}"
            _print_comparisons(found, f"{source} beside the {split} split of {data}", len(texts))
        return
    from yinshi.evaluation.evaluate import evaluate

    with _progress_bar("evaluating") as progress:
        several = len(conditions) > 1
        evaluations = [
            evaluate(loaded, dataset, split, pad_to, not several, progress, each)
            for each in conditions
        ]
    if as_json:
        _print_json(evaluations, given, told)
    elif several:
        _print_given(evaluations, given, f"{name} on the {split} split of {data}")
    else:
        headers = f", given {given[0]}" if given else ""
        _print_card(evaluations[0], f"{name} on the {split} split of {data}{headers}")


def _conditions(text: str) -> tuple[str, ...]:
    from yinshi.recipe import conditions_in

    try:
        return conditions_in(text)
    except UsageError as error:
        raise UsageError(f"--given {error}") from None


def _check(poems: int | None, file: str | None, has_wishes: bool) -> None:
    if poems and file:
        raise UsageError("found --poems and --file: expected one of them")
    if has_wishes and not poems:
        raise UsageError("found wishes for poems to draw: expected --poems N with them")


def _read(file: str) -> list[str]:
    """The poems of the file `file`, read as `yinshi scan` reads them."""
    from yinshi.apps.cli.scan import poems_of

    try:
        with click.open_file(file, "rb") as stream:
            text = stream.read().decode("utf-8-sig")
    except OSError as error:
        raise SourceError(f"{file}: {error.strerror}; expected a text of poems") from None
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{file}: not UTF-8 (byte {error.start}), expected a UTF-8 text"
        ) from None
    if not (poems := poems_of(text)):
        raise UsageError(f"{file}: found no Chinese verse, expected poems, UTF-8")
    return poems


def _drawn(
    model: ModelFile, count: int, forms: tuple[str, ...], seed: int, wishes: Mapping[str, Any]
) -> list[str]:
    """`count` poems of each form, or freely, with the seeds `seed`, `seed` + 1, …"""
    from yinshi.writing.poet import Poet

    poet, texts = Poet(model, ""), list[str]()
    kinds: list[dict[str, Any]] = [{"form": form} for form in forms] or [{}]
    with _progress_bar("drawing") as progress:
        for kind in kinds:
            for first in range(0, count, PORTION):
                portion = min(PORTION, count - first)
                written = poet.write(
                    count=portion, seed=seed + first, max_length=MAX_LENGTH, **kind, **wishes
                )
                texts += [poem.text for poem in written]
                progress(len(texts), count * len(kinds))
    return texts


@contextmanager
def _progress_bar(doing: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, and only on a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, poems: bar.update(task, completed=done, total=poems)


def _print_json(
    evaluations: Sequence[Evaluation], given: Sequence[str], told: Mapping[str, Any]
) -> None:
    """One evaluation, or under "given" all of them."""
    import json
    from dataclasses import asdict

    found: dict[str, Any] = {
        parts: asdict(each) for parts, each in zip(given, evaluations, strict=False)
    }
    if len(evaluations) > 1:
        facts: dict[str, Any] = {"given": found}
    else:
        facts = asdict(evaluations[0]) | ({"given": given[0]} if given else {})
    click.echo(json.dumps({**told, **facts}, ensure_ascii=False, indent=2))


def _print_given(evaluations: Sequence[Evaluation], given: Sequence[str], title: str) -> None:
    """What each of the headers brings, beside the first."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table("given", box=SIMPLE_HEAD)
    for column in ("perplexity", "per character", f"beside {given[0]}"):
        table.add_column(column, justify="right")
    first = evaluations[0].perplexity
    for parts, each in zip(given, evaluations, strict=True):
        characters = each.conventions["per_character"]
        change = f"{each.perplexity / first - 1:+.1%}"
        table.add_row(parts, f"{each.perplexity:.2f}", f"{characters:.2f}", change)
    click.echo(title)
    Console().print(table)
    _print_size(evaluations[0])


def _print_card(evaluation: Evaluation, title: str) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table("convention", box=SIMPLE_HEAD)
    table.add_column("perplexity", justify="right")
    table.add_column("what is counted")
    for name, value in evaluation.conventions.items():
        meaning = next(text for key, text in MEANINGS.items() if name.startswith(key))
        style = "bold" if name == "per_token" else None
        table.add_row(name, f"{value:.2f}", meaning, style=style)
    if evaluation.baseline is not None:
        table.add_section()
        table.add_row("trigram", f"{evaluation.baseline:.2f}", "the baseline, counted per token")
    click.echo(title)
    Console().print(table)
    _print_size(evaluation)


def _print_size(evaluation: Evaluation) -> None:
    click.echo(
        f"poems {evaluation.poems:,}, tokens {evaluation.tokens:,}, "
        f"V {evaluation.vocabulary_size:,}, unknown characters {evaluation.unknown_rate:.2%}"
    )
    for warning in evaluation.warnings:
        click.secho(f"note: {warning}", fg="yellow")


def _print_comparisons_json(
    found: Mapping[str, Comparison], told: Mapping[str, Any], texts: list[str]
) -> None:
    import json
    from dataclasses import asdict

    forms = {form: asdict(comparison) for form, comparison in found.items()}
    facts = {**told, "poems": len(texts), "forms": forms}
    click.echo(json.dumps(facts, ensure_ascii=False, indent=2))


def _print_comparisons(found: Mapping[str, Comparison], title: str, poems: int) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    click.echo(title)
    for form, comparison in found.items():
        table = Table(form, box=SIMPLE_HEAD)
        for column in ("these", "real", "recombined"):
            table.add_column(column, justify="right")
        table.add_row("share", f"{comparison.share:.1%}", f"{comparison.share_of_real:.1%}", "")
        columns = (comparison.asked, comparison.real, comparison.recombined)
        for label, text in ROWS:
            table.add_row(label, *("" if figures is None else text(figures) for figures in columns))
        Console().print(table)
    regular = sum(comparison.share for comparison in found.values())
    of_real = sum(comparison.share_of_real for comparison in found.values())
    click.echo(f"in these forms {regular:.1%} of {poems:,} poems, {of_real:.1%} of the real ones")
    for form, comparison in found.items():
        if comparison.real is None:
            click.secho(f"note: the split has no {form} to compare with", fg="yellow")
    told = ", ".join(f"{form} {c.asked.compared:,}" for form, c in found.items())
    if found:
        click.echo(f"distinct-n is of equally many poems in each column: {told}")
