"""Programs timed in turns, twice over: with the memory allocator as it comes, and tuned.

A program that is timed after another meets another machine: hotter, busier. So all take turns, in
one run, and medians are compared. The allocator's settings are a process's own, so that two worker
processes wait for each other's turns.
"""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable, Mapping
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as `yinshi train` does

Program = Callable[[], object]
#: name → what builds the program: each is built where it is first run
Programs = Mapping[str, Callable[[], Program]]
#: A function of a script's top level, with its arguments: it is called in other processes.
Make = tuple[Callable[..., Programs], tuple[Any, ...]]
ALLOCATORS = ("as it comes", "tuned")


def interleave(make: Make, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Allocator → program → seconds of each round, after one round to warm up."""
    context = get_context("spawn")
    pipes, workers = {}, []
    for allocator in ALLOCATORS:
        pipes[allocator], theirs = context.Pipe()
        workers.append(context.Process(target=_work, args=(theirs, make, allocator), daemon=True))
        workers[-1].start()
    names = list(make[0](*make[1]))
    times = {allocator: {name: list[float]() for name in names} for allocator in ALLOCATORS}
    for number in range(rounds + 1):
        for name in names:
            for allocator, pipe in pipes.items():
                pipe.send(name)
                seconds = pipe.recv()
                if number:
                    times[allocator][name].append(seconds)
    for pipe in pipes.values():
        pipe.send(None)
    for worker in workers:
        worker.join()
    return times


def table(title: str, times: Mapping[str, Mapping[str, list[float]]], per: float = 1) -> str:
    """Median milliseconds of each program, and how often it fits into the first as it comes."""
    plain, tuned = (times[allocator] for allocator in ALLOCATORS)
    first = statistics.median(next(iter(plain.values())))
    lines = [f"### {title}\n", "| | ms | × the first | allocator tuned: ms | × the first |"]
    lines.append("|---|---:|---:|---:|---:|")
    for name in plain:
        cells = []
        for seconds in (plain[name], tuned[name]):
            median = statistics.median(seconds)
            cells += [f"{1e3 * median / per:.0f}", f"{first / median:.2f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def peak() -> str:
    """What this machine multiplies at best: square matrices of 2,048."""
    import torch

    from yinshi.nets.products import product

    a, b = torch.randn(2, 2048, 2048)
    half = (a.bfloat16(), b.bfloat16())
    programs = {
        "float32, PyTorch's `@`": lambda: a @ b,
        "float32, oneDNN (`nets.products`)": lambda: product(a, b),
        "bfloat16": lambda: half[0] @ half[1],
    }
    rates: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(7):
        for name, program in programs.items():
            rates[name].append(2 * 2048**3 / _seconds(program) / 1e9)
    told = (f"{name} {statistics.median(rate):,.0f} GF/s" for name, rate in rates.items())
    threads = f"{torch.get_num_threads()} threads, PyTorch {torch.__version__}"
    return f"Largest products, {threads}: {'; '.join(told)}.\n"


def publish(name: str, parts: list[str]) -> None:
    """Print, and keep under results/."""
    text = "\n".join(parts)
    print(text)
    (Path(__file__).parent / "results" / f"{name}.md").write_text(text, encoding="utf-8")


def _work(pipe: Connection, make: Make, allocator: str) -> None:
    if allocator == "tuned":
        from yinshi.training.allocator import tune_allocator

        tune_allocator()
    programs, built = make[0](*make[1]), dict[str, Program]()
    while name := pipe.recv():
        if name not in built:
            built[name] = programs[name]()
        gc.collect()
        pipe.send(_seconds(built[name]))


def _seconds(program: Program) -> float:
    start = time.perf_counter()
    program()
    return time.perf_counter() - start
