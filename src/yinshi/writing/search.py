"""From prefixes to whole poems: drawn character by character, many at once, or by beam search."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from yinshi.corpus.vocabulary import EOS
from yinshi.engine.language_model import LanguageModel, State
from yinshi.writing.constraints import Draft, Rules, Sight
from yinshi.writing.sampling import Sampling, Scores, choose, log_softmax

Prefix = tuple[int, ...]

#: Rows that go through the network at once; more go one batch after another, to spare memory.
BATCH = 256
#: Rows of scores that are drawn from at once: so many stay in a core's cache.
PORTION = 16
#: How often at most a poem is drawn that is refused.
ATTEMPTS = 5


class Drawing:
    """A poem that is being drawn: `draft` is what there is of it.

    `start` is the network's state (one row) before `<sos>`. Each token is drawn with a number from
    the generator of `seed`; without one it is the likeliest, if `sampling` keeps no other. A whole
    poem that is `refused` is drawn again with other numbers, the last of `ATTEMPTS` never.
    """

    def __init__(
        self,
        rules: Rules,
        prefix: Prefix,
        start: State,
        sampling: Sampling,
        seed: int | None,
        refused: Callable[[Draft], bool] | None = None,
    ) -> None:
        self.rules, self.sampling = rules, sampling
        self._prefix, self._start, self._refused = prefix, start, refused
        self._seeds = iter([None if seed is None else seed + k * 2**64 for k in range(ATTEMPTS)])
        self._begin(next(self._seeds))

    def _begin(self, seed: int | None) -> None:
        self.draft, self.state, self.is_done = Draft(self._prefix), self._start, False
        self._numbers = np.zeros(self.rules.longest)
        if seed is not None:
            np.random.Generator(np.random.PCG64(seed)).random(out=self._numbers)

    @property
    def number(self) -> float:
        """That which the next token is drawn with, of [0, 1)."""
        return float(self._numbers[len(self.draft.tokens)])

    @property
    def sight(self) -> Sight:
        """The draft, and how much of a poem it is: of the longest that there may be, before it is
        cut."""
        return self.draft, min(len(self.draft.tokens) / (self.rules.max_length + 1), 0.99)

    def take(self, token: int, nats: float, state: State) -> None:
        """Write `token`, which leads to `state`."""
        draft, self.state = self.draft.extended(token, nats), state
        ended = self.rules.ended(draft)
        self.draft, self.is_done = ended or draft, ended is not None
        if self.is_done and self._refused and self._refused(self.draft):
            again = next(self._seeds, None)
            if again is not None:
                self._begin(again)


def draw(model: LanguageModel, drawings: Sequence[Drawing]) -> None:
    """One token more of each of `drawings`, of which none is done.

    What comes of one depends on no other. Their rules may differ in the length alone.
    """
    drafts = [drawing.draft for drawing in drawings]
    last = np.array([draft.last for draft in drafts])
    logits, state = model.step_apart(last, State.join([drawing.state for drawing in drawings]))
    states = state.rows()
    for first in range(0, len(drawings), PORTION):
        part = slice(first, first + PORTION)
        scores = log_softmax(logits[part])
        drawings[0].rules.restrict(scores, drafts[part])
        samplings = [drawing.sampling for drawing in drawings[part]]
        numbers = np.array([drawing.number for drawing in drawings[part]])
        tokens = choose(samplings, scores, numbers)
        nats = -scores[np.arange(len(tokens)), tokens]
        taken = zip(drawings[part], tokens.tolist(), nats.tolist(), states[part], strict=True)
        for drawing, token, nat, after in taken:
            drawing.take(token, nat, after)


def drawn(model: LanguageModel, drawings: Sequence[Drawing]) -> list[Draft]:
    """`drawings` to their ends."""
    for start in range(0, len(drawings), BATCH):
        going = drawings[start : start + BATCH]
        while going := [drawing for drawing in going if not drawing.is_done]:
            draw(model, going)
    return [drawing.draft for drawing in drawings]


def greedy(
    model: LanguageModel, rules: Rules, prefixes: Sequence[Prefix], start: State
) -> list[Draft]:
    """One poem a prefix: always the likeliest next character."""
    likeliest = Sampling(top_k=1)
    return drawn(model, [Drawing(rules, each, start, likeliest, None) for each in prefixes])


def beam(
    model: LanguageModel,
    rules: Rules,
    prefixes: Sequence[Prefix],
    start: State,
    width: int,
    count: int,
) -> list[list[Draft]]:
    """For each prefix the `count` poems of least nats per token that `width` drafts lead to.

    At each step every draft that may end is set aside as a poem, and the `width` likeliest longer
    drafts of each prefix go on. Fewer than `count` come back where the beam met no more.
    """
    found = [_beam(model, rules, Draft(prefix), start, width) for prefix in prefixes]
    return [
        sorted(poems, key=lambda poem: sum(poem.nats) / len(poem.nats))[:count] for poems in found
    ]


def _beam(
    model: LanguageModel, rules: Rules, empty: Draft, state: State, width: int
) -> list[Draft]:
    poems: list[Draft] = []
    drafts = [empty]
    while drafts:
        logits, state = model.step(np.array([draft.last for draft in drafts]), state)
        scores = log_softmax(logits)
        rules.restrict(scores, drafts)
        for row, draft in enumerate(drafts):
            if np.isfinite(scores[row, EOS]):
                poems.append(draft.extended(EOS, -float(scores[row, EOS])))
            if rules.ended(draft):
                poems = poems or [draft]  # broken off, and no better poem
                scores[row] = -np.inf
        scores[:, EOS] = -np.inf
        parents, tokens = _likeliest(drafts, scores, width)
        drafts = [
            drafts[parent].extended(int(token), -float(scores[parent, token]))
            for parent, token in zip(parents, tokens, strict=True)
        ]
        state = state.select(parents)
    return poems


def _likeliest(
    drafts: list[Draft], scores: Scores, width: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(rows of `scores`, tokens) of the `width` continuations of least total nats."""
    spent = np.array([sum(draft.nats) for draft in drafts])
    nats = (spent[:, None] - scores).ravel()
    best = np.argpartition(nats, min(width, nats.size - 1))[:width]
    rows, tokens = np.divmod(best[np.isfinite(nats[best])], scores.shape[1])
    return rows, tokens
