"""The pattern and the rhyme that a network is told: of those left open one, by the seed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from regulated_poems import verse_model
from tiny_models import told_model

from yinshi.corpus.header import Headers, Heading
from yinshi.writing.poet import Poet
from yinshi.writing.telling import told_freely, with_pattern, with_rhyme

NAMES = (
    *("pattern:古體", "pattern:平起首句入韻", "pattern:仄起首句入韻", "pattern:平起首句不入韻"),
    *("rhyme:真", "rhyme:東", "rhyme:尤"),
)
FILE = told_model("".join(verse_model().vocabulary.characters), NAMES)
POET = Poet(FILE, "told")
HEADERS = Headers(NAMES, FILE.vocabulary)
UNTOLD = Headers((), FILE.vocabulary)


def test_the_more_frequent_rhyme_is_the_likelier() -> None:
    """Shares of 9, 4 and 1 in 14."""
    rng, N = np.random.default_rng(0), 4000
    drawn = Counter(
        with_rhyme(Heading("唐"), HEADERS, HEADERS.told("rhyme"), rng).rhyme for _ in range(N)
    )
    assert set(drawn) == {"真", "東", "尤"}
    for rhyme, share in (("真", 9 / 14), ("東", 4 / 14), ("尤", 1 / 14)):
        assert drawn[rhyme] / N == pytest.approx(share, abs=4 * 0.5 / N**0.5)


def test_only_what_fits_and_is_known() -> None:
    rng, heading = np.random.default_rng(0), Heading("唐", title="月")
    assert {with_rhyme(heading, HEADERS, {"尤", "江"}, rng).rhyme for _ in range(20)} == {"尤"}
    assert with_rhyme(heading, HEADERS, {"江"}, rng) == heading
    assert with_rhyme(heading, UNTOLD, {"尤"}, rng) == heading
    both = {"仄起首句入韻", "平起首句入韻", "仄起首句不入韻"}  # the last is not known
    drawn = {with_pattern(heading, HEADERS, both, rng).pattern for _ in range(40)}
    assert drawn == {"仄起首句入韻", "平起首句入韻"}
    assert with_pattern(heading, UNTOLD, both, rng) == heading
    assert with_pattern(heading, HEADERS, [""], rng) == heading


def told(seed: int, prefix: str = "", max_length: int = 64) -> Heading:
    return told_freely(Heading("唐"), HEADERS, seed, prefix, max_length)


def test_a_free_poem_has_form_pattern_and_rhyme_of_its_seed_and_prefix() -> None:
    found = [told(seed) for seed in range(60)]
    assert {heading.rhyme for heading in found} == {"真", "東", "尤"}
    assert {heading.pattern for heading in found} == {
        *("平起首句入韻", "仄起首句入韻", "平起首句不入韻")
    }
    assert {heading.lengths for heading in found} == {(5,) * 4, (7,) * 4, (5,) * 8, (7,) * 8}
    assert found == [told(seed) for seed in range(60)]
    assert found != [told(seed, "月") for seed in range(60)]


@pytest.mark.parametrize(
    ("prefix", "max_length", "lengths"),
    [
        ("", 24, {(5,) * 4}),  # 24 = 4 × 6, with the marks
        ("", 48, {(5,) * 4, (7,) * 4, (5,) * 8}),
        ("", 23, {()}),
        ("白日依山盡", 64, {(5,) * 4, (7,) * 4, (5,) * 8, (7,) * 8}),
        ("白日依山盡兮", 64, {(7,) * 4, (7,) * 8}),
        ("白日依山盡，", 64, {()}),
        ("白日依山盡，黃河", 64, {()}),
        ("白日依山盡黃河入海", 64, {()}),
    ],
)
def test_the_form_told_fits_beginning_and_length(
    prefix: str, max_length: int, lengths: set[tuple[int, ...]]
) -> None:
    found = [told(seed, prefix, max_length) for seed in range(60)]
    assert {heading.lengths for heading in found} == lengths
    assert all(bool(heading.rhyme) is bool(heading.lengths) for heading in found)


@pytest.mark.parametrize(
    ("wishes", "has_pattern", "rhymes"),
    [
        ({}, True, {"真", "東", "尤"}),
        ({"form": "五绝"}, True, {"真", "東", "尤"}),
        ({"form": "五绝", "rhyme": "东"}, True, {"東"}),
        ({"form": "五绝", "rhyme": "off"}, True, {""}),
        ({"form": "五绝", "tones": "off", "rhyme": "off"}, False, {""}),
        ({"form": "五绝", "tones": "off", "rhyme": "尤"}, False, {"尤"}),
        ({"lines": {2: "____流"}, "form": "五绝"}, True, {"尤"}),
        ({"prefixes": "白日依山盡，黃河入海流。"}, False, {""}),  # has one already
        ({"method": "greedy"}, False, {""}),
    ],
)
def test_what_wishes_leave_open(
    wishes: dict[str, Any], has_pattern: bool, rhymes: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Heading] = []
    encode = Headers.encode

    def recorded(self: Headers, heading: Heading) -> Any:
        found.append(heading)
        return encode(self, heading)

    monkeypatch.setattr(Headers, "encode", recorded)
    if "method" in wishes:
        POET.write(**wishes)
    else:
        POET.write(**wishes, count=12, seed=0, **({"candidates": 8} if "form" in wishes else {}))
    drawn = {heading.rhyme for heading in found}
    assert drawn <= rhymes
    assert len(drawn) >= min(len(rhymes), 2)
    assert all(bool(heading.pattern) is has_pattern for heading in found)
    assert not any(heading.pattern == "古體" for heading in found)
