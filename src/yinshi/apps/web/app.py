"""All of it together, for any ASGI server: `uvicorn --factory yinshi.apps.web.app:create_app`."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib import resources
from pathlib import Path
from types import FrameType

from fastapi import FastAPI

from yinshi import __version__
from yinshi.apps.web import static
from yinshi.apps.web.library import Library
from yinshi.apps.web.limits import BODY, Limits
from yinshi.apps.web.metrics import Metrics
from yinshi.apps.web.middleware import BodyLimit, CountRequests, SecurityHeaders
from yinshi.apps.web.refusals import HANDLERS
from yinshi.apps.web.routes import router
from yinshi.apps.web.scheduler import Scheduler
from yinshi.apps.web.service import Service

#: Seconds until the engine's thread, when it runs Python, lets the event loop have its turn. The
#: usual five milliseconds, several times a request, would be most of what an answer takes.
SWITCH = 0.0005

Handler = Callable[[int, FrameType | None], object]

DESCRIPTION = """Poems in the manner of the Tang, written by a recurrent network; tones, rhymes and
likelihood of any poem. The names are those of the Python API. Every error is one line and a name.
"""


def create_app(models: Sequence[str] = (), limits: Limits | None = None) -> FastAPI:
    """The service of `models`, files or runs' folders; () is the shipped one.

    Raises ModelFileError, and UsageError for two models of one name.
    """
    limits = limits or Limits()
    metrics = Metrics()
    library = Library.load(models)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(library.warm_up)
        scheduler = Scheduler(limits, metrics)
        app.state.service = Service(library, limits, metrics, scheduler)
        sys.setswitchinterval(SWITCH)
        scheduler.start()
        _stop_gracefully(scheduler)
        yield
        await scheduler.stop()
        metrics.close()

    page = Path(str(resources.files("yinshi.apps.web"))) / "page"
    files = static.page_files(page) | static.viewer_files()
    app = FastAPI(
        title="yinshi 吟诗",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        routes=static.routes(files),
    )
    app.include_router(router)
    for error, handler in HANDLERS:
        app.add_exception_handler(error, handler)
    app.add_middleware(BodyLimit, size=BODY)
    app.add_middleware(CountRequests, metrics=metrics)
    app.add_middleware(SecurityHeaders)
    return app


def _stop_gracefully(scheduler: Scheduler) -> None:
    """Let the server hear of SIGTERM and Ctrl-C only when all accepted poems are written.

    Until then it goes on listening, so that a balancer sees `/healthz` change. A second Ctrl-C
    does not wait.
    """
    if threading.current_thread() is not threading.main_thread():
        return  # where no signal can be handled: under a test
    loop = asyncio.get_running_loop()
    stopping: list[asyncio.Task[None]] = []

    async def stop(then: partial[object]) -> None:
        await scheduler.drain()
        then()

    def heard(server: Handler, number: int, frame: FrameType | None) -> None:
        if not stopping:
            then = partial(server, number, frame)
            loop.call_soon_threadsafe(lambda: stopping.append(loop.create_task(stop(then))))
        elif number == signal.SIGINT:
            server(number, frame)

    for number in (signal.SIGTERM, signal.SIGINT):
        server = signal.getsignal(number)
        if callable(server):
            signal.signal(number, partial(heard, server))
