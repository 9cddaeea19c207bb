"""The one class a user needs.

poet = Poet.load()
for poem in poet.write(["月", "山"], count=3, seed=0):
    print(poem, end="\\n\\n")
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from yinshi.corpus import script as scripts
from yinshi.corpus.header import Headers, Heading
from yinshi.corpus.vocabulary import EOS
from yinshi.engine.language_model import LanguageModel
from yinshi.errors import UsageError
from yinshi.model_file import SHIPPED, ModelFile, resolve_model
from yinshi.writing import search
from yinshi.writing.conditioned import Conditioned, heading_of
from yinshi.writing.constraints import Draft, Rules
from yinshi.writing.novelty import NoveltyIndex
from yinshi.writing.prefix import PrefixReader
from yinshi.writing.quotes import Quotes
from yinshi.writing.sampling import Sampling
from yinshi.writing.wishes import Tones, Wishes
from yinshi.writing.written_poem import WrittenPoem

if TYPE_CHECKING:
    from yinshi.writing.composer import Composer
    from yinshi.writing.plan import Plan

Method = Literal["sample", "greedy", "beam"]
Script = Literal["traditional", "simplified"]

TEMPERATURE = 0.6
#: The best of many drafts is likelier than one alone: so drawn bolder, it is still the likelier,
#: and doesn't say 不知何處 every other time.
SEARCH_TEMPERATURE = 0.7
CANDIDATES = 64
#: How often at most a poem is drawn that goes on quoting.
ATTEMPTS = 5


class Poet:
    """Writes poems with one model. NumPy only: PyTorch is not needed."""

    def __init__(self, model_file: ModelFile, name: str) -> None:
        if model_file.recipe.corpus.layout != "text":
            raise UsageError(
                f"{name}: found a model of poems with their titles, which is for measuring "
                "(yinshi evaluate), expected one of poems alone; train it on layout text"
            )
        self.name = name
        self.script: Script = model_file.recipe.corpus.script
        self._vocabulary = model_file.vocabulary
        self._headers = Headers(model_file.header_names, self._vocabulary)
        self._cell = model_file.recipe.network.cell
        self._model = LanguageModel(model_file.weights, cell=self._cell)
        self._reader = PrefixReader(self._model, self._vocabulary, self.script)
        arrays = model_file.novelty
        self._novelty = NoveltyIndex.from_arrays(arrays) if arrays else None

    @classmethod
    def load(cls, path: str | Path | None = None) -> Poet:
        """The poet of a model file or of a training run's folder; None: of the shipped model.

        Raises ModelFileError.
        """
        file = resolve_model(None if path is None else Path(path))
        return cls(ModelFile.load(file), SHIPPED if path is None else str(path))

    def write(
        self,
        prefixes: str | Sequence[str] = "",
        *,
        count: int = 1,
        seed: int | None = None,
        method: Method = "sample",
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        beam_width: int = 8,
        script: Script | None = None,
        max_length: int = 64,
        title: str | None = None,
        style: str | None = None,
        dynasty: str | None = None,
        form: str | None = None,
        rhyme: str | None = None,
        tones: Tones | None = None,
        acrostic: str = "",
        acrostic_at: str | int = "head",
        lines: Mapping[int, str] | None = None,
        keep: str = "",
        avoid: str = "",
        no_repeat: bool = False,
        candidates: int | None = None,
        allow_quotes: bool = False,
    ) -> list[WrittenPoem]:
        """`count` poems for each prefix, prefix by prefix. "" is a prefix too: begin freely.

        - `prefixes` may be in either script; `script` is the poems' own, None for the model's.
        - `method` "sample" draws: the poems of a prefix have the seeds `seed`, `seed` + 1, …, and
          a poem is the same whatever else is written with it; None takes a seed at random.
          "greedy" takes the likeliest character each time and "beam" finds the likeliest poems:
          both leave `seed`, `temperature`, `top_k` and `top_p` aside.
        - `temperature` None is 0.6, and 0.7 for poems with wishes.
        - `max_length` counts punctuation; a poem is cut back to its last whole sentence within
          it, or runs on if its first sentence is longer.
        - `title`, the author in whose `style` it is to be, and `dynasty`, 唐 or 宋, are told to a
          network that was trained with them before it begins, as is the form if one is asked for.
          An author brings along his dynasty; without either it is 唐.

        - A line that stands in the training poems word for word is avoided where the model has
          their index and there is another way, unless `allow_quotes`.

        What follows are wishes, in any combination and in either script. A poem that has any is
        the best of `candidates` drafts, of 64 for None, by the network and without dull
        repetition; it meets them all, or there is none.

        - `form`: 五绝, 七绝, 五律, 七律, 排律:N of N lines or 七排:N; "free" or None for whichever
          of the first four the seed chooses (of those within `max_length`).
        - `rhyme`: one of the 106 rhymes (东), "auto" for any one, which is what None means, or
          "off". The even lines end in different words of it.
        - `tones`: "strict" and "loose" as `yinshi.scan` judges them, or "off"; None is strict
          where a form is named or kept, else off.
        - `acrostic`: a character for each line, _ for one that is free; `acrostic_at` "head",
          "end" or its position in the line, from 1.
        - `lines`: line number, from 1 → its characters, with _ for each to be written.
        - `keep`: a whole poem, with □ for each character to be written anew.
        - `avoid`: characters that may not stand anywhere. `no_repeat`: none stands twice.

        Raises UsageError, which says which wishes collide, at which character, and what could be
        met instead; and UnknownCharacterError for a character the model can't read.
        """
        wishes = Wishes(
            form=form,
            rhyme=rhyme,
            tones=tones,
            acrostic=acrostic,
            acrostic_at=acrostic_at,
            lines=dict(lines or {}),
            keep=keep,
            avoid=avoid,
            no_repeat=no_repeat,
        )
        asked = [prefixes] if isinstance(prefixes, str) else list(prefixes)
        if temperature is None:
            temperature = TEMPERATURE if wishes.are_none else SEARCH_TEMPERATURE
        sampling = Sampling(temperature, top_k, top_p)
        _check(count, seed, method, beam_width, script)
        _check_search(wishes, method, candidates)
        heading = heading_of(self._headers, self.script, title, style, dynasty)
        first = fresh_seed() if seed is None else seed
        drawn = range(first, first + count)
        if wishes.are_none:
            rules, model = Rules(self._vocabulary, max_length), self._told(heading)
            starts = [self._start(prefix, max_length) for prefix in asked]
            if method == "beam":
                poems = search.beam(model, rules, starts, beam_width, count)
            elif method == "greedy":
                poems = [[draft] for draft in search.greedy(model, rules, starts)]
            else:
                poems = self._sampled(model, rules, starts, drawn, sampling, allow_quotes)
        else:
            plans = [self._composer.plans(wishes, prefix, max_length) for prefix in asked]
            drafts = candidates or CANDIDATES
            compose = self._searcher(heading, sampling, drafts, allow_quotes, script)
            poems = [[compose(each, s) for s in drawn] for each in plans]
        seeds = drawn if method == "sample" else [None] * count
        return [
            replace(self._written(draft, prefix, number, script), title=title, style=style)
            for prefix, drafts in zip(asked, poems, strict=True)
            for number, draft in zip(seeds, drafts, strict=False)  # a beam may find fewer
        ]

    def _told(self, heading: Heading) -> LanguageModel:
        """The network, after it has been told what it is to write."""
        if not self._headers.names:
            return self._model
        ids = self._headers.encode(heading).ids
        return Conditioned(self._model.weights, self._cell, ids, len(self._vocabulary))

    def _searcher(
        self,
        heading: Heading,
        sampling: Sampling,
        candidates: int,
        allow_quotes: bool,
        script: Script | None,
    ) -> Callable[[Sequence[Plan], int], Draft]:
        """(plans, seed) → the best draft."""
        return partial(
            self._composer.compose,
            model_for=lambda plan: self._told(replace(heading, lengths=plan.sheet.lengths)),
            sampling=sampling,
            candidates=candidates,
            shown=partial(self._text, script=script),
            penalty=self._quotes.penalty if self._quotes and not allow_quotes else None,
        )

    def _sampled(
        self,
        model: LanguageModel,
        rules: Rules,
        starts: Sequence[search.Prefix],
        seeds: range,
        sampling: Sampling,
        allow_quotes: bool,
    ) -> list[list[Draft]]:
        """For each start a draft of each seed; one that quotes is drawn again."""
        each = [start for start in starts for _ in seeds]
        numbers = [*seeds] * len(starts)
        drafts = search.sample(model, rules, each, numbers, sampling)
        for attempt in range(1, 1 if allow_quotes else ATTEMPTS):
            quoting = [k for k, draft in enumerate(drafts) if self._quotes_in(draft)]
            again = [each[k] for k in quoting], [numbers[k] + attempt * 2**64 for k in quoting]
            redrawn = search.sample(model, rules, *again, sampling) if quoting else []
            for k, draft in zip(quoting, redrawn, strict=True):
                drafts[k] = draft
        return [drafts[k : k + len(seeds)] for k in range(0, len(drafts), len(seeds))]

    def _quotes_in(self, draft: Draft) -> int:
        if self._quotes is None:
            return 0
        given = self._vocabulary.decode(draft.prefix)
        return int(self._quotes.count([self._text(draft, None)], given)[0])

    @cached_property
    def _quotes(self) -> Quotes | None:
        return Quotes(self._novelty, self._vocabulary) if self._novelty else None

    @cached_property
    def _composer(self) -> Composer:
        from yinshi.writing.composer import Composer  # reads the tables of prosody

        return Composer(self._vocabulary, self._reader, self.script)

    def _start(self, prefix: str, max_length: int) -> search.Prefix:
        tokens = self._reader.read(prefix)
        if len(tokens) >= max_length:
            raise UsageError(
                f"prefix {prefix!r} has {len(tokens)} characters: expected fewer than "
                f"max_length {max_length}"
            )
        return tokens

    def _written(
        self, draft: Draft, prefix: str, seed: int | None, script: Script | None
    ) -> WrittenPoem:
        text = self._text(draft, script)
        known = self._novelty.longest_known_span(text) if self._novelty else None
        return WrittenPoem(text, prefix, seed, sum(draft.nats) / len(draft.nats), known)

    def _text(self, draft: Draft, script: Script | None) -> str:
        text = self._vocabulary.decode(token for token in draft.tokens if token != EOS)
        if script in (None, self.script):
            return text
        return (scripts.to_simplified if script == "simplified" else scripts.to_traditional)(text)


def fresh_seed() -> int:
    """A seed at random, short enough to be typed again."""
    return int.from_bytes(os.urandom(8)) % 1_000_000


def _check(count: int, seed: int | None, method: str, beam_width: int, script: str | None) -> None:
    if count < 1:
        raise UsageError(f"count {count}: expected at least 1")
    if seed is not None and seed < 0:
        raise UsageError(f"seed {seed}: expected at least 0")
    if method not in get_args(Method):
        raise UsageError(f"method {method!r}: expected one of {', '.join(get_args(Method))}")
    if method == "greedy" and count > 1:
        raise UsageError(
            f"count {count}: greedy writes one poem a prefix; beam or sample write more"
        )
    if method == "beam" and beam_width < count:
        raise UsageError(f"beam_width {beam_width}: expected at least count {count}")
    if script not in (None, *get_args(Script)):
        raise UsageError(f"script {script!r}: expected one of {', '.join(get_args(Script))}")


def _check_search(wishes: Wishes, method: str, candidates: int | None) -> None:
    if candidates is not None and candidates < 1:
        raise UsageError(f"candidates {candidates}: expected at least 1")
    if wishes.are_none:
        if candidates is not None:
            raise UsageError(f"candidates {candidates}: found no wish; ask for a form or a rhyme")
    elif method != "sample":
        raise UsageError(
            f"method {method!r}: wishes are met by a search among drawn drafts; leave out one"
        )
