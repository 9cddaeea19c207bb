"""Someone who visits the page in a browser, for its tests."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Request

DESKTOP = {"width": 1280, "height": 860}


class Visitor:
    """Opens the page as visitors do, and remembers what it should not have done."""

    def __init__(self, browser: Browser, origin: str) -> None:
        self.browser, self.origin = browser, origin
        self.contexts: list[BrowserContext] = []
        #: What the console complained of, and requests that left the server.
        self.complaints: list[str] = []
        self.strayed: list[str] = []

    def open(self, address: str = "/", *, awaits: bool = True, **settings: Any) -> Page:
        """A page in a context of its own: nothing kept of another. Waits for the poem."""
        chosen = {"locale": "zh-TW", "viewport": DESKTOP, "reduced_motion": "reduce"} | settings
        context = self.browser.new_context(base_url=self.origin, **chosen)
        context.set_default_timeout(20_000)
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: m.type == "error" and self.complaints.append(m.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._follow)
        page.goto(address)
        if awaits:
            await_poem(page)
        return page

    def ask(self, path: str, body: dict[str, Any]) -> Any:
        """What the API answers, without the page."""
        data = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.origin + path, data, headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def forgive(self, words: str) -> None:
        """Of the console: what was provoked, and must have been complained of."""
        assert any(words in complaint for complaint in self.complaints), self.complaints
        self.complaints = [each for each in self.complaints if words not in each]

    def _follow(self, request: Request) -> None:
        if not request.url.startswith((self.origin, "data:", "blob:")):
            self.strayed.append(request.url)


def await_poem(page: Page) -> None:
    """Until the poem is done, and read by scan and network."""
    page.locator(".verdict strong").wait_for()


def poem_of(page: Page) -> str:
    """The characters of the poem that is shown, without marks."""
    return "".join(
        page.locator("button.glyph").evaluate_all("all => all.map(e => e.firstChild.data)")
    )


def written(text: str) -> str:
    """Without marks."""
    return re.sub(r"[，。？！；：、\s]", "", text)
