from __future__ import annotations

import numpy as np
import pytest
from regulated_poems import verse_model
from searching import outcome

from yinshi.corpus.vocabulary import EOS, SOS
from yinshi.engine.language_model import LanguageModel
from yinshi.prosody.forms import form_named
from yinshi.writing import particles
from yinshi.writing.lexicon import Lexicon
from yinshi.writing.particles import compose
from yinshi.writing.plan import Demands, Plan, plan
from yinshi.writing.sampling import Sampling
from yinshi.writing.sheet import Lock, Sheet

FILE = verse_model()
VOCABULARY = FILE.vocabulary
MODEL = LanguageModel(FILE.weights)
LEXICON = Lexicon(VOCABULARY, "traditional")


def plan_of(name: str = "五绝", locks: tuple[Lock, ...] = (), **demands: object) -> Plan:
    form = form_named(name)
    marks = tuple(LEXICON.marks(bool(i % 2)) for i in range(form.lines))
    sheet = Sheet(form.name, form, (form.length,) * form.lines, marks, locks)
    asked = {"tones": "strict", "rhyme": "auto", "avoid": (), "no_repeat": False} | demands
    return plan(sheet, LEXICON, Demands(**asked))  # type: ignore[arg-type]


def drafts_of(plan: Plan, seed: int = 0, count: int = 32, **options: object):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    return outcome(compose(MODEL, plan, rng, Sampling(), count, **options))  # type: ignore[arg-type]


def nats_of(tokens: tuple[int, ...]) -> np.ndarray:
    inputs = np.array([[SOS, *tokens[:-1]]]).T
    return MODEL.token_nats(inputs, np.array([tokens]).T, np.array([len(tokens)]))[:, 0]


def repetitions(tokens: tuple[int, ...]) -> int:
    """Characters that stood before, and not right before."""
    text = [t for t in tokens if t not in (*VOCABULARY.encode("，。"), EOS)]
    places = [k for k, t in enumerate(tokens) if t in text]
    return sum(tokens[k] in tokens[: k - 1] if k else False for k in places)


def test_nats_are_the_networks_and_the_best_comes_first() -> None:
    for name in ("五绝", "七律"):
        drafts = drafts_of(plan_of(name))
        costs = []
        for draft in drafts:
            assert draft.tokens[-1] == EOS
            np.testing.assert_allclose(draft.nats, nats_of(draft.tokens), atol=1e-4)
            penalty = particles.REPETITION * repetitions(draft.tokens)
            costs.append(sum(draft.nats) + penalty)
        assert costs == pytest.approx(sorted(costs), abs=1e-3)
        assert len({draft.tokens for draft in drafts}) == len(drafts)


def test_one_draft_without_anything_open_is_the_text_itself() -> None:
    text = "白日依山盡黃河入海流欲窮千里目更上一層樓"
    locks = tuple(Lock(k // 5, k % 5, c, "keep", (VOCABULARY.id(c),)) for k, c in enumerate(text))
    (draft,) = drafts_of(plan_of(locks=locks), count=8)
    assert VOCABULARY.decode(draft.tokens[:-1]).replace("，", "").replace("。", "") == text


def test_the_weights_favour_what_the_network_would_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """A late rhyme in one group is a surprise that drafts drawn one by one run into."""
    plan = plan_of("七绝", rhyme="尤")

    def best() -> float:
        return float(np.mean([sum(drafts_of(plan, seed, 64)[0].nats) for seed in range(12)]))

    searched = best()
    monkeypatch.setattr(particles, "LEAST_EFFECTIVE", 0.0)  # never drawn anew
    assert searched < best() - 1


def test_a_penalty_steers_the_search() -> None:
    plan = plan_of("五律")
    (usual,) = {draft.tokens[0] for draft in drafts_of(plan, count=1)}

    def count(**options: object) -> int:
        best = [drafts_of(plan, seed, 16, **options)[0].tokens for seed in range(20)]
        return sum(tokens.count(usual) for tokens in best)

    def penalty(tokens: np.ndarray) -> np.ndarray:
        return 8.0 * (tokens == usual).sum(axis=1)

    assert count(penalty=penalty) < count() / 2


def test_a_penalty_sees_whole_lines() -> None:
    seen = []

    def penalty(tokens: np.ndarray) -> np.ndarray:
        seen.append(tokens.shape)
        return np.zeros(len(tokens))

    drafts_of(plan_of(), count=4, penalty=penalty)
    assert seen == [(4, 6), (4, 12), (4, 18), (4, 24)]


def test_equal_seeds_write_equal_poems() -> None:
    first, again, other = (drafts_of(plan_of("七绝"), seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_dead_end_is_told() -> None:
    """Twenty places, nineteen characters, none of them twice."""
    kept = set(VOCABULARY.encode("白日依山盡黃河入海流欲窮千里目更上一層").tolist())
    avoid = tuple(t for t in range(6, len(VOCABULARY)) if t not in kept)
    plan = plan_of(tones="off", rhyme="off", avoid=avoid, no_repeat=True)
    assert drafts_of(plan) == []


def test_some_drafts_may_run_into_a_dead_end() -> None:
    """With one character more than places the tones still have to come out even."""
    kept = set(VOCABULARY.encode("白日依山盡黃河入海流欲窮千里目更上一層樓舟").tolist())
    avoid = tuple(t for t in range(6, len(VOCABULARY)) if t not in kept)
    plan = plan_of(tones="off", rhyme="尤", avoid=avoid, no_repeat=True)
    drafts = drafts_of(plan, count=64)
    assert drafts
    for draft in drafts:
        text = VOCABULARY.decode(draft.tokens[:-1]).replace("，", "").replace("。", "")
        assert len(set(text)) == 20
        assert {text[9], text[19]} <= set("流樓舟")


def test_nothing_is_said_three_times_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a network that likes one character above all; without the charge it says 山山山."""
    weights = dict(FILE.weights)
    weights["output.bias"] = np.array(weights["output.bias"], dtype=np.float32)
    weights["output.bias"][VOCABULARY.id("山")] += 15

    def thrice() -> int:
        rng = np.random.default_rng(0)
        model = LanguageModel(weights)
        drafts = outcome(compose(model, plan_of(tones="off"), rng, Sampling(), 32))
        return sum("山山山" in VOCABULARY.decode(draft.tokens) for draft in drafts)

    assert thrice() == 0
    monkeypatch.setattr(particles, "STUTTER", 0.0)
    assert thrice() > 0
