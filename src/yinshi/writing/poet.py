"""The one class a user needs.

poet = Poet.load()
for poem in poet.write(["月", "山"], count=3, seed=0):
    print(poem, end="\\n\\n")
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from yinshi.corpus import script as scripts
from yinshi.corpus.vocabulary import EOS
from yinshi.engine.language_model import LanguageModel
from yinshi.errors import UsageError
from yinshi.model_file import SHIPPED, ModelFile, resolve_model
from yinshi.writing import search
from yinshi.writing.constraints import Draft, Rules
from yinshi.writing.prefix import PrefixReader
from yinshi.writing.sampling import Sampling
from yinshi.writing.written_poem import WrittenPoem

Method = Literal["sample", "greedy", "beam"]
Script = Literal["traditional", "simplified"]


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
        temperature: float = 0.6,
        top_k: int | None = None,
        top_p: float | None = None,
        beam_width: int = 8,
        script: Script | None = None,
        max_length: int = 64,
    ) -> list[WrittenPoem]:
        """`count` poems for each prefix, prefix by prefix. "" is a prefix too: begin freely.

        - `prefixes` may be in either script; `script` is the poems' own, None for the model's.
        - `method` "sample" draws: the poems of a prefix have the seeds `seed`, `seed` + 1, …, and
          a poem is the same whatever else is written with it; None takes a seed at random.
          "greedy" takes the likeliest character each time and "beam" finds the likeliest poems:
          both leave `seed`, `temperature`, `top_k` and `top_p` aside.
        - `max_length` counts punctuation; a poem is cut back to its last whole sentence within
          it, or runs on if its first sentence is longer.

        Raises UsageError, and UnknownCharacterError for a prefix the model can't read.
        """
        asked = [prefixes] if isinstance(prefixes, str) else list(prefixes)
        sampling = Sampling(temperature, top_k, top_p)
        _check(count, seed, method, beam_width, script)
        starts = [self._start(prefix, max_length) for prefix in asked]
        rules = Rules(self._vocabulary, max_length)
        seeds: Sequence[int | None] = [None] * count
        if method == "sample":
            first = fresh_seed() if seed is None else seed
            seeds = drawn = range(first, first + count)
            each = [start for start in starts for _ in drawn]
            drafts = search.sample(self._model, rules, each, [*drawn] * len(starts), sampling)
            poems = [drafts[k : k + count] for k in range(0, len(drafts), count)]
        elif method == "greedy":
            poems = [[draft] for draft in search.greedy(self._model, rules, starts)]
        else:
            poems = search.beam(self._model, rules, starts, beam_width, count)
        return [
            self._written(draft, prefix, number, script)
            for prefix, drafts in zip(asked, poems, strict=True)
            for number, draft in zip(seeds, drafts, strict=False)  # a beam may find fewer
        ]

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
        text = self._vocabulary.decode(token for token in draft.tokens if token != EOS)
        if script not in (None, self.script):
            convert = scripts.to_simplified if script == "simplified" else scripts.to_traditional
            text = convert(text)
        return WrittenPoem(text, prefix, seed, sum(draft.nats) / len(draft.nats))


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
