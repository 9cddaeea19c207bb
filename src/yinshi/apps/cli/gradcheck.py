"""`yinshi gradcheck`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from yinshi.errors import UsageError

if TYPE_CHECKING:
    from yinshi.engine.gradcheck import GradientCheck

ACTIVATIONS = ("tanh", "sigmoid", "relu")
SHOWN = 3  # entries of each array
AT_LEAST_1 = click.IntRange(min=1)


@click.command("gradcheck", context_settings={"show_default": True})
@click.option("--cell", type=click.Choice(["rnn", "lstm"]), help="Check only this one.")
@click.option("--activation", type=click.Choice(ACTIVATIONS), help="Check only this φ of the RNN.")
@click.option("--layers", type=AT_LEAST_1, default=2, help="L, with dropout between them.")
@click.option("--time", type=AT_LEAST_1, default=5, help="T, steps of the longest sequence.")
@click.option("--batch", type=AT_LEAST_1, default=3, help="B, sequences.")
@click.option("--hidden", type=AT_LEAST_1, default=4, help="H, units of a layer.")
@click.option("--input", type=AT_LEAST_1, default=3, help="I, numbers read at each step.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Seed of all that is random.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    cell: str | None,
    activation: str | None,
    layers: int,
    time: int,
    batch: int,
    hidden: int,
    input: int,
    seed: int,
    as_json: bool,
) -> None:
    """Check the hand-written gradients of the RNN and the LSTM against central differences.

    In float64, over random sequences of uneven lengths from a random initial state: for every
    parameter, the inputs and the initial state, a few derivatives as expected (central differences,
    ε = 1e-4) and as the engine's backward has them, and the largest relative error over all
    entries. Exits with 1 if any exceeds 1e-6.

    Without --cell and --activation, the LSTM and the RNN with each activation are checked. With
    ReLU, data whose pre-activations come near the kink are drawn again: a difference across it is
    no derivative.
    """
    from yinshi.engine.gradcheck import checks

    size = {"time": time, "batch": batch, "inputs": input, "hidden": hidden, "layers": layers}
    found = {name: checks(name, **size, seed=seed) for name in _cells(cell, activation)}
    if as_json:
        _print_json(found, size | {"seed": seed})
    else:
        for name in found:
            _print_table(name, found[name])
        _print_verdict(found)
    if not all(check.passed for of_cell in found.values() for check in of_cell):
        ctx.exit(1)


def _cells(cell: str | None, activation: str | None) -> list[str]:
    """The cells asked for, under the names of `engine.cells.CELLS`."""
    if cell == "lstm" and activation:
        raise UsageError(
            f"found --activation {activation} for an LSTM, whose gates are sigmoid and tanh; "
            "leave it out, or ask for --cell rnn"
        )
    rnns = [f"rnn-{name}" for name in ACTIVATIONS if activation in (None, name)]
    if cell == "lstm":
        return ["lstm"]
    return rnns if cell or activation else ["lstm", *rnns]


def _print_table(cell: str, checks: list[GradientCheck]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{cell}: the derivatives of the objective", box=SIMPLE_HEAD)
    for header in ("by", "shape"):
        table.add_column(header, no_wrap=True)
    for header in ("entry", "expected", "actual", "largest error"):
        table.add_column(header, justify="right", no_wrap=True)
    for check in checks:
        shape = "×".join(map(str, check.actual.shape))
        largest = f"{'' if check.passed else '✗ '}{check.largest_error:.1e}"
        for k, entry in enumerate(check.entries(SHOWN)):
            table.add_row(
                *((check.name, shape) if k == 0 else ("", "")),
                ",".join(map(str, entry)),
                f"{check.expected[entry]:+.9f}",
                f"{check.actual[entry]:+.9f}",
                largest if k == 0 else "",
                style=None if check.passed else "red",
            )
    Console().print(table)


def _print_verdict(found: dict[str, list[GradientCheck]]) -> None:
    from yinshi.engine.gradcheck import FLOOR, TOLERANCE

    for cell, checks in found.items():
        worst = max(checks, key=_badness)
        verdict = "passed" if worst.passed else "FAILED"
        entries = sum(check.actual.size for check in checks)
        click.echo(
            f"{cell:<12} {verdict}: largest relative error of {entries:,} entries "
            f"{worst.largest_error:.1e} ({worst.name}), allowed {TOLERANCE:g}"
        )
    click.echo(f"An error is |expected − actual| / max(|expected|, |actual|, {FLOOR:g}).")


def _badness(check: GradientCheck) -> tuple[bool, float]:
    """NaN compares with nothing, but fails: failures first, then the largest error."""
    return not check.passed, check.largest_error


def _print_json(found: dict[str, list[GradientCheck]], size: dict[str, int]) -> None:
    import json

    from yinshi.engine.gradcheck import EPSILON, FLOOR, TOLERANCE

    facts = {
        **size,
        "epsilon": EPSILON,
        "tolerance": TOLERANCE,
        "floor": FLOOR,
        "passed": all(check.passed for checks in found.values() for check in checks),
        "cells": {cell: [_facts(check) for check in checks] for cell, checks in found.items()},
    }
    click.echo(json.dumps(facts, ensure_ascii=False, indent=2))


def _facts(check: GradientCheck) -> dict[str, object]:
    return {
        "name": check.name,
        "shape": list(check.actual.shape),
        "largest_error": check.largest_error,
        "passed": check.passed,
        "entries": [
            {
                "index": list(entry),
                "expected": float(check.expected[entry]),
                "actual": float(check.actual[entry]),
            }
            for entry in check.entries(SHOWN)
        ],
    }
