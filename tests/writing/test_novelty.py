from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from yinshi.corpus import script
from yinshi.corpus.dataset import Dataset
from yinshi.corpus.poem import lines_of
from yinshi.errors import ModelFileError
from yinshi.model_file import ModelFile, resolve_model
from yinshi.writing.novelty import BITS_PER_WINDOW, HASHES, OVERHANG, SIZE, NoveltyIndex

POEMS = [
    "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。",
    "獨在異鄉爲異客，每逢佳節倍思親。遙知兄弟登高處，遍插茱萸少一人。",
    "西塞山邊白鷺飛，桃花流水鱖魚肥。青箬笠，綠蓑衣，春江細雨不須歸。",
    "關關雎鳩，在河之洲。窈窕淑女，君子好逑。",
    "浮沈千古事，誰與問東流。",
]
INDEX = NoveltyIndex.from_texts(POEMS)
#: Characters of our own for random lines: no two of them are variants of each other.
ALPHABET = (
    "天地人山水日月星風雨花草木石金火土田心手口耳目足"
    "牛羊馬魚鳥虫米衣車舟門戶弓刀一二三四五六七八九十"
)


def random_texts(rng: np.random.Generator, count: int, length: int = 7) -> list[str]:
    """Quatrains."""
    lines = rng.choice(list(ALPHABET), size=(count, 4, length))
    return ["".join("".join(line) + "，。"[i % 2] for i, line in enumerate(p)) for p in lines]


def test_lines_of_the_poems_are_known_and_others_are_not() -> None:
    assert INDEX.contains("黃河入海流")
    assert INDEX.contains("遍插茱萸少一人")
    assert not INDEX.contains("黃河出海流")
    assert not INDEX.contains("遍插茱萸少一日")


def test_what_stands_within_a_line_is_known() -> None:
    assert INDEX.contains("異鄉爲異客")
    assert INDEX.contains("插茱萸少一")
    assert not INDEX.contains("日依山盡黃")  # a pause is between them


def test_under_five_characters_are_nobodys() -> None:
    assert not INDEX.contains("黃河入海")
    assert not INDEX.contains("綠蓑衣")
    assert not INDEX.contains("")


def test_lines_one_after_the_other() -> None:
    assert INDEX.contains("白日依山盡，黃河入海流。")
    assert INDEX.contains("白日依山盡\n黃河入海流")
    assert not INDEX.contains("白日依山盡，更上一層樓。")
    assert not INDEX.contains("遍插茱萸少一人，西塞山邊白鷺飛。")  # of two poems


@pytest.mark.parametrize(
    "line",
    ["黄河入海流", "欲穷千里目", "遥知兄弟登高处", "桃花流水鳜鱼肥", "浮沉千古事", "誰與問東流"],
)
def test_either_script_and_mixed(line: str) -> None:
    assert INDEX.contains(line)


def test_an_index_of_simplified_poems_knows_traditional_lines() -> None:
    index = NoveltyIndex.from_texts(["欲穷千里目，更上一层楼。浮沉千古事，独在异乡为异客。"])
    for line in ("欲窮千里目", "更上一層樓", "獨在異鄉爲異客", "更上一层楼"):
        assert index.contains(line)


@pytest.mark.parametrize(
    ("poem", "span"),
    [
        (POEMS[0], POEMS[0][:-1]),
        ("春山新雨後，夜半一燈明。", ""),
        ("春山新雨後，黃河入海流。", "黃河入海流"),
        ("春山新雨後，黄河入海流。欲穷千里目，春山新雨后。", "黄河入海流。欲穷千里目"),
        ("明日依山盡，黃河入海流。", "日依山盡，黃河入海流"),
        ("明月依山盡，黃河入海流。", "黃河入海流"),  # three before the pause are unchecked
        ("明日依山盡，黃河入海去。", ""),  # four and four: one window, not enough
        ("白日依山盡，黃河入海去。", "白日依山盡，黃河入海"),
        ("白日依山盡，黃河入天流。", "白日依山盡"),
        ("白日依山盡，更上一層樓。", "白日依山盡"),  # the first of equals
        (POEMS[2], "西塞山邊白鷺飛，桃花流水鱖魚肥"),  # lines of three part a poem
        (POEMS[3], POEMS[3][:-1]),
        ("月。", ""),
        ("", ""),
    ],
)
def test_longest_known_span(poem: str, span: str) -> None:
    assert INDEX.longest_known_span(poem) == span


def test_many_lines_at_once_are_as_one_by_one() -> None:
    lines = ["黃河入海流", "", "月", "黃河出海流", "白日依山盡，黃河入海流", "更上一层楼", "。"]
    known = INDEX.known(lines)
    assert known.tolist() == [INDEX.contains(line) for line in lines]
    assert known.tolist() == [True, False, False, False, True, True, False]
    assert INDEX.known([]).tolist() == []


def test_no_known_line_and_no_known_poem_is_ever_missed() -> None:
    texts = random_texts(np.random.default_rng(0), 500)
    index = NoveltyIndex.from_texts(texts)
    assert index.known([line for text in texts for line in lines_of(text)]).all()
    assert all(index.longest_known_span(text) == text[:-1] for text in texts)


def test_rate_of_false_positives_is_that_of_the_formula() -> None:
    rng = np.random.default_rng(1)
    index = NoveltyIndex.from_texts(random_texts(rng, 2000))
    new = ["".join(line) for line in rng.choice(list(ALPHABET), size=(50_000, 5))]
    expected = (1 - np.exp(-HASHES / BITS_PER_WINDOW)) ** HASHES
    assert expected == pytest.approx(0.0082, abs=1e-4)
    # a line stands by chance among 24,000 windows of five with probability 24,000 / 50^5 = 8e-5
    assert index.known(new).mean() == pytest.approx(expected, abs=5 * (expected / 50_000) ** 0.5)
    longer = ["".join(line) for line in rng.choice(list(ALPHABET), size=(50_000, 7))]
    assert index.known(longer).sum() <= 2  # three windows would have to be false


def test_size_is_ten_bits_a_window() -> None:
    bits = INDEX.to_arrays()["bits"]
    lengths = [[len(line) for line in lines_of(text)] for text in POEMS]
    windows = sum(max(0, n - SIZE + 1) for poem in lengths for n in poem)
    windows += sum(min(pair) >= OVERHANG for poem in lengths for pair in pairwise(poem))
    assert len(bits) == windows * BITS_PER_WINDOW // 8


def test_arrays_are_all_of_it() -> None:
    arrays = INDEX.to_arrays()
    assert {name: array.dtype for name, array in arrays.items()} == {
        "characters": np.uint32,
        "bits": np.uint8,
    }
    again = NoveltyIndex.from_arrays(arrays)
    assert again.contains("黄河入海流")
    assert not again.contains("春山新雨後")
    same = NoveltyIndex.from_texts(POEMS).to_arrays()
    assert all((same[name] == array).all() for name, array in arrays.items())


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"bits": np.zeros(3, dtype=np.uint8)},
        {"bits": np.zeros(3, dtype=np.uint8), "characters": np.zeros(3, dtype=np.uint32)},
        {"bits": np.zeros(3, dtype=np.uint32), "characters": np.zeros((2, 3), dtype=np.uint32)},
    ],
)
def test_arrays_of_another_kind(arrays: dict[str, Any]) -> None:
    with pytest.raises(ModelFileError, match=r"training lines: found .*, expected .*; fetch"):
        NoveltyIndex.from_arrays(arrays)


def test_no_poems_know_nothing() -> None:
    empty = NoveltyIndex.from_texts([])
    assert not empty.contains("黃河入海流")
    assert empty.longest_known_span(POEMS[0]) == ""


def test_the_shipped_index() -> None:
    arrays = ModelFile.load(resolve_model(None)).novelty
    assert all(isinstance(array, np.memmap) for array in arrays.values())
    assert sum(array.nbytes for array in arrays.values()) <= 8_000_000
    index = NoveltyIndex.from_arrays(arrays)
    famous = ["黃河入海流", "黄河入海流", "牀前看月光", "國破山河在", "国破山河在"]
    assert index.known(famous).sum() >= 3  # the others' poems may be of the other splits
    assert not index.known(["電腦寫詩篇", "飛機過紐約", "月球車上坐"]).any()


@pytest.mark.slow
def test_the_whole_of_quan_tang_shi(tang_dataset: Path) -> None:
    """No line missed in either script; on new poems, the rate that the docstring states."""
    dataset = Dataset.load(tang_dataset)
    train = dataset.texts("train")
    index = NoveltyIndex.from_texts(train)
    assert sum(array.nbytes for array in index.to_arrays().values()) <= 2_000_000
    lines = [line for text in train for line in lines_of(text) if len(line) >= SIZE]
    assert index.known(lines).all()
    assert index.known(script.to_simplified("\n".join(lines)).split("\n")).all()
    normal = dict(zip(lines, script.to_simplified("\n".join(lines)).split("\n"), strict=True))
    within = {text[i : i + 5] for text in normal.values() for i in range(len(text) - 4)}
    others = [line for text in dataset.texts("test") for line in lines_of(text) if len(line) == 5]
    simplified = script.to_simplified("\n".join(others)).split("\n")
    new = [line for line, plain in zip(others, simplified, strict=True) if plain not in within]
    assert index.known(new).mean() == pytest.approx(0.0082, abs=0.002)
