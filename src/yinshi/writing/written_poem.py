"""A poem that the model wrote."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from yinshi.corpus.poem import OTHER_FORM, form_of, lines_of

_SENTENCE = re.compile("[^。？！]*[。？！]?")


@dataclass(frozen=True, slots=True)
class WrittenPoem:
    """`text` is one string with its punctuation; `str(poem)` has one sentence a line.

    `prefix` is what was asked for, as it was asked. `seed` writes the poem again (None where
    nothing was drawn). `nats_per_character` is the total −log p of the whole text, its prefix,
    punctuation and end included, over the number of these tokens: exp of it is the poem's
    perplexity. `known_span` is its longest run of characters that stands in the training poems ("":
    none of five or more; None: the model has no index of them). `title`, and the author whose
    `style` it is in, are what was asked for, as it was asked.
    """

    text: str
    prefix: str
    seed: int | None
    nats_per_character: float
    known_span: str | None = None
    title: str | None = None
    style: str | None = None

    @property
    def form(self) -> str:
        """五绝, 七绝, 五律, 七律, 五排, 七排 or other, by the lines' number and length alone."""
        name = form_of(self.text)
        if name != OTHER_FORM:
            return name
        from yinshi.prosody import forms  # of a few poems only

        lines = lines_of(self.text)
        even = len({len(line) for line in lines}) == 1
        found = forms.form_of(len(lines[0]), len(lines)) if even else None
        return found.name if found else OTHER_FORM

    @property
    def lines(self) -> list[str]:
        """The sentences, each with its punctuation."""
        return [sentence for sentence in _SENTENCE.findall(self.text) if sentence]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "text": self.text,
            "form": self.form,
            "prefix": self.prefix,
            "seed": self.seed,
            "nats_per_character": self.nats_per_character,
            "known_span": self.known_span,
            "title": self.title,
            "style": self.style,
        }

    def __str__(self) -> str:
        return "\n".join([*filter(None, [self.title]), *self.lines])
