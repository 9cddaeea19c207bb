"""Every error a user can meet, as one tree.

    YinshiError                 exit 1: something failed
    ├── UsageError              exit 2: the request itself can't be met
    │   ├── RecipeError         faults of a recipe, all at once
    │   └── UnknownCharacterError   a character the model has never seen
    ├── SourceError             a source of poems can't be read
    ├── DownloadError           the archive can't be fetched or is not the pinned one
    ├── DataError               a prepared folder is missing, damaged or of another version
    ├── ModelFileError          a file is not a model, or not a whole one
    ├── MissingExtraError       an optional dependency is not installed
    └── TrainingError           training can't go on (another run's folder, no GPU, …)
        └── DivergedError       the network's numbers are no longer finite

A message is one line: what was found, what was expected, what to do.
"""

from __future__ import annotations


class YinshiError(Exception):
    """Root of the tree; the command line prints it as one line and exits with `exit_code`."""

    exit_code = 1


class UsageError(YinshiError):
    """The request can't be met as it stands; asking differently would help."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe has faults; `faults` holds each as one sentence."""

    def __init__(self, name: str, faults: list[str]) -> None:
        self.faults = faults
        super().__init__(f"recipe {name}: " + "; ".join(faults))


class UnknownCharacterError(UsageError):
    """A character that the model's vocabulary lacks in every script."""


class SourceError(YinshiError):
    """A source of poems can't be read."""


class DownloadError(YinshiError):
    """The pinned archive can't be fetched, or what came is not it."""


class DataError(YinshiError):
    """A prepared folder is missing, damaged or of another version."""


class ModelFileError(YinshiError):
    """A file is not a yinshi model, or not a whole one."""


class MissingExtraError(YinshiError):
    """An optional dependency is not installed."""

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(f"{purpose} needs optional packages: pip install 'yinshi[{extra}]'")


class TrainingError(YinshiError):
    """Training can't start or can't go on."""


class DivergedError(TrainingError):
    """The network's numbers are no longer finite."""
