"""From a request's body to jobs, and from jobs to what is answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from yinshi.apps.web import limits
from yinshi.apps.web.lanes import Job
from yinshi.apps.web.library import Library
from yinshi.apps.web.limits import Limits
from yinshi.apps.web.metrics import Metrics
from yinshi.apps.web.refusals import DeadlineError, TooLargeError
from yinshi.apps.web.requests import PoemsRequest
from yinshi.apps.web.scheduler import Scheduler
from yinshi.errors import YinshiError
from yinshi.prosody.forms import form_named
from yinshi.writing.order import Order
from yinshi.writing.poet import Poet, fresh_seed
from yinshi.writing.written_poem import WrittenPoem

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Service:
    """What the routes share."""

    library: Library
    limits: Limits
    metrics: Metrics
    scheduler: Scheduler


def jobs_of(body: PoemsRequest, poet: Poet, client: str) -> list[Job]:
    """A job for each poem. Raises TooLargeError, and UsageError for what is no wish at all."""
    order = Order.of(body.asked)
    rows = 1 if order.wishes.are_none else order.candidates
    length = _length(body)
    if body.count * rows * length > limits.CHARACTERS:
        raise TooLargeError(
            f"found {body.count} × {rows} drafts of {length} characters: expected at most "
            f"{limits.CHARACTERS:,} in all; ask for fewer poems or candidates"
        )
    first = fresh_seed() if body.seed is None else body.seed
    begin = partial(poet.begin, body.prefix, **body.asked)
    seeds = range(first, first + body.count)
    return [Job(client, partial(begin, seed=seed), rows, length) for seed in seeds]


def shown(poem: WrittenPoem) -> dict[str, Any]:
    """A poem as the API tells it."""
    return poem.to_dict() | {"lines": poem.lines}


async def events(
    scheduler: Scheduler, jobs: Sequence[Job], deadline: float
) -> AsyncIterator[Event]:
    """What happens to `jobs` until `deadline`: their place in the queue, drafts and poems.

    Of what changes faster than it is taken, only the last is told. An error ends it.
    """
    left = dict(enumerate(jobs))
    told: dict[int, str] = {}
    position = None
    while True:
        changed = scheduler.changed  # before looking, so that nothing is missed
        places = [place for job in jobs if (place := scheduler.position(job)) is not None]
        if len(places) == len(jobs) and position != min(places):
            position = min(places)
            yield {"event": "queued", "position": position}
        for number, job in list(left.items()):
            if job.finished.done():
                del left[number]
                yield _ended(number, job)
                if job.finished.exception():
                    return
            elif job.writing and job.writing.text != told.get(number, ""):
                told[number] = job.writing.text
                progress = round(job.writing.progress, 3)
                text = told[number]
                yield {"event": "draft", "poem": number, "text": text, "progress": progress}
        if not left:
            return
        try:
            await asyncio.wait_for(changed.wait(), deadline - time.monotonic())
        except TimeoutError:
            yield {"event": "error", "detail": str(late(jobs))}
            return


def late(jobs: Sequence[Job]) -> DeadlineError:
    """Says how far `jobs` came in time."""
    finished = sum(job.finished.done() and not job.finished.cancelled() for job in jobs)
    return DeadlineError(
        f"found {finished} of {len(jobs)} poems when the time was up; ask for fewer at once, "
        "or again later"
    )


def _ended(number: int, job: Job) -> Event:
    error = job.finished.exception()
    if error is None:
        return {"event": "poem", "poem": number} | shown(job.finished.result())
    assert isinstance(error, YinshiError)
    return {"event": "error", "detail": str(error)}


def _length(body: PoemsRequest) -> int:
    """Characters of a poem, punctuation included: those of the form where one is named."""
    if body.form in (None, "free"):
        return max(body.max_length, len(body.keep))
    form = form_named(body.form or "")
    length = form.lines * (form.length + 1)
    if length > limits.MAX_LENGTH:
        raise TooLargeError(
            f"form {body.form}: found {length} characters, expected at most {limits.MAX_LENGTH}"
        )
    return length
