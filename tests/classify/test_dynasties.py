from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from two_dynasties import both_dynasties, poems_of, prepared

from yinshi.classify import dynasties
from yinshi.classify.dynasties import (
    GLYPHS,
    SPELLINGS,
    DynastySet,
    Row,
    dynasty_set,
    one_spelling,
)
from yinshi.classify.tables import load_table
from yinshi.corpus.poem import Poem
from yinshi.errors import DataError, UsageError

pytest.importorskip("pyarrow")

POEMS = both_dynasties()
KINDS = {"train", "dev", "test"}


def made(folder: Path, poems: list[Poem], count: int = 1000, seed: int = 0) -> DynastySet:
    return dynasty_set(prepared(folder / "data", poems), count, seed)


def rows_of(found: DynastySet) -> list[Row]:
    return [row for rows in found.files.values() for row in rows]


def test_authors_stand_in_one_file_and_dynasties_alike_often(tmp_path: Path) -> None:
    """Of 12 authors with 5 poems each, 10 are in train, and one each in dev and test."""
    found = made(tmp_path, POEMS)
    assert set(found.files) == KINDS
    sides = {name: {row.author for row in rows} for name, rows in found.files.items()}
    assert [len(sides[name]) for name in ("train", "dev", "test")] == [20, 2, 2]
    assert len(set.union(*sides.values())) == 24
    for name, each in (("train", 50), ("dev", 5), ("test", 5)):
        assert Counter(row.label for row in found.files[name]) == {"唐": each, "宋": each}
    assert {(row.text, row.author) for row in rows_of(found)} == {(p.text, p.author) for p in POEMS}
    assert all(row.author[0] == row.label for row in rows_of(found))
    assert not any(found.left_out.values())


def test_no_more_poems_than_asked_for(tmp_path: Path) -> None:
    found = made(tmp_path, POEMS, 40)
    sizes = {name: Counter(row.label for row in rows) for name, rows in found.files.items()}
    assert sizes == {
        "train": {"唐": 32, "宋": 32}, "dev": {"唐": 4, "宋": 4}, "test": {"唐": 4, "宋": 4},
    }  # fmt: skip
    assert found.left_out["not drawn"] == 40


def test_the_larger_dynasty_gives_no_more_than_the_smaller(tmp_path: Path) -> None:
    fewer = [p for p in POEMS if "tang" in p.source or int(p.title[1:]) < 2]
    found = made(tmp_path, fewer)
    for name, each in (("train", 20), ("dev", 2), ("test", 2)):
        assert Counter(row.label for row in found.files[name]) == {"唐": each, "宋": each}


def test_nobody_makes_up_a_dynasty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dynasties, "CAP", 6)
    found = made(tmp_path, POEMS + poems_of("宋多", "song", 40, 60))
    count = Counter(row.author for row in rows_of(found))
    assert count["宋多"] <= 6
    assert found.left_out["over 6 of one author"] == 34
    assert len({row.text for row in rows_of(found)}) == len(rows_of(found)) >= 110


def test_a_seed_is_a_set(tmp_path: Path) -> None:
    data = prepared(tmp_path / "data", POEMS)
    first = dynasty_set(data, 40, 0)
    assert dynasty_set(data, 40, 0) == first
    assert dynasty_set(data, 40, 1).files != first.files


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    """Each poem for one reason, the first there is."""
    extra = [
        *poems_of("无名氏", "tang", 2, 50),
        *poems_of("不详", "tang", 1, 51),
        *poems_of("郊庙朝会歌辞", "song", 1, 52),
        *poems_of("", "song", 1, 53),
        *poems_of("魏徵、褚亮", "tang", 1, 54),
        *poems_of("周□", "song", 1, 55),
        *poems_of("徐铉", "tang", 2, 56),
        *poems_of("徐铉", "song", 3, 57),
        *(replace(p, text=f"囗{p.text[1:]}") for p in poems_of("唐洞", "tang", 1, 58)),
        *(replace(p, source="mine.txt") for p in poems_of("今人", "song", 4, 59)),
    ]
    found = made(tmp_path, POEMS + extra)
    assert {why: n for why, n in found.left_out.items() if n} == {
        "of other sources": 4,
        "without an author": 7,
        "by authors of both dynasties": 5,
        "with a hole": 1,
    }
    assert len(rows_of(found)) == len(POEMS)


def test_poems_of_both_collections_are_left_out(tmp_path: Path) -> None:
    """Even where they are printed in other glyphs and with another character; within a dynasty the
    first stays."""
    poem = Poem("江雪", "唐一", "隐几窗前万径雪，猿啼净水一孤舟。莺花剑客千山月，独钓寒江老此秋。",
                "poet.tang.0.json")  # fmt: skip
    song = poem.text.translate(str.maketrans("隐窗猿净莺剑老。", "隠牕猨浄鶑劒在！"))
    tang = poem.text.replace("此秋", "尽秋")
    assert sum(a != b for a, b in zip(poem.text, song, strict=True)) == 9
    across = [poem, Poem("雪", "宋一", song, "poet.song.7.json")]
    found = made(tmp_path / "across", POEMS + across)
    assert found.left_out["in both collections"] == 2
    assert not {"唐一", "宋一"} & {row.author for row in rows_of(found)}
    within = [poem, Poem("雪", "唐二", tang, "poet.tang.7.json")]
    found = made(tmp_path / "within", POEMS + within)
    assert (found.left_out["in both collections"], found.left_out["near-duplicates"]) == (0, 1)


def test_a_glyph_has_one_spelling() -> None:
    groups = GLYPHS.split()
    assert all(n == 1 for n in Counter("".join(groups)).values())
    assert all(one_spelling(other) == group[0] for group in groups for other in group)
    assert one_spelling("徴徘廽、裴囘：岐路？") == "征徘回，徘徊，歧路。"
    for text in (*SPELLINGS, *SPELLINGS.values(), *groups):
        assert one_spelling(one_spelling(text)) == one_spelling(text)


def test_the_files_are_tables(tmp_path: Path) -> None:
    found = made(tmp_path, POEMS)
    found.save(tmp_path / "new" / "set")
    assert {p.name for p in (tmp_path / "new" / "set").iterdir()} == {f"{n}.tsv" for n in KINDS}
    for name, rows in found.files.items():
        path = tmp_path / "new" / "set" / f"{name}.tsv"
        table = load_table(path)
        assert (table.texts, table.labels) == (
            tuple(row.text for row in rows), tuple(row.label for row in rows),
        )  # fmt: skip
        assert path.read_text(encoding="utf-8").startswith("label\ttext\tauthor\n")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["set"]


def test_all_files_are_written_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(tmp_path, POEMS)
    write = dynasties.write_atomically

    def full(path: Path, content: bytes) -> None:
        if path.name == "test.tsv":
            raise OSError(28, "No space left on device")
        write(path, content)

    monkeypatch.setattr(dynasties, "write_atomically", full)
    (tmp_path / "out").mkdir()
    with pytest.raises(OSError, match="No space"):
        found.save(tmp_path / "out" / "set")
    assert not list((tmp_path / "out").iterdir())
    (tmp_path / "out" / "mine.txt").write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match="found something there, expected a new folder"):
        found.save(tmp_path / "out")


@pytest.mark.parametrize(
    ("poems", "told"),
    [
        ([p for p in POEMS if "tang" in p.source], "no poem of the 宋 to use, expected both"),
        ([p for p in POEMS if "song" in p.source], "no poem of the 唐 to use, expected both"),
        ([replace(p, source="mine.txt") for p in POEMS], "no poem of the 唐 to use"),
        (both_dynasties(2), "too few authors to fill dev, expected ten or more of each"),
    ],
    ids=["no-song", "no-tang", "neither", "two-authors"],
)
def test_poems_that_do_not_do(poems: list[Poem], told: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=told):
        made(tmp_path, poems)


def test_traditional_characters_are_refused(tmp_path: Path) -> None:
    data = prepared(tmp_path / "data", POEMS, script="traditional")
    with pytest.raises(DataError, match=r"traditional characters, expected simplified ones; prep"):
        dynasty_set(data)
