from __future__ import annotations

import subprocess
import sys

import pytest

from yinshi.errors import UsageError
from yinshi.prosody.readings import (
    RHYMES,
    Reading,
    has_homographs,
    is_simplified,
    load_table,
    readings,
    rhyme_named,
)


def rhymes(character: str, simplified: bool = False) -> dict[str, bool]:
    """Rhyme → whether it is rare."""
    return {r.rhyme: r.rare for r in readings(character, simplified)}


def test_there_are_106_rhymes_30_of_them_level() -> None:
    tones = list(RHYMES.values())
    assert len(RHYMES) == 106
    assert [tones.count(tone) for tone in "平上去入"] == [30, 29, 30, 17]


@pytest.mark.parametrize("rhyme", RHYMES)
def test_the_head_of_each_rhyme_has_it(rhyme: str) -> None:
    assert rhyme in rhymes(rhyme)


@pytest.mark.parametrize(
    ("character", "expected"),
    [
        ("月", {"月": "入"}),
        ("山", {"刪": "平"}),
        ("看", {"寒": "平", "翰": "去"}),
        ("過", {"歌": "平", "箇": "去"}),
        ("重", {"冬": "平", "腫": "上", "宋": "去"}),
        ("思", {"支": "平", "寘": "去"}),
        ("白", {"陌": "入"}),
        ("上", {"養": "上", "漾": "去"}),
    ],
)
def test_readings_level_first(character: str, expected: dict[str, str]) -> None:
    assert {r.rhyme: r.tone for r in readings(character)} == expected
    assert [r.is_level for r in readings(character)] == sorted(
        (tone == "平" for tone in expected.values()), reverse=True
    )


@pytest.mark.parametrize(
    ("character", "rhyme"),
    [
        *[("先", "先"), ("槎", "麻"), ("敎", "肴"), ("尚", "陽"), ("僊", "先"), ("判", "寒")],
        *[("粗", "虞"), ("阿", "屋"), ("喻", "遇"), ("嘆", "翰"), ("祗", "紙"), ("汚", "遇")],
        *[("涯", "麻"), ("忘", "陽"), ("劒", "豔"), ("廻", "灰")],
    ],
)
def test_what_the_sources_lost_is_there(character: str, rhyme: str) -> None:
    assert rhymes(character)[rhyme] is False


def test_what_verse_never_uses_is_rare() -> None:
    assert rhymes("不") == {"尤": True, "物": False}
    assert rhymes("平") == {"先": True, "庚": False}
    assert rhymes("先") == {"先": False, "霰": True}


def test_no_character_has_only_rare_readings() -> None:
    assert all(any(not r.rare for r in found) for found in load_table().own.values())


def test_one_object_for_all_characters_of_a_rhyme() -> None:
    assert readings("東")[0] is readings("同")[0]
    assert readings("同")[0] == Reading("平", "東", False)


def test_an_unknown_character_has_no_reading() -> None:
    assert readings("☃") == readings("囗") == readings("a") == ()


@pytest.mark.parametrize(("simple", "traditional"), [("发", "發髮"), ("阳", "陽"), ("尽", "盡儘")])
def test_a_simplified_character_is_all_that_it_stands_for(simple: str, traditional: str) -> None:
    expected = set().union(*(rhymes(character) for character in traditional))
    assert set(rhymes(simple)) == set(rhymes(simple, simplified=True)) == expected


def test_a_character_of_both_scripts_is_itself_in_traditional_text() -> None:
    assert set(rhymes("几")) == {"紙"}
    assert set(rhymes("几", simplified=True)) == {"紙", *rhymes("幾")}
    assert set(rhymes("干", simplified=True)) == {"寒", "先", "翰"}
    assert has_homographs("几")
    assert not has_homographs("阳")


def test_an_obscure_character_gives_way_to_the_common_one_that_is_written_like_it() -> None:
    assert set(rhymes("种")) == {"東"}
    assert set(rhymes("种", simplified=True)) == set(rhymes("種"))


def test_simplifying_a_text_takes_no_reading_away() -> None:
    table = load_table()
    for simple, words in table.simplified.items():
        for word in words:
            usual = {r.rhyme for r in readings(word) if not r.rare}
            assert usual <= {r.rhyme for r in readings(simple, simplified=True) if not r.rare}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("白日依山盡，黃河入海流", False),
        ("白日依山尽，黄河入海流", True),
        ("月白", True),
        ("后來", False),
        ("后来", True),
        ("種种樹", False),
    ],
)
def test_the_script_of_a_text(text: str, expected: bool) -> None:
    assert is_simplified(text) is expected


@pytest.mark.parametrize("name", ["东", "東", "東韻", " 东韵 "])
def test_a_rhyme_by_name(name: str) -> None:
    assert rhyme_named(name) == "東"


def test_every_rhyme_by_its_own_name() -> None:
    assert [rhyme_named(rhyme) for rhyme in RHYMES] == list(RHYMES)


@pytest.mark.parametrize(
    ("name", "near"), [("春", "真"), ("楼", "尤"), ("x", "東冬江"), ("", "東")]
)
def test_an_unknown_rhyme_is_told_with_near_ones(name: str, near: str) -> None:
    with pytest.raises(UsageError, match=near):
        rhyme_named(name)


def test_reading_the_table_needs_nothing_but_python() -> None:
    code = (
        "import sys; import yinshi.prosody.scan as s; s.scan('白日依山盡，黃河入海流。')\n"
        "print([m for m in ('numpy', 'opencc', 'torch', 'click') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
