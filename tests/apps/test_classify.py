from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from labelled_texts import SMALL, told_by_a_word, write_table
from safetensors.numpy import load_file

from yinshi.apps.cli.main import main
from yinshi.classify.baseline import baseline
from yinshi.classify.classifier import TextClassifier
from yinshi.classify.scores import score
from yinshi.classify.tables import Table
from yinshi.corpus.vectors import WordVectors
from yinshi.training.metrics import Metrics, read_metrics

pytest.importorskip("sklearn", reason="needs scikit-learn")
torch = pytest.importorskip("torch")

Capture = pytest.CaptureFixture[str]

TRAIN, DEV, TEST = told_by_a_word(128, 1), told_by_a_word(48, 2), told_by_a_word(40, 3)
#: A test of which two are wrong.
WRONG = replace(TEST, labels=(*TEST.labels[:-2], *TEST.labels[:-3:-1]))


def classify(capsys: Capture, *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["classify", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return int(stopped.value.code or 0), out, err


def set_to(**settings: Any) -> list[str]:
    return [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]


def small(**settings: Any) -> list[str]:
    return set_to(**SMALL | settings)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tables")
    tables = {"train": TRAIN, "dev": DEV, "test": TEST, "wrong": WRONG}
    return {name: write_table(folder / f"{name}.tsv", t) for name, t in tables.items()}


@pytest.fixture(scope="module")
def run(data: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "small"
    TextClassifier(**SMALL).fit(TRAIN, DEV, folder)
    return folder


# ---- train -------------------------------------------------------------------------------------


def test_a_training_from_tables_to_a_tested_classifier(
    data: Mapping[str, Path], tmp_path: Path, capsys: Capture
) -> None:
    out_folder = tmp_path / "run"
    given = ["--train", data["train"], "--dev", data["dev"], "--test", data["wrong"]]
    code, out, err = classify(capsys, "train", *given, "--out", out_folder, *small())
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:3] == [
        "train  128 rows of 129 lines (tsv, no quoting, a header)",
        "dev    48 rows of 49 lines (tsv, no quoting, a header)",
        "test   40 rows of 41 lines (tsv, no quoting, a header)",
    ]
    records = [r for r in read_metrics(out_folder) if r["kind"] == "validation"]
    shown = [f"epoch {r['epoch']}/6: dev accuracy {1 - r['error']:.1%}" for r in records]
    assert lines[3:-3] == shown
    best = min(records, key=lambda r: r["error"])
    assert lines[-3] == f"dev accuracy {1 - best['error']:.1%} in epoch {best['epoch']}, the best"
    assert lines[-2] == "test accuracy 95.0%, macro-F1 95.0%, majority rate 50.0%"
    assert re.fullmatch(rf"trained in \d+ s: {re.escape(str(out_folder))}/best.safetensors",
                        lines[-1])  # fmt: skip
    assert TextClassifier.load(out_folder).evaluate(TEST).accuracy == 1


def test_every_option_reaches_the_recipe(
    data: Mapping[str, Path], tmp_path: Path, capsys: Capture
) -> None:
    pytest.importorskip("rjieba")
    pytest.importorskip("stopwordsiso")
    vectors = tmp_path / "my.vec"
    WordVectors(("喜", "怒"), torch.eye(2, 5).numpy()).save(vectors)
    options = (
        f"--tokenizer jieba --stopwords iso --keep-negations --vectors {vectors} --freeze "
        "--model bilstm-attention --layers 2 --hidden 4 --pool mean --max-length 30 --seed 9 "
        "--set training.batch_size=32 --set patience=none --set ngrams=2 --set optimizer=adam"
    ).split()
    rest = set_to(epochs=1, embedding=5, device="cpu", min_frequency=1)
    code, out, err = classify(
        capsys, "train", "--train", data["train"], "--out", tmp_path / "run", *options, *rest
    )
    assert code == 0
    assert err == "note: 1 of 128 texts have no known word: nothing tells their class\n"
    assert "dev    a tenth of train, held back\n" in out
    assert re.search(r"^vectors for [12] of \d+ words or characters \(.*my\.vec\)$", out, re.M)
    recipe = TextClassifier.load(tmp_path / "run").recipe
    text, network, training = recipe.text, recipe.classifier, recipe.training
    assert (text.tokenizer, text.stop_words, text.keep_negations) == ("jieba", "iso", True)
    assert (text.max_length, text.min_frequency) == (30, 1)
    assert (network.model, network.layers, network.hidden) == ("bilstm-attention", 2, 4)
    assert (network.pool, network.vectors, network.ngrams) == ("mean", str(vectors), 2)
    assert (training.freeze_embedding, training.seed, training.batch_size) == (True, 9, 32)
    assert (training.patience, training.optimizer) == (None, "adam")


def test_ctrl_c_saves_and_the_same_command_goes_on(
    data: Mapping[str, Path], tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the weights of the training that was never stopped."""
    given = ["--train", data["train"], "--dev", data["dev"], *small(dropout=0.3)]
    assert classify(capsys, "train", *given, "--out", tmp_path / "whole")[0] == 0
    folder, plain = tmp_path / "stopped", Metrics.append

    def append(self: Metrics, record: dict[str, Any]) -> None:
        plain(self, record)
        if record["kind"] == "validation" and record["epoch"] == 2:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(Metrics, "append", append)
        code, out, err = classify(capsys, "train", *given, "--out", folder)
    assert (code, err) == (130, "")
    assert out.splitlines()[-1] == "stopped; the same command goes on"
    assert "epoch 3/6" not in out
    code, out, err = classify(capsys, "train", *given, "--out", folder)
    assert (code, err) == (0, "")
    assert "epoch 2/6" not in out
    assert "epoch 3/6" in out
    first, second = (load_file(tmp_path / n / "best.safetensors") for n in ("whole", "stopped"))
    assert {n: w.tobytes() for n, w in first.items()} == {n: w.tobytes() for n, w in second.items()}


def test_a_finished_training_says_so(
    data: Mapping[str, Path], tmp_path: Path, capsys: Capture
) -> None:
    given = ["--train", data["train"], "--dev", data["dev"], "--test", data["test"]]
    given += ["--out", tmp_path / "run", *small(epochs=2)]
    _, first, _ = classify(capsys, "train", *given)
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    code, out, err = classify(capsys, "train", *given)
    assert (code, err) == (0, "")
    told = f"{tmp_path / 'run'}: this training was finished before; nothing was left to do"
    assert out.splitlines()[3] == told
    assert out.splitlines()[-3:] == first.splitlines()[-3:]
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before
    code, _, err = classify(capsys, "train", *given, "--seed", "1")
    assert code == 1
    assert err == (
        f"error: {tmp_path / 'run'}: found something other than this very training there; "
        "choose another --out\n"
    )


def test_texts_in_two_tables_are_told_and_left_out_if_wished(
    data: Mapping[str, Path], tmp_path: Path, capsys: Capture
) -> None:
    """Those of dev and of test out of train, those of test out of dev."""
    train = Table(TRAIN.texts + DEV.texts[:3] + TEST.texts[:5], TRAIN.labels + ("正",) * 8)
    dev = Table(DEV.texts + TEST.texts[:4], DEV.labels + TEST.labels[:4])
    given = ["--train", write_table(tmp_path / "train.tsv", train)]
    given += ["--dev", write_table(tmp_path / "dev.tsv", dev), "--test", data["test"]]
    given += small(epochs=1)
    code, out, err = classify(capsys, "train", *given, "--out", tmp_path / "a")
    assert code == 0
    assert err == (
        "note: texts of dev that stand in train too: 7; --drop-overlap leaves them out of train\n"
        "note: texts of test that stand in train too: 5; --drop-overlap leaves them out of train\n"
        "note: texts of test that stand in dev too: 4; --drop-overlap leaves them out of dev\n"
    )
    code, out, err = classify(capsys, "train", *given, "--drop-overlap", "--out", tmp_path / "b")
    assert (code, err) == (0, "")
    assert out.splitlines()[3:6] == [
        "texts of dev that stand in train too: 7; left out of train, 129 rows are left",
        "texts of test that stand in train too: 1; left out of train, 128 rows are left",
        "texts of test that stand in dev too: 4; left out of dev, 48 rows are left",
    ]
    runs = [json.loads((tmp_path / n / "run.json").read_text(encoding="utf-8")) for n in "ab"]
    assert runs[0]["train"] != runs[1]["train"]
    TextClassifier(**SMALL | {"epochs": 1}).fit(TRAIN, DEV, tmp_path / "b")  # the same run
    code, _, err = classify(
        capsys, "train", "--train", data["train"], "--dev", data["train"], "--drop-overlap",
        "--out", tmp_path / "c",
    )  # fmt: skip
    assert code == 1
    assert err == "error: train: all its texts stand in dev; expected others\n"


def test_what_was_hardly_read_is_told(tmp_path: Path, capsys: Capture) -> None:
    odd = Table((*TRAIN.texts, "喜" * 100_000, "☃"), (*TRAIN.labels, "正", "负"))
    given = ["--train", write_table(tmp_path / "odd.tsv", odd), "--out", tmp_path / "run"]
    code, _, err = classify(capsys, "train", *given, "--max-length", "50", *small(epochs=1))
    assert code == 0
    assert err == (
        "note: 1 of 130 texts have more than 50 tokens: the rest is not read\n"
        "note: 1 of 130 texts have no known word: nothing tells their class\n"
    )


# ---- evaluate ----------------------------------------------------------------------------------


def test_evaluate_shows_each_class(data: Mapping[str, Path], run: Path, capsys: Capture) -> None:
    code, out, err = classify(capsys, "evaluate", "--model", run, "--data", data["wrong"])
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines() if line.strip()]
    assert lines[0][:4] == ["data", "40", "rows", "of"]
    assert lines[1] == ["class", "precision", "recall", "F1", "texts"]
    assert lines[3:5] == [
        ["正", "95.0%", "95.0%", "95.0%", "20"],
        ["负", "95.0%", "95.0%", "95.0%", "20"],
    ]
    assert "accuracy 95.0%, macro-F1 95.0%, majority rate 50.0%" in out
    assert re.search(r"^40 texts in \d+\.\d s, 0\.00% of their tokens unknown$", out, re.MULTILINE)


def test_evaluate_as_json_has_all_scores(
    data: Mapping[str, Path], run: Path, capsys: Capture
) -> None:
    asked = ["--model", run / "best.safetensors", "--data", data["wrong"], "--json"]
    code, out, err = classify(capsys, "evaluate", *asked)
    assert code == 0
    assert err == "data   40 rows of 41 lines (tsv, no quoting, a header)\n"
    figures = json.loads(out)
    assert (figures["rows"], figures["unknown_rate"]) == (40, 0)
    assert figures["models"] == [str(run / "best.safetensors")]
    assert (figures["accuracy"], figures["majority"]) == (0.95, 0.5)
    assert figures["macro_f1"] == pytest.approx(0.95)
    assert figures["confusion"] == [[19, 1], [1, 19]]
    assert [one["label"] for one in figures["per_class"]] == ["正", "负"]


def test_a_class_is_shown_as_it_is_written(tmp_path: Path, capsys: Capture) -> None:
    """[b] is markup to Rich."""
    names = {"正": "[b]", "负": "[/b]"}
    odd = replace(TRAIN, labels=tuple(names[label] for label in TRAIN.labels))
    path = write_table(tmp_path / "odd.tsv", odd)
    TextClassifier(**SMALL | {"epochs": 1}).fit(odd, odd, tmp_path / "run")
    code, out, _ = classify(capsys, "evaluate", "--model", tmp_path / "run", "--data", path)
    assert code == 0
    assert re.search(r"^\s+\[/b\] .*^\s+\[b\] ", out, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", ["c.svg", "c.png"])
def test_the_confusion_is_drawn(
    name: str, data: Mapping[str, Path], run: Path, tmp_path: Path, capsys: Capture
) -> None:
    figure = tmp_path / "new" / name
    asked = ["--model", run, "--data", data["wrong"], "--confusion", figure]
    code, _, err = classify(capsys, "evaluate", *asked)
    assert (code, err) == (0, "")
    content = figure.read_bytes()
    if name.endswith("svg"):
        assert ">负</text>" in content.decode()
    else:
        assert content.startswith(b"\x89PNG")


# ---- predict -----------------------------------------------------------------------------------


def test_predict_prints_a_label_and_the_text(run: Path, capsys: Capture) -> None:
    code, out, err = classify(
        capsys, "predict", "--model", run, "天地喜", " 怒\n\t玄 ", "--", "-怒"
    )
    assert (code, err) == (0, "")
    assert out == "正\t天地喜\n负\t怒 玄\n负\t-怒\n"


def test_predict_with_probabilities(run: Path, capsys: Capture) -> None:
    code, out, _ = classify(capsys, "predict", "--model", run, "天喜", "天怒", "--proba")
    assert code == 0
    header, *rows = [line.split("\t") for line in out.splitlines()]
    assert header == ["label", "正", "负", "text"]
    expected = TextClassifier.load(run).predict_proba(["天喜", "天怒"])
    for row, shares, text in zip(rows, expected, ["天喜", "天怒"], strict=True):
        assert row[1:] == [*(f"{share:.4f}" for share in shares), text]
    assert [row[0] for row in rows] == ["正", "负"]


def test_predict_reads_a_text_a_line_or_a_table(run: Path, tmp_path: Path, capsys: Capture) -> None:
    """A label a line, those of empty lines too, in the file's order."""
    lines = tmp_path / "lines.txt"
    lines.write_text("\ufeff天怒\n\n喜,“喜\n", encoding="utf-8")
    code, out, err = classify(capsys, "predict", "--model", run, "--input", lines)
    assert code == 0
    assert [line.partition("\t")[::2] for line in out.splitlines()] == [
        ("负", "天怒"), (out.splitlines()[1][0], ""), ("正", "喜,“喜"),
    ]  # fmt: skip
    assert err == (
        "input  3 rows of 3 lines (tsv, no quoting, no header); byte-order marks removed: 1\n"
        "note: 1 of 3 texts have no known word: nothing tells their class\n"
    )
    table = tmp_path / "table.csv"
    table.write_text("no,review\n1,\"怒\n怒\"\n2,喜\n", encoding="utf-8")  # fmt: skip
    code, out, _ = classify(capsys, "predict", "--model", run, "--input", table)
    assert (code, out) == (0, "负\t怒 怒\n正\t喜\n")
    code, out, _ = classify(capsys, "predict", "--model", run, "--input", table, "--text-col", 0)
    assert (code, [line[2:] for line in out.splitlines()]) == (0, ["1", "2"])


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
@given(st.lists(st.text(st.characters(codec=None, exclude_categories=())), min_size=1, max_size=4))
@example(["", "\0", "\ud800", "\udcff\udcfe", "喜" * 100_000])
def test_predict_never_fails(run: Path, capsys: Capture, texts: list[str]) -> None:
    code, out, _ = classify(capsys, "predict", "--model", run, "--", *texts)
    assert code == 0
    assert re.fullmatch(r"([正负]\t[^\n]*\n)*", out)
    out.encode()
    assert out.count("\n") == len(texts)


# ---- baseline ----------------------------------------------------------------------------------


def test_baseline_prints_the_same_figures(
    data: Mapping[str, Path], tmp_path: Path, capsys: Capture
) -> None:
    given = ["--train", data["train"], "--dev", data["dev"], "--test", data["wrong"]]
    code, out, err = classify(capsys, "baseline", *given)
    assert (code, err) == (0, "")
    for name, table in (("dev", DEV), ("test", WRONG)):
        scores = baseline(TRAIN, table).scores
        assert (
            f"{name} accuracy {scores.accuracy:.1%}, macro-F1 {scores.macro_f1:.1%}, "
            f"majority rate {scores.majority:.1%}\n"
        ) in out
    said = baseline(TRAIN, WRONG).predictions
    first = score(WRONG.labels, said).per_class[0]
    row = rf"正\s+{first.precision:.1%}\s+{first.recall:.1%}\s+{first.f1:.1%}\s+20\b"
    assert re.search(row, out)
    assert re.search(r"^\d+\.\d s to train and to answer$", out, re.MULTILINE)
    code, out, _ = classify(capsys, "baseline", "--train", data["train"], "--test", data["test"])
    assert code == 0
    assert "dev accuracy" not in out


# ---- bad input ---------------------------------------------------------------------------------

TABLES: dict[str, bytes] = {
    "empty.tsv": b"",
    "blank.tsv": b"\n\n",
    "one-class.tsv": "label\ttext\n正\t天喜\n正\t地喜\n".encode(),
    "other-label.tsv": "label\ttext\n正\t天喜\n中\t地喜\n".encode(),
    "columns.tsv": "甲\t乙\n正\t天喜\n".encode(),
    "ragged.tsv": "label\ttext\n正\t天喜\n负\n".encode(),
    "no-label.tsv": "label\ttext\n正\t天喜\n\t地怒\n".encode(),
    "nul.tsv": "label\ttext\n正\t天喜\n负\t地\0怒\n".encode(),
    "gbk.tsv": "label\ttext\n正\t天喜\n".encode("gb18030"),
    "utf-16.tsv": "label\ttext\n正\t天喜\n".encode("utf-16"),
}
FAULTS = [
    ("empty.tsv", 1, "an empty file; expected one text a row"),
    ("blank.tsv", 1, "an empty file; expected one text a row"),
    ("columns.tsv", 2, "which column is the text? found 0 '甲', 1 '乙' (the first row: there is"),
    ("ragged.tsv", 1, "line 3 has 1 column(s), expected 2 as in line 1"),
    ("no-label.tsv", 1, "line 3 has no label; write one, or remove the line"),
    ("nul.tsv", 1, "a NUL byte in line 3; expected a text; remove it"),
    ("gbk.tsv", 1, "not UTF-8 in line 2"),
    ("utf-16.tsv", 1, "in UTF-16; expected UTF-8; save it as UTF-8"),
    ("none.tsv", 1, "No such file"),
]


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad")
    for name, content in TABLES.items():
        (folder / name).write_bytes(content)
    return folder


def is_one_line(err: str, told: str) -> None:
    assert err.startswith("error: ")
    assert told.casefold() in err.casefold()
    assert err.count("\n") == 1


#: What is no fault where there are no labels.
UNLABELLED = ("blank.tsv", "no-label.tsv")


@pytest.mark.parametrize(
    ("part", "name", "code", "told"),
    [
        (part, *fault)
        for part in ("--train", "--dev", "--test", "--data", "--input")
        for fault in FAULTS
        if part != "--input" or fault[0] not in UNLABELLED
    ],
)
def test_a_bad_table_is_one_clear_line(
    part: str, name: str, code: int, told: str, data: Mapping[str, Path], run: Path, bad: Path,
    tmp_path: Path, capsys: Capture,
) -> None:  # fmt: skip
    """Wherever it is given; and nothing is written."""
    path = bad / name
    if part == "--data":
        asked = ["evaluate", "--model", run, "--data", path, "--confusion", tmp_path / "c.svg"]
    elif part == "--input":
        asked = ["predict", "--model", run, "--input", path]
    else:
        given = {f"--{n}": data[n] for n in ("train", "dev", "test")} | {part: path}
        asked = ["train", "--out", tmp_path / "run", *small(epochs=1)]
        asked += [word for pair in given.items() for word in pair]
    found, out, err = classify(capsys, *asked)
    assert found == code
    is_one_line(err.splitlines(keepends=True)[-1], told)
    assert str(path) in err
    assert "epoch" not in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("train", "dev", "test", "told"),
    [
        ("one-class.tsv", None, None, "found only the label '正'; expected two classes or more"),
        (None, "other-label.tsv", None, "1 label(s) unknown in the training data, such as '中'"),
        (None, None, "other-label.tsv", "1 label(s) unknown in the training data, such as '中'"),
    ],
)
@pytest.mark.parametrize("command", ["train", "baseline"])
def test_classes_that_do_not_fit(
    command: str, train: str | None, dev: str | None, test: str | None, told: str,
    data: Mapping[str, Path], bad: Path, tmp_path: Path, capsys: Capture,
) -> None:  # fmt: skip
    """Known before the training, not after it."""
    chosen = {"train": train, "dev": dev, "test": test}
    given = [
        part
        for name, other in chosen.items()
        for part in (f"--{name}", bad / other if other else data[name])
    ]
    more = ["--out", tmp_path / "run", *small()] if command == "train" else []
    code, out, err = classify(capsys, command, *given, *more)
    assert code == 1
    is_one_line(err, told)
    assert "epoch" not in out
    assert list(tmp_path.iterdir()) == []


def test_evaluate_refuses_an_unknown_label(run: Path, bad: Path, capsys: Capture) -> None:
    code, _, err = classify(capsys, "evaluate", "--model", run, "--data", bad / "other-label.tsv")
    assert code == 1
    is_one_line(
        err, "1 label(s) unknown in the training data, such as '中' (1 rows); expected 正, 负"
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--hidden", "0"], "classifier.hidden: found 0, expected at least 1"),
        (["--layers", "4"], "classifier.layers: found 4, expected 1 to 3"),
        (["--set", "epoch=3"], "unknown key epoch (nearest valid name: training.epochs)"),
        (["--set", "epochs=many"], "training.epochs: found 'many', expected a whole number"),
        (["--set", "epochs"], "found --set 'epochs': expected KEY=VALUE, such as ngrams=2"),
        (["--set", "=2"], "found --set '=2': expected KEY=VALUE"),
        (["--hidden", "9", "--set", "hidden=7"], "found hidden twice, 9 and 7: expected it once"),
        (["--tokenizer", "jeiba"], "tokenizer 'jeiba': expected char, jieba or a file of words"),
        (["--stopwords", "ios"], "stop words 'ios': expected none, iso or a file of words"),
        (["--text-col", "review"], "no text column 'review'; found 0 'label', 1 'text'"),
        (["--label-col", "7"], "no label column 7; found 0 'label', 1 'text'"),
        (["--text-col", "0"], "column 0 is to be both text and label"),
    ],
)
def test_wrong_options_are_one_line_and_leave_no_folder(
    arguments: list[str], told: str, data: Mapping[str, Path], tmp_path: Path, capsys: Capture
) -> None:
    folder = tmp_path / "run"
    code, out, err = classify(
        capsys, "train", "--train", data["train"], "--out", folder, *arguments
    )
    assert code == 2
    is_one_line(err, told)
    assert "epoch" not in out
    assert not folder.exists()


def test_vectors_that_do_not_fit_leave_no_folder(
    data: Mapping[str, Path], tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "my.vec"
    WordVectors(("喜", "怒"), torch.eye(2, 5).numpy()).save(path)
    given = ["--train", data["train"], "--out", tmp_path / "run"]
    code, _, err = classify(capsys, "train", *given, "--vectors", path)
    assert code == 2
    is_one_line(err, "found 5 dimensions, expected 128; set the embedding to 5")
    code, _, err = classify(capsys, "train", *given, "--vectors", tmp_path / "none.vec")
    assert code == 1
    is_one_line(err, "can't be read (No such file or directory), expected word vectors as text")
    assert not (tmp_path / "run").exists()


def test_no_classifier(data: Mapping[str, Path], tmp_path: Path, capsys: Capture) -> None:
    for model in (tmp_path, tmp_path / "none.safetensors"):
        for asked in (["predict", "喜"], ["evaluate", "--data", data["test"]]):
            code, out, err = classify(capsys, *asked, "--model", model)
            assert (code, out) == (1, "")
            is_one_line(err, "no such file")


@pytest.mark.parametrize("arguments", [[], ["喜", "--input", "FILE"]], ids=["neither", "both"])
def test_either_texts_or_a_file(
    arguments: list[str], data: Mapping[str, Path], run: Path, capsys: Capture
) -> None:
    arguments = [str(data["test"]) if a == "FILE" else a for a in arguments]
    code, out, err = classify(capsys, "predict", "--model", run, *arguments)
    assert (code, out) == (2, "")
    assert err == "error: expected either TEXT… or --input FILE\n"


def test_a_figure_of_another_kind_is_refused_at_once(
    data: Mapping[str, Path], run: Path, tmp_path: Path, capsys: Capture
) -> None:
    asked = ["--model", run, "--data", data["test"], "--confusion", tmp_path / "c.pdf"]
    code, out, err = classify(capsys, "evaluate", *asked)
    assert (code, out) == (2, "")
    is_one_line(err, "expected .svg or .png")


def test_a_missing_pytorch_is_one_line(
    data: Mapping[str, Path], tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "yinshi.classify.training", raising=False)
    monkeypatch.delitem(sys.modules, "yinshi.nets.learner", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    code, _, err = classify(capsys, "train", "--train", data["train"], "--out", tmp_path / "run")
    assert code == 1
    assert err == (
        "error: training a classifier needs optional packages: pip install 'yinshi[train]'\n"
    )
    assert not (tmp_path / "run").exists()
