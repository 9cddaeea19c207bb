"""Networks that have read a header: what they are told, and that nobody sees its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from regulated_poems import verse_model
from tiny_models import told_model

from yinshi.corpus.header import Headers, Heading
from yinshi.corpus.poem import lines_of
from yinshi.corpus.vocabulary import SOS
from yinshi.engine.language_model import LanguageModel
from yinshi.errors import UsageError
from yinshi.model_file import ModelFile
from yinshi.writing.conditioned import Conditioned, heading_of
from yinshi.writing.poet import Poet
from yinshi.writing.written_poem import WrittenPoem

NAMES = (
    *("dynasty:宋", "dynasty:唐", "lines:4", "lines:8", "length:5", "length:7"),
    *("author:王建:唐", "author:李白:唐", "author:杜甫:唐", "author:王建:宋", "author:黄庭坚:宋"),
    "title",
)


def conditioned_model(names: Sequence[str] = NAMES, love: float = 0.0) -> ModelFile:
    return told_model("".join(verse_model().vocabulary.characters), names, love)


FILE = conditioned_model()
V = len(FILE.vocabulary)
POET = Poet(FILE, "told")
HEADERS = Headers(NAMES, FILE.vocabulary)


def test_the_first_state_has_read_the_header() -> None:
    model = LanguageModel(FILE.weights)
    ids = HEADERS.encode(Heading("唐", (5,) * 4, "李白", "登樓")).ids
    state = model.initial_state(1)
    for token in ids.tolist():
        _, state = model.step(np.array([token]), state)
    told = Conditioned(model.weights, "lstm", V)
    found = told.told(ids).select(np.zeros(3, dtype=np.intp))
    for layer, expected in zip(found.layers, state.layers, strict=True):
        for part, one in zip(layer, expected, strict=True):
            np.testing.assert_array_equal(part, np.repeat(one, 3, axis=0))
    logits, after = told.step(np.full(3, SOS), found)
    expected_logits, expected_after = model.step(np.full(3, SOS), state.select(np.zeros(3, int)))
    np.testing.assert_array_equal(logits, expected_logits[:, :V])
    np.testing.assert_array_equal(after.layers[0][0], expected_after.layers[0][0])
    assert logits.shape == (3, V)


def test_without_a_header_it_begins_at_zero() -> None:
    told = Conditioned(FILE.weights, "lstm", V).told(HEADERS.encode(Heading()).ids)
    assert not any(part.any() for layer in told.layers for part in layer)


@pytest.mark.parametrize(
    "options",
    [
        {"count": 4, "temperature": 5.0},
        {"method": "greedy"},
        {"method": "beam", "beam_width": 4, "count": 2},
        {"form": "五绝"},
        {"rhyme": "off", "tones": "off", "no_repeat": True},
    ],
)
def test_a_token_of_the_header_is_never_written(options: dict[str, Any]) -> None:
    """Even where the network would write nothing else."""
    seed = {} if "method" in options else {"seed": 1}
    poems = Poet(conditioned_model(love=1e4), "lover").write("", style="李白", **seed, **options)
    assert poems
    for poem in poems:
        assert set(poem.text) <= set(FILE.vocabulary.characters)


def test_no_prefix_can_hold_a_token_of_the_header() -> None:
    for character in (chr(0xF0000), chr(V)):
        with pytest.raises(UsageError, match="has never seen"):
            POET.write(character)


def told_to(
    poet: Poet, monkeypatch: pytest.MonkeyPatch, seed: int = 0, **wishes: Any
) -> list[Heading]:
    """The headings that are read while `poet` writes."""
    found: list[Heading] = []
    encode = Headers.encode

    def recorded(self: Headers, heading: Heading) -> Any:
        found.append(heading)
        return encode(self, heading)

    with monkeypatch.context() as patch:
        patch.setattr(Headers, "encode", recorded)
        poet.write(seed=seed, **wishes)
    asked = [heading for heading in found if heading != Heading(title=heading.title)]
    if "form" in wishes or "keep" in wishes or "rhyme" in wishes:
        return asked
    return [replace(heading, lengths=()) for heading in asked]  # a free poem's are the seed's


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        ({}, Heading("唐")),
        ({"dynasty": "宋"}, Heading("宋")),
        ({"style": "黄庭坚"}, Heading("宋", author="黄庭坚")),
        ({"style": "黃庭堅"}, Heading("宋", author="黄庭坚")),
        ({"style": "王建"}, Heading("唐", author="王建")),  # who has more poems
        ({"style": "王建", "dynasty": "宋"}, Heading("宋", author="王建")),
        ({"title": "登鸛雀樓"}, Heading("唐", title="登鸛雀樓")),
        ({"title": "登鹳雀楼"}, Heading("唐", title="登鸛雀樓")),
        ({"form": "七律"}, Heading("唐", (7,) * 8)),
        ({"form": "free"}, Heading("唐", (5,) * 8)),  # whichever the seed chooses
        ({"keep": "白日依山盡，□□入□流。", "tones": "off"}, Heading("唐", (5, 5))),
        (
            {"title": "夜泊", "style": "杜甫", "form": "五绝"},
            Heading("唐", (5,) * 4, "杜甫", "夜泊"),
        ),
    ],
)
def test_what_the_network_is_told(
    wishes: dict[str, Any], expected: Heading, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told_to(POET, monkeypatch, **wishes) == [expected]


def test_of_several_plans_it_is_told_the_one_that_is_searched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shapes = set()
    for seed in range(4):
        (heading,) = told_to(POET, monkeypatch, rhyme="auto", seed=seed)
        (poem,) = POET.write(rhyme="auto", seed=seed)
        assert heading.lengths == tuple(map(len, lines_of(poem.text)))
        shapes.add(heading.lengths)
    assert len(shapes) > 1


def test_what_is_told_changes_the_poem() -> None:
    told = [
        {}, {"style": "李白"}, {"style": "杜甫"}, {"dynasty": "宋"}, {"title": "明月"},
        {"title": "春風"},
    ]  # fmt: skip
    assert len({POET.write(seed=4, **each)[0].text for each in told}) == len(told)
    same = [POET.write(seed=4, title=title, form="五绝")[0].text for title in ("登楼", "登樓")]
    assert same[0] == same[1]


@pytest.mark.parametrize(
    ("wishes", "told"),
    [
        ({"style": "李太白"}, "style '李太白': none of the 5 authors that the model knows; nea"),
        ({"style": "李太白"}, "nearest: 李白"),
        ({"style": "王建國"}, "nearest: 王建"),
        ({"style": "蘇軾"}, "nearest: 王建, 李白, 杜甫"),
        ({"style": "李白", "dynasty": "宋"}, "none of the 2 authors that the model knows of 宋"),
        ({"style": "\udce6"}, "none of the 5 authors"),
        ({"dynasty": "明"}, "dynasty '明': expected 宋 or 唐"),
        ({"title": "abc"}, "title 'abc': found no character that the model knows"),
        ({"title": "\udce6"}, "found no character that the model knows"),
        ({"title": ""}, "title '': found no character"),
    ],
)  # fmt: skip
def test_what_it_does_not_know(wishes: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as raised:
        POET.write(**wishes)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("wish", ["title", "style", "dynasty"])
def test_a_model_without_conditions_says_so(wish: str) -> None:
    alone = "the model was trained on poems alone; take one trained with network.conditions"
    with pytest.raises(UsageError, match=f"{wish} '春': {alone}"):
        Poet(verse_model(), "verse").write(**{wish: "春"})  # type: ignore[arg-type]
    form = Poet(conditioned_model(NAMES[2:6]), "form")
    with pytest.raises(UsageError, match=f"{wish} '春': .* conditions form, without"):
        form.write(**{wish: "春"})  # type: ignore[arg-type]
    assert form.write(form="五绝", seed=0)


def test_a_simplified_model_reads_simplified_titles() -> None:
    headers = Headers(("title",), verse_model().vocabulary)
    assert heading_of(headers, "simplified", title="獨登樓").title == "独登楼"


def test_a_title_stands_above_its_poem() -> None:
    text = "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。"
    poem = WrittenPoem(text, "", 1, 4.5, title="登樓", style="王之渙")
    assert str(poem) == "登樓\n白日依山盡，黃河入海流。\n欲窮千里目，更上一層樓。"
    assert (poem.to_dict()["title"], poem.to_dict()["style"]) == ("登樓", "王之渙")
    (written,) = POET.write(title="登樓", style="李白", seed=1)
    assert (written.title, written.style) == ("登樓", "李白")
    assert str(written).startswith("登樓\n")
