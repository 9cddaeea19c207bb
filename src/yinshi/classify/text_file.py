"""The text of a file in UTF-8, from disk or from a .zip that holds it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from yinshi.corpus.containers import damage_reported, files_of, kind_of
from yinshi.errors import DataError

BYTE_ORDER_MARK = "\ufeff"
_TEXT_ENDINGS = (".csv", ".tsv", ".txt")


def read_text(path: Path) -> tuple[str, str]:
    """(name, text) of the file `path`, or of the one .csv, .tsv or .txt in it if it is a .zip.

    Byte-order marks stay in the text. Raises SourceError where `path` can't be read or is damaged,
    DataError where what is read is no text in UTF-8.
    """
    kind = kind_of(path)
    if kind == "folder":
        raise DataError(f"{path}: a folder; expected a text file or a .zip that holds one")
    if kind == "zip":
        members = list(files_of(path, kind, _is_text))
        if len(members) != 1:
            found = ", ".join(name for name, _ in members) or "none"
            raise DataError(
                f"{path}: found {found}; expected one .csv, .tsv or .txt in it; unpack it first"
            )
        name, content = members[0]
    else:
        name = path.name
        with damage_reported(path):
            content = path.read_bytes()
    return name, _decoded(path, content)


def _is_text(name: str) -> bool:
    """Not what macOS adds to an archive: `__MACOSX/._reviews.csv`."""
    last = PurePosixPath(name).name
    return last.lower().endswith(_TEXT_ENDINGS) and not last.startswith("._")


def _decoded(path: Path, content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path}: in UTF-16; expected UTF-8; save it as UTF-8")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}: not UTF-8 in line {line} (byte {error.start}, {content[error.start]:#04x}); "
            "expected UTF-8; convert it, for example by iconv -f GB18030 -t UTF-8"
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(f"{path}: a NUL byte in line {line}; expected a text; remove it")
    return text
