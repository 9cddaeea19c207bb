from __future__ import annotations

import pytest

from yinshi.corpus.poem import OTHER_FORM, Poem, form_of, lines_of

DENG_GUAN_QUE_LOU = "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。"
FIVE, SEVEN = "白日依山盡", "朝辭白帝彩雲間"


def test_lines_of_leaves_punctuation_out() -> None:
    assert lines_of("白日依山盡，黃河入海流。") == ["白日依山盡", "黃河入海流"]
    assert lines_of("君不見！黃河之水？天上來") == ["君不見", "黃河之水", "天上來"]
    assert lines_of("，。") == []


@pytest.mark.parametrize(
    ("line", "lines", "form"),
    [
        (FIVE, 4, "五绝"),
        (SEVEN, 4, "七绝"),
        (FIVE, 8, "五律"),
        (SEVEN, 8, "七律"),
        (FIVE, 6, OTHER_FORM),
        (FIVE, 12, OTHER_FORM),
        ("明月出天", 4, OTHER_FORM),
    ],
)
def test_form_is_told_by_lines_and_their_length(line: str, lines: int, form: str) -> None:
    assert form_of((line + "，") * lines) == form


def test_form_of_uneven_lines_is_other() -> None:
    assert form_of("白日依山盡，黃河入海流。欲窮千里目，更上一層。") == OTHER_FORM
    assert form_of("") == OTHER_FORM


def test_poem_knows_its_form() -> None:
    assert Poem("登鸛雀樓", "王之渙", DENG_GUAN_QUE_LOU, "test").form == "五绝"
