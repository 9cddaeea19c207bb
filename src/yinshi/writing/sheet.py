"""The lined paper of a poem: how long each line is, and which characters stand there already."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from yinshi.corpus.poem import PUNCTUATION
from yinshi.errors import UsageError
from yinshi.prosody.forms import NAMES, Form, form_named, form_of
from yinshi.writing.lexicon import Lexicon
from yinshi.writing.prefix import PrefixReader, normalised
from yinshi.writing.wishes import BLANKS, Wishes

Tokens = tuple[int, ...]

_LINE = re.compile(f"([^{PUNCTUATION}]*)([{PUNCTUATION}]?)")


@dataclass(frozen=True, slots=True)
class Lock:
    """A character that is asked for: `text`, as it was asked, is any of `tokens`.

    `line` and `position` count from 0; `wish` is what asks for it, for messages.
    """

    line: int
    position: int
    text: str
    wish: str
    tokens: Tokens

    @property
    def place(self) -> str:
        return f"line {self.line + 1}, character {self.position + 1}"

    def __str__(self) -> str:
        return f"{self.text} ({self.wish})"


@dataclass(frozen=True, slots=True)
class Sheet:
    """`lengths` of the lines in characters; `marks`: the tokens that may end each line.

    `form` is the regulated form of this shape, if there is one; `name` what messages call it.
    """

    name: str
    form: Form | None
    lengths: tuple[int, ...]
    marks: tuple[Tokens, ...]
    locks: tuple[Lock, ...] = ()

    @property
    def is_even(self) -> bool:
        """Whether it has couplets: an even number of lines, all as long."""
        return len(set(self.lengths)) == 1 and len(self.lengths) % 2 == 0

    @property
    def tokens(self) -> int:
        """How many tokens the poem has, its marks included and its end not."""
        return sum(self.lengths) + len(self.lengths)


class Stationer:
    """Makes the sheets on which wishes can be met."""

    def __init__(self, reader: PrefixReader, lexicon: Lexicon) -> None:
        self._reader = reader
        self._lexicon = lexicon

    def sheets(self, wishes: Wishes, prefix: str, max_length: int) -> list[Sheet]:
        """The sheets, one for each form that is open, with all that is to stand on them.

        Raises UsageError where a wish doesn't fit on any.
        """
        if not (self._marks(0) and self._marks(1)):
            raise UsageError("the model writes no ， or 。, by which lines are parted")
        found, faults = [], []
        for blank in self._blank(wishes, max_length):
            try:
                found.append(self._filled(blank, wishes, prefix))
            except UsageError as error:
                faults.append(error)
        if not found:
            raise faults[0]
        return found

    def _blank(self, wishes: Wishes, max_length: int) -> Iterator[Sheet]:
        if wishes.keep:
            kept = _lines(wishes.keep)
            lengths = tuple(len(line) for line, _ in kept)
            yield self._kept(lengths, [mark for _, mark in kept], wishes)
        elif wishes.has_form:
            form = form_named(wishes.form or "")
            yield self._regular(form)
        else:
            forms = [form_of(length, lines) for length, lines in NAMES]
            fitting = [self._regular(form) for form in forms if form]
            fitting = [sheet for sheet in fitting if sheet.tokens <= max_length]
            if not fitting:
                raise UsageError(f"max_length {max_length}: expected at least 24, for 五绝")
            yield from fitting

    def _regular(self, form: Form) -> Sheet:
        marks = tuple(self._marks(i) for i in range(form.lines))
        return Sheet(form.name, form, (form.length,) * form.lines, marks)

    def _kept(self, lengths: tuple[int, ...], marks: Sequence[str], wishes: Wishes) -> Sheet:
        form = form_of(lengths[0], len(lengths)) if len(set(lengths)) == 1 else None
        if wishes.has_form and form != (wanted := form_named(wishes.form or "")):
            raise UsageError(
                f"keep: found lines of {', '.join(map(str, lengths))} characters, form "
                f"{wanted.name} has {wanted.lines} of {wanted.length}; leave out one of them"
            )
        tokens = tuple(
            self._marks(i) if not mark else tuple(r for [r] in self._reader.readings(mark))
            for i, mark in enumerate(marks)
        )
        return Sheet(form.name if form else "the kept poem", form, lengths, tokens)

    def _marks(self, line: int) -> Tokens:
        return self._lexicon.marks(ends_sentence=bool(line % 2))

    def _filled(self, sheet: Sheet, wishes: Wishes, prefix: str) -> Sheet:
        locks = [*self._prefix(sheet, prefix), *self._acrostic(sheet, wishes)]
        for number, template in wishes.lines.items():
            locks += self._template(sheet, number, template)
        locks += self._kept_locks(wishes.keep)
        marks = list(sheet.marks)
        for i, (_, mark) in enumerate(_lines(prefix)):
            if mark:
                marks[i] = tuple(r for [r] in self._reader.readings(mark))
        return replace(sheet, locks=tuple(locks), marks=tuple(marks))

    def _kept_locks(self, keep: str) -> list[Lock]:
        lines = [line for line, _ in _lines(keep)]
        places = [(i, j) for i, line in enumerate(lines) for j in range(len(line))]
        text = "".join(lines)
        readings = self._readings(text, stays=True)
        return [Lock(*places[k], text[k], "keep", tokens) for k, tokens in readings]

    def _prefix(self, sheet: Sheet, prefix: str) -> list[Lock]:
        locks = []
        for i, (line, mark) in enumerate(_lines(prefix)):
            length = sheet.lengths[i] if i < len(sheet.lengths) else 0
            if len(line) > length or (mark and len(line) < length):
                raise UsageError(
                    f"prefix {prefix!r}: found {len(line)} characters in line {i + 1}, "
                    f"{sheet.name} has {length or 'no such line'}"
                    + ("; part its lines with ，" if not mark and len(line) > length > 0 else "")
                )
            locks += self._row(i, line, "prefix")
        return locks

    def _acrostic(self, sheet: Sheet, wishes: Wishes) -> list[Lock]:
        text = "".join(c for c in normalised(wishes.acrostic) if c not in PUNCTUATION)
        if not text:
            return []
        lines = len(sheet.lengths)
        if len(text) != lines:
            raise UsageError(
                f"acrostic {text}: found {len(text)} characters, {sheet.name} has {lines} lines; "
                f"put _ for a line that may begin as it will, or take another form"
            )
        at = wishes.acrostic_at
        locks = []
        for i, tokens in self._readings(text):
            position = 0 if at == "head" else sheet.lengths[i] - 1 if at == "end" else int(at) - 1
            if position >= sheet.lengths[i]:
                raise UsageError(
                    f"acrostic_at {at}: line {i + 1} of {sheet.name} has {sheet.lengths[i]} "
                    f"characters"
                )
            locks.append(Lock(i, position, text[i], "acrostic", tokens))
        return locks

    def _template(self, sheet: Sheet, number: int, template: str) -> list[Lock]:
        text = "".join(c for c in normalised(template) if c not in PUNCTUATION)
        if not 1 <= number <= len(sheet.lengths):
            raise UsageError(f"line {number}: {sheet.name} has {len(sheet.lengths)} lines")
        if len(text) != sheet.lengths[number - 1]:
            raise UsageError(
                f"line {number}, {template!r}: found {len(text)} characters, {sheet.name} has "
                f"{sheet.lengths[number - 1]} in a line; put _ for what is to be written"
            )
        return self._row(number - 1, text, f"line {number}")

    def _row(self, line: int, text: str, wish: str) -> list[Lock]:
        return [Lock(line, j, text[j], wish, tokens) for j, tokens in self._readings(text)]

    def _readings(self, text: str, stays: bool = False) -> list[tuple[int, Tokens]]:
        """(index, tokens) of the characters of `text` that aren't blank."""
        places = [i for i, c in enumerate(text) if c not in BLANKS]
        readings = self._reader.readings("".join(text[i] for i in places), stays)
        return [(i, tuple(reading)) for i, reading in zip(places, readings, strict=True)]


def _lines(text: str) -> list[tuple[str, str]]:
    """(characters, mark or "") of each line; a line break parts lines too."""
    found = []
    for row in text.splitlines():
        found += [(m[1], m[2]) for m in _LINE.finditer(normalised(row)) if m[0]]
    return found
