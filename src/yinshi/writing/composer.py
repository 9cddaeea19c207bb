"""From wishes to a poem that meets them, or to the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import numpy as np

from yinshi.corpus.vocabulary import EOS, Vocabulary
from yinshi.engine.language_model import LanguageModel, State
from yinshi.errors import UnknownCharacterError, UsageError
from yinshi.prosody.forms import form_named
from yinshi.prosody.readings import rhyme_named
from yinshi.writing.constraints import Draft, Sight
from yinshi.writing.lexicon import Lexicon
from yinshi.writing.particles import Penalty, compose
from yinshi.writing.plan import Demands, Plan, plan
from yinshi.writing.prefix import PrefixReader
from yinshi.writing.sampling import Sampling
from yinshi.writing.sheet import Sheet, Stationer
from yinshi.writing.verification import keeps_repetition, keeps_tones, meets
from yinshi.writing.wishes import Wishes

#: How often the search begins again where every draft ran into a dead end.
ATTEMPTS = 4


class Composer:
    """Writes poems that meet wishes. Made once a model: it reads the tables of prosody."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        reader: PrefixReader,
        script: str,
    ) -> None:
        self._reader = reader
        self._vocabulary = vocabulary
        self._lexicon = Lexicon(vocabulary, script)
        self._stationer = Stationer(reader, self._lexicon)

    def plans(self, wishes: Wishes, prefix: str, max_length: int) -> list[Plan]:
        """The ways to meet `wishes`, one for each form that is open.

        Raises UsageError that says what collides, and what near it does not.
        """
        if wishes.has_form:
            form_named(wishes.form or "")  # what is no form or rhyme is not one too many
        if wishes.rhyme not in (None, "auto", "off"):
            rhyme_named(wishes.rhyme or "")
        try:
            return self._plans(wishes, prefix, max_length)
        except UnknownCharacterError:
            raise
        except UsageError as error:
            nearest = self._nearest(wishes, prefix, max_length)
            raise UsageError(f"{error}{nearest}") from None

    def compose(
        self,
        plans: Sequence[Plan],
        seed: int,
        model: LanguageModel,
        start_for: Callable[[Plan], State],
        sampling: Sampling,
        candidates: int,
        shown: Callable[[Draft], str],
        penalty: Penalty | None = None,
    ) -> Generator[Sight, None, Draft]:
        """The best of `candidates` drafts of one of the `plans`, whichever `seed` chooses.

        Yields after each token. `start_for` a plan is the state of `model` to begin with. `shown`
        is the text of a draft as its reader sees it, maybe in the other script: there too it meets
        what was asked. `penalty`: see `particles.compose`.
        Raises UsageError where no draft could be finished.
        """
        rng = np.random.Generator(np.random.PCG64(seed))
        chosen = plans[int(rng.integers(len(plans)))]
        start = start_for(chosen)
        for _ in range(ATTEMPTS):
            drafts = yield from compose(model, chosen, rng, sampling, candidates, penalty, start)
            for draft in drafts:
                if self._is_met(draft, chosen, shown(draft)):
                    return draft
        raise UsageError(
            f"found no poem in {ATTEMPTS} × {candidates} drafts: too few characters are left for "
            f"all that is asked; ask for less, or for more candidates"
        )

    def _plans(self, wishes: Wishes, prefix: str, max_length: int) -> list[Plan]:
        sheets = self._stationer.sheets(wishes, prefix, max_length)
        found, faults = [], []
        for sheet in sheets:
            try:
                found.append(plan(sheet, self._lexicon, self._demands(wishes, sheet)))
            except UsageError as error:
                faults.append(error)
        if not found:
            raise faults[0]
        return found

    def _demands(self, wishes: Wishes, sheet: Sheet) -> Demands:
        """A form that is named or kept has its tones, and lines in couplets rhyme, unless told."""
        is_regulated = sheet.form is not None and (wishes.has_form or bool(wishes.keep))
        tones = wishes.tones or ("strict" if is_regulated else "off")
        rhyme = wishes.rhyme or ("auto" if sheet.is_even else "off")
        avoid = self._reader.known(wishes.avoid)
        return Demands(tones, rhyme, avoid, wishes.no_repeat)

    def _nearest(self, wishes: Wishes, prefix: str, max_length: int) -> str:
        """The nearest wishes that can be met, as advice; "" where none of them can."""
        for told, nearer in wishes.nearer():
            try:
                found = self._plans(nearer, prefix, max_length)
            except UsageError:
                continue
            if told == "rhyme auto":
                told = f"rhyme {' or '.join(found[0].rhyme_names[:3])}"
            return f"; {told} would do"
        return ""

    def _is_met(self, draft: Draft, chosen: Plan, shown: str) -> bool:
        text = self._vocabulary.decode(token for token in draft.tokens if token != EOS)
        demands = chosen.demands
        return meets(text, chosen.sheet, demands, self._lexicon) and (
            shown == text or (keeps_tones(shown, demands) and keeps_repetition(shown, demands))
        )
