"""What is asked of a poem besides how it begins: the keyword arguments of `Poet.write`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict, get_args

from yinshi.errors import UsageError
from yinshi.writing.sampling import Sampling
from yinshi.writing.wishes import Tones, Wishes

Script = Literal["traditional", "simplified"]

#: Below it poems say 不知何處 every other time, above it they keep their form less often.
TEMPERATURE = 0.8
CANDIDATES = 64
MAX_LENGTH = 64


class Asked(TypedDict, total=False):
    """Those of them that are about one poem; what each means is told at `Poet.write`."""

    temperature: float | None
    top_k: int | None
    top_p: float | None
    script: Script | None
    max_length: int
    title: str | None
    style: str | None
    dynasty: str | None
    form: str | None
    rhyme: str | None
    tones: Tones | None
    acrostic: str
    acrostic_at: str | int
    lines: Mapping[int, str] | None
    keep: str
    avoid: str
    no_repeat: bool
    candidates: int | None
    allow_quotes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The same, with what was left open filled in and the rest checked."""

    wishes: Wishes
    sampling: Sampling
    script: Script | None
    max_length: int
    title: str | None
    style: str | None
    dynasty: str | None
    candidates: int
    allow_quotes: bool

    @classmethod
    def of(cls, asked: Asked) -> Order:
        """Raises UsageError for what no poem can be asked."""
        wishes = Wishes(
            form=asked.get("form"),
            rhyme=asked.get("rhyme"),
            tones=asked.get("tones"),
            acrostic=asked.get("acrostic", ""),
            acrostic_at=asked.get("acrostic_at", "head"),
            lines=dict(asked.get("lines") or {}),
            keep=asked.get("keep", ""),
            avoid=asked.get("avoid", ""),
            no_repeat=asked.get("no_repeat", False),
        )
        temperature = asked.get("temperature")
        if temperature is None:
            temperature = TEMPERATURE
        script, candidates = asked.get("script"), asked.get("candidates")
        if script not in (None, *get_args(Script)):
            raise UsageError(f"script {script!r}: expected one of {', '.join(get_args(Script))}")
        if candidates is not None and candidates < 1:
            raise UsageError(f"candidates {candidates}: expected at least 1")
        if candidates is not None and wishes.are_none:
            raise UsageError(f"candidates {candidates}: found no wish; ask for a form or a rhyme")
        return cls(
            wishes=wishes,
            sampling=Sampling(temperature, asked.get("top_k"), asked.get("top_p")),
            script=script,
            max_length=asked.get("max_length", MAX_LENGTH),
            title=asked.get("title"),
            style=asked.get("style"),
            dynasty=asked.get("dynasty"),
            candidates=candidates or CANDIDATES,
            allow_quotes=asked.get("allow_quotes", False),
        )
