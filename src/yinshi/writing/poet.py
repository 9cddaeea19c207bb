"""The one class a user needs.

poet = Poet.load()
for poem in poet.write(["月", "山"], count=3, seed=0):
    print(poem, end="\\n\\n")
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from yinshi.corpus import script as scripts
from yinshi.corpus.vocabulary import EOS
from yinshi.engine.language_model import LanguageModel
from yinshi.errors import UsageError
from yinshi.model_file import SHIPPED, ModelFile, resolve_model
from yinshi.writing import search
from yinshi.writing.constraints import Draft, Rules
from yinshi.writing.prefix import PrefixReader
from yinshi.writing.sampling import Sampling
from yinshi.writing.wishes import Tones, Wishes
from yinshi.writing.written_poem import WrittenPoem

if TYPE_CHECKING:
    from yinshi.writing.composer import Composer

Method = Literal["sample", "greedy", "beam"]
Script = Literal["traditional", "simplified"]

TEMPERATURE = 0.6
#: The best of many drafts is likelier than one alone: so drawn bolder, it is still the likelier,
#: and doesn't say 不知何處 every other time.
SEARCH_TEMPERATURE = 0.7
CANDIDATES = 64


class Poet:
    """Writes poems with one model. NumPy only: PyTorch is not needed."""

    def __init__(self, model_file: ModelFile, name: str) -> None:
        self.name = name
        self.script: Script = model_file.recipe.corpus.script
        self._vocabulary = model_file.vocabulary
        self._model = LanguageModel(model_file.weights, cell=model_file.recipe.network.cell)
        self._reader = PrefixReader(self._model, self._vocabulary, self.script)

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
        first = fresh_seed() if seed is None else seed
        drawn = range(first, first + count)
        if wishes.are_none:
            rules = Rules(self._vocabulary, max_length)
            starts = [self._start(prefix, max_length) for prefix in asked]
            if method == "beam":
                poems = search.beam(self._model, rules, starts, beam_width, count)
            elif method == "greedy":
                poems = [[draft] for draft in search.greedy(self._model, rules, starts)]
            else:
                poems = self._sampled(rules, starts, drawn, sampling)
        else:
            text = partial(self._text, script=script)
            plans = [self._composer.plans(wishes, prefix, max_length) for prefix in asked]
            poems = [
                [
                    self._composer.compose(each, s, sampling, candidates or CANDIDATES, text)
                    for s in drawn
                ]
                for each in plans
            ]
        seeds = drawn if method == "sample" else [None] * count
        return [
            self._written(draft, prefix, number, script)
            for prefix, drafts in zip(asked, poems, strict=True)
            for number, draft in zip(seeds, drafts, strict=False)  # a beam may find fewer
        ]

    def _sampled(
        self, rules: Rules, starts: Sequence[search.Prefix], seeds: range, sampling: Sampling
    ) -> list[list[Draft]]:
        """For each start a draft of each seed."""
        each = [start for start in starts for _ in seeds]
        drafts = search.sample(self._model, rules, each, [*seeds] * len(starts), sampling)
        return [drafts[k : k + len(seeds)] for k in range(0, len(drafts), len(seeds))]

    @cached_property
    def _composer(self) -> Composer:
        from yinshi.writing.composer import Composer  # reads the tables of prosody

        return Composer(self._model, self._vocabulary, self._reader, self.script)

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
        return WrittenPoem(text, prefix, seed, sum(draft.nats) / len(draft.nats))

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
