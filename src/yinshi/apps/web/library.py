"""The models that are served, each under a name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from yinshi.apps.web.responses import Model
from yinshi.corpus.header import Headers
from yinshi.errors import UsageError
from yinshi.model_file import BEST, SHIPPED, ModelFile, resolve_model
from yinshi.writing.poet import Poet

#: Of the authors whom a model knows so many are listed.
STYLES = 300


@dataclass(frozen=True, slots=True)
class Entry:
    """A poet, and what is told of his model."""

    poet: Poet
    told: Model


class Library:
    """Poets by name; the first is the default."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = {entry.told.name: entry for entry in entries}

    @classmethod
    def load(cls, paths: Sequence[str] = ()) -> Library:
        """The models of files and of runs' folders; () and "poet" are the shipped one.

        Raises ModelFileError, and UsageError for two of one name.
        """
        found: dict[str, Entry] = {}
        for given in paths or [SHIPPED]:
            file = resolve_model(None if given == SHIPPED else Path(given))
            name = file.resolve().parent.name if file.name == BEST else file.stem
            if name in found:
                raise UsageError(f"--model {given}: found two models called {name}; rename one")
            found[name] = _entry(file, name, is_default=not found)
        return cls(list(found.values()))

    @property
    def models(self) -> list[Model]:
        """What is told of each."""
        return [entry.told for entry in self._entries.values()]

    def entry(self, name: str | None) -> Entry:
        """The model called `name`, or the default; UsageError where there is none."""
        if name is None:
            return next(iter(self._entries.values()))
        if name not in self._entries:
            raise UsageError(f"model {name!r}: expected one of {', '.join(self._entries)}")
        return self._entries[name]

    def warm_up(self) -> None:
        """Write a poem with each, so that no request waits for tables to be read."""
        for entry in self._entries.values():
            entry.poet.write(form="五绝", seed=0, candidates=2, tones="off", rhyme="off")


def _entry(file: Path, name: str, is_default: bool) -> Entry:
    model = ModelFile.load(file)
    headers = Headers(model.header_names, model.vocabulary)
    authors = list(dict.fromkeys(author for author, _ in headers.authors))
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    told = Model(
        name=name,
        is_default=is_default,
        script=model.recipe.corpus.script,
        vocabulary_size=len(model.vocabulary),
        parameters=sum(weight.size for weight in model.weights.values()),
        conditions=headers.conditions,
        styles=authors[:STYLES],
        dynasties=headers.told("dynasty"),
        hash=digest,
    )
    return Entry(Poet(model, name), told)
