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
from typing import TYPE_CHECKING, Literal, Unpack, get_args

from yinshi.corpus import script as scripts
from yinshi.corpus.header import Headers, Heading
from yinshi.corpus.vocabulary import EOS
from yinshi.engine.language_model import State
from yinshi.errors import UsageError
from yinshi.model_file import SHIPPED, ModelFile, resolve_model
from yinshi.writing import search
from yinshi.writing.conditioned import Conditioned, heading_of
from yinshi.writing.constraints import Draft, Rules
from yinshi.writing.novelty import NoveltyIndex
from yinshi.writing.order import MAX_LENGTH, Asked, Order, Script
from yinshi.writing.prefix import PrefixReader
from yinshi.writing.quotes import Quotes
from yinshi.writing.reading import Reading, reading
from yinshi.writing.search import Drawing
from yinshi.writing.telling import told_freely, told_plan
from yinshi.writing.together import DrawnWriting, SearchedWriting, Writing, finished
from yinshi.writing.wishes import Tones
from yinshi.writing.written_poem import WrittenPoem

if TYPE_CHECKING:
    from yinshi.writing.composer import Composer
    from yinshi.writing.plan import Plan

Method = Literal["sample", "greedy", "beam"]


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
        cell = model_file.recipe.network.cell
        self._model = Conditioned(model_file.weights, cell, len(self._vocabulary))
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
        max_length: int = MAX_LENGTH,
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
        - `temperature` None is 0.8.
        - `max_length` counts punctuation; a poem is cut back to its last whole sentence within
          it, or runs on if its first sentence is longer.
        - `title`, the author in whose `style` it is to be, and `dynasty`, 唐 or 宋, are told to a
          network that was trained with them before it begins, as are form, pattern and rhyme, asked
          for or chosen by seed and prefix: a free poem is not held to them. An author brings along
          his dynasty; without either it is 唐.

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
        asked = Asked(
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            script=script,
            max_length=max_length,
            title=title,
            style=style,
            dynasty=dynasty,
            form=form,
            rhyme=rhyme,
            tones=tones,
            acrostic=acrostic,
            acrostic_at=acrostic_at,
            lines=lines,
            keep=keep,
            avoid=avoid,
            no_repeat=no_repeat,
            candidates=candidates,
            allow_quotes=allow_quotes,
        )
        _check(count, seed, method, beam_width)
        order = Order.of(asked)
        if method != "sample" and not order.wishes.are_none:
            raise UsageError(
                f"method {method!r}: wishes are met by a search among drawn drafts; leave out one"
            )
        each = [prefixes] if isinstance(prefixes, str) else list(prefixes)
        if method != "sample":
            return self._likeliest(each, order, None if method == "greedy" else beam_width, count)
        first = fresh_seed() if seed is None else seed
        begin = self._beginnings(each, order)
        writings = [b(number) for b in begin for number in range(first, first + count)]
        return finished(writings, at_once=search.BATCH if order.wishes.are_none else 1)

    def begin(
        self, prefix: str = "", *, seed: int | None = None, **asked: Unpack[Asked]
    ) -> Writing:
        """A poem begun, to be written on by `step_together`, alone or with others.

        It becomes the poem that `write` gives for the same arguments, whatever is written with it.
        Raises what `write` raises; only that a search found no poem is told by `Writing.error`.
        """
        _check(1, seed)
        (begin,) = self._beginnings([prefix], Order.of(asked))
        return begin(fresh_seed() if seed is None else seed)

    def read(
        self,
        text: str,
        *,
        title: str | None = None,
        style: str | None = None,
        dynasty: str | None = None,
        form: str | None = None,
    ) -> Reading:
        """What the network makes of the poem `text`, in either script, its own or another's.

        It is told `title`, `style`, `dynasty` and `form` before, if it was trained with them, as
        for `write`; of the pattern and the rhyme that the seed chose there it is told nothing.

        Raises UsageError, and UnknownCharacterError for a character that it can't read.
        """
        tokens = self._reader.read(text, stays=True)
        if not tokens:
            raise UsageError("text: found nothing to read, expected a poem")
        heading = heading_of(self._headers, self.script, title, style, dynasty)
        if form is not None:
            from yinshi.prosody.forms import form_named

            found = form_named(form)
            heading = replace(heading, lengths=(found.length,) * found.lines)
        return reading(self._model, self._vocabulary, tokens, self._told(heading))

    def _beginnings(self, prefixes: list[str], order: Order) -> list[Callable[[int], Writing]]:
        """For each prefix, seed → its poem begun."""
        heading = self._heading(order)
        if not order.wishes.are_none:
            plans = self._composer.plans
            return [
                partial(self._searched, plans(order.wishes, p, order.max_length), heading, p, order)
                for p in prefixes
            ]
        rules = Rules(self._vocabulary, order.max_length)
        return [
            partial(self._drawn, rules, self._tokens(prefix, order), heading, prefix, order)
            for prefix in prefixes
        ]

    def _drawn(
        self,
        rules: Rules,
        tokens: search.Prefix,
        heading: Heading,
        prefix: str,
        order: Order,
        seed: int,
    ) -> Writing:
        heading = told_freely(heading, self._headers, seed, prefix, order.max_length)
        quotes = self._quotes(order)
        refused = quotes.stand_in if quotes else None
        start = self._told(heading)
        drawing = Drawing(rules, tokens, start, order.sampling, seed, refused)
        return DrawnWriting(self._model, drawing, *self._telling(prefix, order, seed))

    def _searched(
        self, plans: list[Plan], heading: Heading, prefix: str, order: Order, seed: int
    ) -> Writing:
        shown, written = self._telling(prefix, order, seed)
        quotes = self._quotes(order)
        drafts = self._composer.compose(
            plans,
            seed,
            self._model,
            start_for=lambda plan: self._told(
                told_plan(heading, self._headers, plan, seed, prefix)
            ),
            sampling=order.sampling,
            candidates=order.candidates,
            shown=shown,
            penalty=quotes.penalty if quotes else None,
        )
        return SearchedWriting(drafts, shown, written)

    def _likeliest(
        self, prefixes: list[str], order: Order, beam_width: int | None, count: int
    ) -> list[WrittenPoem]:
        """Nothing is drawn: by a beam, or greedily where it has no width."""
        rules, start = Rules(self._vocabulary, order.max_length), self._told(self._heading(order))
        tokens = [self._tokens(prefix, order) for prefix in prefixes]
        if beam_width is None:
            found = [[draft] for draft in search.greedy(self._model, rules, tokens, start)]
        else:
            found = search.beam(self._model, rules, tokens, start, beam_width, count)
        return [
            self._written(prefix, order, None, draft)
            for prefix, drafts in zip(prefixes, found, strict=True)
            for draft in drafts
        ]

    def _heading(self, order: Order) -> Heading:
        return heading_of(self._headers, self.script, order.title, order.style, order.dynasty)

    def _told(self, heading: Heading) -> State:
        """The state of the network that has been told what it is to write."""
        return self._model.told(self._headers.encode(heading).ids)

    def _telling(
        self, prefix: str, order: Order, seed: int
    ) -> tuple[Callable[[Draft], str], Callable[[Draft], WrittenPoem]]:
        """How a draft is shown while it is written, and when it is done."""
        return partial(self._text, script=order.script), partial(self._written, prefix, order, seed)

    def _quotes(self, order: Order) -> Quotes | None:
        """What keeps one poem clear of quotations; None where they are welcome or not known."""
        if self._novelty is None or order.allow_quotes:
            return None
        return Quotes(self._novelty, self._vocabulary)

    @cached_property
    def _composer(self) -> Composer:
        from yinshi.writing.composer import Composer  # reads the tables of prosody

        return Composer(self._vocabulary, self._reader, self.script)

    def _tokens(self, prefix: str, order: Order) -> search.Prefix:
        tokens = self._reader.read(prefix)
        if len(tokens) >= order.max_length:
            raise UsageError(
                f"prefix {prefix!r} has {len(tokens)} characters: expected fewer than "
                f"max_length {order.max_length}"
            )
        return tokens

    def _written(self, prefix: str, order: Order, seed: int | None, draft: Draft) -> WrittenPoem:
        text = self._text(draft, order.script)
        nats = sum(draft.nats) / len(draft.nats)
        known = self._novelty.longest_known_span(text) if self._novelty else None
        return WrittenPoem(text, prefix, seed, nats, known, order.title, order.style)

    def _text(self, draft: Draft, script: Script | None) -> str:
        text = self._vocabulary.decode(token for token in draft.tokens if token != EOS)
        if script in (None, self.script):
            return text
        return (scripts.to_simplified if script == "simplified" else scripts.to_traditional)(text)


def fresh_seed() -> int:
    """A seed at random, short enough to be typed again."""
    return int.from_bytes(os.urandom(8)) % 1_000_000


def _check(count: int, seed: int | None, method: str = "sample", beam_width: int = 1) -> None:
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
