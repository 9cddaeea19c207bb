from __future__ import annotations

import bz2
import gzip
import hashlib
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yinshi.corpus.vectors import WordVectors, read_vectors, train_vectors
from yinshi.errors import DataError, MissingExtraError, UsageError

ROWS = "月 0.5 -1\n明月 2 0.25\n山 1e-2 3\n"
MATRIX = [[0.5, -1], [2, 0.25], [0.01, 3]]


def vectors(**rows: list[float]) -> WordVectors:
    return WordVectors(tuple(rows), np.array(list(rows.values()), dtype=np.float32))


def file(folder: Path, content: str | bytes, name: str = "some.vec") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# --- what WordVectors answers


def test_rows_for_gives_the_places_that_are_covered() -> None:
    found = vectors(月=[1, 2], 山=[3, 4], 花=[5, 6])
    places, rows = found.rows_for("花海月花")
    assert (places.dtype, rows.dtype) == (np.int64, np.float32)
    assert places.tolist() == [0, 2, 3]
    assert rows.tolist() == [[5, 6], [1, 2], [5, 6]]


def test_rows_for_nothing_covered_has_the_shape_of_none() -> None:
    places, rows = vectors(月=[1, 2]).rows_for(["明月"])
    assert places.shape == (0,)
    assert rows.shape == (0, 2)


def test_coverage_counts_each_word_as_often_as_it_stands() -> None:
    found = vectors(月=[1], 山=[2])
    assert found.coverage("月海月") == 2 / 3
    assert found.coverage({"月", "海"}) == 1 / 2
    assert found.coverage([]) == 0


def test_nearest_is_by_angle_not_by_distance() -> None:
    found = vectors(月=[1, 0], 日=[1, 0.1], 夜=[30, 40], 山=[-2, 0], 空=[0, 0])
    near = found.nearest("月", count=9)
    assert [word for word, _ in near] == ["日", "夜", "空", "山"]
    assert [cosine for _, cosine in near] == pytest.approx([1 / 1.01**0.5, 0.6, 0, -1])
    assert found.nearest("月", count=1) == near[:1]
    assert [word for word, _ in found.nearest("空", count=2)] == ["月", "日"]


def test_nearest_of_a_word_without_vector() -> None:
    with pytest.raises(UsageError, match=r"'海': found no vector, .* one of the 1 words"):
        vectors(月=[1, 0]).nearest("海")


# --- files


@pytest.mark.parametrize(
    "content",
    [
        "3 2\n" + ROWS,
        ROWS,
        ROWS.rstrip(),
        ROWS.replace("\n", " \n"),
        ("3 2\n" + ROWS).replace("\n", "\r\n"),
        "\ufeff3 2\n" + ROWS,
        "\ufeff" + ROWS,
        "\n3 2\n\n" + ROWS + " \n\n",
    ],
    ids=[
        "header",
        "no header",
        "no last line end",
        "spaces at line ends, as by word2vec",
        "Windows",
        "byte-order mark and header",
        "byte-order mark",
        "blank lines",
    ],
)
def test_a_file_is_read(tmp_path: Path, content: str) -> None:
    found = read_vectors(file(tmp_path, content))
    assert found.words == ("月", "明月", "山")
    assert found.matrix.dtype == np.float32
    assert found.matrix.tolist() == np.float32(MATRIX).tolist()


@pytest.mark.parametrize(("name", "module"), [("a.vec.gz", gzip), ("a.bz2", bz2)])
def test_a_compressed_file_is_read(tmp_path: Path, name: str, module: Any) -> None:
    packed = module.compress(b"3 2\n" + ROWS.encode())
    assert read_vectors(file(tmp_path, packed, name)).words == ("月", "明月", "山")
    with pytest.raises(DataError, match=rf"{name}: can't be read .* fetch the file again"):
        read_vectors(file(tmp_path, packed[:-9], name))
    with pytest.raises(DataError, match=rf"{name}: can't be read"):
        read_vectors(file(tmp_path, ROWS, name))


def test_wanted_rows_alone_are_kept_in_the_files_order(tmp_path: Path) -> None:
    path = file(tmp_path, "3 2\n" + ROWS)
    found = read_vectors(path, wanted=["山", "海", "月"])
    assert found.words == ("月", "山")
    assert found.matrix.tolist() == np.float32([MATRIX[0], MATRIX[2]]).tolist()
    assert read_vectors(path, wanted="山月").words == ("月", "山")
    nothing = read_vectors(path, wanted=[])
    assert nothing.words == ()
    assert nothing.dimension == 2


def test_of_a_word_that_stands_twice_the_first_row_counts(tmp_path: Path) -> None:
    path = file(tmp_path, "3 1\n月 1\n山 2\n月 3\n")
    for wanted in (None, {"月", "山"}):
        assert read_vectors(path, wanted).words == ("月", "山")
        assert read_vectors(path, wanted).matrix.tolist() == [[1], [2]]


def test_words_may_hold_spaces(tmp_path: Path) -> None:
    words = ("New York", "1\u00a0000", "\u3000", ". . .", " ", "", "月 ", "中\t國", "\x85")
    content = "".join(f"{word} 0.5 -1\n" for word in words)
    assert read_vectors(file(tmp_path, f"{len(words)} 2\n{content}")).words == words
    assert read_vectors(file(tmp_path, f"x 1 1\n{content}")).words == ("x", *words)


@pytest.mark.parametrize(
    ("content", "words", "matrix"),
    [
        ("5 7\n月 1\n", ("5", "月"), [[7], [1]]),  # no header: the next line has one number
        ("5 0.7\n月 1\n", ("5", "月"), [[0.7], [1]]),
        ("1 1\n月 1\n", ("月",), [[1]]),
        ("1 2\n7 3 4\n", ("7",), [[3, 4]]),  # a header, and a word that is a number
        ("1984 2 3\n7 3 4\n", ("1984", "7"), [[2, 3], [3, 4]]),
        ("0 3\n", (), []),
    ],
)
def test_the_second_line_tells_a_header_from_a_word_that_is_a_number(
    tmp_path: Path, content: str, words: tuple[str, ...], matrix: list[list[float]]
) -> None:
    found = read_vectors(file(tmp_path, content))
    assert found.words == words
    assert found.matrix.tolist() == np.float32(matrix).tolist()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "found an empty file"),
        ("\n \n", "found an empty file"),
        ("3 2\n月 1 2\n山 1\n花 1 2\n", "line 3: found 1 numbers after the word, expected 2"),
        ("3 2\n月 1 2\n山 1 2 3\n花 1 2\n", "line 3: found 3 numbers after the word, expected 2"),
        ("月 1 2\n\n山\n", "line 3: found 0 numbers after the word, expected 2"),
        ("2 2\n月 1 2 3\n山 1 2 3\n", "line 2: found 3 numbers after the word, expected 2"),
        ("3 4\n月 1 2 3\n山 1 2 3\n", "line 2: found 3 numbers after the word, expected 4"),
        ("床前明月光\n", "line 1: found 0 numbers after the word, expected 1"),
        ("Before my bed\nthe bright moonlight\n", "line 1: found 'my', expected a finite number"),
        ("1 2\n月 1 x\n", "line 2: found 'x', expected a finite number"),
        ("1 2\n月 1 1_0\n", "line 2: found '1_0', expected"),
        ("1 2\n月 1  2\n", "line 2: found 3 numbers"),
        ("1 2\n月 nan 1\n", "line 2: found 'nan', expected a finite"),
        ("1 2\n月 1 -inf\n", "line 2: found '-inf'"),
        ("1 2\n月 1e39 -1e39\n", "line 2: found '1e39'"),  # no float32
        ("1 2\n月\t1\t2\n", "line 2: found 0 numbers"),
        ("3 2\n月 1 2\n山 3 4\n", "found 2 rows up to its last line, expected 3 as its header"),
        ("3 2\n", "found 0 rows up to its last line, expected 3"),
        ("1 2\n月 1 2\n山 3 4\n", "found 2 rows up to its last line, expected 1"),
        ("2 2\n月 1 2\n".encode() + "明月 3 4\n".encode("gbk"), "line 3: .* not UTF-8"),
        (("2 2\n" + ROWS).encode("utf-16"), "line 1: .* not UTF-8"),
        (b"2 2\n\xe6\x9c\x88 \x00\x80\x3f\xcd\xcc\xcc\x3d\n", "line 2: .* binary"),
        (bytes(99), "line 1: found 0 numbers"),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = file(tmp_path, content)
    with pytest.raises(DataError, match=message) as error:
        read_vectors(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_no_such_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.vec"):
        with pytest.raises(DataError, match=f"{path}: can't be read"):
            read_vectors(path)


@pytest.mark.parametrize("line", ["山 1", "山 1 2 3", "山", "\udcc9 1 2"])
def test_lines_not_wanted_are_checked_too(tmp_path: Path, line: str) -> None:
    content = f"3 2\n月 1 2\n{line}\n花 1 2\n".encode(errors="surrogateescape")
    with pytest.raises(DataError, match="line 3"):
        read_vectors(file(tmp_path, content), wanted="花")


def test_numbers_not_wanted_are_not_parsed(tmp_path: Path) -> None:
    path = file(tmp_path, "2 2\n月 1 2\n山 1 x\n")
    assert read_vectors(path, wanted="月").words == ("月",)
    with pytest.raises(DataError, match="line 3"):
        read_vectors(path)


def test_rows_not_wanted_take_no_memory(tmp_path: Path) -> None:
    rows = "".join(f"{i:05} {'0.25 ' * 50}\n" for i in range(10_000))  # 2.5 MB
    path = file(tmp_path, rows)
    tracemalloc.start()
    try:
        assert len(read_vectors(path, wanted={"00000", "09999"})) == 2
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


# --- save


def readable(word: str) -> bool:
    """Whether nothing after its last space could be a number of the vector."""
    try:
        return " " not in word or not np.isfinite(float(word.rpartition(" ")[2]))
    except ValueError:
        return True


WORDS = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=6)
NUMBERS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(deadline=None, max_examples=60)  # each example waits for the disk
@given(st.data())
def test_what_is_saved_is_read(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    words = data.draw(st.lists(WORDS.filter(readable), unique=True, max_size=5))
    dimension = data.draw(st.integers(1, 4))
    rows = st.lists(NUMBERS, min_size=dimension, max_size=dimension)
    matrix = np.array([data.draw(rows) for _ in words], np.float32).reshape(-1, dimension)
    path = tmp_path_factory.getbasetemp() / "saved.vec"
    WordVectors(tuple(words), matrix).save(path)
    found = read_vectors(path)
    assert found.words == tuple(words)
    assert found.dimension == dimension
    assert found.matrix.tobytes() == matrix.tobytes()


def test_the_file_is_in_the_text_format_of_word2vec(tmp_path: Path) -> None:
    vectors(月=[0.1, -2], 明月=[3e-7, 4]).save(tmp_path / "a.vec")
    text = (tmp_path / "a.vec").read_text(encoding="utf-8")
    assert text == "2 2\n月 0.100000001 -2\n明月 3.00000011e-07 4\n"


def test_gensim_reads_what_we_save_and_we_what_it_saves(tmp_path: Path) -> None:
    models = pytest.importorskip("gensim.models")
    ours = vectors(月=[0.1, -2], 明月=[3e-7, 4], 山=[1 / 3, 1e20])
    ours.save(tmp_path / "ours.vec")
    theirs = models.KeyedVectors.load_word2vec_format(str(tmp_path / "ours.vec"))
    assert tuple(theirs.index_to_key) == ours.words
    assert np.array_equal(theirs.vectors, ours.matrix)
    theirs.save_word2vec_format(str(tmp_path / "theirs.vec"))
    assert np.array_equal(read_vectors(tmp_path / "theirs.vec").matrix, ours.matrix)


@pytest.mark.parametrize("word", ["a\nb", "iPhone 6", "\ud83d"])
def test_a_word_that_no_reader_would_find_is_not_written(tmp_path: Path, word: str) -> None:
    path = file(tmp_path, ROWS)
    with pytest.raises(UsageError, match="leave it out"):
        WordVectors((word,), np.ones((1, 2), np.float32)).save(path)
    assert path.read_text(encoding="utf-8") == ROWS


# --- training


def toy_texts() -> list[str]:
    """明 and 清 stand in the same places, between the same characters; the others do not."""
    rng = np.random.default_rng(0)
    pairs = ["明甲", "清甲", "乙明", "乙清", "子丑", "寅卯", "辰巳", "丑寅"]
    return ["".join(rng.choice(pairs[:4], 3)) for _ in range(200)] + [
        "".join(rng.choice(pairs[4:], 3)) for _ in range(200)
    ]


def digest(found: WordVectors) -> str:
    return hashlib.sha256("".join(found.words).encode() + found.matrix.tobytes()).hexdigest()


def test_words_of_the_same_contexts_come_out_nearest() -> None:
    pytest.importorskip("gensim")
    found = train_vectors(toy_texts(), dimension=8, window=1, epochs=20)
    assert found.matrix.shape == (len(found.words), 8)
    assert found.matrix.dtype == np.float32
    assert found.nearest("明", 1)[0][0] == "清"
    assert found.nearest("清", 1)[0][0] == "明"
    assert found.nearest("明")[-1][0] in "子丑寅卯辰巳"


def test_words_stand_by_falling_frequency_then_code_point() -> None:
    pytest.importorskip("gensim")
    texts = [["明月", "明月", "山"], ["日", "山"], ["花"], []]
    assert train_vectors(texts, 2).words == ("山", "明月", "日", "花")
    assert train_vectors(texts, 2, min_count=2).words == ("山", "明月")
    assert train_vectors(["月月月", "山山日日", "花"], 2).words == ("月", "山", "日", "花")


def test_the_seed_and_nothing_else_decides() -> None:
    pytest.importorskip("gensim")
    one = train_vectors(toy_texts(), 4, seed=1)
    again = train_vectors((text for text in toy_texts()), 4, seed=1)
    other = train_vectors(toy_texts(), 4, seed=2)
    assert np.array_equal(one.matrix, again.matrix)
    assert not np.array_equal(one.matrix, other.matrix)


def test_another_process_with_another_hash_seed_gives_the_same_vectors(tmp_path: Path) -> None:
    pytest.importorskip("gensim")
    code = (
        "import sys; from pathlib import Path; from yinshi.corpus.vectors import train_vectors;"
        "train_vectors(Path('t.txt').read_text('utf-8').splitlines(), 4, seed=1)"
        ".save(Path(sys.argv[1]))"
    )
    file(tmp_path, "\n".join(toy_texts()), "t.txt")
    for seed in "12":
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code, seed],
            cwd=tmp_path,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == done.stderr == ""
    here = train_vectors(toy_texts(), 4, seed=1)
    assert digest(read_vectors(tmp_path / "1")) == digest(here)
    assert digest(read_vectors(tmp_path / "2")) == digest(here)


def test_of_a_long_text_nothing_is_dropped() -> None:
    pytest.importorskip("gensim")
    start, rest = "無" * 10_000, "".join(toy_texts())
    assert digest(train_vectors([start + rest], 4)) == digest(train_vectors([start, rest], 4))


@pytest.mark.parametrize("texts", [[], ["", []], ["春江", "花月"]])
def test_no_word_often_enough(texts: list[str]) -> None:
    pytest.importorskip("gensim")
    with pytest.raises(UsageError, match=r"found no word 2 times or oftener, .* lower min_count"):
        train_vectors(texts, 4, min_count=2)


def test_without_gensim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    with pytest.raises(MissingExtraError, match=r"yinshi\[vectors\]"):
        train_vectors(["春江花月夜"], 4)
