"""The memory that a training step adds at its peak: ours beside the usual program.

    python benchmarks/step_memory.py

The programs of training_step.py, each in a process of its own, with the allocator as it comes;
writes results/step_memory.md. Linux with glibc only.
"""

from __future__ import annotations

import ctypes
import gc
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from interleaved import publish
from training_step import SIZES, USUAL, programs

NAMES = (USUAL, f"{USUAL}, bf16 autocast", "ours", "ours, bf16")


def main() -> None:
    lines = ["# Memory that a training step adds\n", "MB; `benchmarks/step_memory.py`\n"]
    lines.append("| | " + " | ".join(f"E = {E}, H = {H}" for E, H in SIZES) + " |")
    lines.append("|---|---:|---:|")
    for name in NAMES:
        cells = (f"{added_memory(E, H, name) / 1e6:,.0f}" for E, H in SIZES)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    publish("step_memory", ["\n".join(lines) + "\n"])


def added_memory(E: int, H: int, name: str) -> float:
    """Bytes at the peak of a program's third run, above what the process held before it."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    worker = context.Process(target=_measure, args=(theirs, E, H, name), daemon=True)
    worker.start()
    found: float = ours.recv()
    worker.join()
    return found


def _measure(pipe: Connection, E: int, H: int, name: str) -> None:
    program = programs(E, H)[name]()
    program()
    program()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what was freed is given back: it is to count again
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    program()
    pipe.send(_status("VmHWM") - before)


def _status(field: str) -> float:
    line = next(s for s in Path("/proc/self/status").read_text().splitlines() if field in s)
    return 1024 * float(line.split()[1])


if __name__ == "__main__":
    main()
