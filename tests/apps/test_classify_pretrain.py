"""`yinshi classify pretrain`, `train --from`, and several models together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from labelled_texts import told_by_a_word, write_table

from yinshi.apps.cli.main import main
from yinshi.classify.classifier import TextClassifier

pytest.importorskip("torch")

Capture = pytest.CaptureFixture[str]
SETTINGS = ["--hidden", "8", "--set", "embedding=8", "--set", "batch_size=8", "--seed"]
NETWORK = ["--set", "epochs=1", *SETTINGS]


def classify(capsys: Capture, *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["classify", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return int(stopped.value.code or 0), out, err


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path]:
    return tuple(  # type: ignore[return-value]
        write_table(tmp_path / f"{name}.tsv", told_by_a_word(rows, seed))
        for seed, (name, rows) in enumerate([("train", 48), ("test", 16)])
    )


@pytest.fixture
def language(tables: tuple[Path, Path], tmp_path: Path, capsys: Capture) -> Path:
    more = tmp_path / "more.txt"
    more.write_text("天地玄黄\n\n宇宙洪荒\n鸿雁鸿雁\n", encoding="utf-8")
    code, out, err = classify(
        capsys, "pretrain", tables[0], more, "--set", "epochs=2", *SETTINGS, 0,
        "--out", tmp_path / "language",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "texts  48 rows of 49 lines (tsv" in out
    assert "epoch 2/2: perplexity of what is held back" in out
    assert out.endswith(f"trained: {tmp_path / 'language' / 'best.safetensors'}\n")
    return tmp_path / "language"


def test_a_classifier_begins_with_all_the_texts(
    language: Path, tables: tuple[Path, Path], tmp_path: Path, capsys: Capture
) -> None:
    train, test = tables
    code, out, err = classify(
        capsys, "train", "--train", train, "--test", test, "--from", language,
        "--set", "epochs=1", "--out", tmp_path / "run",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert f"begins with {language}, pretrained" in " ".join(out.split())
    words = TextClassifier.load(tmp_path / "run").encoder.words
    assert "雁" in words  # from the second file, twice


def test_several_models_answer_together(
    tables: tuple[Path, Path], tmp_path: Path, capsys: Capture
) -> None:
    train, test = tables
    models = []
    for seed in (0, 1):
        models += ["--model", tmp_path / f"run-{seed}"]
        code, _, err = classify(
            capsys, "train", "--train", train, *NETWORK, seed, "--out", models[-1]
        )
        assert (code, err) == (0, "")
    code, out, _ = classify(capsys, "predict", *models, "--proba", "正月", "负月")
    expected = sum(TextClassifier.load(m).predict_proba(["正月", "负月"]) for m in models[1::2]) / 2
    _, *rows = out.splitlines()
    for row, shares in zip(rows, expected, strict=True):
        assert row.split("\t")[1:3] == [f"{share:.4f}" for share in shares]
    code, out, _ = classify(capsys, "evaluate", *models, "--data", test, "--json")
    assert json.loads(out)["models"] == [str(m) for m in models[1::2]]


def test_a_classifier_beside_the_baseline(
    tables: tuple[Path, Path], tmp_path: Path, capsys: Capture
) -> None:
    """The baseline is right about all of these, and stays so with a network that knows little."""
    pytest.importorskip("sklearn")
    train, test = tables
    dev, run = write_table(tmp_path / "dev.tsv", told_by_a_word(16, 5)), tmp_path / "run"
    assert classify(capsys, "train", "--train", train, *NETWORK, 0, "--out", run)[0] == 0
    asked = ["baseline", "--train", train, "--test", test, "--model", run]
    code, out, _ = classify(capsys, *asked, "--dev", dev)
    assert code == 0
    assert out.splitlines()[-2].startswith("test, with the networks: accuracy 100.0%")
    assert out.endswith("chosen on dev\n")
    code, _, err = classify(capsys, *asked)
    assert code == 2
    assert "found --model without --dev, by which its weight is chosen: give both" in err


def test_a_language_model_knows_no_classes(language: Path, capsys: Capture) -> None:
    code, out, err = classify(capsys, "predict", "--model", language, "月")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "knows no classes yet; train a classifier that begins with it" in err


def test_another_size_than_the_language_models(
    language: Path, tables: tuple[Path, Path], tmp_path: Path, capsys: Capture
) -> None:
    code, _, err = classify(
        capsys, "train", "--train", tables[0], "--from", language, "--hidden", 9,
        "--out", tmp_path / "run",
    )  # fmt: skip
    assert code == 1
    assert "pretrained with hidden 8, expected 9; leave hidden as it was there" in err
    assert not (tmp_path / "run").exists()


def test_no_language_model_there(
    tables: tuple[Path, Path], tmp_path: Path, capsys: Capture
) -> None:
    code, _, err = classify(
        capsys, "train", "--train", tables[0], "--from", tmp_path / "none", "--out", tmp_path / "r"
    )
    assert code == 1
    assert err == f"error: {tmp_path / 'none'}: no such file\n"
