"""What is counted, in Prometheus' format."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
    multiprocess,
)

#: Where several processes keep what they count; prometheus_client's own name for it.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 192, 256)
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60)
CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """The counters of one process, or its share of those of all workers."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)  # memory and time, where there is one process
        _forget_the_dead()
        self.requests = Counter(
            "yinshi_requests", "Requests answered.", ["route", "status"], registry=registry
        )
        self.poems = Counter("yinshi_poems", "Poems written.", registry=registry)
        self.characters = Counter("yinshi_characters", "Characters of them.", registry=registry)
        self.collisions = Counter(
            "yinshi_collisions", "Wishes that could not be met.", registry=registry
        )
        self.dropped = Counter(
            "yinshi_poems_dropped", "Given up: client gone or deadline.", registry=registry
        )
        gauge = partial(Gauge, registry=registry, multiprocess_mode="livesum")
        self.queue = gauge("yinshi_queue_length", "Poems that wait.")
        self.active = gauge("yinshi_active_poems", "Poems being written.")
        self.step_rows = Histogram(
            "yinshi_step_rows", "Drafts that a step writes.", buckets=ROWS, registry=registry
        )
        self.poem_seconds = Histogram(
            "yinshi_poem_seconds", "From request to poem.", buckets=SECONDS, registry=registry
        )

    def text(self) -> bytes:
        """Of all workers where there are several; else with this process's memory and time."""
        if FOLDER in os.environ:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
            return generate_latest(registry)
        return generate_latest(self._registry)

    def close(self) -> None:
        """Before the process ends: its gauges count no longer."""
        if FOLDER in os.environ:
            multiprocess.mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]


def _forget_the_dead() -> None:
    """The gauges of workers that were killed."""
    for file in Path(os.environ.get(FOLDER, os.devnull)).glob("gauge_live*_*.db"):
        process = int(file.stem.rpartition("_")[2])
        if not Path(f"/proc/{process}").exists() and Path("/proc/self").exists():
            multiprocess.mark_process_dead(process)  # type: ignore[no-untyped-call]
