"""Poems as others publish them: the chinese-poetry layout, or one poem a line.

A source is

- a folder, `.zip` or `.tar`, `.tar.gz`, `.tar.bz2`, `.tar.xz` in the layout of chinese-poetry
  (traditional) or chinese-poetry-zhCN (simplified): wherever in it they lie, the files
  `poet.tang.N.json` and `poet.song.N.json` count, and nothing else;
- a single `.json` file of that kind, whatever its name;
- a UTF-8 text of one poem a line: `text`, `title::text` or `title::author::text`.

The order of the poems and the hash of a source depend on the counting files alone: they are the
same whether these lie in a folder, a .zip or a .tar.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from yinshi.corpus.containers import Wanted, files_of, kind_of, read_file
from yinshi.corpus.poem import Poem
from yinshi.errors import SourceError

COLLECTIONS = {"tang": ("tang",), "song": ("song",), "all": ("tang", "song")}

SINGLE_FILE_LIMIT = 256 << 20  # bytes
_POET_FILE = re.compile(r"poet\.(tang|song)\.(\d+)\.json")
_TONE_PATTERNS = "strains"  # a folder of chinese-poetry whose files have the names of the poems'
_KINDS = "a folder, a .zip, a .tar(.gz, .bz2, .xz), a .json or a UTF-8 text of one poem a line"


@dataclass
class Sources:
    """The poems of all sources in order, and by source name the hash `sha256:…` of its contents."""

    poems: list[Poem] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)


def read_sources(paths: Sequence[Path], collection: str) -> Sources:
    """The raw poems of `collection` (`tang`, `song` or `all`) in `paths`, their lines joined.

    Of a text or a single .json file all poems count, whatever the collection. Raises SourceError.
    """
    sources = Sources()
    for path in paths:
        poems, digest = _read(path, collection)
        sources.poems += poems
        sources.hashes[_unused_name(path, sources.hashes)] = digest
    return sources


def archive_hash(path: Path) -> str:
    """The hash that `read_sources` gives the archive `path` for the collection `all`."""
    kind = kind_of(path)
    if not kind:
        raise SourceError(f"{path}: no archive; expected a .zip or a .tar(.gz, .bz2, .xz)")
    files = files_of(path, kind, _of_collection("all"))
    return _hash_of({PurePosixPath(name).name: _sha256(content) for name, content in files})


def _read(path: Path, collection: str) -> tuple[list[Poem], str]:
    if not path.is_dir() and not path.is_file():
        found = "neither a file nor a folder" if path.exists() else "does not exist"
        raise SourceError(f"{path}: {found}; expected {_KINDS}")
    if not path.name.isprintable():
        raise SourceError(f"{path.name!a}: not a name in UTF-8; rename the file")
    kind = kind_of(path)
    if kind:
        return _read_collection(path, kind, collection)
    content = read_file(path, SINGLE_FILE_LIMIT)
    if not content:
        raise SourceError(f"{path}: an empty file; expected {_KINDS}; fetch it again")
    if re.search(r"\.(zip|tar|tgz|tbz2?|txz|gz|bz2|xz)$", path.name.lower()):
        raise SourceError(f"{path}: not the archive its name says; expected {_KINDS}")
    if path.suffix.lower() == ".json":
        poems = _poems_of_json(str(path), path.name, content)
    else:
        poems = _poems_of_text(path, content)
    return poems, _hash_of({path.name: _sha256(content)})


def _read_collection(path: Path, kind: str, collection: str) -> tuple[list[Poem], str]:
    poems: dict[str, list[Poem]] = {}
    hashes: dict[str, str] = {}
    for member, content in files_of(path, kind, _of_collection(collection)):
        name = PurePosixPath(member).name
        if name in poems:
            raise SourceError(f"{path}: found {name} twice; expected it once; remove one of them")
        poems[name] = _poems_of_json(f"{path}: {member}", name, content)
        hashes[name] = _sha256(content)
    if not poems:
        missing = " or ".join(f"poet.{part}.N.json" for part in COLLECTIONS[collection])
        raise SourceError(
            f"{path}: no {missing} in it; expected the layout of chinese-poetry; "
            "give another source or another collection"
        )
    in_order = sorted(poems, key=_number)
    return [poem for name in in_order for poem in poems[name]], _hash_of(hashes)


def _of_collection(collection: str) -> Wanted:
    parts = COLLECTIONS[collection]

    def wanted(name: str) -> bool:
        *folders, last = name.split("/")
        match = _POET_FILE.fullmatch(last)
        return bool(match and match[1] in parts and _TONE_PATTERNS not in folders)

    return wanted


def _number(name: str) -> tuple[bool, int, str]:
    """Tang before Song, and 2000 before 10000."""
    match = _POET_FILE.fullmatch(name)
    assert match
    return (match[1] == "song", int(match[2]), name)


def entries_of_json(where: str, content: bytes) -> list[Any]:
    """The list that the JSON `content` of the file `where` is. Raises SourceError."""
    try:
        entries = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"{where}: not whole JSON ({error}); expected a list of poems; fetch it again"
        ) from error
    if not isinstance(entries, list):
        raise SourceError(
            f"{where}: found one {type(entries).__name__}, expected a list of poems; "
            "is it the file you meant?"
        )
    return entries


def _poems_of_json(where: str, name: str, content: bytes) -> list[Poem]:
    entries = entries_of_json(where, content)
    return [_poem_of_entry(entry, name, where, i) for i, entry in enumerate(entries)]


def _poem_of_entry(entry: Any, source: str, where: str, index: int) -> Poem:
    """Paragraphs are joined: their borders are the editor's, and notes span them."""
    try:
        title, author = entry.get("title") or "", entry.get("author") or ""
        paragraphs = entry["paragraphs"]
        if isinstance(paragraphs, list) and isinstance(title, str) and isinstance(author, str):
            return Poem(title, author, "".join(paragraphs), source)
    except (AttributeError, KeyError, TypeError):
        pass
    raise SourceError(
        f'{where}: entry {index} is no poem; expected {{"title": …, "author": …, "paragraphs": '
        '["…", …]}; is it a file of chinese-poetry?'
    )


def _poems_of_text(path: Path, content: bytes) -> list[Poem]:
    if b"\0" in content:
        raise SourceError(f"{path}: neither an archive nor a text; expected {_KINDS}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SourceError(
            f"{path}: not UTF-8 in line {line} (byte {error.start}, {content[error.start]:#04x}); "
            "expected a UTF-8 text; convert it, for example by iconv -f GB18030 -t UTF-8"
        ) from error
    poems = [
        _poem_of_line(path, number, line)
        for number, line in enumerate(text.split("\n"), start=1)
        if line.strip()
    ]
    if not poems:
        raise SourceError(f"{path}: found only empty lines; expected one poem a line")
    return poems


def _poem_of_line(path: Path, number: int, line: str) -> Poem:
    *names, text = (part.strip() for part in line.split("::"))
    if len(names) > 2:
        raise SourceError(
            f"{path}: line {number} has '::' {len(names)} times; expected title::author::text"
        )
    title, author = [*names, "", ""][:2]
    return Poem(title, author, text, path.name)


def content_hash(content: bytes) -> str:
    """`sha256:…` of the bytes of one file."""
    return f"sha256:{_sha256(content)}"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _hash_of(hashes: Mapping[str, str]) -> str:
    """One hash of {file name: hash}, whatever the order and the container."""
    lines = "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes))
    return content_hash(lines.encode())


def _unused_name(path: Path, used: Mapping[str, str]) -> str:
    name = path.resolve().name
    return name if name not in used else f"{name} ({len(used) + 1})"
