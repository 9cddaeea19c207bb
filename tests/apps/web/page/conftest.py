"""A real browser, Debian's chromium, in front of a real `yinshi serve` with the shipped model."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

pytest.importorskip("playwright", reason="needs playwright: pip install 'yinshi[dev]'")
pytest.importorskip("fastapi", reason="needs fastapi: pip install 'yinshi[web]'")

from playwright.sync_api import Browser, sync_playwright
from visitor import Visitor

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def origin() -> Iterator[str]:
    """Where `yinshi serve` listens."""
    command = [sys.executable, "-m", "yinshi", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        line = server.stderr.readline()
        found = re.match(r"http://\S+", line)
        assert found, line + server.stderr.read()
        yield found.group()
        server.terminate()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        reason = "needs a browser: apt-get install chromium fonts-noto-cjk"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visitor(browser: Browser, origin: str) -> Iterator[Visitor]:
    """After every test: no request left the server, and the console is silent."""
    visitor = Visitor(browser, origin)
    yield visitor
    for context in visitor.contexts:
        context.close()
    assert visitor.strayed == []
    assert visitor.complaints == []
