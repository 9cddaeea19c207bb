"""The tracks let through exactly what the scan calls clean."""

from __future__ import annotations

import numpy as np
import pytest
from regulated_poems import POEMS, verse_model

from yinshi.corpus.poem import lines_of
from yinshi.prosody.forms import form_of
from yinshi.prosody.scan import scan
from yinshi.writing.lexicon import Lexicon
from yinshi.writing.plan import Demands, Plan, plan
from yinshi.writing.sheet import Sheet
from yinshi.writing.tracks import Tracks

VOCABULARY = verse_model().vocabulary
LEXICON = Lexicon(VOCABULARY, "traditional")


def plan_of(lines: list[str], rhyme: str = "auto", tones: str = "strict") -> Plan:
    form = form_of(len(lines[0]), len(lines))
    assert form
    lengths = (form.length,) * form.lines
    marks = tuple(LEXICON.marks(bool(i % 2)) for i in range(form.lines))
    demands = Demands(tones, rhyme, (), False)  # type: ignore[arg-type]
    return plan(Sheet(form.name, form, lengths, marks), LEXICON, demands)


def first_refused(lines: list[str], plan: Plan) -> tuple[int, int] | None:
    """(line, position) at which the tracks don't let the poem on."""
    tracks = Tracks(plan, 1)
    for i, line in enumerate(lines):
        tracks.begin(i)
        for j, character in enumerate(line):
            token = VOCABULARY.id(character)
            if not tracks.allowed(i, j)[0, token]:
                return i, j
            tracks.write(i, j, np.array([token]))
    return None


def with_character(lines: list[str], line: int, position: int, character: str) -> list[str]:
    changed = lines[line][:position] + character + lines[line][position + 1 :]
    return [*lines[:line], changed, *lines[line + 1 :]]


@pytest.mark.parametrize("title", POEMS)
def test_real_poems_pass(title: str) -> None:
    lines = lines_of(POEMS[title])
    assert scan(POEMS[title]).is_clean()
    assert first_refused(lines, plan_of(lines)) is None


@pytest.mark.parametrize("title", POEMS)
def test_what_passes_is_clean_and_what_does_not_is_not(title: str) -> None:
    """Each character in turn is replaced by one of the other tone."""
    lines = lines_of(POEMS[title])
    own = plan_of(lines)
    passed = refused = 0
    for i, line in enumerate(lines):
        for j, character in enumerate(line):
            is_level = LEXICON.level[VOCABULARY.id(character)]
            other = with_character(lines, i, j, "月" if is_level else "蓮")
            is_clean = scan(
                "".join(line + "，。"[k % 2] for k, line in enumerate(other))
            ).is_clean()
            passes = first_refused(other, own) is None
            # The scan accepts a little more: 大拗 that the next line rescues.
            assert is_clean or not passes
            passed, refused = passed + passes, refused + (not passes)
    assert passed
    assert refused > passed


def test_a_rhyme_word_rhymes_and_is_new() -> None:
    lines = lines_of(POEMS["登鸛雀樓"])
    own = plan_of(lines)
    assert first_refused(with_character(lines, 3, 4, "流"), own) == (3, 4)  # 重韻
    assert first_refused(with_character(lines, 3, 4, "風"), own) == (3, 4)  # 出韻
    assert first_refused(with_character(lines, 3, 4, "舟"), own) is None
    assert first_refused(lines, plan_of(lines, rhyme="東")) == (1, 4)
    assert first_refused(lines, plan_of(lines, rhyme="尤")) is None
    assert first_refused(with_character(lines, 3, 4, "風"), plan_of(lines, rhyme="off")) is None


def test_a_rhymed_first_line_binds_the_others() -> None:
    lines = lines_of(POEMS["楓橋夜泊"])  # 天 眠 船
    own = plan_of(lines)
    assert first_refused(with_character(lines, 0, 6, "風"), own) == (1, 6)
    assert first_refused(with_character(lines, 1, 6, "天"), own) == (1, 6)


def test_drafts_do_not_mix() -> None:
    """Two poems of one form in one batch, of which the rows are swapped on the way."""
    first, second = lines_of(POEMS["春望"]), lines_of(POEMS["山居秋暝"])
    own = plan_of(first)
    tracks, order = Tracks(own, 2), [first, second]
    for i in range(8):
        tracks.begin(i)
        for j in range(5):
            tokens = np.array([VOCABULARY.id(lines[i][j]) for lines in order])
            assert tracks.allowed(i, j)[[0, 1], tokens].all()
            tracks.select(np.array([1, 0]))
            order.reverse()
            tracks.write(i, j, tokens[::-1])
    tracks.select(np.array([0, 0, 1]))


def test_off_tones_allow_every_tone_and_every_rhyme() -> None:
    free = plan_of(lines_of(POEMS["春望"]), tones="off")
    oblique = ["白日山月月", "黃河入海目", "春春春春春", "月月月月竹"] * 2  # 屋
    assert first_refused(oblique, free) == (5, 4)  # the same rhyme words again
    assert (
        first_refused(with_character(oblique[:4], 3, 4, "木"), plan_of(oblique[:4], tones="off"))
        is None
    )
    assert first_refused(lines_of(POEMS["春望"]), free) is None
