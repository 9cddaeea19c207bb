"""The download, against a server on this machine: whole, resumed, refused, wrong, cached."""

from __future__ import annotations

import gzip
import http.server
import io
import json
import random
import socket
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from yinshi.corpus import download
from yinshi.corpus.download import PINNED_HASH, PINNED_URL, default_cache, fetch_archive
from yinshi.corpus.sources import archive_hash
from yinshi.errors import DownloadError


def packed(text: str, padding: int = 200_000) -> bytes:
    """A small .tar.gz of the layout; the padding, which does not count, hardly packs."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        poems = json.dumps([{"title": "", "author": "", "paragraphs": [text]}]).encode()
        for name, content in (("poet.tang.0.json", poems), ("noise", _noise(padding))):
            info = tarfile.TarInfo(f"root/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def _noise(size: int) -> bytes:
    return random.Random(0).randbytes(size)


ARCHIVE = packed("白日依山盡。")


class Server(http.server.ThreadingHTTPServer):
    """Serves `content`; what it does wrong is set by the tests."""

    content = ARCHIVE
    status = 200
    ranges = True  # does it know the Range header?
    cuts: tuple[int, ...] = ()  # bytes after which the next answers break off

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.starts: list[int] = []  # first byte of each answer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/archive.tar.gz"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, asked = self.server, self.headers["Range"]
        start = int(asked[len("bytes=") : -1]) if asked and server.ranges else 0
        status = 206 if start else server.status
        if start and start >= len(server.content):
            status = 416
        server.starts.append(start)
        body = server.content[start:] if status in (200, 206) else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 206:
            last = len(server.content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{last + 1}")
        self.end_headers()
        if server.cuts:
            body, server.cuts = body[: server.cuts[0]], server.cuts[1:]
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download, "RETRY_PAUSES", (0.0, 0.0))
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def content_hash(tmp_path: Path) -> str:
    return hash_of(tmp_path, ARCHIVE)


def hash_of(folder: Path, content: bytes) -> str:
    (folder / "expected.tar.gz").write_bytes(content)
    return archive_hash(folder / "expected.tar.gz")


def fault(cache: Path, url: str, content_hash: str = PINNED_HASH) -> str:
    with pytest.raises(DownloadError) as raised:
        fetch_archive(cache, url, content_hash)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_whole_download_with_progress(server: Server, tmp_path: Path, content_hash: str) -> None:
    seen: list[tuple[int, int | None]] = []
    cache = tmp_path / "new" / "cache"
    path = fetch_archive(cache, server.url, content_hash, lambda *now: seen.append(now))
    assert path.read_bytes() == ARCHIVE
    assert list(cache.iterdir()) == [path]
    assert seen[-1] == (len(ARCHIVE), len(ARCHIVE))
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


def test_a_cached_archive_needs_no_network(
    server: Server, tmp_path: Path, content_hash: str
) -> None:
    path = fetch_archive(tmp_path, server.url, content_hash)
    assert fetch_archive(tmp_path, "http://127.0.0.1:9/", content_hash) == path
    assert server.starts == [0]


def test_a_cut_connection_is_resumed(server: Server, tmp_path: Path, content_hash: str) -> None:
    server.cuts = (50_000, 30_000)
    path = fetch_archive(tmp_path, server.url, content_hash)
    assert path.read_bytes() == ARCHIVE
    assert server.starts == [0, 50_000, 80_000]


def test_a_later_call_goes_on(server: Server, tmp_path: Path, content_hash: str) -> None:
    server.cuts = (10_000, 10_000, 10_000)
    message = fault(tmp_path, server.url, content_hash)
    assert message.startswith("no network: ")
    assert "what has arrived is kept, or point --source at a copy" in message
    assert fetch_archive(tmp_path, server.url, content_hash).read_bytes() == ARCHIVE
    assert server.starts == [0, 10_000, 20_000, 30_000]


def test_a_server_without_ranges_sends_all_again(
    server: Server, tmp_path: Path, content_hash: str
) -> None:
    server.ranges, server.cuts = False, (50_000,)
    assert fetch_archive(tmp_path, server.url, content_hash).read_bytes() == ARCHIVE
    assert server.starts == [0, 0]


def test_everything_had_arrived_before(server: Server, tmp_path: Path, content_hash: str) -> None:
    """Killed between the last byte and the renaming: the server answers 416."""
    part = tmp_path / f"chinese-poetry-{content_hash[7:19]}.tar.gz.part"
    part.write_bytes(ARCHIVE)
    assert fetch_archive(tmp_path, server.url, content_hash).read_bytes() == ARCHIVE
    assert not part.exists()


def test_the_beginning_is_of_another_archive(
    server: Server, tmp_path: Path, content_hash: str
) -> None:
    part = tmp_path / f"chinese-poetry-{content_hash[7:19]}.tar.gz.part"
    part.write_bytes(packed("黃河。", padding=10_000)[:5_000])
    assert fetch_archive(tmp_path, server.url, content_hash).read_bytes() == ARCHIVE
    assert server.starts == [5_000, 0]


def test_other_bytes_with_the_same_contents_will_do(
    server: Server, tmp_path: Path, content_hash: str
) -> None:
    server.content = packed("白日依山盡。", padding=7)
    assert fetch_archive(tmp_path, server.url, content_hash).read_bytes() == server.content


@pytest.mark.parametrize("content", [packed("黃河。"), b"<html>login</html>", ARCHIVE[:-9], b""])
def test_other_contents_are_refused_and_removed(
    server: Server, tmp_path: Path, content_hash: str, content: bytes
) -> None:
    server.content = content
    cache = tmp_path / "cache"
    message = fault(cache, server.url, content_hash)
    assert "other contents than expected" in message
    assert not list(cache.iterdir())


def test_not_found(server: Server, tmp_path: Path) -> None:
    server.status = 404
    assert "the server answers 404 Not Found" in fault(tmp_path, server.url)
    assert len(server.starts) == 1


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.status = 503
    assert "the server answers 503" in fault(tmp_path, server.url)
    assert len(server.starts) == 3


def test_connection_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download, "RETRY_PAUSES", (0.0,))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    message = fault(tmp_path, f"http://127.0.0.1:{port}/")
    assert message.startswith("no network: ")
    assert "Connection refused" in message
    assert "--source" in message


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk(server: Server, tmp_path: Path, content_hash: str) -> None:
    part = tmp_path / f"chinese-poetry-{content_hash[7:19]}.tar.gz.part"
    part.symlink_to("/dev/full")
    message = fault(tmp_path, server.url, content_hash)
    assert "can't be written (No space left on device)" in message
    assert "XDG_CACHE_HOME" in message


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "yinshi"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_cache() == tmp_path / "home" / ".cache" / "yinshi"


def test_the_pinned_archive(tang_archive: Path) -> None:
    assert archive_hash(tang_archive) == PINNED_HASH
    assert PINNED_URL.startswith("https://codeload.github.com/chinese-poetry/")
