"""Headers, the page's files and the API viewer: nothing comes from anywhere else."""

from __future__ import annotations

import gzip
import re
from importlib import resources
from pathlib import Path

import httpx
import pytest

from yinshi import ModelFileError
from yinshi.apps.web.static import IMMUTABLE, page_files

PAGE = Path(str(resources.files("yinshi.apps.web"))) / "page"
ASSETS = sorted(path.relative_to(PAGE).as_posix() for path in PAGE.glob("assets/*"))
#: A URL with a host, wherever it may stand; names of XML vocabularies are never fetched.
EXTERNAL = re.compile(rb"""(?:src|href|action)=["']?(?:https?:)?//|url\(["']?(?:https?:)?//""")


@pytest.mark.parametrize("path", ["/", "/docs", "/api/models", "/healthz", "/nothing", "/metrics"])
def test_every_answer_is_guarded(api: httpx.Client, path: str) -> None:
    headers = api.get(path, headers={"origin": "https://example.org"}).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["object-src"] == "'none'"
    assert not {"script-src", "style-src"} & set(policy)
    assert "unsafe" not in str(policy)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert not [name for name in headers if name.startswith("access-control-")]
    assert "server" not in headers
    assert "set-cookie" not in headers


def test_no_other_origin_may_ask(api: httpx.Client) -> None:
    asked = {"origin": "https://example.org", "access-control-request-method": "POST"}
    answer = api.request("OPTIONS", "/api/poems", headers=asked)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_the_page(api: httpx.Client) -> None:
    answer = api.get("/")
    assert answer.content == (PAGE / "index.html").read_bytes()
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    again = api.get("/", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert api.head("/").status_code == 200


@pytest.mark.parametrize("name", ASSETS)
def test_assets_are_kept_for_ever_and_compressed(api: httpx.Client, name: str) -> None:
    with api.stream("GET", f"/{name}", headers={"accept-encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["cache-control"] == IMMUTABLE
    if "content-encoding" in answer.headers:
        raw = gzip.decompress(raw)
    assert raw == (PAGE / name).read_bytes()
    plain = api.get(f"/{name}", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == raw


def test_nothing_served_refers_to_another_host(api: httpx.Client) -> None:
    for path in ("/", "/docs", *(f"/{name}" for name in ASSETS), "/docs/swagger-ui.css"):
        content = api.get(path).content
        assert not EXTERNAL.search(content), path
    assert EXTERNAL.search(b'<script src="https://cdn.example.org/x.js">')  # as it would be seen


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_every_file_that_is_named_is_served_and_nothing_is_inline(
    api: httpx.Client, path: str
) -> None:
    html = api.get(path).text
    named = re.findall(r"""<(?:script|link)[^>]*?(?:src|href)=["']([^"']+)""", html)
    assert named
    for name in named:
        if not name.startswith("data:"):
            assert api.get(name).status_code == 200, name
    assert not re.search(r"<script(?![^>]*\ssrc=)", html)
    assert not re.search(r"<style|\sstyle=|\son\w+=", html)


def test_the_viewer_shows_our_description(api: httpx.Client) -> None:
    assert 'url: "/openapi.json"' in api.get("/docs/start.js").text
    described = api.get("/openapi.json").json()
    assert set(described["paths"]) == {
        "/api/poems",
        "/api/poems/stream",
        "/api/scan",
        "/api/score",
        "/api/models",
        "/healthz",
        "/metrics",
    }
    assert "http" not in str(described).replace("HTTP", "")


def test_a_package_without_its_page_is_not_whole(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"index\.html: no such file; the package is not"):
        page_files(tmp_path)
