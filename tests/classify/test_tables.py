from __future__ import annotations

import csv
import io
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yinshi.classify.tables import (
    Table,
    drop_duplicates,
    drop_overlap,
    load_table,
    overlap,
    require_classes,
    stratified_folds,
    stratified_split,
)
from yinshi.errors import DataError, SourceError, UsageError

SWALLOWING = 'label\ttext\n1\t"外观\n0\t油耗高\n1\t动力足"\n0\t“异响”\n'


def write(folder: Path, content: str | bytes, name: str = "data.tsv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# Columns


def test_columns_of_a_header(tmp_path: Path) -> None:
    """The layout of the hand-out: index, label, text, the first name empty."""
    table = load_table(write(tmp_path, "\tlabel\ttext\n0\t1\t外观漂亮\n1\t0\t油耗高\n"))
    assert table == Table(("外观漂亮", "油耗高"), ("1", "0"))
    assert table.report
    assert table.report.header


def test_columns_by_name_and_by_number(tmp_path: Path) -> None:
    path = write(tmp_path, "cat,label,review\n书籍,1,好看\n", "shop.csv")
    assert load_table(path) == Table(("好看",), ("1",))
    assert load_table(path, label_column="cat").labels == ("书籍",)
    assert load_table(path, text_column=2, label_column="0") == Table(("好看",), ("书籍",))
    assert load_table(path, "cat", "review") == Table(("书籍",), ("好看",))


def test_numbers_without_a_header(tmp_path: Path) -> None:
    table = load_table(write(tmp_path, "to category\t银杏叶\t医学\n"), 1, 2)
    assert table == Table(("银杏叶",), ("医学",))
    assert table.report
    assert not table.report.header


def test_a_name_that_was_given_makes_a_header(tmp_path: Path) -> None:
    path = write(tmp_path, "弹幕\t心情\n好听\t喜\n")
    assert load_table(path, "弹幕", "心情") == Table(("好听",), ("喜",))


@pytest.mark.parametrize(
    ("text", "label", "message"),
    [
        (None, None, r"which column is the text\? found 0 'a', 1 '银杏叶'.*no header.*--text-col"),
        ("review", 1, "no text column 'review'; found 0 'a', 1 '银杏叶'"),
        (1, 7, "no label column 7; found 0 'a'"),
        (1, -1, "no label column -1"),
        (1, 1, "both text and label"),
    ],
)
def test_a_missing_column(
    tmp_path: Path, text: str | int | None, label: str | int | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        load_table(write(tmp_path, "a\t银杏叶\n"), text, label)


def test_unlabelled_texts_are_all_kept(tmp_path: Path) -> None:
    path = write(tmp_path, "外观,漂亮\n\n油耗高\n", "texts.txt")
    table = load_table(path, labelled=False)
    assert table == Table(("外观,漂亮", "", "油耗高"), ())


# Quoting


def test_ordinary_quoting_would_lose_rows(tmp_path: Path) -> None:
    """The negative control: what csv makes of it is even, so nothing warns."""
    ordinary = list(csv.reader(io.StringIO(SWALLOWING), delimiter="\t"))
    assert [len(row) for row in ordinary] == [2, 2, 2]
    table = load_table(write(tmp_path, SWALLOWING))
    assert table == Table(('"外观', "油耗高", '动力足"', "“异响”"), ("1", "0", "1", "0"))
    assert table.report
    assert not table.report.quoted


def test_quoted_rows_span_lines(tmp_path: Path) -> None:
    path = write(tmp_path, 'label,review\n1,"好,\n他说""好"""\n0,差\n', "shop.csv")
    table = load_table(path)
    assert table == Table(('好,\n他说"好"', "差"), ("1", "0"))
    report = table.report
    assert report
    assert report.quoted
    assert report.lines == report.header + report.rows + report.line_breaks == 4


def test_pairs_around_whole_cells_are_quoting(tmp_path: Path) -> None:
    path = write(tmp_path, 'label\ttext\n"1"\t"很好"\n0\t差\n')
    assert load_table(path).texts == ("很好", "差")
    assert load_table(path, quoting="none").texts == ('"很好"', "差")


def test_one_mark_inside_a_text_shows_that_nothing_is_quoted(tmp_path: Path) -> None:
    path = write(tmp_path, 'label\ttext\n1\t"朝勋詹记"\n0\t19"屏幕\n')
    assert load_table(path).texts == ('"朝勋詹记"', '19"屏幕')


@pytest.mark.parametrize("second", ['0\t"', '"\t0'])
def test_as_many_rows_as_lines_are_unquoted(tmp_path: Path, second: str) -> None:
    """Each mark begins a cell, and the quoted reading makes one row of two lines: an even one and
    a longer one."""
    path = write(tmp_path, f'label\ttext\n1\t"外观\n{second}\n')
    assert load_table(path).texts == ('"外观', second.split("\t")[1])


UNQUOTED = st.text(st.sampled_from("\"'好 ,,\r\u2028\x85"), max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(texts=st.lists(UNQUOTED, min_size=1))
def test_no_row_of_unquoted_data_is_lost(tmp_path: Path, texts: list[str]) -> None:
    rows = [f"0\t{text}好" for text in texts]
    path = write(tmp_path, "label\ttext\n" + "\n".join(rows) + "\n")
    assert len(load_table(path)) == len(texts)
    table = load_table(path, quoting="none")
    assert table.texts == tuple(f"{text}好" for text in texts)


CELL = st.text(st.sampled_from('"好,\t'), min_size=1, max_size=6).map("好".__add__)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.tuples(CELL, CELL), min_size=1), tabs=st.booleans())
def test_what_csv_writes_is_read_back(
    tmp_path: Path, rows: list[tuple[str, str]], tabs: bool
) -> None:
    file = io.StringIO()
    writer = csv.writer(file, delimiter="\t" if tabs else ",")
    writer.writerows([("text", "label"), *rows])
    path = write(tmp_path, file.getvalue(), "data.tsv" if tabs else "data.csv")
    table = load_table(path)
    assert list(zip(table.texts, table.labels, strict=True)) == [
        (text, label.strip()) for text, label in rows
    ]


def test_a_text_longer_than_the_limit_of_csv(tmp_path: Path) -> None:
    long, before = "长" * 200_000, csv.field_size_limit()
    assert len(long) > before
    path = write(tmp_path, f'label,text\n1,"{long}"\n0,"短,文"\n', "data.csv")
    assert load_table(path).texts == (long, "短,文")
    assert csv.field_size_limit() == before


def test_a_c_long_of_32_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where `csv.field_size_limit(sys.maxsize)` fails."""
    real = csv.field_size_limit

    def on_windows(*limit: int) -> int:
        if limit and limit[0] > 2**31 - 1:
            raise OverflowError("Python int too large to convert to C long")
        return real(*limit)

    monkeypatch.setattr(csv, "field_size_limit", on_windows)
    with pytest.raises(OverflowError):
        csv.field_size_limit(sys.maxsize)
    path = write(tmp_path, 'label,text\n1,"长,文"\n', "data.csv")
    assert load_table(path).texts == ("长,文",)


# Format and containers


def test_the_format_is_detected_or_given(tmp_path: Path) -> None:
    tabs = write(tmp_path, "label\ttext\n1\ta,b\n", "tabs.csv")
    commas = write(tmp_path, "label,text\n1,好\n", "commas.data")
    assert load_table(tabs).texts == ("a,b",)
    assert load_table(commas, format="csv").texts == ("好",)
    with pytest.raises(UsageError, match=r"which column is the label\? found 0 'label,text'"):
        load_table(commas)
    with pytest.raises(UsageError, match="format 'xls': expected auto, csv or tsv"):
        load_table(tabs, format="xls")
    with pytest.raises(UsageError, match="quoting 'all': expected auto or none"):
        load_table(tabs, quoting="all")


def test_a_zip_with_one_csv(tmp_path: Path) -> None:
    path = tmp_path / "shop.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("shop/shop.csv", "label,review\n1,好\n")
        archive.writestr("__MACOSX/._shop.csv", b"\0\1")
        archive.writestr("README", "?")
    assert load_table(path) == Table(("好",), ("1",))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more.csv", "label,review\n1,好\n")
    with pytest.raises(DataError, match=r"found shop/shop.csv, more.csv; expected one"):
        load_table(path)


def test_byte_order_marks_go_wherever_they_stand(tmp_path: Path) -> None:
    table = load_table(write(tmp_path, "\ufefflabel\ttext\r\n1\t\ufeff好\r\n0\t\ufeff\r\n"))
    assert table == Table(("好",), ("1",))
    assert table.report
    assert (table.report.byte_order_marks, table.report.empty) == (3, 1)


# Counting


def test_the_report(tmp_path: Path) -> None:
    rows = ["1\t好", "1\t好", "0\t好", "0\t差", "1\t ", "", "0\t差"]
    report = load_table(write(tmp_path, "\n".join(["label\ttext", *rows]))).report
    assert report
    assert (report.rows, report.empty, report.blank_lines, report.lines) == (5, 1, 1, 8)
    assert (report.duplicates, report.conflicting) == (2, 1)
    assert str(report) == (
        "5 rows of 8 lines (tsv, no quoting, a header); blank lines: 1; empty texts dropped: 1; "
        "duplicates: 2; texts again with another label: 1"
    )


def test_duplicates_and_overlap() -> None:
    train = Table(("好", "差", "好", "中"), ("1", "0", "0", "1"))
    test = Table(("好", "新", "好"), ("1", "1", "1"))
    assert drop_duplicates(train) == Table(("好", "差", "中"), ("1", "0", "1"))
    assert overlap(train, test) == 2
    assert drop_overlap(train, test) == Table(("差", "中"), ("0", "1"))
    assert overlap(drop_overlap(train, test), test) == 0


# Splits


TABLES = st.lists(st.tuples(st.sampled_from("春夏秋冬風花雪月山水"), st.sampled_from("甲乙丙")))


@given(pairs=TABLES, seed=st.integers(0, 5))
def test_a_split_parts_the_rows_and_no_text(pairs: list[tuple[str, str]], seed: int) -> None:
    pairs = [*pairs, ("a", "甲"), ("b", "甲")]
    table = Table(tuple(t for t, _ in pairs), tuple(label for _, label in pairs))
    parts = stratified_split(table, (1, 1), seed)
    rows = Counter(zip(table.texts, table.labels, strict=True))
    assert sum((Counter(zip(p.texts, p.labels, strict=True)) for p in parts), Counter()) == rows
    assert overlap(*parts) == 0
    assert parts == stratified_split(table, (1, 1), seed)


def test_each_class_is_split_in_the_ratio() -> None:
    labels = ("甲",) * 200 + ("乙",) * 50
    table = Table(tuple(map(str, range(250))), labels)
    parts = stratified_split(table, (8, 1, 1), seed=0)
    counts = [(p.labels.count("甲"), p.labels.count("乙")) for p in parts]
    assert counts == [(160, 40), (20, 5), (20, 5)]
    assert parts != stratified_split(table, (8, 1, 1), seed=1)


def test_every_row_is_tested_in_one_fold() -> None:
    table = Table(tuple(map(str, range(40))), ("甲", "乙") * 20)
    folds = stratified_folds(table, 5, seed=0)
    assert sorted(text for _, test in folds for text in test.texts) == sorted(table.texts)
    for train, test in folds:
        assert (len(train), len(test), overlap(train, test)) == (32, 8, 0)
        assert Counter(test.labels) == {"甲": 4, "乙": 4}


def test_too_few_rows_to_split() -> None:
    table = Table(("好", "差"), ("1", "0"))
    for split in (stratified_split, stratified_folds):
        with pytest.raises(UsageError, match="2 rows are too few"):
            split(table, *([(8, 1, 1)] if split is stratified_split else [3]), seed=0)
    with pytest.raises(UsageError, match="1 fold"):
        stratified_folds(table, 1, seed=0)
    with pytest.raises(UsageError, match="expected labels"):
        stratified_split(Table(("好",), ()), (1, 1), seed=0)


# Bad input


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b" \n\n", "an empty file"),
        (b'""\n', "an empty file"),
        ("label\ttext\n", "no row with a text"),
        ("label\ttext\n1\t \n", "no row with a text"),
        ("label\ttext\n1\t好\n\n0\n", r"line 4 has 1 column\(s\), expected 2 as in line 1"),
        ("label\ttext\n1\t好\t3\n", r"line 2 has 3 column\(s\), expected 2.*without quoting"),
        ('label\ttext\n1\t"好\n"\n0\t"好\t"\t5\n', r"line 4 has 3 .*with quoting"),
        ("label\ttext\n1\t好\n \t差\n", "line 3 has no label"),
        ("label\ttext\n1\t好\0\n", "a NUL byte in line 2"),
        ("label\ttext\n1\t好\n".encode("gb18030"), r"not UTF-8 in line 2 .*iconv -f GB18030"),
        ("label\ttext\n1\t好\n".encode("utf-16"), "in UTF-16"),
    ],
)
def test_a_fault_is_one_line_of_its_own(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as fault:
        load_table(write(tmp_path, content))
    assert "\n" not in str(fault.value)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="can't be read"):
        load_table(tmp_path / "nowhere.csv")
    with pytest.raises(DataError, match="a folder"):
        load_table(tmp_path)


@given(content=st.binary(max_size=40) | st.text(st.sampled_from('"好,\t\n\r\0')).map(str.encode))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_the_bytes_no_other_error(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, content)
    for labelled in (True, False):
        try:
            table = load_table(path, 0, 1, labelled=labelled)
        except (DataError, UsageError, SourceError):
            continue
        report = table.report
        assert report
        assert report.lines == (
            report.header + report.rows + report.empty + report.blank_lines + report.line_breaks
        )


def test_classes_are_required() -> None:
    train = Table(("好", "差"), ("1", "0"))
    require_classes(train, train)
    with pytest.raises(DataError, match="only the label '1'"):
        require_classes(Table(("好",), ("1",)))
    with pytest.raises(DataError, match=r"1 label.* such as '2' \(2 rows\); expected 0, 1; "):
        require_classes(train, Table(("a", "b", "c"), ("2", "1", "2")))


# The real data


def test_every_row_of_the_real_data(classify_data: Path) -> None:
    def rows(name: str, *columns: str | int) -> tuple[int, bool]:
        report = load_table(classify_data / name, *columns).report
        assert report
        return report.rows, report.quoted

    assert rows("csl_ctg/train.tsv", 1, 2) == (8000, False)
    assert rows("csl_ctg/dev.tsv", 1, 2) == (1000, False)
    assert rows("csl_ctg/test.tsv", 1, 2) == (1000, False)
    assert rows("ch_auto/dev.tsv") == (7000, False)
    assert rows("thucnews_titles/dev.txt", 0, 1) == (10_000, False)
    table = load_table(classify_data / "online_shopping_10_cats/online_shopping_10_cats.zip")
    report = table.report
    assert report
    assert report.quoted
    assert (report.rows, report.empty, report.byte_order_marks) == (62_773, 1, 20)
    assert (report.duplicates, report.conflicting) == (32, 18)
    assert len(drop_duplicates(table)) == 62_723
