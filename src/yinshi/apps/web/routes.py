"""The API: each route parses, asks the scheduler and shows; `refusals` has what is refused."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.background import BackgroundTask

from yinshi.apps.web import limits, responses
from yinshi.apps.web.lanes import Job
from yinshi.apps.web.metrics import CONTENT_TYPE
from yinshi.apps.web.refusals import BusyError, ClientGoneError, DeadlineError
from yinshi.apps.web.requests import PoemsRequest, ScanRequest, ScoreRequest
from yinshi.apps.web.service import Service, events, jobs_of, late, shown
from yinshi.errors import UsageError
from yinshi.prosody.readings import RHYMES
from yinshi.prosody.scan import scan

T = TypeVar("T")

NDJSON = "application/x-ndjson"
FORMS = ["五绝", "七绝", "五律", "七律", "排律:N", "七排:N"]
TONES = ["strict", "loose", "off"]

WHEN_BUSY = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
ERRORS: dict[int | str, dict[str, Any]] = {
    413: {"model": responses.ErrorBody, "description": "More than `limits` of /api/models"},
    422: {"model": responses.ErrorBody, "description": "Wishes that collide, or a malformed body"},
    503: {"model": responses.ErrorBody, "description": "Full or stopping", "headers": WHEN_BUSY},
}
ENGINE_ERRORS = ERRORS | {
    429: {
        "model": responses.ErrorBody,
        "description": "Too much of this client is under way",
        "headers": WHEN_BUSY,
    },
    504: {"model": responses.ErrorBody, "description": "It took too long"},
}
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "One event a line: queued, draft and poem; an error ends the stream.",
        "content": {
            NDJSON: {
                "schema": {"type": "string"},
                "example": '{"event": "queued", "position": 3}\n'
                '{"event": "draft", "poem": 0, "text": "床前明", "progress": 0.2}\n'
                '{"event": "poem", "poem": 0, "text": "床前明月光，…", "seed": 7}\n',
            }
        },
    }
}


def service_of(request: Request) -> Service:
    """The service of this process."""
    service: Service = request.app.state.service
    return service


def accepting_service_of(request: Request) -> Service:
    """The same, unless it is stopping: BusyError."""
    service = service_of(request)
    if service.scheduler.is_stopping:
        raise BusyError("the server is stopping; ask again, another one or later", 5)
    return service


Serving = Annotated[Service, Depends(service_of)]
Accepting = Annotated[Service, Depends(accepting_service_of)]
router = APIRouter()


@router.post(
    "/api/poems",
    tags=["poems"],
    summary="Write poems",
    response_model=responses.Poems,
    responses=ENGINE_ERRORS,
)
async def write_poems(body: PoemsRequest, request: Request, service: Accepting) -> Response:
    """Poems that meet all wishes, or 422 and which of them collide.

    A poem is a pure function of model, wishes and seed: the same request gives it again.
    """
    with _collisions_counted(service):
        jobs = _submitted(body, request, service)
        try:
            all_of_them = asyncio.gather(*(job.finished for job in jobs))
            poems = await attended(request, all_of_them, service.limits.deadline)
        except DeadlineError:
            raise late(jobs) from None
        finally:
            _drop(jobs)
    name = service.library.entry(body.model).told.name
    return JSONResponse({"model": name, "poems": [shown(poem) for poem in poems]})


@router.post(
    "/api/poems/stream",
    tags=["poems"],
    summary="Write poems, and watch",
    response_class=StreamingResponse,
    responses=STREAM | ENGINE_ERRORS,
)
async def stream_poems(body: PoemsRequest, request: Request, service: Accepting) -> Response:
    """The same as /api/poems, told as it happens; a client that goes away stops its search."""
    deadline = time.monotonic() + service.limits.deadline
    with _collisions_counted(service):
        jobs = _submitted(body, request, service)
        try:
            planned = asyncio.gather(*(job.planned for job in jobs))
            await attended(request, planned, service.limits.deadline)
        except BaseException:
            _drop(jobs)
            raise

    async def lines() -> AsyncIterator[bytes]:
        async for event in events(service.scheduler, jobs, deadline):
            yield json.dumps(event, ensure_ascii=False).encode() + b"\n"

    unbuffered = {"X-Accel-Buffering": "no"}
    drop = BackgroundTask(_drop_behind, jobs)
    return StreamingResponse(lines(), 200, unbuffered, NDJSON, drop)


@router.post(
    "/api/scan",
    tags=["texts"],
    summary="Tones, rhymes and faults of a poem",
    response_model=responses.Scan,
    responses=ERRORS,
)
def scan_text(body: ScanRequest, service: Accepting) -> Response:
    """What `yinshi.scan` says of a poem, in either script."""
    return JSONResponse(scan(body.text).to_dict())


@router.post(
    "/api/score",
    tags=["texts"],
    summary="How likely a model finds a text, token by token",
    response_model=responses.Score,
    responses=ENGINE_ERRORS,
)
async def score_text(body: ScoreRequest, request: Request, service: Accepting) -> Response:
    """Nats, rank and alternatives of each token; with `gates` what the LSTM did, too."""
    entry = service.library.entry(body.model)
    told = {"title": body.title, "style": body.style, "dynasty": body.dynasty, "form": body.form}

    def read() -> dict[str, Any]:
        return entry.poet.read(body.text, **told).to_dict(gates=body.gates)

    reading = service.scheduler.call(client_of(request), read)
    score = await attended(request, reading, service.limits.deadline)
    return JSONResponse({"model": entry.told.name} | score)


@router.get("/api/models", tags=["about"], summary="Models, forms, rhymes and limits")
def list_models(service: Serving) -> responses.Models:
    """What there is to choose from, and how much one may ask for."""
    return responses.Models(
        models=service.library.models,
        forms=FORMS,
        rhymes=list(RHYMES),
        tones=TONES,
        limits=responses.LimitsBody(
            count=limits.COUNT,
            max_length=limits.MAX_LENGTH,
            text=limits.TEXT,
            candidates=limits.CANDIDATES,
            characters=limits.CHARACTERS,
        ),
    )


@router.get(
    "/healthz",
    tags=["about"],
    summary="Whether it serves",
    response_model=responses.Health,
    responses={503: {"model": responses.Health, "description": "Stopping, or failed"}},
)
async def healthz(service: Serving) -> Response:
    """For balancers and containers."""
    status = "stopping" if service.scheduler.is_stopping else "ok"
    if not service.scheduler.is_running:
        status = "failed"
    return JSONResponse({"status": status}, 200 if status == "ok" else 503)


@router.get(
    "/metrics",
    tags=["about"],
    summary="Counts, for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(service: Serving) -> Response:
    """Requests, poems, queue and steps, of all workers."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE)


def client_of(request: Request) -> str:
    """Whom the limits of one client are for: an address, as the server knows it."""
    return request.client.host if request.client else ""


async def attended(request: Request, work: Awaitable[T], seconds: float) -> T:
    """What `work` gives; it is given up when the client goes away (ClientGoneError) or the time
    is up (DeadlineError)."""
    working = asyncio.ensure_future(work)
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait([working, gone], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        if gone.done():
            raise ClientGoneError("the client went away")
        raise DeadlineError("the time was up before an answer; ask for less, or again later")
    finally:
        gone.cancel()
        working.cancel()
        await asyncio.gather(gone, working, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


@contextmanager
def _collisions_counted(service: Service) -> Iterator[None]:
    try:
        yield
    except UsageError:
        service.metrics.collisions.inc()
        raise


def _submitted(body: PoemsRequest, request: Request, service: Service) -> list[Job]:
    entry = service.library.entry(body.model)
    jobs = jobs_of(body, entry.poet, client_of(request))
    service.scheduler.submit(jobs)
    return jobs


async def _drop_behind(jobs: list[Job]) -> None:
    """After a stream: on the event loop, to which jobs belong."""
    _drop(jobs)


def _drop(jobs: list[Job]) -> None:
    """Give up those that are not finished."""
    for job in jobs:
        job.finished.cancel()
