from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import cycle, product

import numpy as np
import pytest
from tiny_models import tiny_model

from yinshi.corpus.vocabulary import EOS, PAD, SOS, UNK
from yinshi.engine.language_model import LanguageModel
from yinshi.writing import search
from yinshi.writing.constraints import Draft, Rules
from yinshi.writing.sampling import Sampling, log_softmax
from yinshi.writing.search import Drawing

FILE = tiny_model()
VOCABULARY = FILE.vocabulary
MODEL = LanguageModel(FILE.weights)
RULES = Rules(VOCABULARY, 24)
START = MODEL.initial_state(1)
PREFIXES = [tuple(VOCABULARY.encode(p).tolist()) for p in ("", "月", "山日，", "風雲雨花。", "無")]


def nats_of(tokens: tuple[int, ...], model: LanguageModel = MODEL) -> np.ndarray:
    inputs = np.array([[SOS, *tokens[:-1]]]).T
    return model.token_nats(inputs, np.array([tokens]).T, np.array([len(tokens)]))[:, 0]


def sample(
    model: LanguageModel,
    rules: Rules,
    prefixes: Sequence[tuple[int, ...]],
    seeds: Iterable[int],
    *samplings: Sampling,
) -> list[Draft]:
    """A poem a prefix, in one batch; the `samplings` in turns."""
    start = model.initial_state(1)
    drawings = [
        Drawing(rules, prefix, start, sampling, seed)
        for prefix, seed, sampling in zip(prefixes, seeds, cycle(samplings), strict=False)
    ]
    return search.drawn(model, drawings)


def test_a_poem_depends_on_nothing_else_in_the_batch() -> None:
    starts = PREFIXES * 8
    seeds = list(range(len(starts)))
    ways = [Sampling(), Sampling(1.3, top_k=9), Sampling(1.0, None, 0.8)]
    together = sample(MODEL, RULES, starts, seeds, *ways)
    for start, seed, sampling, draft in zip(starts, seeds, cycle(ways), together, strict=False):
        assert sample(MODEL, RULES, [start], [seed], sampling) == [draft]
    assert together != sample(MODEL, RULES, starts, seeds, Sampling())


def test_more_poems_than_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sample(MODEL, RULES, PREFIXES, range(5), Sampling())
    monkeypatch.setattr(search, "BATCH", 2)
    assert sample(MODEL, RULES, PREFIXES, range(5), Sampling()) == whole


def test_a_refused_poem_is_drawn_again_with_other_numbers() -> None:
    (first,) = sample(MODEL, RULES, [()], [1], Sampling())
    seen: list[Draft] = []

    def drawing(refusals: int) -> Draft:
        def refused(draft: Draft) -> bool:
            seen.append(draft)
            return len(seen) <= refusals

        seen.clear()
        poem = Drawing(RULES, (), START, Sampling(), 1, refused)
        return search.drawn(MODEL, [poem])[0]

    assert drawing(0) == first
    assert seen == [first]
    assert drawing(2) == seen[2] != first
    assert drawing(99) == seen[-1]
    assert len({draft.tokens for draft in seen}) == search.ATTEMPTS == 5


def test_a_longer_limit_does_not_change_how_a_poem_begins() -> None:
    (short,) = sample(MODEL, RULES, [()], [1], Sampling())
    (long,) = sample(MODEL, Rules(VOCABULARY, 48), [()], [1], Sampling())
    shared = len([t for t in short.tokens if t != EOS])
    assert long.tokens[:shared] == short.tokens[:shared]


def test_poems_keep_the_rules_and_their_nats_are_the_networks() -> None:
    """Whatever was forced or forbidden, nats are −log p under the whole distribution."""
    drafts = sample(MODEL, RULES, PREFIXES * 10, range(50), Sampling(1.5))
    assert len({draft.tokens for draft in drafts}) > 45
    for draft in drafts:
        assert draft.tokens[: len(draft.prefix)] == draft.prefix
        assert not {PAD, SOS, UNK} & set(draft.tokens)
        assert EOS not in draft.tokens[:-1]
        np.testing.assert_allclose(draft.nats, nats_of(draft.tokens), atol=1e-4)
        text = VOCABULARY.decode(t for t in draft.tokens if t != EOS)
        if len(text) >= RULES.longest:  # an untrained network may never end a sentence
            continue
        assert text[-1] in "。？"
        ends = [k for k, c in enumerate(text, start=1) if c in "。？"]
        shorter = [k for k in ends[1:-1] if k > len(draft.prefix)]
        assert len(ends) >= 2
        assert len(text) <= 24 or not shorter  # else it would have been cut back


def test_greedy_takes_the_likeliest_legal_token_each_time() -> None:
    drafts = search.greedy(MODEL, RULES, PREFIXES, START)
    for prefix, found in zip(PREFIXES, drafts, strict=True):
        draft, state = Draft(prefix), MODEL.initial_state(1)
        while (ended := RULES.ended(draft)) is None:
            logits, state = MODEL.step(np.array([draft.last]), state)
            scores = log_softmax(logits)
            RULES.restrict(scores, [draft])
            draft = draft.extended(int(scores.argmax()), 0.0)
        assert found.tokens == ended.tokens


def every_poem(model: LanguageModel, rules: Rules, length: int) -> list[tuple[float, tuple]]:
    """(nats per token, tokens) of all legal poems of up to `length` characters, by falling p."""
    poems = []
    for n in range(1, length + 1):
        for text in product(range(4, 7), repeat=n):
            tokens, draft, legal = (*text, EOS), Draft(()), True
            for token in tokens:
                scores = np.zeros((1, 7))
                rules.restrict(scores, [draft])
                legal &= bool(np.isfinite(scores[0, token])) and (
                    token == EOS or rules.ended(draft) is None
                )
                draft = draft.extended(token, 0.0)
            if legal:
                poems.append((nats_of(tokens, model).mean(), tokens))
    return sorted(poems)


def test_a_beam_wide_enough_finds_the_best_of_all_poems() -> None:
    file = tiny_model("月山。", seed=3)
    model, rules = LanguageModel(file.weights, np.float64), Rules(file.vocabulary, 3)
    expected = every_poem(model, rules, 6)
    assert len(expected) > 30
    (found,) = search.beam(
        model, rules, [()], model.initial_state(1), width=1000, count=len(expected) + 1
    )
    assert [draft.tokens for draft in found] == [tokens for _, tokens in expected]
    assert [np.mean(d.nats) for d in found] == pytest.approx([nats for nats, _ in expected])


def test_a_narrow_beam_finds_distinct_poems_best_first() -> None:
    for prefix, drafts in zip(
        PREFIXES, search.beam(MODEL, RULES, PREFIXES, START, width=5, count=3), strict=True
    ):
        assert len({draft.tokens for draft in drafts}) == 3
        means = [np.mean(draft.nats) for draft in drafts]
        assert means == sorted(means)
        for draft in drafts:
            assert draft.tokens[: len(prefix)] == prefix
            np.testing.assert_allclose(draft.nats, nats_of(draft.tokens), atol=1e-4)


def test_a_sentence_that_never_ends_is_broken_off() -> None:
    """The network has no wish for 。: its bias is −100."""
    file = tiny_model("月山。", seed=3)
    file.weights["output.bias"][6] = -100  # type: ignore[index]
    model, rules = LanguageModel(file.weights), Rules(file.vocabulary, 5)
    (drawn,) = sample(model, rules, [()], [0], Sampling())
    assert len(drawn.tokens) == rules.longest == 10
    (best,) = search.greedy(model, rules, [()], model.initial_state(1))
    assert len(best.tokens) == 10
    ((first, *_),) = search.beam(model, rules, [()], model.initial_state(1), width=2, count=1)
    assert len(first.tokens) == 10
