"""`yinshi serve` under load: what is answered, how fast, what memory does, how it stops.

    python benchmarks/serving.py [--clients 64] [--seconds 60] [--workers 1]

A server is started on the loopback. First its clients, each with an address of its own, ask in a
closed loop for free poems, forms, acrostics, streams, scans and scores in turn; whoever is told 429
or 503 waits as long as Retry-After says. Latency counts answers alone, from request to last byte.
Memory is the server's own, from /metrics, after a sixth of the time and at the end. The load goes
on while SIGTERM comes: what runs must be finished, what is new refused, the process end with 0.

Then free poems by one client at a time beside all clients at once, in turns, so that a busy machine
slows both alike: what dynamic batching gains. The aim: 5 times as many.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

POEM = "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。"
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "free": ("/api/poems", {"prefix": "月"}),
    "scan": ("/api/scan", {"text": POEM}),
    "form": ("/api/poems", {"form": "五绝"}),
    "score": ("/api/score", {"text": POEM, "gates": True}),
    "stream": ("/api/poems/stream", {"prefix": "山", "count": 2}),
    "acrostic": ("/api/poems", {"form": "五绝", "acrostic": "春夏秋冬"}),
}
ROUNDS = 3
MEMORY, CPU = "process_resident_memory_bytes", "process_cpu_seconds_total"
#: What the aims allow besides 200.
PATIENCE = (429, 503)


@dataclass
class Tally:
    """Answers by kind."""

    statuses: dict[str, Counter[str]] = field(
        default_factory=lambda: {kind: Counter() for kind in KINDS}
    )
    seconds: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    poems: int = 0

    def of(self, status: str) -> int:
        return sum(count[status] for count in self.statuses.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    asyncio.run(_mixed(arguments.clients, arguments.seconds, arguments.workers))
    asyncio.run(_batching(arguments.clients, arguments.seconds / 4 / ROUNDS, arguments.workers))


async def _mixed(clients: int, seconds: float, workers: int) -> None:
    async with _served(workers) as (process, address):
        tally, is_stopping = Tally(), asyncio.Event()
        asking = [
            asyncio.create_task(_ask(address, number, tally, is_stopping))
            for number in range(clients)
        ]
        await asyncio.sleep(seconds / 6)
        warm = await _measured(address, MEMORY)
        await asyncio.sleep(seconds * 5 / 6)
        at_end = await _measured(address, MEMORY)
        print(f"{clients} clients, {seconds:.0f} s, {workers} worker{'s' * (workers > 1)}\n")
        _table(tally, seconds)
        before = tally.of("200")
        is_stopping.set()
        began = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(process.wait)
        took = time.perf_counter() - began
        await asyncio.gather(*asking)
    if warm and at_end:
        print(f"memory {warm / 2**20:.0f} MiB warm, {at_end / 2**20:.0f} MiB at the end ", end="")
        print(f"({at_end / warm - 1:+.1%})")
    print(
        f"SIGTERM under load: {tally.of('200') - before} answers finished in {took:.1f} s, ", end=""
    )
    print(f"{tally.of('broken')} broken off, exit code {code}\n")


async def _ask(address: str, number: int, tally: Tally, is_stopping: asyncio.Event) -> None:
    """One client, from kind to kind, until the server stops."""
    headers = {"X-Forwarded-For": f"10.0.{number // 256}.{number % 256}"}
    kinds = list(KINDS)
    async with httpx.AsyncClient(base_url=address, timeout=90, trust_env=False) as client:
        for turn in range(number, sys.maxsize):
            kind = kinds[turn % len(kinds)]
            path, body = KINDS[kind]
            began = time.perf_counter()
            try:
                answer = await client.post(path, json=body, headers=headers)
            except httpx.ConnectError:
                return  # nobody listens: the end
            except httpx.TransportError:
                tally.statuses[kind]["broken"] += 1
                return
            tally.statuses[kind][str(answer.status_code)] += 1
            if answer.status_code == 200:
                tally.seconds[kind].append(time.perf_counter() - began)
                tally.poems += answer.text.count('"seed"')
            elif is_stopping.is_set():
                return
            elif answer.status_code in PATIENCE:
                await asyncio.sleep(float(answer.headers["retry-after"]))


def _table(tally: Tally, seconds: float) -> None:
    statuses = sorted({status for count in tally.statuses.values() for status in count})
    print(f"| | {' | '.join(statuses)} | p50, s | p95, s |")
    print("|---" * (len(statuses) + 3) + "|")
    for kind, count in tally.statuses.items():
        times = sorted(tally.seconds[kind]) or [float("nan")]
        p50, p95 = times[len(times) // 2], times[int(len(times) * 0.95)]
        cells = [str(count[status]) for status in statuses]
        print(f"| {kind} | {' | '.join(cells)} | {p50:.2f} | {p95:.2f} |")
    requests = sum(sum(count.values()) for count in tally.statuses.values())
    print(f"\n{requests} requests, {tally.poems / seconds:.1f} poems a second")


async def _measured(address: str, name: str) -> float:
    """One of /metrics; 0 with several workers, whose memory and time nobody adds up."""
    async with httpx.AsyncClient(base_url=address, timeout=90, trust_env=False) as client:
        text = (await client.get("/metrics")).text
    found = re.search(rf"^{name} (\S+)", text, re.M)
    return float(found[1]) if found else 0.0


async def _batching(clients: int, seconds: float, workers: int) -> None:
    async with _served(workers) as (_, address):
        rates: dict[int, list[tuple[float, float]]] = {1: [], clients: []}
        for turn in range(ROUNDS + 1):  # one to warm up
            for number, found in rates.items():
                measured = await _free_poems(address, number, seconds)
                if turn:
                    found.append(measured)
    print("| free poems | poems a second | server's processor ms a poem |\n|---|---:|---:|")
    medians = {}
    for number, found in rates.items():
        medians[number] = [statistics.median(part) for part in zip(*found, strict=True)]
        rate, cost = medians[number]
        name = "one client" if number == 1 else f"{number} clients"
        print(f"| {name} | {rate:.1f} | {1e3 * cost:.1f} |")
    gain = medians[clients][0] / medians[1][0]
    print(f"\ntogether {gain:.1f} times as many a second (medians of {ROUNDS} turns)")


async def _free_poems(address: str, clients: int, seconds: float) -> tuple[float, float]:
    """(poems a second, the server's processor seconds a poem) of so many clients at once."""
    end, written = time.perf_counter() + seconds, 0

    async def ask(number: int) -> None:
        nonlocal written
        headers = {"X-Forwarded-For": f"10.1.0.{number}"}
        async with httpx.AsyncClient(base_url=address, timeout=90, trust_env=False) as client:
            while time.perf_counter() < end:
                answer = await client.post("/api/poems", json={"prefix": "月"}, headers=headers)
                written += answer.status_code == 200

    spent = await _measured(address, CPU)
    began = time.perf_counter()
    await asyncio.gather(*(ask(number) for number in range(clients)))
    seconds = time.perf_counter() - began
    return written / seconds, (await _measured(address, CPU) - spent) / written


@asynccontextmanager
async def _served(workers: int) -> AsyncIterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "yinshi", "serve", "--port", "0", "--workers", str(workers)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8")
    assert process.stderr
    try:
        address = process.stderr.readline().split()[0]
        async with httpx.AsyncClient(base_url=address, timeout=90, trust_env=False) as client:
            await client.get("/healthz")
        yield process, address
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()
        process.stderr.close()


if __name__ == "__main__":
    main()
