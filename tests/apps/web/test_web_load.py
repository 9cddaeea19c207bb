"""Many clients at once, for a few seconds; benchmarks/serving.py does it for a minute."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

POEM = "白日依山盡，黃河入海流。"
CLIENTS, SECONDS = 24, 4
MIXED: list[tuple[str, dict[str, Any]]] = [
    ("/api/poems", {"prefix": "月"}),
    ("/api/poems", {"form": "五绝", "candidates": 8}),
    ("/api/poems/stream", {"acrostic": "春夏秋冬", "form": "五绝", "candidates": 8}),
    ("/api/scan", {"text": POEM}),
    ("/api/score", {"text": POEM}),
    ("/api/poems", {"form": "六律"}),
    ("/api/poems/stream", {"count": 2, "script": "simplified"}),
]


def test_nothing_but_200_and_what_is_full(address: str) -> None:
    end = time.monotonic() + SECONDS
    found: Counter[int] = Counter()

    def ask(number: int) -> None:
        headers = {"x-forwarded-for": f"10.0.0.{number}"}
        with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
            for turn in range(number, 1_000_000):
                if time.monotonic() > end:
                    return
                path, body = MIXED[turn % len(MIXED)]
                answer = client.post(path, json=body, headers=headers)
                expected = {422} if body.get("form") == "六律" else {200, 429, 503}
                assert answer.status_code in expected, answer.text
                found[answer.status_code] += 1
                if answer.status_code in (429, 503):
                    time.sleep(min(1, float(answer.headers["retry-after"])))

    with ThreadPoolExecutor(CLIENTS) as pool:
        for asked in [pool.submit(ask, number) for number in range(CLIENTS)]:
            asked.result()
    assert found[200] > CLIENTS
    with httpx.Client(base_url=address, trust_env=False) as client:
        counted = client.get("/metrics").text
    assert "yinshi_active_poems 0.0" in counted
    assert "yinshi_queue_length 0.0" in counted
