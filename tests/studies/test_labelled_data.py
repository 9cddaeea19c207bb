from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from labelled_texts import told_by_a_word, write_table

from yinshi.classify.tables import Table
from yinshi.errors import DataError, UsageError
from yinshi.studies.labelled_data import LabelledData

TRAIN, DEV, TEST = told_by_a_word(40, 1), told_by_a_word(12, 2), told_by_a_word(16, 3)


def write_tables(folder: Path, **tables: Table) -> Path:
    folder.mkdir(exist_ok=True)
    for name, table in tables.items():
        write_table(folder / f"{name}.tsv", table)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tables(tmp_path / "tables", train=TRAIN, dev=DEV, test=TEST)


def test_three_tables_are_taken_as_they_are(folder: Path) -> None:
    (folder / "README.md").write_text("Where they come from.", encoding="utf-8")
    data = LabelledData.load(folder)
    assert (data.folder, data.train, data.dev, data.test) == (folder, TRAIN, DEV, TEST)


def test_columns_by_number(folder: Path) -> None:
    """The other way round every row is a class of its own, and none of dev's is known."""
    assert LabelledData.load(folder, 1, 0) == LabelledData.load(folder)
    with pytest.raises(DataError, match=r"unknown in the training data.*right column"):
        LabelledData.load(folder, 0, 1)


def test_a_single_table_is_split_by_class(tmp_path: Path) -> None:
    whole = told_by_a_word(100, 4)
    data = LabelledData.load(write_tables(tmp_path / "one", reviews=whole))
    parts = (data.train, data.dev, data.test)
    assert [len(part) for part in parts] == [80, 10, 10]
    assert [Counter(part.labels)["正"] for part in parts] == [40, 5, 5]
    assert sum((Counter(part.texts) for part in parts), Counter()) == Counter(whole.texts)
    assert LabelledData.load(tmp_path / "one") == data


def test_the_hash_tells_texts_labels_and_splits_apart(folder: Path, tmp_path: Path) -> None:
    same = write_tables(tmp_path / "other", train=TRAIN, dev=DEV, test=TEST)
    assert LabelledData.load(same).hash == LabelledData.load(folder).hash
    relabelled = Table(TEST.texts, TEST.labels[::-1])
    found = {LabelledData.load(folder).hash}
    for tables in (
        {"train": TRAIN, "dev": TEST, "test": DEV},
        {"train": TRAIN, "dev": DEV, "test": relabelled},
        {"train": TRAIN.take(range(39)), "dev": DEV, "test": TEST},
    ):
        found.add(LabelledData.load(write_tables(tmp_path / "other", **tables)).hash)
    assert len(found) == 4


def test_a_sample_is_drawn_within_each_table(folder: Path) -> None:
    data = LabelledData.load(folder)
    few = data.sample(20, 8)
    assert [len(table) for table in (few.train, few.dev, few.test)] == [20, 8, 8]
    for ours, theirs in ((few.train, TRAIN), (few.dev, DEV), (few.test, TEST)):
        drawn = Counter(zip(ours.texts, ours.labels, strict=True))
        assert drawn <= Counter(zip(theirs.texts, theirs.labels, strict=True))
    assert data.sample(20, 8) == few
    assert data.sample(1000, 1000).hash != data.hash  # in another order


def test_a_sample_has_no_label_that_it_does_not_train_on(folder: Path) -> None:
    rare = [Table(t.texts, ("罕", *t.labels[1:])) for t in (TRAIN, DEV, TEST)]
    data = LabelledData(folder, *rare)
    few = data.sample(16, 1000)
    assert "罕" not in few.train.labels
    assert (len(few.dev), len(few.test)) == (len(DEV) - 1, len(TEST) - 1)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ((), "found no table"),
        (("train", "test"), "found test.tsv, train.tsv"),
        (("train", "dev", "other"), "found dev.tsv, other.tsv, train.tsv"),
        (("train", "dev", "test", "test2"), "found dev.tsv, test.tsv, test2.tsv, train.tsv"),
    ],
)
def test_other_tables(names: tuple[str, ...], found: str, tmp_path: Path) -> None:
    write_tables(tmp_path / "tables", **dict.fromkeys(names, TRAIN))
    expected = f"{found}, expected train, dev, test (.tsv, .csv, .txt, .zip) or a single table"
    with pytest.raises(DataError, match=re.escape(expected)) as error:
        LabelledData.load(tmp_path / "tables")
    assert "\n" not in str(error.value)


def test_a_table_twice(folder: Path) -> None:
    (folder / "dev.tsv").rename(folder / "train.csv")
    with pytest.raises(DataError, match=r"found test\.tsv, train\.csv, train\.tsv, expected"):
        LabelledData.load(folder)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="found no folder, expected one with the tables"):
        LabelledData.load(tmp_path / "missing")


def test_what_is_wrong_with_a_table_is_told(folder: Path) -> None:
    write_table(folder / "test.tsv", Table(("天地", "玄黄"), ("正", "")))
    with pytest.raises(DataError, match=r"test\.tsv: line 3 has no label"):
        LabelledData.load(folder)
    write_table(folder / "test.tsv", Table(("天地", "玄黄"), ("正", "中")))
    with pytest.raises(DataError, match="unknown in the training data, such as '中'"):
        LabelledData.load(folder)
    with pytest.raises(UsageError, match=r"no text column 'words'; found 0 'label', 1 'text'"):
        LabelledData.load(folder, "words")
    write_table(folder / "train.tsv", Table(TRAIN.texts, ("正",) * len(TRAIN)))
    with pytest.raises(DataError, match="found only the label '正'"):
        LabelledData.load(folder)


def test_too_few_rows_to_split(tmp_path: Path) -> None:
    write_tables(tmp_path / "one", reviews=told_by_a_word(4, 5))
    with pytest.raises(UsageError, match="4 rows are too few to split"):
        LabelledData.load(tmp_path / "one")
