"""Poems stepped together beside the same poems one after the other, on one thread.

    python benchmarks/together.py [--model PATH] [--poems 64] [--rounds 7] [--mixed 6]

Every arm but the last of free poems writes the very same poems, to the last bit: `Poet.write` for
one at a time; `Poet.begin` and `step_together` for 8, 16 or all at once. "In one product" is what
exactness costs: all rows of a step multiplied together, as a BLAS likes it best, which changes the
last bits and so a poem in some hundreds. Mixed: a free poem, a 五律 that rhymes and an acrostic
五绝 in turns, the wishes with the usual 64 drafts. The aim: 64 free poems together at least 5 times
as quickly as one at a time.
"""

from __future__ import annotations

import argparse
import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # read when NumPy is loaded

from pathlib import Path
from typing import Any

from interleaved import Program, Programs, interleave, publish, table

from yinshi.writing.poet import Poet
from yinshi.writing.together import step_together

MIXED: list[dict[str, Any]] = [
    {},
    {"form": "五律", "rhyme": "东"},
    {"form": "五绝", "acrostic": "春夏秋冬"},
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="default: the shipped model")
    parser.add_argument("--poems", type=int, default=64)
    parser.add_argument("--mixed", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    parts = []
    for title, wishes, count in [
        ("free poems", [{}], arguments.poems),
        ("poems, free and with wishes", MIXED, arguments.mixed),
    ]:
        times = interleave((programs, (arguments.model, wishes, count)), arguments.rounds)
        parts.append(table(f"{count} {title}, one thread: each poem", times, per=count))
    publish("together", parts)


def programs(model: Path | None, wishes: list[dict[str, Any]], count: int) -> Programs:
    asked = [{"seed": seed} | wishes[seed % len(wishes)] for seed in range(count)]
    sizes = sorted({size for size in (8, 16, count) if size <= count})
    arms: dict[str, Any] = {"one at a time": lambda: _alone(model, asked)}
    arms |= {f"{size} together": lambda s=size: _together(model, asked, s) for size in sizes}
    if len(wishes) == 1:
        arms["the same in one product"] = lambda: _together(model, asked, count, shared=True)
    return arms


def _alone(model: Path | None, asked: list[dict[str, Any]]) -> Program:
    poet = Poet.load(model)
    return lambda: [poet.write(**each) for each in asked]


def _together(
    model: Path | None, asked: list[dict[str, Any]], size: int, shared: bool = False
) -> Program:
    """Never more than `size` at a time; where one is done another is begun."""
    poet = Poet.load(model)
    network = poet._model

    def write() -> None:
        if shared:
            network.step_apart = network.step  # type: ignore[method-assign]
        waiting = list(asked)
        going = []
        while going or waiting:
            while waiting and len(going) < size:
                going.append(poet.begin(**waiting.pop()))
            step_together(going)
            going = [writing for writing in going if not writing.is_done]

    return write


if __name__ == "__main__":
    main()
