"""Headers by hand: the names of their tokens, their ids, and what of them an epoch keeps."""

from __future__ import annotations

import numpy as np
import pytest

from yinshi.corpus.header import (
    LEAST,
    TITLE_LENGTH,
    Header,
    Headers,
    Heading,
    headed,
    kept_parts,
    names_in,
    one_spelling,
    part_of,
)
from yinshi.corpus.poem import Poem
from yinshi.corpus.vocabulary import Vocabulary
from yinshi.errors import UsageError
from yinshi.recipe import CONDITIONS

QUATRAIN = "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。"
OLD_STYLE = "床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。"
UNEVEN = "君不見，黃河之水天上來。奔流到海不復回。"


@pytest.mark.parametrize(
    ("poem", "expected"),
    [
        (
            Poem("靜夜思", "李白", OLD_STYLE, "poet.tang.8000.json"),
            [
                ["dynasty:唐"],
                ["lines:4", "length:5"],
                ["pattern:古體"],
                [],
                ["author:李白:唐"],
                ["title", "靜", "夜", "思"],
            ],
        ),
        (
            Poem("將進酒（一作惜空樽酒） 其一", "黃庭堅", UNEVEN, "poet.song.69000.json"),
            [
                ["dynasty:宋"],
                ["lines:3", "length:mixed"],
                [],
                [],
                ["author:黄庭坚:宋"],
                ["title", "將", "進", "酒", "其", "一"],
            ],
        ),
        (
            Poem("abc ○（註）", "無名氏", "日日日。", "mine.txt"),
            [[], ["lines:1", "length:3"], [], [], [], []],
        ),
        (
            Poem("", "某甲", QUATRAIN, "mine.txt"),
            [
                [],
                ["lines:4", "length:5"],
                ["pattern:仄起首句不入韻"],
                ["rhyme:尤"],
                ["author:某甲"],
                [],
            ],
        ),
    ],
)
def test_names_by_hand(poem: Poem, expected: list[list[str]]) -> None:
    names = Heading.of(poem).names()
    assert list(names) == list(CONDITIONS)
    assert list(names.values()) == expected
    for part, each in names.items():
        assert {part_of(name) for name in each[:1] if name} <= {part}


@pytest.mark.parametrize(
    ("text", "pattern", "rhyme"),
    [
        (QUATRAIN.replace("目", "春"), "", "尤"),  # a tone is wrong
        (QUATRAIN.replace("樓", "月"), "", ""),
        (QUATRAIN.replace("樓", "山"), "", ""),  # which rhymes with 間
        (QUATRAIN.replace("日", "月").replace("依", "過"), "仄起首句不入韻", "尤"),
        ("abc。", "", ""),
    ],
)
def test_pattern_and_rhyme_are_told_of_poems_that_keep_them(
    text: str, pattern: str, rhyme: str
) -> None:
    heading = Heading.of(Poem("", "", text, ""))
    assert (heading.pattern, heading.rhyme) == (pattern, rhyme)
    untold = Heading.of(Poem("", "", text, ""), ["form", "title"])
    assert (untold.pattern, untold.rhyme) == ("", "")


def test_nothing_known_has_no_names() -> None:
    assert not any(Heading().names().values())


@pytest.mark.parametrize(
    "name",
    ["無名氏", "佚名", "不詳", "缺名", "闕名", "郊廟朝會歌辭", "魏徵、褚亮", "周□", ""],
)
def test_who_is_no_author(name: str) -> None:
    assert one_spelling(name) == ""


def test_an_author_has_one_spelling() -> None:
    assert one_spelling("黃庭堅") == one_spelling("黄庭坚") == "黄庭坚"
    assert one_spelling("宋無") == "宋无"  # a name of the Yuan, not the lack of one


def poems_of(author: str, dynasty: str, count: int) -> list[Poem]:
    return [Poem("夜", author, QUATRAIN, f"poet.{dynasty}.0.json")] * count


def test_a_name_needs_enough_poems() -> None:
    poems = [
        *poems_of("王建", "tang", LEAST + 1),
        *poems_of("王建", "song", LEAST),
        *poems_of("李白", "tang", LEAST + 2),
        *poems_of("杜甫", "tang", LEAST - 1),
        *poems_of("佚名", "tang", LEAST + 5),
    ]
    assert names_in(poems, CONDITIONS) == (
        "dynasty:唐",
        "dynasty:宋",
        "length:5",
        "lines:4",
        "pattern:仄起首句不入韻",
        "rhyme:尤",
        "author:李白:唐",
        "author:王建:唐",
        "author:王建:宋",
        "title",
    )
    assert names_in(poems, ["title"]) == ("title",)
    assert names_in(poems, []) == ()


def test_a_condition_that_no_poem_tells_is_a_fault() -> None:
    poems = [Poem("", "佚名", OLD_STYLE, "mine.txt")] * LEAST
    assert names_in(poems, ["form"]) == ("length:5", "lines:4")
    for part in ("dynasty", "rhyme", "author", "title"):
        with pytest.raises(UsageError, match=rf"network.conditions {part}: no {part} is told of"):
            names_in(poems, [part])


NAMES = (
    *("dynasty:唐", "length:5", "lines:4", "author:李白:唐", "author:王建:宋", "title"),
    *("rhyme:尤", "pattern:古體"),
)
VOCABULARY = Vocabulary("，。月夜思山")  # ids 4 to 9, and the names' 10 to 17


def test_ids_follow_those_of_the_vocabulary() -> None:
    headers = Headers(NAMES, VOCABULARY)
    assert headers.conditions == list(CONDITIONS)
    assert headers.authors == [("李白", "唐"), ("王建", "宋")]
    header = headers.encode(Heading("唐", (5, 5, 5, 5), "李白", "靜夜思", "古體", "尤"))
    assert header.ids.tolist() == [10, 12, 11, 17, 16, 13, 15, 7, 8]  # 靜 is not known
    assert header.parts.tolist() == [0, 1, 1, 2, 3, 4, 5, 5, 5]
    assert header.ids.dtype == np.int32


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        (Heading(), []),
        (Heading("宋", author="李白"), []),  # not the Tang's
        (Heading("宋", (5,) * 30, "王建"), [11, 14]),
        (Heading(title="無題"), []),  # the mark alone would say nothing
        (Heading(title="題"), []),
        (Heading(title="山" * 40), [15] + [9] * TITLE_LENGTH),
        (Heading(title="x題" + "山" * 5), [15] + [9] * 5),
    ],
)
def test_what_is_unknown_is_left_out(heading: Heading, expected: list[int]) -> None:
    assert Headers(NAMES, VOCABULARY).encode(heading).ids.tolist() == expected


def test_without_titles_no_characters_of_titles() -> None:
    headers = Headers(NAMES[:5], VOCABULARY)
    assert headers.conditions == ["dynasty", "form", "author"]
    assert headers.encode(Heading("唐", title="夜思")).ids.tolist() == [10]
    assert Headers((), VOCABULARY).encode(Heading("唐", title="夜思")).ids.tolist() == []


def test_dropping_is_a_function_of_seed_and_epoch() -> None:
    kept = kept_parts(50, 3, 2, 0.3)
    np.testing.assert_array_equal(kept_parts(50, 3, 2, 0.3), kept)
    assert (kept_parts(50, 3, 1, 0.3) != kept).any()
    assert (kept_parts(50, 2, 2, 0.3) != kept).any()
    assert kept_parts(50, 0, 0, 0.0).all()
    assert not kept_parts(50, 0, 0, 1.0).any()


def test_how_often_parts_are_dropped() -> None:
    """Each is there with (1 − p)²; all are away with p + (1 − p) p⁶; two are told apart."""
    p, N = 0.3, 40_000
    kept = kept_parts(N, 0, 0, p)
    assert kept.shape == (N, 6)
    deviation = 4 * 0.5 / np.sqrt(N)
    np.testing.assert_allclose(kept.mean(axis=0), (1 - p) ** 2, atol=deviation)
    assert np.mean(~kept.any(axis=1)) == pytest.approx(p + (1 - p) * p**6, abs=deviation)
    assert np.mean(kept[:, 0] & kept[:, 1]) == pytest.approx((1 - p) ** 3, abs=deviation)
    assert np.mean(kept[1:, 0] & kept[:-1, 0]) == pytest.approx((1 - p) ** 4, abs=deviation)


def test_what_is_kept_stands_before_the_poem() -> None:
    header = Header(np.array([10, 12, 11, 15, 7], np.int32), np.array([0, 1, 1, 5, 5], np.int8))
    poem = np.array([4, 5, 6], np.int32)
    kept = np.array([[True] * 6, [False] * 6, [False, True, True, True, True, False]])
    found = headed([poem] * 3, [header] * 3, kept)
    assert [each.header.tolist() for each in found] == [[10, 12, 11, 15, 7], [], [12, 11]]
    assert [len(each) for each in found] == [8, 3, 5]
    assert all(each.poem is poem for each in found)
