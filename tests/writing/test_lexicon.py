from __future__ import annotations

from yinshi.corpus.vocabulary import Vocabulary
from yinshi.prosody.readings import RHYMES
from yinshi.writing.lexicon import Lexicon

VOCABULARY = Vocabulary("，。？月山看发")
LEXICON = Lexicon(VOCABULARY, "traditional")


def rhymes_of(lexicon: Lexicon, character: str) -> set[str]:
    row = lexicon.rhymes[lexicon.vocabulary.id(character)]
    return {rhyme for rhyme, has in zip(RHYMES, row, strict=True) if has}


def test_tones_and_rhymes_of_tokens() -> None:
    """月 is 入聲 of 月, 山 平 of 刪; 看 is both 平 of 寒 and 去 of 翰."""
    moon, hill, look = VOCABULARY.encode("月山看")
    assert LEXICON.level[[moon, hill, look]].tolist() == [False, True, True]
    assert LEXICON.oblique[[moon, hill, look]].tolist() == [True, False, True]
    assert [rhymes_of(LEXICON, c) for c in "月山看"] == [{"月"}, {"刪"}, {"寒", "翰"}]


def test_specials_and_marks_are_no_characters() -> None:
    assert LEXICON.is_character.tolist() == [False] * 7 + [True] * 4
    assert not LEXICON.level[:4].any()
    assert not LEXICON.rhymes[:7].any()


def test_marks() -> None:
    assert VOCABULARY.decode(LEXICON.marks(ends_sentence=False)) == "，"
    assert VOCABULARY.decode(LEXICON.marks(ends_sentence=True)) == "。？"
    assert Lexicon(Vocabulary("月山"), "traditional").marks(ends_sentence=True) == ()


def test_simplified_characters_are_what_they_stand_for() -> None:
    """发 is 發 (月) and 髮 (月): both 入聲."""
    simplified = Lexicon(VOCABULARY, "simplified")
    assert rhymes_of(simplified, "发") == {"月"}
