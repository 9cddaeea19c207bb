"""The server: uvicorn, one process or several, on a socket that is bound before."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Sequence
from functools import partial

import uvicorn
from uvicorn.supervisors import Multiprocess

from yinshi.apps.web.app import create_app
from yinshi.apps.web.limits import Limits
from yinshi.apps.web.metrics import FOLDER
from yinshi.errors import UsageError

#: Connections that may wait to be accepted.
BACKLOG = 2048
#: Seconds for the last answers to be read, once all poems are written.
GRACE = 10


def config(
    models: Sequence[str] = (), limits: Limits | None = None, workers: int = 1
) -> uvicorn.Config:
    """What uvicorn is to do; each worker makes the application anew. It logs no requests."""
    return uvicorn.Config(
        partial(create_app, models, limits),
        factory=True,
        workers=workers,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=GRACE,
    )


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 is any. Raises UsageError where there is none to be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (")[0].lower()
        raise UsageError(
            f"{host}, port {port}: {reason}; expected an address of this machine and a free "
            "port (--host, --port)"
        ) from None
    listener.set_inheritable(True)
    return listener


def run(listener: socket.socket, models: Sequence[str], workers: int) -> None:
    """Serve until Ctrl-C or SIGTERM, and until then what was accepted is finished."""
    settings = config(models, workers=workers)
    # uvicorn, when it is done, raises the signal again that ended it; then this is the end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        if workers == 1:
            uvicorn.Server(settings).run([listener])
            return
        with tempfile.TemporaryDirectory(prefix="yinshi-metrics-") as folder:
            os.environ[FOLDER] = folder
            Multiprocess(settings, [listener]).run()
    except KeyboardInterrupt:
        pass
