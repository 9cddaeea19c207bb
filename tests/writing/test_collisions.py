"""What can't be met is refused before the search: what collides, where, and what could be met."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from regulated_poems import POEMS, verse_model
from tiny_models import tiny_model

from yinshi.errors import UnknownCharacterError, UsageError
from yinshi.writing import composer
from yinshi.writing.poet import Poet

POET = Poet(verse_model(), "verse")


@pytest.mark.parametrize(
    ("wishes", "told"),
    [
        # Tones: 春 is 平 at the end of a line that may not rhyme; 夏 is 仄 at one that has to.
        (
            {"form": "五绝", "lines": {3: "____春"}},
            "line 3, character 5: 春 (line 3) is 平, 仄 is due there in 五绝 仄起首句不入韻, the "
            "nearest pattern; tones off would do",
        ),
        (
            {"form": "五绝", "acrostic": "_夏__", "acrostic_at": "end"},
            "line 2, character 5: 夏 (acrostic) is 仄, 平 is due there in 五绝 仄起首句不入韻, the "
            "nearest pattern; tones off would do",
        ),
        # 明月 and 白日 both begin 平仄 and 仄仄: no couplet joins them, each alone would do.
        (
            {"form": "五绝", "lines": {1: "明月___", 2: "白日___"}},
            "line 2, character 2: 日 (line 2) is 仄, 平 is due there in 五绝 仄起首句不入韻, the "
            "nearest pattern; tones off would do",
        ),
        # 三平尾 is a minor departure.
        (
            {"form": "五绝", "lines": {2: "_日依山流"}},
            "line 2, character 3: 依 (line 2) is 平, 仄 is due there in 五绝 平起首句不入韻, the "
            "nearest pattern; tones loose would do",
        ),
        # Rhyme.
        (
            {"form": "五绝", "rhyme": "东", "lines": {2: "____樓"}},
            "line 2, character 5: 樓 (line 2) rhymes in 尤, 東 is due; rhyme 尤 would do",
        ),
        (
            {"form": "五绝", "lines": {2: "____樓", 4: "____風"}},
            "line 2, character 5: 樓 (line 2) rhymes in 尤, 東 is due, as 風 (line 4) does in "
            "line 4, character 5; rhyme off would do",
        ),
        (
            {"form": "五绝", "lines": {2: "____樓", 4: "____樓"}},
            "rhyme 尤: found 1 characters for the 2 rhyme words of 五绝; rhyme off would do",
        ),
        (
            {"form": "七律", "rhyme": "江"},
            "rhyme 江: found 1 characters for the 4 rhyme words of 七律; rhyme 東 or ",
        ),
        (
            {"form": "五绝", "rhyme": "咸"},
            "rhyme 咸: found 0 characters for the 2 rhyme words of 五绝; rhyme 東 or ",
        ),
        (
            {"form": "五绝", "rhyme": "屋"},
            "rhyme 屋: 屋 is 入, regulated verse rhymes in 平; tones off would do",
        ),
        # Locks.
        (
            {"form": "五绝", "acrostic": "春___", "lines": {1: "山____"}},
            "line 1, character 1: found 春 (acrostic) and 山 (line 1), leave out one",
        ),
        (
            {"form": "五绝", "acrostic": "春___", "avoid": "春"},
            "line 1, character 1: found 春 (acrostic), which avoid forbids; "
            "leaving out avoid would do",
        ),
        (
            {"form": "五绝", "acrostic": "春_春_", "no_repeat": True},
            "line 3, character 1: found 春 (acrostic) again, after line 1, character 1, with "
            "no_repeat; leaving out no_repeat would do",
        ),
        # What doesn't fit on the sheet.
        (
            {"form": "五绝", "prefixes": "白日依山盡黃河"},
            "prefix '白日依山盡黃河': found 7 characters in line 1, 五绝 has 5; "
            "part its lines with ，",
        ),
        (
            {"form": "七绝", "prefixes": "白日依山盡，"},
            "prefix '白日依山盡，': found 5 characters in line 1, 七绝 has 7; form 五绝 would do",
        ),
        (
            {"form": "七律", "acrostic": "春夏秋冬"},
            "acrostic 春夏秋冬: found 4 characters, 七律 has 8 lines; put _ for a line that may "
            "begin as it will, or take another form; form 五绝 would do",
        ),
        (
            {"form": "五绝", "acrostic": "春夏秋冬", "acrostic_at": 6},
            "acrostic_at 6: line 1 of 五绝 has 5 characters; form 七绝 would do",
        ),
        (
            {"form": "五绝", "lines": {5: "_____"}},
            "line 5: 五绝 has 4 lines; form 五律 would do",
        ),
        (
            {"form": "五绝", "lines": {1: "春"}},
            "line 1, '春': found 1 characters, 五绝 has 5 in a line; put _ for what is to be "
            "written",
        ),
        (
            {"keep": "春____，_____。", "form": "五绝"},
            "keep: found lines of 5, 5 characters, form 五绝 has 4 of 5; leave out one of them",
        ),
        (
            {"keep": "春__，____。", "tones": "strict"},
            "tones strict: the kept poem has lines of 3, 4 characters, which is no regulated form; "
            "tones off would do",
        ),
        ({"rhyme": "auto", "max_length": 20}, "max_length 20: expected at least 24, for 五绝"),
        # What is no wish at all.
        ({"form": "五言"}, "found form '五言': expected 五绝"),
        ({"form": "五绝", "rhyme": "風"}, "found rhyme '風': expected the name of one of the 106"),
        ({"tones": "easy"}, "tones 'easy': expected one of strict, loose, off"),
        ({"acrostic": "春", "acrostic_at": 0}, "acrostic_at 0: expected head, end or a position"),
        ({"keep": "白日依山盡"}, "keep: found no □ in the poem"),
        ({"form": "五绝", "candidates": 0}, "candidates 0: expected at least 1"),
        ({"form": "五绝", "method": "beam"}, "method 'beam': wishes are met by a search"),
        ({"avoid": "春", "method": "greedy"}, "method 'greedy': wishes are met by a search"),
    ],
    ids=str,
)
def test_what_collides_is_said_in_a_line(wishes: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as refused:
        POET.write(**wishes)
    assert str(refused.value).startswith(told)
    assert "\n" not in str(refused.value)
    assert not isinstance(refused.value, UnknownCharacterError)


@pytest.mark.parametrize(
    "wishes",
    [{"acrostic": "龘___"}, {"lines": {1: "龘____"}}, {"keep": "龘____，_____。"}],
    ids=str,
)
def test_a_character_never_seen_is_named(wishes: dict[str, Any]) -> None:
    with pytest.raises(UnknownCharacterError, match="the model has never seen 龘"):
        POET.write(**wishes)


def test_a_model_without_punctuation_is_told() -> None:
    with pytest.raises(UsageError, match="the model writes no ， or 。"):
        Poet(tiny_model("月山"), "tiny").write(form="五绝")


def test_a_form_longer_than_any_rhyme_is_refused() -> None:
    with pytest.raises(UsageError, match="for the 3000 rhyme words of 五排"):
        POET.write(form="排律:6000")


def test_a_character_never_seen_is_easily_avoided() -> None:
    assert POET.write(form="五绝", avoid="龘", candidates=2)


def test_the_advice_can_be_taken() -> None:
    for wishes, advice in [
        ({"form": "五绝", "lines": {3: "____春"}}, {"tones": "off"}),
        ({"form": "五绝", "rhyme": "东", "lines": {2: "____樓"}}, {"rhyme": "尤"}),
        ({"form": "七律", "acrostic": "春夏秋冬"}, {"form": "五绝"}),
        ({"form": "五绝", "acrostic": "春___", "avoid": "春"}, {"avoid": ""}),
    ]:
        with pytest.raises(UsageError):
            POET.write(candidates=2, **wishes)  # type: ignore[arg-type]
        assert POET.write(candidates=2, **(wishes | advice))  # type: ignore[arg-type]


@pytest.mark.parametrize("title", POEMS)
def test_real_poems_can_be_kept_but_for_one_character(title: str) -> None:
    """Whatever is blotted out, the rest collides with nothing."""
    text = POEMS[title]
    for place in range(0, len(text), 3):
        if text[place] not in "，。":
            kept = text[:place] + "□" + text[place + 1 :]
            (poem,) = POET.write(keep=kept, seed=0, candidates=2)
            assert poem.text[:place] + poem.text[place + 1 :] == text[:place] + text[place + 1 :]


def test_a_search_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten rhyme words without repetition of any character: this model has too few."""
    searches = []

    def compose(*arguments: object) -> Iterator[object]:
        searches.append(arguments)
        yield from ()
        return []

    monkeypatch.setattr(composer, "compose", compose)
    with pytest.raises(UsageError, match="found no poem in 4 × 7 drafts"):
        POET.write(form="五绝", candidates=7)
    assert len(searches) == composer.ATTEMPTS
