from __future__ import annotations

import pytest

from yinshi.prosody.forms import form_named, patterns
from yinshi.prosody.meter import Departure, departures, fits, follow, line_departures, template


@pytest.mark.parametrize(
    ("tones", "wanted", "expected"),
    [
        ("平仄", "平仄", True),
        ("平仄", "中中", True),
        ("中中", "平仄", True),
        ("平平", "平仄", False),
    ],
)
def test_fits(tones: str, wanted: str, expected: bool) -> None:
    assert fits(tones, wanted) is expected


@pytest.mark.parametrize(
    ("kind", "tones", "expected"),
    [
        ("a", "平仄平平仄", []),
        ("a", "仄仄仄平仄", [("半拗", 3, "note")]),
        ("a", "仄仄仄仄仄", [("大拗", 4, "fault")]),
        ("A", "平仄仄平平", []),
        ("A", "仄仄平平平", [("三平尾", 3, "minor")]),
        ("b", "仄平平仄仄", []),
        ("b", "平平仄仄仄", [("三仄尾", 3, "note")]),
        ("b", "平平仄平仄", [("拗救", 3, "note")]),
        ("b", "仄平仄平仄", [("拗", 1, "minor")]),
        ("b", "平平平平仄", [("失律", 4, "fault")]),
        ("B", "平平平仄平", []),
        ("B", "仄平平仄平", [("拗救", 3, "note")]),
        ("B", "仄平仄仄平", [("孤平", 1, "minor")]),
        ("B", "平仄仄仄平", [("失律", 2, "fault")]),
        ("B", "平仄仄平仄", [("失律", 2, "fault"), ("失律", 4, "fault"), ("失律", 5, "fault")]),
        ("b", "平仄平平仄平仄", [("拗救", 5, "note")]),
        ("B", "平仄仄平仄仄平", [("孤平", 3, "minor")]),
        ("B", "平平仄平平仄平", [("失律", 2, "fault"), ("拗救", 5, "note")]),
    ],
)
def test_departures_of_a_line(kind: str, tones: str, expected: list[tuple[str, int, str]]) -> None:
    found = line_departures(tones, kind)
    assert [(d.name, d.position, d.severity) for d in found] == expected


def test_a_character_of_two_tones_departs_from_nothing() -> None:
    for kind in "aAbB":
        assert line_departures("中中中中中", kind) == ()


def test_the_template_is_what_the_line_follows() -> None:
    assert template("平平仄平仄", "b") == "平平仄平仄"
    assert template("平平平仄仄", "b") == "中平平仄仄"
    assert template("平平平平平", "b") == "中平平仄仄"


@pytest.mark.parametrize("form", ["五绝", "七律", "排律:24"])
def test_lines_in_a_pattern_follow_it(form: str) -> None:
    for pattern in patterns(form_named(form)):
        lines = [line.replace("中", "仄") for line in pattern.lines]
        lines = [tones.replace("仄平仄仄平", "平平仄仄平") for tones in lines]
        kinds = follow(lines, first_may_rhyme=True)
        assert kinds == pattern.kinds
        assert [d for d in departures(lines, kinds) if d.severity == "fault"] == []


def test_one_wrong_tone_is_one_departure() -> None:
    lines = ["仄仄平平仄", "平平仄仄平", "平仄平仄仄", "仄仄仄平平"]
    assert departures(lines, follow(lines, True)) == [
        Departure("失律", 2, 2, "平 is due here", "fault")
    ]


def test_lines_not_opposed_and_couplets_not_joined() -> None:
    lines = ["仄仄平平仄", "仄仄仄平平", "平平平仄仄", "平平仄仄平"]
    found = departures(lines, follow(lines, True))
    assert [(d.name, d.line, d.severity) for d in found] == [
        ("失對", 1, "fault"),
        ("失粘", 2, "minor"),
        ("失對", 3, "fault"),
    ]


def test_the_next_line_rescues() -> None:
    lines = ["仄仄平仄仄", "平平平仄平", "平平平仄仄", "仄仄仄平平"]
    assert [(d.name, d.severity) for d in departures(lines, "aBbA")] == [("大拗", "note")]
    lines[1] = "平平仄仄平"
    assert [(d.name, d.severity) for d in departures(lines, "aBbA")] == [("大拗", "fault")]


def test_a_first_line_that_does_not_rhyme_has_to_end_obliquely() -> None:
    lines = ["平平仄仄平", "仄仄仄平平", "仄仄平平仄", "平平仄仄平"]
    assert follow(lines, first_may_rhyme=True) == "BAaB"
    kinds = follow(lines, first_may_rhyme=False)
    assert kinds == "bAaB"
    assert departures(lines, kinds)[-1].position == 5
