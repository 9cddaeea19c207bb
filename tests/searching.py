"""For tests of searches, which are generators."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

Result = TypeVar("Result")


def outcome(steps: Generator[object, None, Result]) -> Result:
    """What `steps` come to in the end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
