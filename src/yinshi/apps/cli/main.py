"""`yinshi`: each command's module is imported only when it runs, so that `write` starts at once."""

from __future__ import annotations

import errno
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click

from yinshi import __version__
from yinshi.errors import YinshiError

#: command → (one-line help); its module is `yinshi.apps.cli.<command>`, its object `command`.
COMMANDS = {
    "write": "Write poems that begin as you ask.",
    "scan": "Explain the tones and rhymes of poems.",
    "serve": "Serve the web page and the HTTP API.",
    "prepare": "Clean, split and encode a collection of poems.",
    "train": "Train a recipe's network on prepared poems.",
    "evaluate": "Measure a model's perplexity under every convention.",
    "classify": "Train, measure and use a classifier of Chinese texts.",
    "gradcheck": "Check the hand-written gradients against central differences.",
    "study": "Run an experiment and write its report.",
    "recipes": "List the recipes shipped in the package.",
}


class Commands(click.Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"yinshi.apps.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="yinshi")
def yinshi() -> None:
    """吟诗: from the Complete Tang Poems to a new poem."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; an error is one line on stderr and an exit code, not a traceback.

    What it prints is UTF-8, whatever the locale: a poem piped to a file must not depend on it.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8")
    sys.exit(_exit_code(arguments))


def _exit_code(arguments: list[str] | None) -> Any:
    try:
        return yinshi.main(arguments, prog_name="yinshi", standalone_mode=False) or 0
    except click.Abort:
        click.echo("interrupted", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except YinshiError as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except MemoryError as error:
        click.echo(f"error: out of memory ({error or 'no details'}); ask for less", err=True)
        return 1
    except OSError as error:
        click.echo(f"error: {_told(error)}", err=True)
        return 1


def _told(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    if error.errno == errno.ENOSPC:
        return f"{where}the disk is full; nothing there was changed, free some space and try again"
    return f"{where}{error.strerror or error}"


if __name__ == "__main__":
    main()
