from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from labelled_texts import told_by_a_word, write_table

import yinshi
from yinshi import classify, errors
from yinshi.corpus.vectors import WordVectors


@pytest.mark.parametrize("package", [yinshi, classify], ids=["yinshi", "classify"])
def test_every_public_name_is_there(package: ModuleType) -> None:
    for name in package.__all__:
        assert getattr(package, name).__name__ == name
    assert set(package.__all__) <= set(dir(package))
    assert package.__all__ == sorted(package.__all__)


def test_a_function_is_not_hidden_by_its_module() -> None:
    """Whichever is asked for first."""
    code = """
import yinshi.classify.baseline, yinshi.classify.tables
from yinshi.classify import baseline, load_table
from yinshi.classify.baseline import baseline as same
assert callable(baseline) and baseline is same and callable(load_table)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_error_is_public() -> None:
    tree = [errors.YinshiError]
    for error in tree:
        tree += error.__subclasses__()
    assert {e.__name__ for e in tree if e.__module__ == errors.__name__} <= set(yinshi.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="poet"):
        yinshi.poet  # noqa: B018
    with pytest.raises(AttributeError, match=r"yinshi\.classify.*classifer"):
        classify.classifer  # noqa: B018


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import yinshi", ["numpy", "yinshi.errors", "yinshi.recipe", "click"]),
        ("import yinshi; yinshi.Poet", ["torch", "pyarrow", "rich", "click", "opencc"]),
        ("import yinshi.classify", ["numpy", "torch", "sklearn", "pyarrow", "click"]),
        ("from yinshi.classify import *", ["torch", "sklearn", "pyarrow", "gensim", "opencc"]),
    ],
)
def test_importing_is_cheap(code: str, absent: list[str]) -> None:
    code += f"; import sys; print([name for name in {absent} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def example_in(documented: object) -> str:
    """The indented lines of a docstring."""
    lines = (inspect.getdoc(documented) or "").splitlines()
    return "\n".join(line[4:] for line in lines if line.startswith("    "))


def test_the_example_of_classification(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "reviews.tsv", told_by_a_word(160, 1))
    exec(example_in(classify), {name: getattr(classify, name) for name in classify.__all__})
    first, second = capsys.readouterr().out.splitlines()
    assert first.split()[0] == "network"
    assert second.split() == ["TF-IDF", "1.0"]


def test_the_example_of_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three of four words have a vector, and they are five of six characters; 海 is not read."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.tsv").write_text("label\ttext\n1\t春日日\n0\t日山川\n", encoding="utf-8")
    rows = [[0.5, 1], [2, 3], [4, 5], [6, 7]]
    WordVectors(tuple("春海日山"), np.array(rows, np.float32)).save(tmp_path / "vectors.txt")
    names = {name: getattr(classify, name) for name in classify.__all__}
    exec(example_in(classify.load_vectors), names)
    assert capsys.readouterr().out == "75% of the words have a vector, 83% of the text\n"
    assert names["vectors"].words == tuple("春日山")
    assert names["vectors"].matrix.tolist() == [rows[0], rows[2], rows[3]]
    assert classify.load_vectors("vectors.txt").words == tuple("春海日山")
