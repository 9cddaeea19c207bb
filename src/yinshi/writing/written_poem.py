"""A poem that the model wrote."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from yinshi.corpus.poem import form_of

_SENTENCE = re.compile("[^。？！]*[。？！]?")


@dataclass(frozen=True, slots=True)
class WrittenPoem:
    """`text` is one string with its punctuation; `str(poem)` has one sentence a line.

    `prefix` is what was asked for, as it was asked. `seed` writes the poem again (None where
    nothing was drawn). `nats_per_character` is the total −log p of the whole text, its prefix,
    punctuation and end included, over the number of these tokens: exp of it is the poem's
    perplexity.
    """

    text: str
    prefix: str
    seed: int | None
    nats_per_character: float

    @property
    def form(self) -> str:
        """五绝, 七绝, 五律, 七律 or other, by the lines' number and length alone."""
        return form_of(self.text)

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
        }

    def __str__(self) -> str:
        return "\n".join(self.lines)
