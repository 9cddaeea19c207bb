from __future__ import annotations

import inspect

import pytest

from yinshi import errors
from yinshi.errors import MissingExtraError, RecipeError, UsageError, YinshiError

CLASSES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if kind.__module__ == errors.__name__
]


def test_every_error_stands_in_the_drawn_tree() -> None:
    assert errors.__doc__ is not None
    tree = errors.__doc__
    for kind in CLASSES:
        assert issubclass(kind, YinshiError)
        assert f"{kind.__name__} " in tree


def test_the_drawing_has_the_right_parents() -> None:
    """`│   ├──` is one level below the `├──` before it."""
    assert errors.__doc__ is not None
    parents = [YinshiError]
    for line in errors.__doc__.splitlines():
        branch, _, rest = line.partition("── ")
        if rest:
            level = len(branch) // 4  # of the docstring's indentation, then of each branch
            kind = getattr(errors, rest.split()[0])
            assert kind.__base__ is parents[level - 1]
            parents[level:] = [kind]


def test_exit_codes_are_2_for_usage_and_1_for_failure() -> None:
    for kind in CLASSES:
        assert kind.exit_code == (2 if issubclass(kind, UsageError) else 1)


def test_recipe_error_tells_all_faults_on_one_line() -> None:
    error = RecipeError("mine", ["a is wrong", "b is unknown"])
    assert str(error) == "recipe mine: a is wrong; b is unknown"
    assert error.faults == ["a is wrong", "b is unknown"]


def test_missing_extra_says_what_to_install() -> None:
    with pytest.raises(YinshiError, match=r"training needs .*: pip install 'yinshi\[train\]'"):
        raise MissingExtraError("training", "train")
