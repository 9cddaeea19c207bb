"""Who waits, who is refused, and who is no longer there."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from yinshi.apps.web import scheduler

Serve = Callable[..., httpx.Client]
#: As a proxy tells them apart; the server trusts one on its own machine.
ANN, BEN = {"x-forwarded-for": "10.0.0.1"}, {"x-forwarded-for": "10.0.0.2"}
FREE = {"prefix": "月"}
SEARCH = {"form": "五绝", "candidates": 100}


def metric(api: httpx.Client, name: str) -> float:
    lines = api.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def under_way(api: httpx.Client) -> float:
    return metric(api, "yinshi_active_poems") + metric(api, "yinshi_queue_length")


def test_poems_that_come_together_are_stepped_together(serve: Serve, gate: Any) -> None:
    api = serve()
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(api.post, "/api/poems", json=FREE) for _ in range(20)]
        until(lambda: metric(api, "yinshi_active_poems") == 20)
        gate.is_open.set()
        assert all(answer.result().status_code == 200 for answer in asked)
    assert gate.most == 20
    assert gate.steps < 2 * 66


def test_a_full_queue_is_503(serve: Serve, gate: Any) -> None:
    api = serve(queue=2)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(api.post, "/api/poems", json=FREE) for _ in range(2)]
        until(lambda: under_way(api) == 2)
        answer = api.post("/api/poems", json=FREE)
        assert answer.status_code == 503
        assert answer.json()["error"] == "BusyError"
        assert int(answer.headers["retry-after"]) >= 1
        gate.is_open.set()
        assert [each.result().status_code for each in asked] == [200, 200]
    assert api.post("/api/poems", json=FREE).status_code == 200


def test_so_much_work_that_it_would_take_too_long_is_503(
    serve: Serve, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100 drafts of 24 characters, at half a millisecond each, are more than a second."""
    monkeypatch.setattr(scheduler, "BELIEF", 0)
    api = serve(backlog=1)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(api.post, "/api/poems", json=SEARCH)
        until(lambda: under_way(api) == 1)
        answer = api.post("/api/poems", json=SEARCH)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        gate.is_open.set()
        assert asked.result().status_code == 200


def test_one_client_too_many_poems_is_429_and_no_other(serve: Serve, gate: Any) -> None:
    api = serve(client=3)
    with ThreadPoolExecutor(2) as pool:
        asked = pool.submit(api.post, "/api/poems", json=FREE | {"count": 3}, headers=ANN)
        until(lambda: under_way(api) == 3)
        answer = api.post("/api/poems", json=FREE, headers=ANN)
        assert answer.status_code == 429
        assert answer.json()["error"] == "TooManyError"
        assert int(answer.headers["retry-after"]) >= 1
        assert api.post("/api/score", json={"text": "月"}, headers=ANN).status_code == 429
        assert api.post("/api/score", json={"text": "月"}, headers=BEN).status_code == 200
        other = pool.submit(api.post, "/api/poems", json=FREE, headers=BEN)
        until(lambda: under_way(api) == 4)
        gate.is_open.set()
        assert asked.result().status_code == other.result().status_code == 200
    assert api.post("/api/poems", json=FREE, headers=ANN).status_code == 200


def test_a_place_goes_to_who_holds_fewest(serve: Serve, gate: Any) -> None:
    """Ann asks for eight poems before Ben asks for one; with four places he is not the last."""
    api, order = serve(free=4), []

    def ask(headers: dict[str, str], count: int) -> None:
        with api.stream("POST", "/api/poems/stream", json=FREE | {"count": count, "seed": 1},
                        headers=headers) as answer:  # fmt: skip
            for line in answer.iter_lines():
                if json.loads(line)["event"] == "poem":
                    order.append(headers["x-forwarded-for"])

    ann = threading.Thread(target=ask, args=(ANN, 12))
    ann.start()
    until(lambda: metric(api, "yinshi_queue_length") == 8)
    ben = threading.Thread(target=ask, args=(BEN, 1))
    ben.start()
    until(lambda: metric(api, "yinshi_queue_length") == 9)
    gate.is_open.set()
    ann.join()
    ben.join()
    assert len(order) == 13
    assert order.index(BEN["x-forwarded-for"]) < 9


def test_who_waits_is_told_his_place(serve: Serve, gate: Any) -> None:
    api = serve(free=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(api.post, "/api/poems", json=FREE)
        until(lambda: metric(api, "yinshi_active_poems") == 1)
        with api.stream("POST", "/api/poems/stream", json=FREE) as answer:
            lines = answer.iter_lines()
            assert json.loads(next(lines)) == {"event": "queued", "position": 1}
            gate.is_open.set()
            assert json.loads([*lines][-1])["event"] == "poem"
        assert first.result().status_code == 200


@pytest.mark.parametrize("path", ["/api/poems", "/api/poems/stream"])
def test_a_client_that_goes_away_stops_its_search(serve: Serve, gate: Any, path: str) -> None:
    api = serve()
    with pytest.raises(httpx.ReadTimeout):  # and the connection is closed
        api.post(path, json=SEARCH, timeout=0.5)
    until(lambda: under_way(api) == 0)
    assert metric(api, "yinshi_poems_dropped_total") == 1
    gate.is_open.set()
    assert api.post("/api/poems", json=FREE).status_code == 200


def test_the_deadline_is_504(serve: Serve, gate: Any) -> None:
    api = serve(deadline=0.3)
    answer = api.post("/api/poems", json=FREE | {"count": 2})
    assert answer.status_code == 504
    assert answer.json()["error"] == "DeadlineError"
    assert answer.json()["detail"].startswith("found 0 of 2 poems when the time was up")
    with api.stream("POST", "/api/poems/stream", json=FREE) as answer:
        events = [json.loads(line) for line in answer.iter_lines()]
    assert events[-1]["event"] == "error"
    assert "found 0 of 1 poems" in events[-1]["detail"]
    until(lambda: under_way(api) == 0)


def test_a_search_larger_than_all_places_goes_alone(serve: Serve) -> None:
    api = serve(drafts=16)
    answer = api.post("/api/poems", json=SEARCH | {"candidates": 20, "count": 2})
    assert answer.status_code == 200


def test_what_is_counted(serve: Serve) -> None:
    api = serve()
    poems = api.post("/api/poems", json={"count": 3, "seed": 1}).json()["poems"]
    api.post("/api/poems", json={"form": "六律"})
    api.get("/nothing/that/is/there")
    assert metric(api, "yinshi_poems_total") == 3
    assert metric(api, "yinshi_characters_total") == sum(len(poem["text"]) for poem in poems)
    assert metric(api, "yinshi_collisions_total") == 1
    assert metric(api, "yinshi_poem_seconds_count") == 3
    assert metric(api, 'yinshi_requests_total{route="/api/poems",status="200"}') == 1
    assert metric(api, 'yinshi_requests_total{route="/api/poems",status="422"}') == 1
    assert metric(api, 'yinshi_requests_total{route="other",status="404"}') == 1
    steps = metric(api, "yinshi_step_rows_count")
    assert metric(api, "yinshi_step_rows_sum") > 2 * steps
    assert metric(api, 'yinshi_step_rows_bucket{le="4.0"}') == steps
