"""What is refused: its status, its name and its one line."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

JSON = {"content-type": "application/json"}
LARGE = 70_000


@pytest.mark.parametrize(
    ("path", "body", "status", "error", "detail"),
    [
        ("poems", {"form": "六律"}, 422, "UsageError", "found form '六律': expected 五绝"),
        ("poems", {"rhyme": "𠀀"}, 422, "UsageError", "found rhyme '𠀀'"),
        ("poems", {"prefix": "😀"}, 422, "UnknownCharacterError", "has never seen 😀"),
        ("poems", {"candidates": 3}, 422, "UsageError", "candidates 3: found no wish"),
        ("poems", {"title": "abc"}, 422, "UsageError", "title 'abc': found no character"),
        ("poems", {"model": "宋"}, 422, "UsageError", "model '宋': expected one of poet"),
        ("poems", {"colour": 1}, 422, "UsageError", "colour: unknown"),
        ("poems", {"method": "beam"}, 422, "UsageError", "method: unknown"),
        ("poems", {"count": 0}, 422, "UsageError", "count: found 0, expected greater than or"),
        ("poems", {"count": "2"}, 422, "UsageError", "count: found '2', expected a valid integer"),
        ("poems", {"seed": -1}, 422, "UsageError", "seed: found -1"),
        ("poems", {"seed": 2**64}, 422, "UsageError", "seed: found 18446744073709551616"),
        ("poems", {"temperature": 0}, 422, "UsageError", "temperature: found 0"),
        ("poems", {"prefix": None}, 422, "UsageError", "prefix: found None, expected a valid"),
        ("poems", {"tones": "日"}, 422, "UsageError", "tones: found '日', expected 'strict'"),
        ("poems", {"lines": {"0": "春"}}, 422, "UsageError", "lines.0"),
        ("poems", {"lines": {"3": 5}}, 422, "UsageError", "lines.3: found 5, expected a valid"),
        ("poems", {"acrostic_at": "foot"}, 422, "UsageError", "acrostic_at: found 'foot'"),
        ("poems", [], 422, "UsageError", "body: expected a JSON object"),
        ("poems", {"count": 17}, 413, "TooLargeError", "count: found 17, expected less"),
        ("poems", {"max_length": 201}, 413, "TooLargeError", "max_length: found 201"),
        ("poems", {"prefix": "月" * 201}, 413, "TooLargeError", "prefix: found 201 characters"),
        ("poems", {"avoid": "愁" * 501}, 413, "TooLargeError", "avoid: found 501 characters"),
        ("poems", {"form": "五绝", "candidates": 257}, 413, "TooLargeError", "candidates: found"),
        ("poems", {"form": "排律:34"}, 413, "TooLargeError", "form 排律:34: found 204 characters"),
        (
            "poems",
            {"form": "七律", "count": 9, "candidates": 256},
            413,
            "TooLargeError",
            "found 9 × 256 drafts of 64 characters: expected at most 65,536 in all",
        ),
        ("scan", {"text": "abc"}, 422, "UsageError", "found no Chinese character"),
        ("scan", {"text": ""}, 422, "UsageError", "found no Chinese character"),
        ("scan", {}, 422, "UsageError", "text: found nothing, expected one"),
        ("scan", {"text": "月" * 2001}, 413, "TooLargeError", "text: found 2001 characters"),
        ("score", {"text": ""}, 422, "UsageError", ""),
        ("score", {"text": "月", "style": "某甲"}, 422, "UsageError", "style '某甲'"),
        ("score", {"text": "月" * 2001}, 413, "TooLargeError", "text: found 2001 characters"),
    ],
)
def test_a_refusal(
    api: httpx.Client, path: str, body: Any, status: int, error: str, detail: str
) -> None:
    answer = api.post(f"/api/{path}", json=body)
    assert answer.status_code == status, answer.text
    told = answer.json()
    assert set(told) == {"detail", "error"}
    assert told["error"] == error
    assert detail in told["detail"]
    assert "\n" not in told["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"7",
        b'"' + "月".encode("gb18030") + b'"',
        b'{"prefix": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"seed": NaN}',
        b'{"temperature": NaN}',
        b'{"temperature": 1e999}',
        b'{"top_p": -Infinity}',
        b'{"seed": 1e999}',
        b'{"seed": ' + b"9" * 5000 + b"}",
        b'{"lines": {"' + b"9" * 5000 + b'": "_"}}',
        b"[" * 60_000,
        b'{"prefix": "\\u0000"}',
        b'{"form": "\\u6392\\u5f8b:' + b"9" * 90 + b'"}',
        b'{"acrostic": "_", "acrostic_at": true}',
    ],
    ids=lambda body: body[:24].decode("ascii", "replace"),
)
@pytest.mark.parametrize("path", ["/api/poems", "/api/poems/stream", "/api/scan", "/api/score"])
def test_a_hostile_body_is_refused_in_one_line(api: httpx.Client, path: str, body: bytes) -> None:
    answer = api.post(path, content=body, headers=JSON)
    assert answer.status_code in (413, 422), answer.text
    assert "\n" not in answer.json()["detail"]


def test_another_content_type_is_told(api: httpx.Client) -> None:
    answer = api.post("/api/scan", content=b'{"text": "x"}', headers={"content-type": "text/plain"})
    assert answer.status_code == 422
    assert "Content-Type: application/json" in answer.json()["detail"]


@pytest.mark.parametrize("declared", [True, False])
def test_a_large_body_is_413(api: httpx.Client, declared: bool) -> None:
    body = b" " * LARGE
    content = body if declared else iter([body[: LARGE // 2], body[LARGE // 2 :]])
    answer = api.post("/api/poems", content=content, headers=JSON)
    assert answer.status_code == 413
    assert answer.json()["error"] == "TooLargeError"
    assert "65,536 bytes" in answer.json()["detail"]
    assert answer.headers["content-security-policy"]


def test_what_is_not_there(api: httpx.Client) -> None:
    assert api.get("/api/nothing").status_code == 404
    assert api.get("/assets/../../app.py").status_code == 404
    assert api.get("/assets/%2e%2e/%2e%2e/app.py").status_code == 404
    answer = api.get("/api/poems")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert answer.json() == {"detail": "GET /api/poems: Method Not Allowed", "error": "MethodError"}
