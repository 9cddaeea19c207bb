"""Poems keep clear of the lines they were trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from regulated_poems import verse_model

from yinshi.corpus.poem import lines_of
from yinshi.writing.novelty import NoveltyIndex
from yinshi.writing.poet import Poet
from yinshi.writing.quotes import QUOTATION, Quotes

MODEL = verse_model()
KNOWN = ["白日依山盡，黃河入海流。", "欲窮千里目，更上一層樓。"]
INDEX = NoveltyIndex.from_texts(KNOWN)


def test_lines_are_counted_but_for_the_users_own() -> None:
    quotes = Quotes(INDEX, MODEL.vocabulary)
    poems = [KNOWN[0], "白日依山盡，明月入海流。", "欲窮千里目，欲窮千里目。", ""]
    assert quotes.count(poems).tolist() == [2, 1, 2, 0]
    assert quotes.count(poems, given="白日依山盡，").tolist() == [1, 0, 2, 0]


def test_a_quotation_costs_more_than_any_line() -> None:
    quotes = Quotes(INDEX, MODEL.vocabulary)
    drafts = np.array([MODEL.vocabulary.encode(text) for text in (KNOWN[0], KNOWN[0][::-1])])
    assert quotes.penalty(drafts).tolist() == [2 * QUOTATION, 0]


@pytest.mark.parametrize("wishes", [{}, {"form": "五绝"}])
def test_poems_that_would_quote_do_not(wishes: dict[str, str]) -> None:
    """Everything that a first poet writes is known to a second one, who writes other lines."""
    first = Poet(MODEL, "first").write(count=6, seed=0, **wishes)  # type: ignore[arg-type]
    index = NoveltyIndex.from_texts([poem.text for poem in first])
    second = Poet(replace(MODEL, novelty=index.to_arrays()), "second")
    again = second.write(count=6, seed=0, allow_quotes=True, **wishes)  # type: ignore[arg-type]
    assert [poem.text for poem in again] == [poem.text for poem in first]
    assert all(poem.known_span for poem in again)
    other = second.write(count=6, seed=0, **wishes)  # type: ignore[arg-type]
    lines = [line for poem in other for line in lines_of(poem.text) if len(line) >= 5]
    assert not index.known(lines).any()
