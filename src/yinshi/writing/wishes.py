"""What is asked of a poem besides how it begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from yinshi.errors import UsageError

Tones = Literal["strict", "loose", "off"]

#: Places of a template that are free.
BLANKS = "_＿□○"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The wishes of `Poet.write`; what each means is told there. Raises UsageError."""

    form: str | None = None
    rhyme: str | None = None
    tones: Tones | None = None
    acrostic: str = ""
    acrostic_at: str | int = "head"
    lines: Mapping[int, str] = field(default_factory=dict)
    keep: str = ""
    avoid: str = ""
    no_repeat: bool = False

    def __post_init__(self) -> None:
        if self.tones not in (None, *get_args(Tones)):
            raise UsageError(f"tones {self.tones!r}: expected one of {', '.join(get_args(Tones))}")
        at = self.acrostic_at
        if at not in ("head", "end") and not (isinstance(at, int) and at > 0):
            raise UsageError(f"acrostic_at {at!r}: expected head, end or a position from 1")
        if at != "head" and not self.acrostic:
            raise UsageError(f"acrostic_at {at!r}: found no acrostic to put there")
        if self.keep and not any(blank in self.keep for blank in BLANKS):
            raise UsageError("keep: found no □ in the poem; put one for each character to write")

    @property
    def are_none(self) -> bool:
        """Whether nothing is asked for: a free poem, as the network would have it."""
        form = None if self.form == "free" else self.form
        rhyme = None if self.rhyme == "off" else self.rhyme
        tones = None if self.tones == "off" else self.tones
        return replace(self, form=form, rhyme=rhyme, tones=tones) == Wishes()

    @property
    def has_form(self) -> bool:
        """Whether a form is named."""
        return self.form not in (None, "free")

    def nearer(self) -> Iterator[tuple[str, Wishes]]:
        """(what to ask for instead, those wishes), the nearest first."""
        if self.tones != "off":
            if self.tones != "loose":
                yield "tones loose", replace(self, tones="loose")
            yield "tones off", replace(self, tones="off")
        if self.rhyme != "off":
            if self.rhyme not in (None, "auto"):
                yield "rhyme auto", replace(self, rhyme="auto")
            yield "rhyme off", replace(self, rhyme="off")
            yield "tones off and rhyme off", replace(self, tones="off", rhyme="off")
        if self.has_form:
            for form in ("五绝", "七绝", "五律", "七律"):
                yield f"form {form}", replace(self, form=form)
        if self.no_repeat:
            yield "leaving out no_repeat", replace(self, no_repeat=False)
        if self.avoid:
            yield "leaving out avoid", replace(self, avoid="")
