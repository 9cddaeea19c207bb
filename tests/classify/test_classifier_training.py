"""Whole trainings on texts whose class one word tells: learning, resume, vectors, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from labelled_texts import SMALL, TELLS, told_by_a_word
from numpy.typing import NDArray
from safetensors.numpy import load_file

from yinshi.classify.classifier import TextClassifier, recipe_of
from yinshi.classify.classifier_file import ClassifierFile
from yinshi.classify.examples import collate, examples_of
from yinshi.classify.tables import Table
from yinshi.corpus.batches import evaluation_batches
from yinshi.corpus.vectors import WordVectors
from yinshi.errors import DataError, TrainingError, UsageError
from yinshi.training.loop import Loop, Stopped
from yinshi.training.metrics import read_metrics

pytest.importorskip("torch")

from yinshi.classify.training import ClassifierLearner, ClassifierRun, errors_on
from yinshi.nets.text_classifier import TextClassifier as Network

TRAIN, DEV, TEST = told_by_a_word(128, 1), told_by_a_word(48, 2), told_by_a_word(40, 3)


def run_in(folder: Path, train: Table = TRAIN, dev: Table = DEV, **settings: Any) -> ClassifierRun:
    return ClassifierRun.start_or_resume(recipe_of(**SMALL | settings), train, dev, folder)


def accuracy(path: Path, table: Table) -> float:
    classifier = TextClassifier.load(path)
    hits = zip(classifier.predict(table.texts), table.labels, strict=True)
    return sum(said == true for said, true in hits) / len(table)


def validation(folder: Path) -> list[dict[str, Any]]:
    return [record for record in read_metrics(folder) if record["kind"] == "validation"]


def stop_at(step: int) -> tuple[Callable[[Loop, dict[str, Any]], None], Callable[[], bool]]:
    """(a watch, a wish to stop after so many steps)."""
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked == step

    return lambda loop, record: None, should_stop


# ---- learning ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"model": "rnn", "pool": "max"},
        {"model": "lstm", "pool": "attention", "backend": "library"},
        {"model": "bilstm", "layers": 2, "pool": "last"},
        {"model": "bilstm-attention", "ngrams": 2, "buckets": 500},
    ],
    ids=lambda settings: settings["model"],
)
def test_it_learns_the_word_that_tells(settings: dict[str, Any], tmp_path: Path) -> None:
    """On texts it has not seen, and in the engine as in PyTorch."""
    run_in(tmp_path / "run", **settings).fit()
    assert accuracy(tmp_path / "run", TEST) == 1


def test_labels_that_mean_nothing_are_not_learnt(tmp_path: Path) -> None:
    """Negative control: what it would show if it knew the test's texts."""
    shuffled = told_by_a_word(128, 1, shuffled=True)
    run_in(tmp_path / "run", train=shuffled, dev=shuffled, epochs=10).fit()
    assert accuracy(tmp_path / "run", shuffled) > 0.6  # by heart
    assert accuracy(tmp_path / "run", TEST) == pytest.approx(0.5, abs=0.25)


def test_the_best_epoch_is_that_with_the_fewest_errors(tmp_path: Path) -> None:
    """The first of them; not that of the fewest nats."""
    wrong = replace(DEV, labels=(DEV.labels[1], *DEV.labels[1:]))  # one no network can get right
    file = run_in(tmp_path / "run", dev=wrong, epochs=8, keep_epochs=True, learning_rate=0.02).fit()
    records = validation(tmp_path / "run")
    errors = [record["error"] for record in records]
    best = errors.index(min(errors))
    assert 0 < best < 7
    assert file.facts["epochs"] == records[best]["epoch"] == best + 1
    assert file.facts["dev_error"] == errors[best] == 1 / 48
    assert int(np.argmin([record["nats"] for record in records])) != best
    kept = next((tmp_path / "run").glob(f"epoch-{best + 1:02d}-*.safetensors"))
    assert weights_of(kept) == weights_of(tmp_path / "run" / "best.safetensors")


def test_it_stops_when_errors_no_longer_fall(tmp_path: Path) -> None:
    run_in(tmp_path / "run", epochs=30, patience=2).fit()
    errors = [record["error"] for record in validation(tmp_path / "run")]
    assert len(errors) == errors.index(min(errors)) + 3 < 30


def test_errors_and_nats_by_hand() -> None:
    """Logits (0, 0), (ln 3, 0), (0, 1000) of classes 0, 0, 0: ln 2, ln 4/3, 1000 nats; one of them
    wrong, since of equals the first counts."""

    class Told:
        def logits(self, inputs: NDArray[Any], lengths: NDArray[Any]) -> NDArray[np.float64]:
            return np.array([[0.0, 0], [np.log(3), 0], [0, 100]])[inputs[0] - 2]

    run = Table(("一", "二", "三"), ("a", "a", "a"))
    from yinshi.classify.encoder import Encoder
    from yinshi.recipe import TextRecipe

    encoder = Encoder.of(TextRecipe(min_frequency=1), run.texts)
    order = [encoder.words.index(text) for text in run.texts]
    assert order == [0, 2, 1]  # by code point: 一 三 二
    examples = examples_of(run, encoder, ("a", "b"))
    figures = errors_on(examples, Told())(None, None)  # type: ignore[arg-type]
    nats = (np.log(2) + np.log(4 / 3) + 100) / 3
    assert figures["nats"] == pytest.approx(nats, rel=1e-12)
    assert figures["perplexity"] == pytest.approx(np.exp(nats), rel=1e-12)
    assert figures["error"] == 1 / 3


# ---- engine and PyTorch ------------------------------------------------------------------------


@pytest.mark.parametrize("pool", ["last", "max", "mean", "attention"])
@pytest.mark.parametrize("model", ["rnn", "bilstm"])
def test_the_engine_gives_pytorchs_probabilities(model: str, pool: str, tmp_path: Path) -> None:
    settings = {"model": model, "pool": pool, "layers": 2, "ngrams": 3, "epochs": 1}
    run = run_in(tmp_path / "run", **settings)
    file = run.fit()
    learner = ClassifierLearner(
        lambda: Network(file.recipe.classifier, len(file.encoder), len(file.classes)),
        file.recipe.training,
        file.weights,
    )
    expected = np.empty((len(TEST), 2))
    examples = examples_of(TEST, file.encoder, file.classes)
    for batch in evaluation_batches(examples, 7, collate):
        logits = learner.logits(batch.inputs, batch.lengths)
        shares = np.exp(logits)
        expected[batch.indices] = shares / shares.sum(axis=1, keepdims=True)
    found = TextClassifier.load(tmp_path / "run").predict_proba(TEST.texts)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert np.ptp(found[:, 0]) > 0.01


# ---- interruption ------------------------------------------------------------------------------


def weights_of(path: Path) -> dict[str, bytes]:
    return {name: weight.tobytes() for name, weight in load_file(path).items()}


@pytest.mark.parametrize("step", [3, 16, 39])
def test_a_resumed_training_is_the_uninterrupted_one_bit_for_bit(step: int, tmp_path: Path) -> None:
    """In the first epoch, at the end of it, and later; with dropout, which draws."""
    settings = {"dropout": 0.4, "embedding_dropout": 0.2, "ngrams": 2, "buckets": 50, "epochs": 3}
    run_in(tmp_path / "whole", **settings).fit()
    with pytest.raises(Stopped):
        run_in(tmp_path / "stopped", **settings).fit(*stop_at(step))
    run_in(tmp_path / "stopped", **settings).fit()
    for name in ("best.safetensors", "last.safetensors"):
        assert weights_of(tmp_path / "stopped" / name) == weights_of(tmp_path / "whole" / name)
    first, second = (validation(tmp_path / name) for name in ("whole", "stopped"))
    assert [r["error"] for r in first] == [r["error"] for r in second]
    assert [r["nats"] for r in first] == [r["nats"] for r in second]


def test_another_seed_would_be_seen(tmp_path: Path) -> None:
    """Negative control of the comparison above."""
    for seed in (0, 1):
        run_in(tmp_path / str(seed), seed=seed, epochs=1).fit()
    first, second = (weights_of(tmp_path / s / "best.safetensors") for s in ("0", "1"))
    assert all(first[name] != second[name] for name in first)


def test_a_finished_training_is_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run_in(folder, epochs=2).fit()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert run_in(folder, epochs=2).fit().facts["epochs"] in (1, 2)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_another_training_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run_in(folder, epochs=1).fit()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    others: list[dict[str, Any]] = [
        {"epochs": 2},
        {"epochs": 1, "hidden": 9},
        {"epochs": 1, "max_length": 9},
        {"epochs": 1, "train": told_by_a_word(128, 4)},
        {"epochs": 1, "dev": told_by_a_word(48, 4)},
        {"epochs": 1, "dev": replace(DEV, labels=DEV.labels[::-1])},
    ]
    for other in others:
        with pytest.raises(TrainingError, match="something other than this very training"):
            run_in(folder, **other)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_another_list_of_words_is_another_training(tmp_path: Path) -> None:
    """Under the same name: else the checkpoint's weights would belong to other words."""
    words = tmp_path / "words.txt"
    words.write_text("天地\n", encoding="utf-8")
    run_in(tmp_path / "run", tokenizer=str(words), epochs=1).fit()
    words.write_text("天地\n玄黄\n宇宙\n日月\n", encoding="utf-8")
    with pytest.raises(TrainingError, match="something other than this very training"):
        run_in(tmp_path / "run", tokenizer=str(words), epochs=1)


@pytest.mark.parametrize("name", ["run.json", "last.safetensors"])
def test_a_folder_that_lacks_something_is_refused(name: str, tmp_path: Path) -> None:
    run_in(tmp_path / "run", epochs=1)
    (tmp_path / "run" / name).unlink()
    with pytest.raises(TrainingError, match=r"something other|no usable checkpoint"):
        run_in(tmp_path / "run", epochs=1).fit()


# ---- vectors -----------------------------------------------------------------------------------


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    """Of half of the noise, and of both words that tell: nearly opposite."""
    words = (*"天地玄黄宇宙", *TELLS.values(), "无关")
    matrix = np.random.default_rng(0).normal(size=(len(words), 8)).astype(np.float32)
    matrix[7] = -matrix[6]
    path = tmp_path / "my.vec"
    WordVectors(words, matrix).save(path)
    return path


def start_of(run: ClassifierRun) -> NDArray[Any]:
    return load_file(run.folder / "last.safetensors")["weights.embedding.weight"]


def rows(run: ClassifierRun, words: str) -> list[int]:
    return [int(run.encoder.encode(word)[0]) for word in words]


def test_vectors_of_a_file_are_in_their_rows(vectors: Path, tmp_path: Path) -> None:
    from yinshi.corpus.vectors import read_vectors

    run = run_in(tmp_path / "run", vectors=str(vectors))
    assert run.notes == (f"vectors for 8 of 18 words or characters ({vectors})",)
    drawn = start_of(run_in(tmp_path / "random"))
    known = rows(run, "天地玄黄宇宙喜怒")
    given = read_vectors(vectors)
    expected = given.matrix[[given.words.index(word) for word in "天地玄黄宇宙喜怒"]]
    np.testing.assert_array_equal(start_of(run)[known], expected)
    others = [row for row in range(len(drawn)) if row not in known]
    np.testing.assert_array_equal(start_of(run)[others], drawn[others])


@pytest.mark.parametrize("freeze", [True, False])
def test_frozen_vectors_stay(freeze: bool, vectors: Path, tmp_path: Path) -> None:
    run = run_in(tmp_path / "run", vectors=str(vectors), freeze_embedding=freeze, epochs=2)
    start = start_of(run)
    file = run.fit()
    assert np.array_equal(file.weights["embedding.weight"], start) == freeze
    assert accuracy(run.folder, TEST) > 0.9


def test_word2vec_of_the_training_texts(tmp_path: Path) -> None:
    pytest.importorskip("gensim")
    first, again, random = (
        run_in(tmp_path / name, vectors=kind)
        for name, kind in (("a", "word2vec"), ("b", "word2vec"), ("c", "random"))
    )
    assert first.notes == ("vectors for 18 of 18 words or characters (word2vec)",)
    assert random.notes == ()
    np.testing.assert_array_equal(start_of(first), start_of(again))
    same = (start_of(first) == start_of(random)).all(axis=1)
    assert np.flatnonzero(same).tolist() == [0, 1]  # padding and the unknown word


def test_vectors_that_do_not_fit_are_refused_before_anything_is_written(
    vectors: Path, tmp_path: Path
) -> None:
    strange = tmp_path / "strange.vec"
    strange.write_text("1 8\n无关 1 2 3 4 5 6 7 8\n", encoding="utf-8")
    broken = tmp_path / "broken.vec"
    broken.write_text("天 1 2 3 4 5 6 7 8\n地 1 2 3\n", encoding="utf-8")
    cases: list[tuple[Path, int, type[Exception], str]] = [
        (vectors, 9, UsageError, "found 8 dimensions, expected 9; set the embedding to 8"),
        (strange, 8, UsageError, "found none of the data's 18 words"),
        (broken, 8, DataError, "line 2: found 3 numbers after the word, expected 8"),
        (tmp_path / "none.vec", 8, DataError, "can't be read"),
    ]
    for path, embedding, error, told in cases:
        with pytest.raises(error, match=told):
            run_in(tmp_path / "run", vectors=str(path), embedding=embedding)
        assert not (tmp_path / "run").exists()


# ---- odd texts ---------------------------------------------------------------------------------


def test_texts_long_empty_and_unknown_are_trained_on(tmp_path: Path) -> None:
    odd = Table(("喜" * 100_000, "　", "\x00", "☃", "怒" * 3), ("正", "正", "负", "负", "负"))
    train = Table(TRAIN.texts + odd.texts, TRAIN.labels + odd.labels)
    run_in(tmp_path / "run", train=train, dev=odd, epochs=1, max_length=20).fit()
    file = ClassifierFile.load(tmp_path / "run" / "best.safetensors")
    assert [len(file.encoder.encode(text)) for text in odd.texts] == [20, 1, 1, 1, 3]


def test_run_json_says_what_is_trained(tmp_path: Path) -> None:
    run = run_in(tmp_path / "run", epochs=1)
    told = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
    assert told["recipe"]["classifier"]["hidden"] == 8
    assert told["train"] != told["dev"]


@pytest.mark.parametrize(
    ("exponent", "expected"),
    [(0.0, [1.0, 1.0]), (1.0, [0.625, 2.5]), (0.5, [5 / 6, 10 / 6])],
)
def test_rare_classes_weigh_more(exponent: float, expected: list[float], tmp_path: Path) -> None:
    """Of 100 texts 80 are of the first class: n^-e, and 1 on average over the texts."""
    common, rare = TRAIN.labels.index("正"), TRAIN.labels.index("负")
    train = TRAIN.take([common] * 80 + [rare] * 20)
    run = run_in(tmp_path / "run", train, class_weights=exponent)
    learner = run._learner(run._starting_weights()[0])
    found = learner.network.class_weights.numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert np.dot((0.8, 0.2), found) == pytest.approx(1)
