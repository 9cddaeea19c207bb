"""The pinned archive of chinese-poetry: fetched once into the user's cache, then used from there.

GitHub makes its archives anew at each request, and their bytes differ from year to year; so what is
checked is the hash of the contents that count, `sources.archive_hash`.
"""

from __future__ import annotations

import http.client
import os
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from yinshi.corpus.sources import archive_hash
from yinshi.errors import DownloadError, SourceError

COMMIT = "99ebbef7e1345c0985c44b9fd96a3f9e776f117b"
PINNED_URL = f"https://codeload.github.com/chinese-poetry/chinese-poetry/tar.gz/{COMMIT}"
PINNED_HASH = "sha256:58577518d45fdae758cd7b1498fa1f234fbb45e089c89b0e8e39ea8f5c31b845"

#: Seconds before each further attempt when the connection fails; what has arrived is kept.
RETRY_PAUSES: Sequence[float] = (1.0, 3.0, 9.0)
_TIMEOUT = 30.0  # seconds without a byte
_CHUNK = 1 << 17
_BUSY = (429, 500, 502, 503, 504)  # HTTP statuses worth another attempt
_CONNECTION_FAULTS = (
    URLError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
    ssl.SSLError,
)
_ELSEWHERE = "or point --source at a copy of the archive"

#: (bytes so far, bytes in all or None where the server does not say)
Progress = Callable[[int, int | None], None]


def archive_name(content_hash: str) -> str:
    """The archive's name in the cache."""
    return f"chinese-poetry-{content_hash.removeprefix('sha256:')[:12]}.tar.gz"


def fetch_archive(
    cache_dir: Path | None = None,
    url: str = PINNED_URL,
    content_hash: str = PINNED_HASH,
    progress: Progress = lambda done, total: None,
) -> Path:
    """The archive with `content_hash`: the cached one, without network, or the one at `url`.

    An interrupted download is gone on with at the next call. Raises DownloadError: no network, an
    HTTP error, no room or no right to write, or other contents than expected (which are removed).
    """
    cache = cache_dir or default_cache()
    archive = cache / archive_name(content_hash)
    if archive.exists():
        return archive
    part = archive.with_name(archive.name + ".part")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        begun_earlier = part.exists()
        _download(url, part, progress)
        found = _content_hash(part)
        if found != content_hash and begun_earlier:  # two different archives, one behind the other
            part.unlink()
            _download(url, part, progress)
            found = _content_hash(part)
        if found != content_hash:
            part.unlink()
            raise DownloadError(
                f"{url}: other contents than expected, found {found}, expected {content_hash}; "
                f"try again later, {_ELSEWHERE}"
            )
        part.replace(archive)
    except OSError as error:
        raise DownloadError(
            f"{part}: can't be written ({error.strerror}); make room there, or set "
            f"XDG_CACHE_HOME to another folder, {_ELSEWHERE}"
        ) from error
    return archive


def default_cache() -> Path:
    """`$XDG_CACHE_HOME/yinshi`, by default `~/.cache/yinshi`."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "yinshi"


def _download(url: str, part: Path, progress: Progress) -> None:
    """The whole of `url` in `part`, which may hold its beginning; several attempts."""
    for pause in (*RETRY_PAUSES, None):
        try:
            return _go_on(url, part, progress)
        except HTTPError as error:
            error.close()
            if error.code == 416 and part.exists():  # nothing lies beyond what `part` holds
                return None
            if error.code not in _BUSY or pause is None:
                raise DownloadError(
                    f"{url}: the server answers {error.code} {error.reason}, expected the archive; "
                    f"try again later, {_ELSEWHERE}"
                ) from error
        except _CONNECTION_FAULTS as error:
            if pause is None:
                raise DownloadError(
                    f"no network: {url} can't be fetched ({getattr(error, 'reason', error)}); "
                    f"try again, what has arrived is kept, {_ELSEWHERE}"
                ) from error
        time.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _go_on(url: str, part: Path, progress: Progress) -> None:
    """One attempt: appends what `part` lacks, or begins anew where the server sends the whole."""
    done = part.stat().st_size if part.exists() else 0
    request = Request(url, headers={"User-Agent": "yinshi"})
    if done:
        request.add_header("Range", f"bytes={done}-")
    with urlopen(request, timeout=_TIMEOUT) as response:
        continued = (response.headers["Content-Range"] or "").startswith(f"bytes {done}-")
        done = done if continued else 0
        length = response.headers["Content-Length"]
        total = done + int(length) if length else None
        with part.open("ab" if continued else "wb") as file:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                progress(done, total)
    if total is not None and done < total:
        raise http.client.IncompleteRead(b"", total - done)


def _content_hash(archive: Path) -> str:
    """Its content hash, or in words what is wrong with it."""
    with suppress(SourceError):
        return archive_hash(archive)
    return "something that is no whole archive"
