"""Poems that wait, and those that hold a place; all of it belongs to the event loop alone."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from yinshi.writing.together import Writing
from yinshi.writing.written_poem import WrittenPoem


@dataclass(eq=False)
class Job:
    """One poem that a client asked for.

    begin: what plans it. rows, tokens: drafts and their length, as far as can be known before.
    `planned`, and then `finished`, are set by the scheduler; a job is given up by cancelling
    `finished`.
    """

    client: str
    begin: Callable[[], Writing]
    rows: int
    tokens: int
    planned: asyncio.Future[Writing] = field(default_factory=asyncio.Future)
    finished: asyncio.Future[WrittenPoem] = field(default_factory=asyncio.Future)
    asked_at: float = field(default_factory=time.monotonic)

    @property
    def writing(self) -> Writing | None:
        """None before it is planned."""
        is_planned = self.planned.done() and not self.planned.cancelled()
        return None if not is_planned or self.planned.exception() else self.planned.result()

    @property
    def work(self) -> float:
        """Tokens of all drafts that are still to be written."""
        done = self.writing.progress if self.writing else 0.0
        return self.rows * self.tokens * (1 - done)


class Lane:
    """Poems of one kind, which have `places` rows between them.

    Poems without wishes have a lane of their own, so that a second's work never waits for a
    minute's. A place goes to the client that holds fewest, and among equals to the longest waiting.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self.waiting: list[Job] = []
        self.active: list[Job] = []

    @property
    def rows(self) -> int:
        """Drafts that are written at once."""
        return sum(job.rows for job in self.active)

    @property
    def work(self) -> float:
        """Tokens that are still to be written."""
        return sum(job.work for job in (*self.active, *self.waiting))

    def fill(self) -> None:
        """Give away what places are free. A poem larger than all of them goes alone."""
        taken = self.rows
        held = Counter(job.client for job in self.active)
        while job := self._next(held):
            if self.active and taken + job.rows > self._places:
                return
            self.waiting.remove(job)
            self.active.append(job)
            taken += job.rows
            held[job.client] += 1

    def forget(self, job: Job) -> None:
        """Whether it waits or is active."""
        for jobs in (self.waiting, self.active):
            if job in jobs:
                jobs.remove(job)

    def _next(self, held: Counter[str]) -> Job | None:
        """The first of the least served, of those that are planned."""
        planned = (job for job in self.waiting if job.writing)
        return min(planned, key=lambda job: held[job.client], default=None)
