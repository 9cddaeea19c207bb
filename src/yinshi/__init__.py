"""吟诗: recurrent networks written by hand, trained on the Complete Tang Poems, writing poems.

    import yinshi

    for poem in yinshi.Poet.load().write("月", count=3, seed=0):
        print(poem, end="\\n\\n")

The reading order is the order in which data flows:

    errors, recipe          what can go wrong; what an experiment is
    corpus                  poems: read, cleaned, split, counted into a vocabulary, batched
    engine                  the network by hand, in NumPy
    nets                    the same network in PyTorch
    training                one loop
    model_file              weights, recipe and vocabulary in one file
    prosody                 tones, rhymes and forms; the scan of a poem
    writing                 from a model to a poem; its `Poet` is the one class a user needs
    evaluation              perplexity under every convention
    apps                    the command line

Importing this package imports nothing else: each name below is fetched when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yinshi.errors import (
        DataError,
        DivergedError,
        DownloadError,
        MissingExtraError,
        ModelFileError,
        RecipeError,
        SourceError,
        TrainingError,
        UnknownCharacterError,
        UsageError,
        YinshiError,
    )
    from yinshi.model_file import ModelFile
    from yinshi.prosody.scan import Scan, scan
    from yinshi.recipe import Recipe, load_recipe
    from yinshi.writing.poet import Poet
    from yinshi.writing.reading import Reading
    from yinshi.writing.together import Writing, step_together
    from yinshi.writing.written_poem import WrittenPoem

__version__ = "0.1.0"

__all__ = [
    "DataError",
    "DivergedError",
    "DownloadError",
    "MissingExtraError",
    "ModelFile",
    "ModelFileError",
    "Poet",
    "Reading",
    "Recipe",
    "RecipeError",
    "Scan",
    "SourceError",
    "TrainingError",
    "UnknownCharacterError",
    "UsageError",
    "Writing",
    "WrittenPoem",
    "YinshiError",
    "load_recipe",
    "scan",
    "step_together",
]

#: name → its module, where that is not `yinshi.errors`.
_HOMES = {
    "ModelFile": "yinshi.model_file",
    "Poet": "yinshi.writing.poet",
    "Reading": "yinshi.writing.reading",
    "Recipe": "yinshi.recipe",
    "Scan": "yinshi.prosody.scan",
    "Writing": "yinshi.writing.together",
    "WrittenPoem": "yinshi.writing.written_poem",
    "load_recipe": "yinshi.recipe",
    "scan": "yinshi.prosody.scan",
    "step_together": "yinshi.writing.together",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'yinshi' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES.get(name, "yinshi.errors")), name)
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
