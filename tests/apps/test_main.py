from __future__ import annotations

import errno
import os
import subprocess
import sys
from importlib.util import find_spec

import click
import pytest

from yinshi import __version__
from yinshi.apps.cli.main import COMMANDS, Commands, main
from yinshi.errors import DataError, UsageError
from yinshi.recipe import recipe_names

Capture = pytest.CaptureFixture[str]


def call(capsys: Capture, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


def failing_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make `yinshi recipes` raise `error`."""

    @click.command("recipes")
    def command() -> None:
        raise error

    monkeypatch.setattr(Commands, "get_command", lambda self, ctx, name: command)


def in_a_process(code: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env={**os.environ, **environment}
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_module_and_helps(name: str, capsys: Capture) -> None:
    assert find_spec(f"yinshi.apps.cli.{name}")
    code, out, err = call(capsys, name, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: yinshi {name}")


def test_help_lists_every_command(capsys: Capture) -> None:
    code, out, _ = call(capsys, "-h")
    assert code == 0
    for name, line in COMMANDS.items():
        assert f"{name} " in out
        assert line in out


def test_version(capsys: Capture) -> None:
    assert call(capsys, "--version") == (0, f"yinshi, version {__version__}\n", "")


def test_recipes_are_listed(capsys: Capture) -> None:
    code, out, _ = call(capsys, "recipes")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == recipe_names()


def test_an_unknown_command_or_option_is_a_usage_error(capsys: Capture) -> None:
    for arguments, told in ((["wirte"], "wirte"), (["recipes", "--x"], "--x"), ([], "Commands:")):
        code, out, err = call(capsys, *arguments)
        assert (code, out) == (2, "")
        assert told in err


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (UsageError("ask for less"), 2, "error: ask for less\n"),
        (DataError("no data"), 1, "error: no data\n"),
        (KeyboardInterrupt(), 130, "\ninterrupted\n"),
        (MemoryError("7 TiB"), 1, "error: out of memory (7 TiB); ask for less\n"),
        (
            PermissionError(errno.EACCES, "Permission denied", "x"),
            1,
            "error: x: Permission denied\n",
        ),
        (OSError("odd"), 1, "error: odd\n"),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            1,
            "error: the disk is full; nothing there was changed, free some space and try again\n",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_an_error_is_one_line_and_an_exit_code(
    error: BaseException, code: int, told: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_with(monkeypatch, error)
    assert call(capsys, "recipes") == (code, "", told)


def test_our_own_bugs_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: what no user can cause keeps its traceback."""
    failing_with(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        main(["recipes"])


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from yinshi.apps.cli.main import _exit_code; _exit_code(['--help']);"
        "heavy = {'numpy', 'torch', 'rich', 'opencc', 'safetensors', 'pyarrow'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    finished = in_a_process(code)
    assert (finished.returncode, finished.stderr) == (0, b"")


def test_output_is_utf_8_in_any_locale() -> None:
    code = "from yinshi.apps.cli.main import main; main(['--help'])"
    finished = in_a_process(code, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert finished.returncode == 0
    assert "吟诗" in finished.stdout.decode("utf-8")


def test_a_closed_pipe_is_silent() -> None:
    """`yinshi recipes | head -0`: whoever read the output has gone; nothing to tell anyone."""
    read, write = os.pipe()
    os.close(read)
    code = "from yinshi.apps.cli.main import main; main(['recipes'])"
    finished = subprocess.run([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert finished.stderr == b""
