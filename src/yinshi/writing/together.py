"""Poems that are written together, a token of each at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence

from yinshi.engine.language_model import LanguageModel
from yinshi.errors import UsageError
from yinshi.writing.constraints import Draft, Sight
from yinshi.writing.search import BATCH, Drawing, draw
from yinshi.writing.written_poem import WrittenPoem

#: The text of a draft, and the poem that one becomes.
Shown = Callable[[Draft], str]
Written = Callable[[Draft], WrittenPoem]


class Writing(ABC):
    """A poem being written; `step_together` writes on. To cancel it, drop it.

    `text` is the draft so far; of several that a search holds against each other, the best.
    `progress` runs from 0 to 1, which is when `poem` is there, or `error`: a search found none.
    """

    def __init__(self, shown: Shown, written: Written) -> None:
        self.progress = 0.0
        self.poem: WrittenPoem | None = None
        self.error: UsageError | None = None
        self._draft = Draft(())
        self._shown, self._written = shown, written

    @property
    def text(self) -> str:
        return self._shown(self._draft)

    @property
    def is_done(self) -> bool:
        """Is there a poem, or an error?"""
        return self.progress == 1

    @abstractmethod
    def look(self) -> None:
        """After a step: take over what has been written."""

    def _show(self, draft: Draft, share: float) -> None:
        self._draft = draft
        self.progress = max(self.progress, share)  # a search that begins again doesn't go back

    def _finish(self, draft: Draft) -> None:
        self._draft, self.poem, self.progress = draft, self._written(draft), 1.0


class DrawnWriting(Writing):
    """A free poem."""

    def __init__(
        self, model: LanguageModel, drawing: Drawing, shown: Shown, written: Written
    ) -> None:
        super().__init__(shown, written)
        self.model, self.drawing = model, drawing

    def look(self) -> None:
        if self.drawing.is_done:
            self._finish(self.drawing.draft)
        else:
            self._show(*self.drawing.sight)


class SearchedWriting(Writing):
    """A poem that meets wishes."""

    def __init__(
        self, search: Generator[Sight, None, Draft], shown: Shown, written: Written
    ) -> None:
        super().__init__(shown, written)
        self._search = search

    def look(self) -> None:
        """Take a step as well: the drafts of a search are a batch of their own."""
        try:
            self._show(*next(self._search))
        except StopIteration as end:
            self._finish(end.value)
        except UsageError as error:
            self.error, self.progress = error, 1.0


def step_together(writings: Sequence[Writing]) -> None:
    """One token more of every one of `writings` that isn't done, of whatever models.

    What becomes of one depends on no other. Free poems of one model go through it together. A
    search among drafts keeps to products of its own: with 64 rows they cost next to nothing more
    than shared ones, and how a BLAS sums depends on how many rows there are.
    """
    going = [writing for writing in writings if not writing.is_done]
    free: dict[int, list[DrawnWriting]] = {}
    for writing in going:
        if isinstance(writing, DrawnWriting):
            free.setdefault(id(writing.model), []).append(writing)
    for group in free.values():
        for start in range(0, len(group), BATCH):
            batch = group[start : start + BATCH]
            draw(group[0].model, [writing.drawing for writing in batch])
    for writing in going:
        writing.look()


def finished(writings: Sequence[Writing], at_once: int) -> list[WrittenPoem]:
    """The poems of `writings`, so many `at_once`. Raises the first UsageError that one has."""
    for start in range(0, len(writings), at_once):
        going = list(writings[start : start + at_once])
        while going:
            step_together(going)
            for writing in going:
                if writing.error:
                    raise writing.error
            going = [writing for writing in going if not writing.is_done]
    return [writing.poem for writing in writings if writing.poem]
