"""What a poem's header is to say, and a network that reads it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from yinshi.corpus import script as scripts
from yinshi.corpus.header import TANG, Headers, Heading, one_spelling
from yinshi.engine.cells import Array
from yinshi.engine.language_model import LanguageModel, State
from yinshi.errors import UsageError

#: How alike a name is, by difflib's ratio, that is offered for another: 李太白 and 李白 are 0.8.
ALIKE = 0.4


class Conditioned(LanguageModel):
    """The network of `weights`, which can be told what to write: it doesn't measure.

    Of the next token it says only what a poem can hold, one of the first `size`: no search meets a
    header's tokens.
    """

    def __init__(self, weights: Mapping[str, Array], cell: str, size: int) -> None:
        super().__init__(weights, cell=cell)
        self._size = size

    def told(self, ids: NDArray[np.int32]) -> State:
        """The state (one row) before `<sos>`, having read the header `ids`."""
        state = self.initial_state(1)
        for token in ids:
            _, state = self.step(np.array([token]), state)
        return state

    def logits(self, outputs: Array) -> Array:
        """(…, size)."""
        return super().logits(outputs)[..., : self._size]


def heading_of(
    headers: Headers,
    script: str,
    title: str | None = None,
    style: str | None = None,
    dynasty: str | None = None,
) -> Heading:
    """What a poem is told to be, title and author in either script, for a model of `script`.

    An author brings along his dynasty; without either it is the Tang. Raises UsageError for what
    the model has not learnt.
    """
    for part, wish, asked in [
        ("title", "title", title),
        ("author", "style", style),
        ("dynasty", "dynasty", dynasty),
    ]:
        if asked is not None and part not in headers.conditions:
            raise UsageError(f"{wish} {asked!r}: {_without(headers, part)}")
    if dynasty is not None and f"dynasty:{dynasty}" not in headers.names:
        known = " or ".join(headers.told("dynasty"))
        raise UsageError(f"dynasty {dynasty!r}: expected {known}")
    author = ""
    if style is not None:
        author, dynasty = _author(headers, style, dynasty)
    heading = Heading(TANG if dynasty is None else dynasty, author=author)
    return heading if title is None else _titled(headers, heading, title, script)


def _titled(headers: Headers, heading: Heading, title: str, script: str) -> Heading:
    from yinshi.corpus.cleaning import clean_name  # whose patterns take time: only for a title

    text = clean_name(title)
    simplified = scripts.to_simplified(text)
    if script == "simplified":
        text = simplified
    elif simplified == text:  # and no character in it is traditional alone
        text = scripts.to_traditional(text)
    if not headers.encode(Heading(title=text)).ids.size:
        raise UsageError(f"title {title!r}: found no character that the model knows")
    return Heading(heading.dynasty, author=heading.author, title=text)


def _author(headers: Headers, style: str, dynasty: str | None) -> tuple[str, str]:
    """(name, dynasty) of the author meant; of two of one name the one with more poems."""
    known = [each for each in headers.authors if dynasty in (None, each[1])]
    name = one_spelling(style)
    found = next((each for each in known if each[0] == name), None)
    if found is None:
        names = list(dict.fromkeys(each[0] for each in known))
        near = difflib.get_close_matches(name, names, cutoff=ALIKE) or names[:3]
        raise UsageError(
            f"style {style!r}: none of the {len(known):,} authors that the model knows"
            f"{f' of {dynasty}' if dynasty else ''}; nearest: {', '.join(near)}"
        )
    return found


def _without(headers: Headers, part: str) -> str:
    if not headers.names:
        return "the model was trained on poems alone; take one trained with network.conditions"
    return (
        f"the model was trained with conditions {'+'.join(headers.conditions)}, without {part}; "
        "take another"
    )
