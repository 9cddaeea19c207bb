from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from tiny_models import tiny_model

from yinshi.corpus.vocabulary import EOS, PAD, SOS, UNK
from yinshi.engine.language_model import LanguageModel
from yinshi.writing import search
from yinshi.writing.constraints import Draft, Rules
from yinshi.writing.sampling import Sampling, log_softmax

FILE = tiny_model()
VOCABULARY = FILE.vocabulary
MODEL = LanguageModel(FILE.weights)
RULES = Rules(VOCABULARY, 24)
PREFIXES = [tuple(VOCABULARY.encode(p).tolist()) for p in ("", "月", "山日，", "風雲雨花。", "無")]


def nats_of(tokens: tuple[int, ...], model: LanguageModel = MODEL) -> np.ndarray:
    inputs = np.array([[SOS, *tokens[:-1]]]).T
    return model.token_nats(inputs, np.array([tokens]).T, np.array([len(tokens)]))[:, 0]


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(1.3, top_k=9), Sampling(1.0, None, 0.8)])
def test_a_poem_depends_on_nothing_else_in_the_batch(sampling: Sampling) -> None:
    starts = PREFIXES * 8
    seeds = list(range(len(starts)))
    together = search.sample(MODEL, RULES, starts, seeds, sampling)
    for start, seed, draft in zip(starts, seeds, together, strict=True):
        (alone,) = search.sample(MODEL, RULES, [start], [seed], sampling)
        assert alone.tokens == draft.tokens
        assert alone.nats == pytest.approx(draft.nats, abs=1e-4)


def test_more_poems_than_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = search.sample(MODEL, RULES, PREFIXES, range(5), Sampling())
    monkeypatch.setattr(search, "BATCH", 2)
    parts = search.sample(MODEL, RULES, PREFIXES, range(5), Sampling())
    assert [draft.tokens for draft in parts] == [draft.tokens for draft in whole]


def test_a_longer_limit_does_not_change_how_a_poem_begins() -> None:
    (short,) = search.sample(MODEL, RULES, [()], [1], Sampling())
    (long,) = search.sample(MODEL, Rules(VOCABULARY, 48), [()], [1], Sampling())
    shared = len([t for t in short.tokens if t != EOS])
    assert long.tokens[:shared] == short.tokens[:shared]


def test_poems_keep_the_rules_and_their_nats_are_the_networks() -> None:
    """Whatever was forced or forbidden, nats are −log p under the whole distribution."""
    drafts = search.sample(MODEL, RULES, PREFIXES * 10, range(50), Sampling(1.5))
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
    drafts = search.greedy(MODEL, RULES, PREFIXES)
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
    (found,) = search.beam(model, rules, [()], width=1000, count=len(expected) + 1)
    assert [draft.tokens for draft in found] == [tokens for _, tokens in expected]
    assert [np.mean(d.nats) for d in found] == pytest.approx([nats for nats, _ in expected])


def test_a_narrow_beam_finds_distinct_poems_best_first() -> None:
    for prefix, drafts in zip(
        PREFIXES, search.beam(MODEL, RULES, PREFIXES, width=5, count=3), strict=True
    ):
        assert len({draft.tokens for draft in drafts}) == 3
        means = [np.mean(draft.nats) for draft in drafts]
        assert means == sorted(means)
        for draft in drafts:
            assert draft.tokens[: len(prefix)] == prefix
            np.testing.assert_allclose(draft.nats, nats_of(draft.tokens), atol=1e-4)


def test_beams_of_several_prefixes_do_not_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    together = search.beam(MODEL, RULES, PREFIXES, width=4, count=2)
    monkeypatch.setattr(search, "BATCH", 1)
    alone = search.beam(MODEL, RULES, PREFIXES, width=4, count=2)
    assert [[d.tokens for d in drafts] for drafts in together] == [
        [d.tokens for d in drafts] for drafts in alone
    ]


def test_a_sentence_that_never_ends_is_broken_off() -> None:
    """The network has no wish for 。: its bias is −100."""
    file = tiny_model("月山。", seed=3)
    file.weights["output.bias"][6] = -100  # type: ignore[index]
    model, rules = LanguageModel(file.weights), Rules(file.vocabulary, 5)
    (drawn,) = search.sample(model, rules, [()], [0], Sampling())
    assert len(drawn.tokens) == rules.longest == 10
    (best,) = search.greedy(model, rules, [()])
    assert len(best.tokens) == 10
    ((first, *_),) = search.beam(model, rules, [()], width=2, count=1)
    assert len(first.tokens) == 10
