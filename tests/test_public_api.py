from __future__ import annotations

import subprocess
import sys

import pytest

import yinshi
from yinshi import errors


def test_every_public_name_is_there() -> None:
    for name in yinshi.__all__:
        assert getattr(yinshi, name).__name__ == name
    assert set(yinshi.__all__) <= set(dir(yinshi))


def test_every_error_is_public() -> None:
    tree = [errors.YinshiError]
    for error in tree:
        tree += error.__subclasses__()
    assert {e.__name__ for e in tree if e.__module__ == errors.__name__} <= set(yinshi.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="poet"):
        yinshi.poet  # noqa: B018


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import yinshi", ["numpy", "yinshi.errors", "yinshi.recipe", "click"]),
        ("import yinshi; yinshi.Poet", ["torch", "pyarrow", "rich", "click", "opencc"]),
    ],
)
def test_importing_is_cheap(code: str, absent: list[str]) -> None:
    code += f"; import sys; print([name for name in {absent} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
