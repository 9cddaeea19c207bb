"""The prepared folder: one Parquet file a split, the vocabulary, and the manifest.

    train.parquet  validation.parquet  [test.parquet]    title, author, text, form, source
    vocabulary.json                                      specials, then characters
    manifest.json                                        where it came from, what was done, hashes

Any Parquet reader opens the splits as they are. The same poems give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from yinshi.atomic import write_atomically
from yinshi.corpus.poem import Poem, laid_out
from yinshi.corpus.vocabulary import Vocabulary
from yinshi.errors import DataError, MissingExtraError, UsageError
from yinshi.recipe import CorpusRecipe, Recipe

FORMAT = "yinshi-data-1"
SPLITS = ("train", "validation", "test")
MANIFEST = "manifest.json"
VOCABULARY = "vocabulary.json"
COLUMNS = ("title", "author", "text", "form", "source")

_PREPARE = "make it with `yinshi prepare`"


@dataclass(frozen=True)
class Dataset:
    """A prepared folder, opened. Splits are read, and checked against the manifest, when asked for.

    dataset = Dataset.load(Path("data/tang"))
    dataset.texts("train")[0], len(dataset.vocabulary), dataset.manifest["counts"]
    """

    folder: Path
    manifest: dict[str, Any]
    vocabulary: Vocabulary

    @classmethod
    def load(cls, folder: Path) -> Dataset:
        """Raises DataError where the folder is missing, damaged or of another version."""
        folder = Path(folder)
        manifest = _read_manifest(folder)
        _checked_bytes(folder, VOCABULARY, manifest)
        return cls(folder, manifest, Vocabulary.load(folder / VOCABULARY))

    @property
    def hash(self) -> str:
        """SHA-256 of the splits' poems and the vocabulary, whatever wrote the files."""
        return str(self.manifest["hash"])

    @property
    def splits(self) -> list[str]:
        """The names of the splits there are."""
        return [name for name in SPLITS if f"{name}.parquet" in self.manifest["files"]]

    @property
    def options(self) -> CorpusRecipe:
        """What the folder was prepared with."""
        given = {key: v for key, v in self.manifest["options"].items() if v is not None}
        return Recipe.from_dict({"corpus": given}).corpus

    def split(self, name: str) -> list[Poem]:
        """The poems of one split. Raises DataError where there is none of that name."""
        rows = self._columns(name, ["title", "author", "text", "source"])
        return [Poem(*row) for row in zip(*rows, strict=True)]

    def texts(self, name: str) -> list[str]:
        """What a network reads of each poem of one split, in the same order: `laid_out`."""
        layout = self.options.layout
        if layout == "text":
            return self.verses(name)
        return [laid_out(poem, layout) for poem in self.split(name)]

    def verses(self, name: str) -> list[str]:
        """The texts alone, never a title among them, whatever the layout."""
        return self._columns(name, ["text"])[0]

    def _columns(self, name: str, columns: list[str]) -> list[list[str]]:
        if name not in self.splits:
            raise DataError(
                f"{self.folder}: found no split {name!r}, expected one of {', '.join(self.splits)}"
            )
        content = _checked_bytes(self.folder, f"{name}.parquet", self.manifest)
        table = _parquet().read_table(io.BytesIO(content), columns=columns)
        return [table[column].to_pylist() for column in columns]


def write_dataset(
    folder: Path,
    splits: Mapping[str, Sequence[Poem]],
    vocabulary: Vocabulary,
    options: CorpusRecipe,
    facts: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Write the prepared folder whole or not at all; returns its manifest: `options`, `facts` and
    hashes.

    It is built beside `folder` and renamed. What stood there is replaced only at the end, and only
    if it is a prepared folder or empty (`check_replaceable`).
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as beside:
        building, old = Path(beside, "new"), Path(beside, "old")
        building.mkdir()
        for name, poems in splits.items():
            write_atomically(building / f"{name}.parquet", _parquet_bytes(poems))
        vocabulary.save(building / VOCABULARY)
        manifest = {
            "format": FORMAT,
            "hash": _content_hash(splits, vocabulary),
            "options": asdict(options) | {"ratio": list(options.ratio)},
            **facts,
            "files": {p.name: _sha256(p.read_bytes()) for p in sorted(building.iterdir())},
        }
        text = json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
        write_atomically(building / MANIFEST, text.encode())
        _replace(folder, building, old)
    return manifest


def check_replaceable(folder: Path) -> None:
    """Raises UsageError unless `folder` is absent, empty, or a prepared folder; and
    MissingExtraError without pyarrow: both before any work is done for nothing."""
    _pyarrow()
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"{folder}: found a file, expected a folder to write; choose another")
    if any(folder.iterdir()) and not _is_prepared(folder):
        raise UsageError(
            f"{folder}: found a folder with other files in it, expected an empty one or one that "
            "`yinshi prepare` made; choose another"
        )


def _is_prepared(folder: Path) -> bool:
    """Whether everything in `folder` is ours, of whatever version."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        ours = {MANIFEST, *manifest["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return {p.name for p in folder.iterdir()} <= ours


def _replace(folder: Path, new: Path, old: Path) -> None:
    """Put `new` where `folder` is, `folder` where `old` is; or leave `folder` as it was."""
    check_replaceable(folder)
    if folder.exists():
        os.rename(folder, old)
    try:
        os.rename(new, folder)
    except BaseException:
        if old.exists():
            os.rename(old, folder)
        raise


def _read_manifest(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise DataError(f"{folder}: found no such folder, expected prepared data; {_PREPARE}")
    try:
        manifest: Any = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"{folder}: found no {MANIFEST}, expected prepared data; {_PREPARE}"
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / MANIFEST}: damaged ({error}); prepare it anew") from None
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if found != FORMAT:
        raise DataError(
            f"{folder}: found data of format {found!r}, expected {FORMAT!r}; prepare it anew"
        )
    if not isinstance(manifest.get("files"), dict) or "hash" not in manifest:
        raise DataError(f"{folder / MANIFEST}: damaged (no list of files); prepare it anew")
    return dict(manifest)


def _checked_bytes(folder: Path, name: str, manifest: Mapping[str, Any]) -> bytes:
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise DataError(
            f"{folder / name}: can't be read ({error.strerror}); prepare it anew"
        ) from None
    if _sha256(content) != manifest["files"].get(name):
        raise DataError(
            f"{folder / name}: its contents are not those that {MANIFEST} names "
            "(changed or cut short); prepare it anew"
        )
    return content


def _parquet_bytes(poems: Sequence[Poem]) -> bytes:
    pyarrow = _pyarrow()
    table = pyarrow.table(
        {column: [getattr(poem, column) for poem in poems] for column in COLUMNS},
        schema=pyarrow.schema([(column, pyarrow.string()) for column in COLUMNS]),
    )
    buffer = io.BytesIO()
    _parquet().write_table(table, buffer, version="2.6", compression="zstd", row_group_size=1 << 16)
    return buffer.getvalue()


def _content_hash(splits: Mapping[str, Sequence[Poem]], vocabulary: Vocabulary) -> str:
    digest = hashlib.sha256()
    for name, poems in splits.items():
        rows = [[p.title, p.author, p.text, p.source] for p in poems]
        digest.update(json.dumps([name, rows], ensure_ascii=False).encode())
    digest.update(json.dumps(vocabulary.characters, ensure_ascii=False).encode())
    return digest.hexdigest()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise MissingExtraError("preparing data", "train") from None
    return pyarrow


def _parquet() -> Any:
    _pyarrow()
    import pyarrow.parquet

    return pyarrow.parquet
