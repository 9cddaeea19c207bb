"""Files in a folder, a .zip or a .tar.*: read as a stream, once, never unpacked to disk.

What comes from elsewhere is not trusted: a name that leaves the archive, or an archive that unpacks
to absurdly much, is refused, and damage of any kind is a SourceError of one line.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from yinshi.errors import SourceError

# No honest source comes near these. A bomb is told by what it unpacks to, not by what it declares.
FILE_LIMIT = 64 << 20  # bytes of one file; the real ones have under 1 MB
TOTAL_LIMIT = 2 << 30  # bytes of all files together; the whole repository has about a tenth
RATIO_LIMIT = 100  # unpacked to packed bytes of a .tar.*; the real ones have under 10

#: Whether the file of that name is wanted.
Wanted = Callable[[str], bool]
#: (name in the container, content) of the wanted files, in no particular order.
Files = Iterator[tuple[str, bytes]]

_DAMAGE = (
    EOFError,
    NotImplementedError,  # a .zip compressed by a method nobody uses
    RuntimeError,  # an encrypted .zip
    ValueError,
    lzma.LZMAError,
    struct.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)
_UNPACKERS: Mapping[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": lambda packed: gzip.GzipFile(fileobj=packed),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}


def kind_of(path: Path) -> str:
    """`folder`, `zip`, `tar` or, for any other file, empty; by its content, not by its name."""
    if path.is_dir():
        return "folder"
    with damage_reported(path), path.open("rb") as file:
        head = file.read(tarfile.BLOCKSIZE)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head.startswith(tuple(_UNPACKERS)) or head[257:262] == b"ustar":
        return "tar"
    return ""


def files_of(path: Path, kind: str, wanted: Wanted) -> Files:
    """The wanted files of the container `path`. Raises SourceError."""
    return {"folder": _files_of_folder, "zip": _files_of_zip, "tar": _files_of_tar}[kind](
        path, wanted
    )


def _files_of_folder(path: Path, wanted: Wanted) -> Files:
    total = 0
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if wanted(name) and file.is_file():
            content = read_file(file, FILE_LIMIT)
            total += len(content)
            if total > TOTAL_LIMIT:
                raise _too_large(path, "it", TOTAL_LIMIT)
            yield name, content


def _files_of_zip(path: Path, wanted: Wanted) -> Files:
    total = 0
    with damage_reported(path), zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            _refuse_escape(path, info.filename)
            is_link = stat.S_ISLNK(info.external_attr >> 16)
            if not wanted(info.filename) or info.is_dir() or is_link:
                continue
            with archive.open(info) as file:
                content = file.read(FILE_LIMIT + 1)
            total += len(content)
            if len(content) > FILE_LIMIT or total > TOTAL_LIMIT:
                raise _too_large(path, info.filename, FILE_LIMIT)
            yield info.filename, content


def _files_of_tar(path: Path, wanted: Wanted) -> Files:
    with damage_reported(path), path.open("rb") as packed:
        stream = _Unpacked(path, packed)
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for info in archive:
                _refuse_escape(path, info.name)
                if not wanted(info.name) or not info.isfile():
                    continue  # links and devices are not files
                if info.size > FILE_LIMIT:
                    raise _too_large(path, info.name, FILE_LIMIT)
                file = archive.extractfile(info)
                assert file
                yield info.name, file.read()
            end = archive.offset
        stream.drain()
        if stream.position < end + tarfile.BLOCKSIZE:  # the empty block that ends it is missing
            raise tarfile.ReadError("unexpected end of archive")


class _Unpacked(io.RawIOBase):
    """The bytes of a packed .tar in order; refuses to go on where they become absurdly many."""

    def __init__(self, path: Path, packed: IO[bytes]) -> None:
        self.position = 0
        self._path = path
        self._packed = packed
        head = packed.read(6)
        packed.seek(0)
        unpackers = (make for magic, make in _UNPACKERS.items() if head.startswith(magic))
        self._stream = next(unpackers, lambda plain: plain)(packed)

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._stream.read(size)
        self.position += len(data)
        dense = self.position > RATIO_LIMIT * self._packed.tell()
        if self.position > TOTAL_LIMIT or (dense and self.position > FILE_LIMIT):
            raise _too_large(self._path, "it", self.position)
        return data

    def drain(self) -> None:
        """To the end, where the check sum is."""
        while self.read(1 << 20):
            pass


def read_file(path: Path, limit: int) -> bytes:
    """The content of the plain file `path`, at most `limit` bytes. Raises SourceError."""
    with damage_reported(path):
        if path.stat().st_size > limit:
            raise _too_large(path, "it", limit)
        return path.read_bytes()


@contextmanager
def damage_reported(path: Path) -> Iterator[None]:
    """Whatever reading `path` raises becomes a SourceError."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            raise SourceError(f"{path}: can't be read ({error.strerror})") from error
        raise _damaged(path, error) from error
    except _DAMAGE as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> SourceError:
    return SourceError(
        f"{path}: damaged or cut short ({error}); expected a whole .zip or .tar of poems; "
        "fetch it again"
    )


def _refuse_escape(path: Path, name: str) -> None:
    first, *_ = folders = re.split(r"[/\\]", name)
    if first == "" or first.endswith(":") or ".." in folders:
        raise SourceError(
            f"{path}: refused, since it holds the name {name!r}; expected only names inside the "
            "archive (no absolute path, no ..); get it from another place"
        )


def _too_large(path: Path, what: str, limit: int) -> SourceError:
    return SourceError(
        f"{path}: refused, since {what} unpacks to more than {limit >> 20} MB; "
        "expected poems, files of about 1 MB; get it from another place"
    )
