from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from yinshi.apps.cli.main import main
from yinshi.corpus.dataset import Dataset
from yinshi.corpus.held_out import read_held_out
from yinshi.corpus.prepare import prepare
from yinshi.errors import DataError, SourceError, YinshiError
from yinshi.recipe import CorpusRecipe

pytest.importorskip("pyarrow")

#: Characters that are the same in both scripts.
NEUTRAL = list("山水日月天地人心江海川石竹木花草春秋夜雨雪霜城村白青古今行坐")
RECIPE = CorpusRecipe(ratio=(4, 1))

MOON = "床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。"
NEW = "春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少。"

Given = Callable[[Any], Path]


def quatrains(count: int, seed: int = 0) -> list[str]:
    """Poems of random characters, so that no two are alike."""
    rng = np.random.default_rng(seed)
    return [
        "".join("".join(rng.choice(NEUTRAL, 5)) + mark for mark in "，。，。") for _ in range(count)
    ]


def entry(text: str, title: str = "題") -> dict[str, str]:
    """As others write it: a sentence a line."""
    return {"title": title, "content": text.replace("。", "。\n").rstrip()}


@pytest.fixture
def given(tmp_path: Path) -> Given:
    def write(entries: Any) -> Path:
        path = tmp_path / "given.json"
        path.write_text(json.dumps(entries, ensure_ascii=False), encoding="utf-8")
        return path

    return write


@pytest.fixture
def source(tmp_path: Path) -> Callable[[Sequence[str]], Path]:
    def write(texts: Sequence[str]) -> Path:
        path = tmp_path / "poems.txt"
        lines = [f"其{n}::無名::{text}\n" for n, text in enumerate(texts)]
        path.write_text("".join(lines), encoding="utf-8")
        return path

    return write


def sides(folder: Path) -> dict[str, list[str]]:
    data = Dataset.load(folder)
    return {name: data.verses(name) for name in data.splits}


def test_the_given_poems_are_the_test_split_and_nowhere_else(
    source: Callable[[Sequence[str]], Path], given: Given, tmp_path: Path
) -> None:
    """An exact duplicate; one differing in two neighbours: 12 of 16 grams are left; a new poem."""
    poems = quatrains(40)
    near = poems[1][:2] + "龍鳳" + poems[1][4:]
    far = poems[2][:2] + "龍" + poems[2][3:14] + "鳳" + poems[2][15:]  # 8 of 16: another poem
    path = given([entry(NEW), entry(near), entry(poems[0]), entry(far)])
    manifest = prepare([source(poems)], RECIPE, tmp_path / "data", test_file=path)
    found = sides(tmp_path / "data")
    assert found["test"] == [NEW, near, poems[0], far]
    assert sorted(found["train"] + found["validation"]) == sorted(poems[2:])
    assert manifest["counts"]["test_file"] == 38
    assert [manifest["counts"][name] for name in found] == [30, 8, 4]  # 4 : 1 of 38
    told = manifest["test_file"]
    assert (told["poems"], told["found"], told["removed"]) == (4, 1, {"same": 1, "near": 1})
    assert told["empty"] == []
    assert not any(told["kept"].values())
    assert told["hash"].startswith("sha256:")


def test_the_test_poems_of_a_prepared_folder(
    source: Callable[[Sequence[str]], Path], tmp_path: Path
) -> None:
    """A larger collection on the smaller one's test split: with author, title and source."""
    poems = quatrains(60)
    smaller, larger = tmp_path / "smaller", tmp_path / "larger"
    prepare([source(poems[:40])], replace(RECIPE, ratio=(2, 1, 1)), smaller)
    manifest = prepare([source(poems)], RECIPE, larger, test_file=smaller)
    test = Dataset.load(smaller).split("test")
    assert Dataset.load(larger).split("test") == test
    assert (len(test), test[0].author) == (10, "無名")
    found = sides(larger)
    assert sorted(found["train"] + found["validation"] + found["test"]) == sorted(poems)
    assert manifest["test_file"]["hash"] == Dataset.load(smaller).hash
    prepare([source(poems[:9])], RECIPE, tmp_path / "two")
    with pytest.raises(DataError, match="found no split 'test', expected one of train, valid"):
        read_held_out(tmp_path / "two")


def test_a_chain_of_variants_goes_as_a_whole(
    source: Callable[[Sequence[str]], Path], given: Given, tmp_path: Path
) -> None:
    """The given poem is near the first variant alone, which is near the second."""
    poems = quatrains(40)
    one = "龍鳳" + poems[0][2:]
    other = one[:-3] + "龜麟。"
    assert other[:2] == "龍鳳"
    path = given([entry("虎豹鹿" + poems[0][3:])])
    manifest = prepare(
        [source([*poems[1:], one, other])], RECIPE, tmp_path / "data", test_file=path
    )
    assert manifest["test_file"]["removed"] == {"same": 0, "near": 2}
    left = sides(tmp_path / "data")
    assert sorted(left["train"] + left["validation"]) == sorted(poems[1:])


def test_marks_and_layout_are_normalised_and_notes_taken_out(given: Given) -> None:
    moon = "床前明月光,疑是地上霜.\n舉頭望明月，低頭思故鄉"
    bare = "春眠不覺曉\n處處聞啼鳥\n夜來風雨（一作雪）聲\n花落知多少\n"
    entries = [
        {"title": "靜夜思（一作夜思）", "content": moon},
        {"title": "春曉", "content": bare},
        {"content": " 「滿城」風雨□重陽。"},
    ]
    found = read_held_out(given(entries))
    assert [(p.title, p.text) for p in found.poems] == [
        ("靜夜思", MOON),
        ("春曉", "春眠不覺曉，處處聞啼鳥，夜來風雨聲，花落知多少。"),
        ("", "滿城風雨□重陽。"),  # a source would drop it for its lacuna
    ]
    assert found.numbers == [1, 2, 3]


def test_what_a_source_would_not_keep_stays_and_is_told(
    source: Callable[[Sequence[str]], Path], given: Given, tmp_path: Path
) -> None:
    couplet, long = "白日依山盡，黃河入海流。", "".join(quatrains(3, seed=1))
    entries = [
        entry(couplet), entry(NEW, title=""), entry(" \n（注）", "空"), entry(long),
        entry(NEW.replace("，", "。")), entry("舉頭望□月，低頭思故鄉。" * 2),
    ]  # fmt: skip
    recipe = replace(RECIPE, form="五绝", max_length=30, too_long="drop", ratio=(8, 1, 1))
    lines: list[str] = []
    manifest = prepare(
        [source(quatrains(40))], recipe, tmp_path / "data", lines.append, given(entries)
    )
    told = manifest["test_file"]
    assert told["kept"] == {
        "untitled": [2], "another_form": [1, 4], "another_length": [4], "repeated": [5]
    }  # fmt: skip
    assert (told["poems"], told["empty"]) == (5, [3])
    assert [len(text) for text in sides(tmp_path / "data")["test"]] == [12, 24, 72, 24, 24]
    assert [line for line in lines if line.startswith(("test file", "ratio"))] == [
        "test file: without any verse, left out: 1 (entry 3)",
        "test file: untitled, kept: 1 (entry 2)",
        "test file: another form, kept: 2 (entries 1, 4)",
        "test file: another length, kept: 1 (entry 4)",
        "test file: repeated, kept: 1 (entry 5)",
        "ratio: the test poems are given, so 1 is left aside, and 8:1 are train and validation of "
        "the rest",
    ]
    assert [manifest["counts"][name] for name in ("train", "validation")] == [36, 4]
    assert Dataset.load(tmp_path / "data").options == recipe


def test_the_script_is_that_of_the_data(
    source: Callable[[Sequence[str]], Path], given: Given, tmp_path: Path
) -> None:
    simplified = "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。"
    moon = "床前明月光，疑是地上霜。举头望明月，低头思故乡。"  # whose 床 becomes 牀
    path = given([entry(simplified, "闻鸟"), entry(moon)])
    sources = [source([*quatrains(20), MOON, NEW])]
    manifest = prepare(sources, RECIPE, tmp_path / "traditional", test_file=path)
    poem, other = Dataset.load(tmp_path / "traditional").split("test")
    assert other.text == MOON.replace("床", "牀")
    assert (poem.title, poem.text, poem.source) == ("聞鳥", NEW, "given.json")
    assert manifest["test_file"]["removed"] == {"same": 2, "near": 0}
    recipe = replace(RECIPE, script="simplified")
    manifest = prepare(sources, recipe, tmp_path / "simplified", test_file=path)
    assert sides(tmp_path / "simplified")["test"] == [simplified, moon]
    assert manifest["test_file"]["found"] == 2


def test_found_is_counted_before_form_and_length(
    source: Callable[[Sequence[str]], Path], given: Given, tmp_path: Path
) -> None:
    couplet = "白日依山盡，黃河入海流。"
    recipe = replace(RECIPE, form="五绝")
    path = given([entry(couplet)])
    manifest = prepare([source([*quatrains(20), couplet])], recipe, tmp_path / "a", test_file=path)
    assert manifest["test_file"]["found"] == 1
    assert manifest["test_file"]["removed"] == {"same": 0, "near": 0}


def test_the_same_file_the_same_bytes_another_file_another_hash(
    source: Callable[[Sequence[str]], Path], given: Given, tmp_path: Path
) -> None:
    path = source(quatrains(40))
    for name in ("one", "other"):
        prepare([path], RECIPE, tmp_path / name, test_file=given([entry(NEW), entry(MOON)]))
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "other" / file.name).read_bytes()
    prepare([path], RECIPE, tmp_path / "turned", test_file=given([entry(MOON), entry(NEW)]))
    one, turned = (Dataset.load(tmp_path / name) for name in ("one", "turned"))
    assert one.hash != turned.hash
    assert one.manifest["test_file"]["hash"] != turned.manifest["test_file"]["hash"]
    assert one.verses("train") == turned.verses("train")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "not whole JSON"),
        ("{}", "found one dict, expected a list of poems"),
        ("[]", "found no poem, expected a list of"),
        ('[{"title": "空", "content": " "}]', "found no poem, expected a list of"),
        ('[{"content": "月。"}, {"title": "題"}]', "entry 2 of 2: found no content, expected"),
        ('["月。"]', "entry 1 of 1: found one str, expected"),
        ('[{"content": "月。", "title": 3}]', "entry 1 of 1: found a title or a content that is"),
        ('[{"content": ["月。"]}]', "entry 1 of 1: found a title or a content that is no text"),
        (None, "given.json: can't be read (No such file or directory)"),
    ],
)
def test_a_file_of_something_else_is_one_clear_line(
    tmp_path: Path, content: str | None, message: str
) -> None:
    path = tmp_path / "given.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(SourceError) as caught:
        read_held_out(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_faulty_file_is_told_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(YinshiError, match=r"no-such\.json"):
        prepare([tmp_path / "no-source"], RECIPE, tmp_path / "d", test_file=Path("no-such.json"))
    assert not (tmp_path / "d").exists()


def test_the_command_line_tells_what_came_of_it(
    source: Callable[[Sequence[str]], Path],
    given: Given,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    poems = quatrains(40)
    near = poems[1][:2] + "龍鳳" + poems[1][4:]
    path = given([entry(NEW), entry(near), entry(poems[0], "")])
    arguments = ["--source", source(poems), "--out", tmp_path / "data", "--test-file", path]
    with pytest.raises(SystemExit) as stopped:
        main(["prepare", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert stopped.value.code in (0, None)
    assert [" ".join(line.split()) for line in out.splitlines()[1:6]] == [
        "test file 3 poems, 1 of them found in the sources",
        "untitled 1 kept",
        "removed, same 1 poems taken out of the others",
        "removed, near 1 near-duplicates taken out of the others",
        "left 38 poems",
    ]
    assert "so 1 is left aside, and 8:1 are train and validation of the rest" in err
