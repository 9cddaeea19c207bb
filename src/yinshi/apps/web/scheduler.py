"""The one engine thread: it alone touches the networks, and steps all active poems together.

Everything else belongs to the event loop: which poems are active changes between two steps, never
during one, so that nothing needs a lock. To read a text or to plan a poem is a call, which takes
turns with the steps.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from yinshi.apps.web.lanes import Job, Lane
from yinshi.apps.web.limits import Limits
from yinshi.apps.web.metrics import Metrics
from yinshi.apps.web.refusals import BusyError, InternalError, TooManyError
from yinshi.errors import YinshiError
from yinshi.writing.together import Writing, step_together

T = TypeVar("T")

#: Seconds that a row's token is taken to cost until steps of `FULL` rows have told better, and how
#: much of what each of them tells is believed.
PACE = 0.0005
FULL = 64
BELIEF = 0.1
#: Seconds after which one may ask again where the server can't tell.
SOON = 5


@dataclass(frozen=True, slots=True)
class _Call:
    """What is to be done on the engine thread, and where its result goes."""

    function: Callable[[], Any]
    future: asyncio.Future[Any]


class Scheduler:
    """Jobs in, poems out. It lives on one event loop, from `start` to `stop`."""

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        self._limits, self._metrics = limits, metrics
        self._free, self._searches = Lane(limits.free), Lane(limits.drafts)
        self._calls: deque[_Call] = deque()
        self._load: Counter[str] = Counter()  # client → its poems and calls
        self._pace = PACE
        self._stepped_at: float | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="engine")
        self._woken = asyncio.Event()
        self.changed = asyncio.Event()  # set, and replaced by another, whenever there is news
        self.is_stopping = False

    def start(self) -> None:
        """Begin to work."""
        self._running = asyncio.create_task(self._run())

    @property
    def is_running(self) -> bool:
        """Whether somebody is at work."""
        return not self._running.done()

    async def drain(self) -> None:
        """Refuse what is new; return once all that was accepted is finished."""
        self.is_stopping = True
        while self._load:
            await self.changed.wait()

    async def stop(self) -> None:
        """End, whatever is left."""
        self.is_stopping = True
        self._running.cancel()
        await asyncio.wait([self._running])
        self._thread.shutdown()

    def submit(self, jobs: Sequence[Job]) -> None:
        """Queue the jobs of one client, all or none. Raises TooManyError and BusyError."""
        lane = self._lane(jobs[0])
        self._admit(jobs[0].client, len(jobs))
        wait = self._expected_wait(lane) - self._limits.backlog
        waiting = len(self._jobs)
        if wait > 0 or waiting + len(jobs) > self._limits.queue:
            raise BusyError(f"{waiting} poems are waiting or being written; ask again", wait)
        for job in jobs:
            self._load[job.client] += 1
            lane.waiting.append(job)
            self._calls.append(_Call(job.begin, job.planned))
            job.planned.add_done_callback(partial(self._planned, job))
            job.finished.add_done_callback(partial(self._forget, job))
        self._woken.set()

    async def call(self, client: str, function: Callable[[], T]) -> T:
        """What `function` gives, on the engine thread. Raises TooManyError and BusyError."""
        self._admit(client, 1)
        if len(self._calls) >= self._limits.queue:
            raise BusyError(f"{len(self._calls)} texts are waiting to be read; ask again", SOON)
        call = _Call(function, asyncio.get_running_loop().create_future())
        self._calls.append(call)
        self._load[client] += 1
        self._woken.set()
        try:
            result: T = await call.future
            return result
        finally:
            self._unload(client)

    def position(self, job: Job) -> int | None:
        """How many poems are to be begun before it, itself included; None: it is begun."""
        waiting = self._lane(job).waiting
        return waiting.index(job) + 1 if job in waiting else None

    def _admit(self, client: str, new: int) -> None:
        if self.is_stopping:
            raise BusyError("the server is stopping; ask again, another one or later", SOON)
        most = self._limits.client
        if self._load[client] + new > most:
            raise TooManyError(
                f"found {self._load[client]} poems or texts of yours under way: expected at most "
                f"{most} with the {new} you ask for; wait for some of them",
                1 + self._pace * sum(job.work for job in self._jobs if job.client == client),
            )

    def _expected_wait(self, lane: Lane) -> float:
        """Seconds of work before a new poem, as fast as its lane gets on beside the other."""
        both = self._free.rows + self._searches.rows
        return self._pace * lane.work * (both / lane.rows if lane.rows else 1)

    @property
    def _jobs(self) -> list[Job]:
        lanes = (self._free, self._searches)
        return [job for lane in lanes for job in (*lane.active, *lane.waiting)]

    def _lane(self, job: Job) -> Lane:
        return self._free if job.rows == 1 else self._searches

    async def _run(self) -> None:
        while True:
            if self._calls:
                await self._do(self._calls.popleft())
            self._free.fill()
            self._searches.fill()
            active = [*self._free.active, *self._searches.active]
            self._tell()
            if active:
                await self._step(active)
            elif not self._calls:
                self._stepped_at = None
                await self._woken.wait()
                self._woken.clear()

    async def _do(self, call: _Call) -> None:
        if call.future.cancelled():
            return
        try:
            result = await self._in_thread(call.function)
        except Exception as error:
            if not call.future.cancelled():
                call.future.set_exception(_told(error))
        else:
            if not call.future.cancelled():
                call.future.set_result(result)

    async def _step(self, active: Sequence[Job]) -> None:
        writings = [job.planned.result() for job in active]
        try:
            await self._in_thread(partial(step_together, writings))
        except Exception as error:
            for job in active:
                _fail(job, _told(error))
            return
        rows = sum(job.rows for job in active)
        self._metrics.step_rows.observe(rows)
        self._learn_pace(rows)
        for job, writing in zip(active, writings, strict=True):
            self._settle(job, writing)

    def _settle(self, job: Job, writing: Writing) -> None:
        if writing.error is not None:
            _fail(job, writing.error)
        elif writing.poem is not None and not job.finished.done():
            job.finished.set_result(writing.poem)
            self._metrics.poems.inc()
            self._metrics.characters.inc(len(writing.poem.text))
            self._metrics.poem_seconds.observe(time.monotonic() - job.asked_at)
        if job.finished.done():
            self._lane(job).forget(job)

    def _learn_pace(self, rows: int) -> None:
        """From one step's end to the next one's: what else the process does counts."""
        now = time.monotonic()
        if self._stepped_at is not None and rows >= FULL:
            self._pace += BELIEF * ((now - self._stepped_at) / rows - self._pace)
        self._stepped_at = now

    def _planned(self, job: Job, planned: asyncio.Future[Writing]) -> None:
        self._woken.set()
        if not planned.cancelled() and (error := planned.exception()):
            _fail(job, error)

    def _forget(self, job: Job, finished: asyncio.Future[Any]) -> None:
        """Of a job that is finished in any way, also by being given up."""
        if finished.cancelled():
            self._metrics.dropped.inc()
            job.planned.cancel()
        else:
            finished.exception()  # seen, even if its request has ended by another one
        self._lane(job).forget(job)
        self._unload(job.client)

    def _unload(self, client: str) -> None:
        self._load[client] -= 1
        if not self._load[client]:
            del self._load[client]
        self._tell()

    def _tell(self) -> None:
        """Wake whoever waits for news."""
        lanes = (self._free, self._searches)
        self._metrics.queue.set(sum(len(lane.waiting) for lane in lanes))
        self._metrics.active.set(sum(len(lane.active) for lane in lanes))
        self.changed.set()
        self.changed = asyncio.Event()

    async def _in_thread(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)


def _fail(job: Job, error: BaseException) -> None:
    if not job.finished.done():
        job.finished.set_exception(error)


def _told(error: Exception) -> YinshiError:
    """What a client is told of `error`; one that is a fault of our own goes to the log."""
    if isinstance(error, YinshiError):
        return error
    logging.getLogger("yinshi.web").error("on the engine thread", exc_info=error)
    return InternalError("the server has met a fault of its own; its log says which")
