"""From prefixes to whole poems, many at once: drawing each next character, or beam search."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from yinshi.corpus.vocabulary import EOS, SOS
from yinshi.engine.language_model import LanguageModel
from yinshi.writing.constraints import Draft, Rules
from yinshi.writing.sampling import Sampling, Scores, log_softmax

Prefix = tuple[int, ...]
#: (scores (B, V), which poem each row is (B,), position in the text) → tokens (B,)
Choose = Callable[[Scores, NDArray[np.intp], int], NDArray[np.intp]]

#: Rows that go through the network at once; more go one batch after another, to spare memory.
BATCH = 256


def sample(
    model: LanguageModel,
    rules: Rules,
    prefixes: Sequence[Prefix],
    seeds: Sequence[int],
    sampling: Sampling,
) -> list[Draft]:
    """One poem a prefix, drawn with its own seed: it depends on nothing else in the batch."""
    uniforms = np.array(
        [np.random.Generator(np.random.PCG64(s)).random(rules.longest) for s in seeds]
    )

    def choose(scores: Scores, poems: NDArray[np.intp], position: int) -> NDArray[np.intp]:
        return sampling.choose(scores, uniforms[poems, position])

    return _write(model, rules, prefixes, choose)


def greedy(model: LanguageModel, rules: Rules, prefixes: Sequence[Prefix]) -> list[Draft]:
    """One poem a prefix: always the likeliest next character."""
    return _write(model, rules, prefixes, lambda scores, poems, position: scores.argmax(axis=1))


def _write(
    model: LanguageModel, rules: Rules, prefixes: Sequence[Prefix], choose: Choose
) -> list[Draft]:
    drafts = [Draft(prefix) for prefix in prefixes]
    poems = np.arange(len(drafts))
    for start in range(0, len(drafts), BATCH):
        _finish(model, rules, drafts, poems[start : start + BATCH], choose)
    return drafts


def _finish(
    model: LanguageModel,
    rules: Rules,
    drafts: list[Draft],
    poems: NDArray[np.intp],
    choose: Choose,
) -> None:
    """Write the `drafts` numbered `poems` to their ends; a finished one leaves the batch."""
    tokens, state = np.full(len(poems), SOS), model.initial_state(len(poems))
    position = 0
    while poems.size:
        logits, state = model.step(tokens, state)
        scores = log_softmax(logits)
        rules.restrict(scores, [drafts[poem] for poem in poems])
        tokens = choose(scores, poems, position)
        goes_on = np.ones(len(poems), dtype=bool)
        for row, (poem, token) in enumerate(zip(poems, tokens, strict=True)):
            draft = drafts[poem].extended(int(token), -float(scores[row, token]))
            ended = rules.ended(draft)
            drafts[poem], goes_on[row] = ended or draft, ended is None
        if not goes_on.all():
            poems, tokens, state = poems[goes_on], tokens[goes_on], state.select(goes_on)
        position += 1


def beam(
    model: LanguageModel, rules: Rules, prefixes: Sequence[Prefix], width: int, count: int
) -> list[list[Draft]]:
    """For each prefix the `count` poems of least nats per token that `width` drafts lead to.

    At each step every draft that may end is set aside as a poem, and the `width` likeliest longer
    drafts of each prefix go on. Fewer than `count` come back where the beam met no more.
    """
    each = max(1, BATCH // width)
    return [
        sorted(poems, key=lambda poem: sum(poem.nats) / len(poem.nats))[:count]
        for start in range(0, len(prefixes), each)
        for poems in _beams(model, rules, prefixes[start : start + each], width)
    ]


def _beams(
    model: LanguageModel, rules: Rules, prefixes: Sequence[Prefix], width: int
) -> list[list[Draft]]:
    poems: list[list[Draft]] = [[] for _ in prefixes]
    drafts = [Draft(prefix) for prefix in prefixes]
    owners = np.arange(len(drafts))  # whose prefix each draft begins with
    state = model.initial_state(len(drafts))
    while drafts:
        logits, state = model.step(np.array([draft.last for draft in drafts]), state)
        scores = log_softmax(logits)
        rules.restrict(scores, drafts)
        for row, (draft, owner) in enumerate(zip(drafts, owners, strict=True)):
            if np.isfinite(scores[row, EOS]):
                poems[owner].append(draft.extended(EOS, -float(scores[row, EOS])))
            if rules.ended(draft):
                poems[owner] = poems[owner] or [draft]  # broken off, and no better poem
                scores[row] = -np.inf
        scores[:, EOS] = -np.inf
        parents, tokens = _likeliest(drafts, owners, scores, width)
        drafts = [
            drafts[parent].extended(int(token), -float(scores[parent, token]))
            for parent, token in zip(parents, tokens, strict=True)
        ]
        owners, state = owners[parents], state.select(parents)
    return poems


def _likeliest(
    drafts: list[Draft], owners: NDArray[np.intp], scores: Scores, width: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(rows of `scores`, tokens) of the `width` continuations of least total nats of each owner."""
    spent = np.array([sum(draft.nats) for draft in drafts])
    parents, tokens = [], []
    for owner in np.unique(owners):
        rows = np.flatnonzero(owners == owner)
        nats = (spent[rows, None] - scores[rows]).ravel()
        best = np.argpartition(nats, min(width, nats.size - 1))[:width]
        row, token = np.divmod(best[np.isfinite(nats[best])], scores.shape[1])
        parents.append(rows[row])
        tokens.append(token)
    return np.concatenate(parents), np.concatenate(tokens)
