"""What the README tells people to type works, and what it shows of the shipped model is true.

The commands run in one empty folder, in their order, on a sample of the poems (the README's own are
all of them); `make` targets are looked up, not run, since `make test` would run this very test.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from yinshi.corpus.download import PINNED_HASH, archive_name

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "README.zh-CN.md", "CONTRIBUTING.md"]
POEM = "yinshi write 日 红 山 夜 湖 海 月 --seed 1"
SAMPLE = "600"


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def commands(page: str) -> list[tuple[str, str]]:
    """(command, the output shown under it) in order."""
    found = []
    for block in blocks(page, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command.partition(" #")[0].strip(), output.strip()))
    return found


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_exist(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = [c.split()[1] for c, _ in commands(page) if c.startswith("make ")]
    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_make_poem_is_the_command_whose_output_is_shown() -> None:
    assert POEM in (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_commands_run(page: str, tang_archive: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache" / "yinshi"
    cache.mkdir(parents=True)
    shutil.copy(tang_archive, cache / archive_name(PINNED_HASH))
    for command, shown in commands(page):
        command = POEM if command == "make poem" else command
        poem, piped, command = command.rpartition(" | ")
        if command.startswith("printf "):
            subprocess.run(command, cwd=tmp_path, shell=True, check=True)
        if not command.startswith("yinshi "):
            continue
        words = shlex.split(command)
        sample = ["--sample", SAMPLE] if words[1] == "prepare" else []
        done = run([*words, *sample], tmp_path, poem.removeprefix("echo "))
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        assert done.stdout.strip(), command
        if piped or (words[1] == "write" and "--model" not in words):
            assert done.stdout.strip() == shown, command


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_python_runs(page: str, tmp_path: Path) -> None:
    for code in blocks(page, "python"):
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        assert "月" in done.stdout.decode()


def run(words: list[str], folder: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "COLUMNS": "100"}
    words = [sys.executable, "-m", "yinshi.apps.cli.main", *words[1:]]
    return subprocess.run(
        words,
        cwd=folder,
        env=environment,
        input=given,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
