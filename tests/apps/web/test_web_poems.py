"""POST /api/poems and its stream, against the poems that the Python API writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import httpx
import pytest

from yinshi import Poet, UsageError
from yinshi.apps.web import scheduler
from yinshi.writing.together import Writing

Serve = Callable[..., httpx.Client]

REQUESTS: list[dict[str, Any]] = [
    {"prefix": "月", "seed": 7},
    {"prefix": "红", "count": 3, "seed": 1, "script": "simplified", "temperature": 0.9},
    {"seed": 2, "max_length": 24, "top_k": 50, "top_p": 0.9},
    {"form": "五绝", "seed": 3, "candidates": 8},
    {"form": "五绝", "seed": 4, "acrostic": "春夏秋冬", "acrostic_at": "head", "candidates": 8},
    {"form": "五绝", "seed": 5, "acrostic": "_山_水", "acrostic_at": 3, "candidates": 8},
    {"form": "五绝", "seed": 6, "count": 2, "lines": {"3": "____月"}, "tones": "loose",
     "rhyme": "auto", "avoid": "愁不", "no_repeat": True, "candidates": 8},
    {"keep": "白日依山盡，黃河□□□。欲窮千里目，更上一層樓。", "seed": 8, "candidates": 8,
     "allow_quotes": True},
]  # fmt: skip


@pytest.fixture(scope="module")
def poet() -> Poet:
    return Poet.load()


def written(poet: Poet, body: dict[str, Any]) -> list[dict[str, Any]]:
    """What Poet.write gives for the same arguments."""
    asked = {key: value for key, value in body.items() if key != "prefix"}
    if "lines" in asked:
        asked["lines"] = {int(number): text for number, text in asked["lines"].items()}
    poems = poet.write(body.get("prefix", ""), **asked)
    return [poem.to_dict() | {"lines": poem.lines} for poem in poems]


@pytest.mark.parametrize("body", REQUESTS, ids=lambda body: "+".join(body))
def test_the_poems_are_those_of_the_python_api(
    api: httpx.Client, poet: Poet, body: dict[str, Any]
) -> None:
    answer = api.post("/api/poems", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"model": "poet", "poems": written(poet, body)}


def test_a_seed_at_random_writes_the_same_again(api: httpx.Client) -> None:
    first = api.post("/api/poems", json={"count": 2}).json()["poems"]
    assert first[1]["seed"] == first[0]["seed"] + 1
    again = api.post("/api/poems", json={"count": 2, "seed": first[0]["seed"]}).json()["poems"]
    assert again == first


@pytest.mark.parametrize("body", REQUESTS[1::2], ids=lambda body: "+".join(body))
def test_the_stream_ends_in_the_same_poems(
    api: httpx.Client, poet: Poet, body: dict[str, Any]
) -> None:
    with api.stream("POST", "/api/poems/stream", json=body) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/x-ndjson"
        events = [json.loads(line) for line in answer.iter_lines()]
    poems = {event.pop("poem"): event for event in events if event.pop("event") == "poem"}
    assert [poems[number] for number in range(len(poems))] == written(poet, body)


def test_drafts_grow_into_the_poem(api: httpx.Client) -> None:
    with api.stream("POST", "/api/poems/stream", json={"prefix": "月", "seed": 7}) as answer:
        events = [json.loads(line) for line in answer.iter_lines()]
    drafts, poem = [e for e in events if e["event"] == "draft"], events[-1]
    assert poem["event"] == "poem"
    assert len(drafts) > 5
    texts = [draft["text"] for draft in drafts]
    assert all(after.startswith(before) for before, after in pairwise(texts))
    shares = [draft["progress"] for draft in drafts]
    assert shares == sorted(shares)
    assert shares[-1] <= 1


@pytest.mark.parametrize("path", ["/api/poems", "/api/poems/stream"])
def test_wishes_that_collide_are_told_in_the_same_words(
    api: httpx.Client, poet: Poet, path: str
) -> None:
    body = {"form": "五绝", "acrostic": "春夏秋冬東"}
    with pytest.raises(UsageError) as said:
        poet.write(**body)  # type: ignore[arg-type]
    answer = api.post(path, json=body)
    assert answer.status_code == 422
    assert answer.json() == {"detail": str(said.value), "error": "UsageError"}


def test_a_search_that_finds_nothing_is_told_too(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is known only when all drafts have run into a dead end; a stream has begun by then."""

    def fail(writings: Sequence[Writing]) -> None:
        for writing in writings:
            writing.error = UsageError("found no poem in 4 × 64 drafts")

    monkeypatch.setattr(scheduler, "step_together", fail)
    api = serve()
    answer = api.post("/api/poems", json={"form": "五绝", "count": 3})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "found no poem in 4 × 64 drafts"
    with api.stream("POST", "/api/poems/stream", json={"form": "五绝", "count": 3}) as answer:
        assert answer.status_code == 200
        *_, last = [json.loads(line) for line in answer.iter_lines()]
    assert last == {"event": "error", "detail": "found no poem in 4 × 64 drafts"}


def test_a_fault_of_our_own_harms_no_other_request(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    step = scheduler.step_together

    def fail(writings: Sequence[Writing]) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr(scheduler, "step_together", fail)
    api = serve()
    answer = api.post("/api/poems", json={})
    assert answer.status_code == 500
    assert answer.json()["error"] == "InternalError"
    assert "of all things" not in answer.text
    assert "of all things" in caplog.text
    monkeypatch.setattr(scheduler, "step_together", step)
    assert api.post("/api/poems", json={}).status_code == 200
    assert api.get("/healthz").json() == {"status": "ok"}
