"""The search: many drafts of one poem written side by side, the poor ones given up on the way.

A particle filter (Gordon et al. 1993), fully adapted (Pitt & Shephard 1999). Its target is the
network's distribution over poems, sharpened by the temperature, restricted to what the plan allows
and less a penalty for characters that were used before. A draft is weighed by how much of the
network's probability is allowed to its next token, *before* that token is drawn, so that drafts
which the network would not lead to a rhyme or to a line's end by itself lose weight in time; and
when few drafts hold most of the weight, all are drawn anew from the better ones.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np
from numpy.typing import NDArray

from yinshi.corpus.vocabulary import EOS, SOS
from yinshi.engine.language_model import LanguageModel, State
from yinshi.writing.constraints import Draft, Sight
from yinshi.writing.plan import Plan
from yinshi.writing.sampling import Sampling, Scores, inverse_cumulative, log_softmax
from yinshi.writing.tracks import Tracks

Tokens = NDArray[np.intp]
#: Drafts (K, t), each up to the end of a line → nats (K,) that they are to cost so far.
Penalty = Callable[[Tokens], NDArray[np.float64]]

#: What a character that stands in the poem already costs, in nats. One right after itself, 悠悠,
#: costs nothing.
REPETITION = 3.0
#: What 重重 costs that goes on to 重重重.
STUTTER = 20.0
#: Drafts are drawn anew where they are worth fewer than this share of their number.
LEAST_EFFECTIVE = 0.5


def compose(
    model: LanguageModel,
    plan: Plan,
    rng: np.random.Generator,
    sampling: Sampling,
    count: int,
    penalty: Penalty | None = None,
    start: State | None = None,
) -> Generator[Sight, None, list[Draft]]:
    """Distinct drafts that meet `plan`, of `count` written at once; the best first: least nats
    and penalties per token. Yields after each token.

    They depend on nothing but the arguments: no other poem's drafts are in the same product.
    `penalty` is asked at the end of each line; `start` is the state (one row) before `<sos>`, None
    zeros. [] where all drafts ran into a dead end, as they may where too few characters are left
    for what must not repeat.
    """
    particles = _Particles(model, plan, rng, sampling, count, start or model.initial_state(1))
    for line, length in enumerate(plan.sheet.lengths):
        particles.tracks.begin(line)
        for position in range(length):
            if not particles.write_character(line, position):
                return []
            yield particles.sight()
        particles.write_mark(plan.sheet.marks[line])
        if penalty is not None:
            particles.charge(penalty(particles.tokens))
        yield particles.sight()
    particles.write_mark((EOS,))
    return particles.drafts()


class _Particles:
    """K drafts up to the same token; what each cost and what weight it has."""

    def __init__(
        self,
        model: LanguageModel,
        plan: Plan,
        rng: np.random.Generator,
        sampling: Sampling,
        count: int,
        start: State,
    ) -> None:
        self._model, self._plan, self._rng, self._sampling = model, plan, rng, sampling
        self._state = start.select(np.zeros(count, dtype=np.intp))
        self._log_weights = np.zeros(count)
        self._repetitions = np.zeros(count)  # nats
        self._charged = np.zeros(count)
        self._nats = np.zeros((count, 0))
        self.tokens: Tokens = np.zeros((count, 0), dtype=np.intp)
        self.tracks = Tracks(plan, count)

    def write_character(self, line: int, position: int) -> bool:
        """Write one character of every draft; False: no draft can go on."""
        scores = self._scores()
        wanted = np.where(self.tracks.allowed(line, position), scores, -np.inf)
        rows = np.arange(len(wanted))[:, None]
        if self._plan.demands.no_repeat:
            wanted[rows, self.tokens] = -np.inf
        else:
            before = self.tokens[:, :-1]
            wanted[rows, before] = wanted[rows, before] - REPETITION  # once, however often used
            if self.tokens.shape[1] > 1:
                thrice = np.flatnonzero(self.tokens[:, -1] == self.tokens[:, -2])
                wanted[thrice, self.tokens[thrice, -1]] -= STUTTER
        drawn = self._draw(scores, wanted)
        if drawn is None:
            return False
        self.tracks.write(line, position, drawn)
        return True

    def write_mark(self, marks: tuple[int, ...]) -> None:
        """Write one of `marks` in every draft."""
        scores = self._scores()
        wanted = np.full_like(scores, -np.inf)
        wanted[:, marks] = scores[:, marks]
        self._draw(scores, wanted)

    def charge(self, nats: NDArray[np.float64]) -> None:
        """Add what the drafts are charged by now (K,), less what they were before, to the cost."""
        self._log_weights -= (nats - self._charged) / self._sampling.temperature
        self._charged = nats

    def sight(self) -> Sight:
        best = self._draft(int(self._cost().argmin()))
        return best, len(best.tokens) / (self._plan.sheet.tokens + 1)

    def drafts(self) -> list[Draft]:
        """Each once, the best first."""
        found: dict[tuple[int, ...], Draft] = {}
        for k in np.argsort(self._cost(), kind="stable"):
            draft = self._draft(int(k))
            found.setdefault(draft.tokens, draft)
        return list(found.values())

    def _cost(self) -> NDArray[np.float64]:
        """(K,) nats and penalties."""
        cost: NDArray[np.float64] = self._nats.sum(axis=1) + self._repetitions + self._charged
        return cost

    def _draft(self, k: int) -> Draft:
        return Draft((), tuple(self.tokens[k].tolist()), tuple(self._nats[k].tolist()))

    def _scores(self) -> Scores:
        """log p (K, V) of the next token."""
        count, length = self.tokens.shape
        last = self.tokens[:, -1] if length else np.full(count, SOS)
        logits, self._state = self._model.step(last, self._state)
        return log_softmax(logits)

    def _draw(self, scores: Scores, wanted: Scores) -> Tokens | None:
        """Draw a token (K,) for each draft by `wanted`; None: nothing is allowed to any.

        Drafts are drawn anew before, by their weights, where these have become too uneven.
        """
        best = wanted.max(axis=1)
        if np.isneginf(best).all():
            return None
        wanted[np.isneginf(best)] = 0  # a dead end, of weight 0 below
        weights = self._sampling.weights(wanted)
        with np.errstate(divide="ignore"):
            self._log_weights += np.log(weights.sum(axis=1)) + best / self._sampling.temperature
        rows = self._resampled()
        if rows is not None:
            self._select(rows)
            scores, wanted, weights = scores[rows], wanted[rows], weights[rows]
        tokens = inverse_cumulative(weights, self._rng.random(len(weights)))
        drawn = np.arange(len(tokens)), tokens
        self._repetitions += scores[drawn] - wanted[drawn]
        self._nats = np.concatenate([self._nats, -scores[drawn][:, None]], axis=1)
        self.tokens = np.concatenate([self.tokens, tokens[:, None]], axis=1)
        return tokens

    def _resampled(self) -> Tokens | None:
        """Rows by systematic resampling (Kitagawa 1996), where the weights are too uneven."""
        weights = np.exp(self._log_weights - self._log_weights.max())
        K, total = len(weights), weights.sum()
        if total**2 >= LEAST_EFFECTIVE * K * (weights**2).sum() and weights.all():
            return None
        shares = np.cumsum(weights) / total
        rows = np.searchsorted(shares, (np.arange(K) + self._rng.random()) / K, side="right")
        alive: Tokens = np.minimum(rows, np.flatnonzero(weights)[-1])
        return alive

    def _select(self, rows: Tokens) -> None:
        self._state = self._state.select(rows)
        self._log_weights = np.zeros(len(rows))
        self._repetitions, self._charged = self._repetitions[rows], self._charged[rows]
        self._nats, self.tokens = self._nats[rows], self.tokens[rows]
        self.tracks.select(rows)
