from __future__ import annotations

import errno
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from yinshi.corpus import dataset
from yinshi.corpus.dataset import Dataset, write_dataset
from yinshi.corpus.poem import Poem
from yinshi.corpus.vocabulary import Vocabulary
from yinshi.errors import DataError, MissingExtraError, UsageError
from yinshi.recipe import CorpusRecipe

pytest.importorskip("pyarrow")

MOON = Poem("靜夜思", "李白", "床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。", "tang.json")
SPRING = Poem("春曉", "孟浩然", "春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少。", "tang.json")
LINE = Poem("句", "", "滿城風雨近重陽。", "song.json")
SPLITS = {"train": [MOON, SPRING], "validation": [LINE]}


def write(folder: Path, **changed: list[Poem]) -> dict[str, Any]:
    splits = SPLITS | changed
    vocabulary = Vocabulary.count(p.text for p in splits["train"])
    return write_dataset(folder, splits, vocabulary, CorpusRecipe(seed=7))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    manifest = write(tmp_path / "data", test=[SPRING])
    data = Dataset.load(tmp_path / "data")
    assert data.manifest == manifest
    assert data.manifest["options"]["seed"] == 7
    assert data.options == CorpusRecipe(seed=7)
    assert data.splits == ["train", "validation", "test"]
    assert data.split("train") == [MOON, SPRING]
    assert data.texts("validation") == [LINE.text]
    assert data.vocabulary.characters == Vocabulary.count([MOON.text, SPRING.text]).characters


def test_any_parquet_reader_sees_five_columns_of_strings(tmp_path: Path) -> None:
    import pyarrow.parquet

    write(tmp_path / "data")
    table = pyarrow.parquet.read_table(tmp_path / "data" / "train.parquet")
    assert table.column_names == ["title", "author", "text", "form", "source"]
    assert table.to_pylist()[0] == {
        "title": "靜夜思",
        "author": "李白",
        "text": MOON.text,
        "form": "五绝",
        "source": "tang.json",
    }


def test_the_same_poems_give_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "one")
    write(tmp_path / "other")
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


def test_the_hash_is_of_poems_and_vocabulary(tmp_path: Path) -> None:
    hashes = {
        write(tmp_path / "a")["hash"],
        write(tmp_path / "b", train=[SPRING, MOON])["hash"],
        write(tmp_path / "c", validation=[SPRING])["hash"],
    }
    assert len(hashes) == 3
    assert Dataset.load(tmp_path / "a").hash in hashes


def test_a_prepared_folder_and_an_empty_one_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write(tmp_path / "data", test=[SPRING])
    write(tmp_path / "data")
    assert Dataset.load(tmp_path / "data").splits == ["train", "validation"]
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


def test_missing_parent_folders_are_made(tmp_path: Path) -> None:
    write(tmp_path / "a" / "b" / "data")
    assert Dataset.load(tmp_path / "a" / "b" / "data").splits == ["train", "validation"]


@pytest.mark.parametrize("stranger", ["thesis.txt", "manifest.json"])
def test_a_folder_with_other_files_is_refused(tmp_path: Path, stranger: str) -> None:
    (tmp_path / stranger).write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="other files"):
        write(tmp_path)
    assert contents(tmp_path) == {stranger: b"{}"}


def test_a_prepared_folder_with_a_file_of_the_users_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "data")
    (tmp_path / "data" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="other files"):
        write(tmp_path / "data")


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="found a file"):
        write(tmp_path / "data")


@pytest.mark.parametrize("call", ["write_atomically", "_replace"])
def test_a_full_disk_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    write(tmp_path / "data")
    before = contents(tmp_path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(dataset, call, full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path / "data", train=[SPRING])
    assert contents(tmp_path) == before
    with pytest.raises(OSError, match="No space"):
        write(tmp_path / "new")
    assert contents(tmp_path) == before


def test_a_failed_rename_puts_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "data")
    before = contents(tmp_path)
    rename = dataset.os.rename

    def second_fails(source: Path, target: Path) -> None:
        if source.name == "new":
            raise OSError(errno.EIO, "Input/output error")
        rename(source, target)

    monkeypatch.setattr(dataset.os, "rename", second_fails)
    with pytest.raises(OSError, match="Input/output"):
        write(tmp_path / "data", train=[SPRING])
    assert contents(tmp_path) == before


def test_a_missing_folder_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        Dataset.load(tmp_path / "data")
    with pytest.raises(DataError, match=r"no manifest\.json"):
        Dataset.load(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged"),
        (b'{"format": ', "damaged"),
        (b"\xff\xfe", "damaged"),
        (b"[]", "format None"),
        (b'{"format": "yinshi-data-0"}', "yinshi-data-0"),
        (b'{"format": "yinshi-data-1"}', "damaged"),
    ],
)
def test_a_bad_manifest_is_a_data_error(tmp_path: Path, content: bytes, message: str) -> None:
    write(tmp_path / "data")
    (tmp_path / "data" / "manifest.json").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        Dataset.load(tmp_path / "data")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["vocabulary.json", "train.parquet"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "changed"])
def test_a_damaged_file_is_a_data_error(tmp_path: Path, name: str, damage: str) -> None:
    write(tmp_path / "data")
    path = tmp_path / "data" / name
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(content[:-9] if damage == "truncated" else content + b" ")
    with pytest.raises(DataError, match=name):
        Dataset.load(tmp_path / "data").split("train")


def test_a_split_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    write(tmp_path / "data")
    with pytest.raises(DataError, match="'test', expected one of train, validation"):
        Dataset.load(tmp_path / "data").texts("test")


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"yinshi\[train\]"):
        write(tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_the_manifest_lists_every_file(tmp_path: Path) -> None:
    write(tmp_path / "data", test=[SPRING])
    listed = json.loads((tmp_path / "data" / "manifest.json").read_text(encoding="utf-8"))["files"]
    found = {p.name for p in (tmp_path / "data").iterdir()} - {"manifest.json"}
    assert set(listed) == found
