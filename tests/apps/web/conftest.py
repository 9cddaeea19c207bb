"""A server on a thread of its own, which answers at a real address."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from yinshi.apps.web import scheduler, server
from yinshi.apps.web.limits import Limits
from yinshi.writing.together import Writing

Serve = Callable[..., httpx.Client]


@contextmanager
def serving(**limits: Any) -> Iterator[str]:
    """The address of a server with the shipped model."""
    listener = server.listen("127.0.0.1", 0)
    running = uvicorn.Server(server.config(limits=Limits(**limits)))
    thread = threading.Thread(target=running.run, args=([listener],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        running.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Of a server with the usual limits."""
    with serving() as found:
        yield found


@pytest.fixture(scope="session")
def api(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Call it with `Limits` of your own for a client of such a server."""
    with ExitStack() as stack:

        def start(**limits: Any) -> httpx.Client:
            address = stack.enter_context(serving(**limits))
            client = httpx.Client(base_url=address, timeout=60, trust_env=False)
            return stack.enter_context(client)

        yield start


class Gate:
    """Poems are written only while it is open; `steps` counts, `most` is the largest step."""

    def __init__(self) -> None:
        self.is_open = threading.Event()
        self.steps = 0
        self.most = 0
        self.step = scheduler.step_together

    def __call__(self, writings: Sequence[Writing]) -> None:
        if not self.is_open.wait(0.01):
            return  # a step of nothing: the server looks who is still there
        self.steps += 1
        self.most = max(self.most, len(writings))
        self.step(writings)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Closed at first."""
    found = Gate()
    monkeypatch.setattr(scheduler, "step_together", found)
    return found
