"""Poems that are stepped together are, to the last bit, what they are alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from regulated_poems import verse_model
from tiny_models import told_model

from yinshi.corpus.vocabulary import SOS
from yinshi.errors import UnknownCharacterError, UsageError
from yinshi.writing import composer, search
from yinshi.writing.novelty import NoveltyIndex
from yinshi.writing.poet import Poet
from yinshi.writing.together import Writing, step_together
from yinshi.writing.written_poem import WrittenPoem

VERSE = verse_model()
POET = Poet(VERSE, "verse")
TOLD = Poet(told_model("".join(VERSE.vocabulary.characters)), "told")

#: (poet, what is asked of it): free poems and wishes of two models, in any order.
MIX: list[tuple[Poet, dict[str, Any]]] = [
    (POET, {"prefix": "月"}),
    (POET, {"form": "五绝", "candidates": 8}),
    (POET, {"temperature": 1.3, "top_k": 9, "script": "simplified"}),
    (TOLD, {"title": "登樓", "style": "李白", "temperature": 0.9}),
    (POET, {"prefix": "白日", "top_p": 0.8, "max_length": 24}),
    (TOLD, {"form": "七绝", "rhyme": "东", "candidates": 16, "dynasty": "宋"}),
    (POET, {"acrostic": "春風明月", "form": "五绝", "candidates": 5, "tones": "loose"}),
    (TOLD, {"title": "明月", "max_length": 40}),
    (POET, {"keep": "白日依山盡，□□□□□。", "tones": "off", "candidates": 3}),
    (POET, {"temperature": 2.0}),
]


def begun(seed: int, mix: Sequence[tuple[Poet, dict[str, Any]]] = MIX) -> list[Writing]:
    return [poet.begin(seed=seed + k, **asked) for k, (poet, asked) in enumerate(mix)]


def written(writings: Sequence[Writing]) -> list[WrittenPoem]:
    while any(writing.poem is None for writing in writings):
        step_together(writings)
    return [writing.poem for writing in writings if writing.poem]


def alone(seed: int) -> list[WrittenPoem]:
    """The poems of `begun(seed)` as `write` has them."""
    poems = []
    for k, (poet, asked) in enumerate(MIX):
        options = {name: value for name, value in asked.items() if name != "prefix"}
        poems += poet.write(asked.get("prefix", ""), seed=seed + k, **options)
    return poems


def test_together_they_are_what_they_are_alone() -> None:
    for seed in range(0, 60, 10):
        assert written(begun(seed)) == alone(seed)


def test_another_seed_is_another_poem() -> None:
    free = [poem.text for poem in written(begun(0))]
    assert not set(free) & {poem.text for poem in written(begun(100))}


def test_it_does_not_matter_who_comes_and_goes() -> None:
    """Some begin later, and half of them are dropped on the way."""
    expected = alone(20)
    writings = begun(20)
    going = writings[:4]
    for _ in range(5):
        step_together(going)
    going = writings[::2] + writings[1:4:2]
    step_together(going)
    kept = writings[::2]
    assert written(kept) == expected[::2]
    for dropped in writings[1::2]:
        assert dropped.poem is None
    assert written(writings[::-1]) == expected[::-1]


def test_a_long_run_of_free_poems_of_the_shipped_model() -> None:
    """Two thousand characters and more; `write` in one go, one by one, and in another order."""
    poet = Poet.load()
    many = poet.write(["", "月"], count=40, seed=3, temperature=0.9)
    assert sum(len(poem.text) for poem in many) > 2000
    for poem in many[::5]:
        assert poet.write(poem.prefix, seed=poem.seed, temperature=0.9) == [poem]
    others = [poet.begin(each.prefix, seed=each.seed, temperature=0.9) for each in many[:40:3]]
    mixed = [*others[::-1], *(poet.begin(seed=s, temperature=5.0) for s in range(3))]
    assert written(mixed)[: len(others)] == many[:40:3][::-1]


def test_rows_of_a_step_are_the_same_to_the_last_bit() -> None:
    model = Poet.load()._model
    rng = np.random.default_rng(0)
    state = model.initial_state(37)
    tokens = np.full(37, SOS)
    for _ in range(3):
        logits, after = model.step_apart(tokens, state)
        for row in (0, 1, 17, 36):
            one, one_after = model.step(tokens[row : row + 1], state.select(np.array([row])))
            np.testing.assert_array_equal(one, logits[row : row + 1])
            np.testing.assert_array_equal(one_after.layers[0][1], after.layers[0][1][row : row + 1])
        tokens, state = rng.integers(4, 6000, 37), after


def test_poems_that_quote_are_drawn_again_within() -> None:
    first = POET.write(count=6, seed=0)
    index = NoveltyIndex.from_texts([poem.text for poem in first[::2]])
    poet = Poet(replace(VERSE, novelty=index.to_arrays()), "second")
    expected = poet.write(count=6, seed=0)
    assert [a.text == b.text for a, b in zip(first, expected, strict=True)] == [False, True] * 3
    writings = [poet.begin(seed=seed) for seed in range(6)]
    shares = []
    while any(writing.poem is None for writing in writings):
        step_together(writings)
        shares.append([writing.progress for writing in writings])
    assert [writing.poem for writing in writings] == expected
    assert (np.diff(shares, axis=0) >= 0).all()


def test_progress_and_text() -> None:
    for writing in begun(5):
        assert (writing.progress, writing.text, writing.poem) == (0, "", None)
        seen = [0.0]
        while not writing.is_done:
            assert seen[-1] < 1
            step_together([writing])
            seen.append(writing.progress)
            if writing.poem is None:
                assert len(writing.text) == len(seen) - 1
        assert seen == sorted(seen)
        assert seen[-1] == 1
        assert len(set(seen)) > len(seen) / 2
        assert writing.poem is not None
        assert writing.text == writing.poem.text
        step_together([writing])
        assert writing.text == writing.poem.text


def test_the_draft_is_in_the_script_that_was_asked_for() -> None:
    own, other = (POET.begin("無邊", seed=1, script=s) for s in (None, "simplified"))  # type: ignore[arg-type]
    for _ in range(2):
        step_together([own, other])
    assert (own.text, other.text) == ("無邊", "无边")


def test_a_seed_at_random_is_told() -> None:
    (poem,) = written([POET.begin("月")])
    assert poem.seed is not None
    assert POET.write("月", seed=poem.seed) == [poem]


def test_a_search_that_finds_none_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def compose(*arguments: object) -> Iterator[object]:
        yield from ()
        return []

    free, other = POET.begin(seed=0), POET.begin(seed=1)
    monkeypatch.setattr(composer, "compose", compose)
    none = POET.begin(form="五绝", candidates=7)
    step_together([free, none, other])
    assert "found no poem in 4 × 7 drafts" in str(none.error)
    assert (none.poem, none.progress, none.is_done) == (None, 1, True)
    step_together([free, none, other])
    assert len(free.text) == len(other.text) == 2


@pytest.mark.parametrize(
    "asked",
    [
        {"prefix": "犬"},
        {"prefix": "月" * 70},
        {"seed": -1},
        {"temperature": 0},
        {"top_k": 0},
        {"script": "latin"},
        {"candidates": 3},
        {"candidates": 0, "form": "五绝"},
        {"form": "六绝"},
        {"form": "五绝", "lines": {3: "____春"}},
        {"form": "五绝", "rhyme": "东", "acrostic": "春夏秋冬", "acrostic_at": "end"},
        {"style": "李白"},
        {"tones": "some"},
    ],
)
def test_what_can_not_be_met_is_told_at_once_as_write_tells_it(asked: dict[str, Any]) -> None:
    options = {name: value for name, value in asked.items() if name != "prefix"}
    with pytest.raises(UsageError) as expected:
        POET.write(asked.get("prefix", ""), **options)
    with pytest.raises(type(expected.value)) as raised:
        POET.begin(**asked)
    assert str(raised.value) == str(expected.value)
    assert isinstance(raised.value, UnknownCharacterError) == (asked.get("prefix") == "犬")


def test_more_free_poems_than_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = POET.write(count=7, seed=0)
    monkeypatch.setattr("yinshi.writing.together.BATCH", 3)
    assert POET.write(count=7, seed=0) == expected
    assert written([POET.begin(seed=seed) for seed in range(7)]) == expected
    assert search.BATCH > 64
