"""docs/web.md: its commands work, its limits are the limits."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import httpx
import pytest

from yinshi.apps.web import limits

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "web.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ (curl .*)$", TEXT, flags=re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_curl_works(api: httpx.Client, command: str) -> None:
    words = shlex.split(command)
    (url,) = [word for word in words if word.startswith("http://127.0.0.1:8000")]
    path = url.removeprefix("http://127.0.0.1:8000")
    if "-d" not in words:
        assert api.get(path).status_code == 200
        return
    header = words[words.index("-H") + 1].partition(": ")
    body = words[words.index("-d") + 1].encode()
    answer = api.post(path, content=body, headers={header[0]: header[2]})
    assert answer.status_code == 200, answer.text
    assert json.loads(answer.text.splitlines()[-1])


def test_every_route_has_an_example(api: httpx.Client) -> None:
    for path in api.get("/openapi.json").json()["paths"]:
        assert any(f"8000{path} " in f"{command} " for command in COMMANDS), path


def test_the_limits_are_the_limits() -> None:
    told = dict(re.findall(r"^\| ([^|]+) \| ([\d,]+) \|$", TEXT, flags=re.MULTILINE))
    usual = limits.Limits()
    assert {name: int(number.replace(",", "")) for name, number in told.items()} == {
        "poems a request": limits.COUNT,
        "characters of a poem": limits.MAX_LENGTH,
        "drafts of a poem (`candidates`)": limits.CANDIDATES,
        "drafts × their characters, of a request": limits.CHARACTERS,
        "characters of a text to scan or to score": limits.TEXT,
        "bytes of a body": limits.BODY,
        "poems and texts of one client under way": usual.client,
        "free poems written at once": usual.free,
        "drafts of poems with wishes written at once": usual.drafts,
        "poems accepted and not finished": usual.queue,
        "seconds of work before a new poem, as measured": usual.backlog,
        "seconds for an answer": usual.deadline,
    }


def test_the_container_is_what_the_page_says() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    compose = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    assert re.search(r"^USER (?!root)", dockerfile, re.MULTILINE)
    assert "HEALTHCHECK" in dockerfile
    assert "healthcheck:" in compose
    assert int(re.findall(r"stop_grace_period: (\d+)s", compose)[0]) > usual_patience()


def usual_patience() -> float:
    from yinshi.apps.web.server import GRACE

    return limits.Limits().deadline + GRACE
