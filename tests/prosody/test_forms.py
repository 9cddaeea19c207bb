from __future__ import annotations

import pytest

from yinshi.errors import UsageError
from yinshi.prosody.forms import Form, form_named, form_of, patterns

FORMS = ["五绝", "七绝", "五律", "七律", "排律:12", "七排:10"]


@pytest.mark.parametrize(
    ("name", "length", "lines"),
    [
        *[("五绝", 5, 4), ("七絕", 7, 4), ("五律", 5, 8), ("七律", 7, 8)],
        *[("排律:12", 5, 12), ("五排:10", 5, 10), ("七排：20", 7, 20)],
    ],
)
def test_forms_by_name(name: str, length: int, lines: int) -> None:
    form = form_named(name)
    assert (form.length, form.lines, form.is_regulated) == (length, lines, True)
    assert form == form_of(length, lines)


@pytest.mark.parametrize(
    "name", ["六绝", "", "排律", "排律:8", "排律:11", "排律:x", "五律:8", "排律:-10", "宋词"]
)
def test_no_such_form(name: str) -> None:
    with pytest.raises(UsageError, match="expected 五绝"):
        form_named(name)


@pytest.mark.parametrize(("length", "lines"), [(5, 2), (5, 6), (6, 4), (4, 4), (7, 9), (3, 12)])
def test_shapes_that_no_form_has(length: int, lines: int) -> None:
    assert form_of(length, lines) is None


#: The sixteen patterns as the handbooks print them (王力, 漢語詩律學), free places apart.
HANDBOOK = {
    ("五绝", "仄起首句不入韻"): "仄仄平平仄 平平仄仄平 平平平仄仄 仄仄仄平平",
    ("五绝", "仄起首句入韻"): "仄仄仄平平 平平仄仄平 平平平仄仄 仄仄仄平平",
    ("五绝", "平起首句不入韻"): "平平平仄仄 仄仄仄平平 仄仄平平仄 平平仄仄平",
    ("五绝", "平起首句入韻"): "平平仄仄平 仄仄仄平平 仄仄平平仄 平平仄仄平",
    ("七绝", "平起首句入韻"): "平平仄仄仄平平 仄仄平平仄仄平 仄仄平平平仄仄 平平仄仄仄平平",
    ("七绝", "仄起首句入韻"): "仄仄平平仄仄平 平平仄仄仄平平 平平仄仄平平仄 仄仄平平仄仄平",
    ("七绝", "仄起首句不入韻"): "仄仄平平平仄仄 平平仄仄仄平平 平平仄仄平平仄 仄仄平平仄仄平",
    ("七绝", "平起首句不入韻"): "平平仄仄平平仄 仄仄平平仄仄平 仄仄平平平仄仄 平平仄仄仄平平",
}


@pytest.mark.parametrize(("form", "name"), HANDBOOK)
def test_patterns_are_those_of_the_handbooks(form: str, name: str) -> None:
    (pattern,) = [p for p in patterns(form_named(form)) if p.name == name]
    book = HANDBOOK[form, name].split()
    for line, model in zip(pattern.lines, book, strict=True):
        assert all(t in ("中", wanted) for t, wanted in zip(line, model, strict=True))
        assert "中" not in line[1::2] + line[-1]
    assert pattern.rhymed == tuple(model.endswith("平") for model in book)


@pytest.mark.parametrize("form", FORMS)
def test_there_are_four_patterns(form: str) -> None:
    found = patterns(form_named(form))
    assert len({p.name for p in found}) == len({p.kinds for p in found}) == 4
    for pattern in found:
        assert len(pattern.lines) == len(pattern.rhymed) == pattern.form.lines
        assert all(pattern.rhymed[1::2])
        assert not any(pattern.rhymed[2::2])


@pytest.mark.parametrize("form", FORMS)
def test_couplets_are_opposed_and_joined(form: str) -> None:
    for pattern in patterns(form_named(form)):
        second = [line[1] for line in pattern.lines]
        assert all(second[i] != second[i + 1] for i in range(0, len(second), 2))
        assert all(second[i] == second[i + 1] for i in range(1, len(second) - 1, 2))


@pytest.mark.parametrize("form", FORMS)
def test_loose_accepts_all_that_strict_does(form: str) -> None:
    for pattern in patterns(form_named(form)):
        both = zip(pattern.alternatives("strict"), pattern.alternatives("loose"), strict=True)
        assert all(set(strict) <= set(loose) for strict, loose in both)


def test_what_is_clean_for_a_line() -> None:
    (pattern,) = [p for p in patterns(form_named("七绝")) if p.kinds == "aBbA"]
    a, upper_b, b, upper_a = pattern.alternatives("strict")
    assert a == ("中平中仄平平仄", "中平中仄仄平仄")
    assert upper_b == ("中仄平平中仄平", "中仄仄平平仄平")
    assert b == ("中仄中平平仄仄", "中仄中平仄仄仄", "中仄平平仄平仄")
    assert upper_a == ("中平中仄仄平平",)
    assert pattern.alternatives("loose")[3] == (*upper_a, "中平中仄平平平")


def test_forms_are_values() -> None:
    assert Form("五绝", 5, 4) == form_named("五绝")
    assert patterns(form_named("五绝")) is patterns(Form("五绝", 5, 4))
