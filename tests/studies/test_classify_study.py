from __future__ import annotations

import copy
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from labelled_texts import told_by_a_word, write_table
from markdown_tables import tables

pytest.importorskip("sklearn", reason="needs scikit-learn")
pytest.importorskip("gensim", reason="needs gensim")
pytest.importorskip("rjieba", reason="needs rjieba")
pytest.importorskip("stopwordsiso", reason="needs stopwordsiso")

from yinshi.classify.baseline import baseline
from yinshi.classify.classifier import TextClassifier
from yinshi.classify.encoder import Encoder
from yinshi.classify.training import ClassifierRun
from yinshi.errors import MissingExtraError
from yinshi.recipe import TextRecipe
from yinshi.studies import classify, classify_figures, classify_report
from yinshi.studies.classify import (
    CELLS,
    CHARACTERS,
    FIRST_CHARACTER,
    FULL,
    QUICK,
    RATES,
    Answers,
    Cell,
    classifier_recipe,
    in_characters,
    measure_baseline,
    trial_of,
)
from yinshi.studies.classify_report import FACTORS, best_trial, difference_of_answers, effects
from yinshi.studies.labelled_data import LabelledData
from yinshi.studies.report import Record, Report
from yinshi.studies.trials import Trials
from yinshi.training.metrics import read_metrics

TRAIN, DEV, TEST = told_by_a_word(160, 1), told_by_a_word(40, 2), told_by_a_word(60, 3)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> LabelledData:
    folder = tmp_path_factory.mktemp("data") / "joy"
    folder.mkdir()
    for name, part in (("train", TRAIN), ("dev", DEV), ("test", TEST)):
        write_table(folder / f"{name}.tsv", part)
    return LabelledData.load(folder)


# ---- what is trained ---------------------------------------------------------------------------


def test_the_factorial_is_complete(data: LabelledData) -> None:
    assert len(set(CELLS)) == len(CELLS) == 2 * 3 * 2 * 4
    for factor, levels in FACTORS.items():
        assert {getattr(cell, factor) for cell in CELLS} == set(levels)
    names = {trial_of(cell, rate, FULL, data).name for cell in CELLS for rate in RATES}
    assert len(names) == len(CELLS) * len(RATES)
    assert len({classifier_recipe(cell, RATES[0], FULL) for cell in CELLS}) == len(CELLS)


def test_only_the_four_factors_differ() -> None:
    base = classifier_recipe(CELLS[0], RATES[0], FULL)
    for cell in CELLS:
        recipe = classifier_recipe(cell, RATES[0], FULL)
        stop_words = "none" if cell.stop_words == "none" else "iso"
        text = replace(base.text, tokenizer=cell.tokenizer, stop_words=stop_words)
        assert recipe.text == replace(text, keep_negations=cell.stop_words.endswith("kept"))
        named = replace(base.classifier, vectors=cell.vectors, model=cell.model)
        assert recipe.classifier == named
        assert recipe.training == base.training


def test_what_the_text_says_of_all_trainings() -> None:
    """The report names these figures without reading them from the recipe."""
    recipe = classifier_recipe(Cell("char", "none", "random", "lstm"), 1e-3, FULL)
    assert (recipe.classifier.dropout, recipe.classifier.embedding_dropout) == (0.5, 0.2)
    assert (recipe.classifier.layers, recipe.classifier.pool) == (1, "max")
    assert recipe.classifier.ngrams == 0
    assert recipe.text.min_frequency == 2
    assert (recipe.training.optimizer, recipe.training.clip_norm) == ("adamw", 1.0)
    assert recipe.training.schedule == "constant"
    assert not recipe.training.freeze_embedding


# ---- what is measured --------------------------------------------------------------------------


def test_only_right() -> None:
    ours, theirs = (Answers(list("正正负负"), list(g)) for g in ("正正负正", "负负负负"))
    assert (ours.only_right(theirs), theirs.only_right(ours)) == (2, 1)
    assert ours.scores.accuracy == 0.75


def test_every_token_is_a_character(data: LabelledData) -> None:
    encoder = Encoder.of(TextRecipe(), TRAIN.texts)
    found = in_characters(data, encoder)
    assert [len(text) for text in found.train.texts] == [len(text) for text in TRAIN.texts]
    pairs = set(zip("".join(TRAIN.texts), "".join(found.train.texts), strict=True))
    assert len(pairs) == len(encoder.words)
    assert found.test.labels == TEST.labels
    # The last that fits, of the most words that there may be.
    assert classifier_recipe(CELLS[0], 1e-3, FULL).text.max_vocabulary == CHARACTERS
    assert chr(FIRST_CHARACTER + CHARACTERS - 1) == "\U0010ffff"


def test_the_baseline_on_characters_by_another_name_is_the_baseline(data: LabelledData) -> None:
    """All are known, and it does not matter to it how they are written."""
    spelt = in_characters(data, Encoder.of(TextRecipe(), TRAIN.texts))
    figures, answers = measure_baseline(data)
    assert measure_baseline(spelt) == (figures, answers)
    on_test = baseline(TRAIN, TEST)
    assert answers.given == on_test.predictions
    assert figures["test"] == on_test.scores.accuracy
    assert figures["macro_f1"] == on_test.scores.macro_f1
    assert figures["dev"] == baseline(TRAIN, DEV).scores.accuracy


# ---- the whole study in miniature --------------------------------------------------------------


@pytest.fixture(scope="module")
def report(data: LabelledData, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Interrupted amid the trainings and started again."""
    folder, said = tmp_path_factory.mktemp("reports") / "classify", []

    def interrupt(line: str) -> None:
        said.append(line)
        if len(said) == 14:
            raise KeyboardInterrupt

    broken = Report(folder, "classify", data, quick=True, say=interrupt)
    with pytest.raises(KeyboardInterrupt):
        classify.run(data, True, broken, Trials(broken))
    assert not (folder / "README.md").exists()
    report = Report(folder, "classify", data, quick=True, say=said.append)
    classify.run(data, True, report, Trials(report))
    assert len(said) == len(set(said)) == len(CELLS) + 4 * 2  # none of them trained twice
    return report


def test_files(report: Report) -> None:
    figures = {f"{name}.{kind}" for name in ("factors", "confusion") for kind in ("svg", "png")}
    assert {p.name for p in report.folder.iterdir()} == {"README.md", "metrics.jsonl", *figures}


def trial(report: Report, cell: Cell) -> Record:
    [found] = report.select("trial", **cell._asdict())
    return found


def test_a_record_for_each_training(report: Report) -> None:
    assert len(report.select("trial")) == len(CELLS)
    for cell in CELLS:
        assert 1 <= trial(report, cell)["best_epoch"] <= trial(report, cell)["epochs"]
        assert trial(report, cell)["epochs"] <= QUICK.epochs


@pytest.mark.parametrize("cell", [CELLS[0], CELLS[-1], Cell("char", "iso", "word2vec", "bilstm")])
def test_a_training_is_that_of_the_same_recipe(
    cell: Cell, report: Report, data: LabelledData
) -> None:
    [rate] = [r["rate"] for r in report.select("rate", model=cell.model, chosen=True)]
    recipe = classifier_recipe(cell, rate, QUICK)
    classifier = TextClassifier()
    classifier.recipe = recipe
    few = data.sample(*QUICK.sample)
    dev = [1 - r["error"] for r in record_validation(classifier, few)]
    found, scores = trial(report, cell), classifier.evaluate(few.test)
    assert (found["dev"], found["best_epoch"]) == (max(dev), dev.index(max(dev)) + 1)
    assert (found["test"], found["macro_f1"]) == (scores.accuracy, scores.macro_f1)


def record_validation(classifier: TextClassifier, data: LabelledData) -> list[Record]:
    records: list[Record] = []
    classifier.fit(data.train, data.dev, watch=lambda loop, record: records.append(record))
    return [record for record in records if record["kind"] == "validation"]


def test_each_model_has_its_best_rate(report: Report) -> None:
    for model in FACTORS["model"]:
        tried = report.select("rate", model=model)
        assert tuple(r["rate"] for r in tried) == RATES
        [chosen] = [r for r in tried if r["chosen"]]
        assert chosen["dev"] == max(r["dev"] for r in tried)
        assert chosen["dev"] == trial(report, Cell("char", "none", "random", model))["dev"]


def test_the_best_is_that_of_dev(report: Report) -> None:
    best = best_trial(report)
    assert best["dev"] == max(t["dev"] for t in report.select("trial"))
    network, bar = report.select("answers")
    assert network["accuracy"] == best["test"]
    assert bar["accuracy"] == report.select("baseline")[0]["test"]
    rows = report.select("setting")[0]["rows"]["test"]
    assert (network["only"] - bar["only"]) / rows == pytest.approx(best["test"] - bar["accuracy"])
    assert difference_of_answers(report)[0] == pytest.approx(best["test"] - bar["accuracy"])


def test_what_is_read(report: Report) -> None:
    readings = {(r["tokenizer"], r["stop_words"]): r for r in report.select("reading")}
    assert list(readings) == list(product(FACTORS["tokenizer"], FACTORS["stop_words"]))
    plain = readings["char", "none"]
    texts = "".join(TRAIN.texts)
    assert plain["words"] == len(set(texts))
    assert plain["tokens"] == pytest.approx(len(texts) / len(TRAIN))
    assert (plain["unknown"], plain["covered"], plain["blank"]) == (0, 1, 0)
    assert {f"{plain[m]:.3f}" for m in ("dev", "test")} == {"1.000"}  # one word tells
    assert all(0 <= r["often"] <= 1 and r["length"] > 0 for r in readings.values())


def test_main_effects_of_the_records(report: Report) -> None:
    """Once more with arrays: the mean over all axes but one, and of differences along it."""
    shape = [len(levels) for levels in FACTORS.values()]
    cube = np.reshape([trial(report, cell)["test"] for cell in CELLS], shape)
    found = iter(effects(report))
    for axis, (factor, levels) in enumerate(FACTORS.items()):
        rows = np.moveaxis(cube, axis, 0).reshape(len(levels), -1)
        for row, level in zip(rows, levels, strict=True):
            effect = next(found)
            assert (effect.factor, effect.level, effect.trials) == (factor, level, rows.shape[1])
            assert effect.means["test"] == pytest.approx(row.mean())
            if level != levels[0]:
                mean, half = effect.differences["test"]
                assert mean == pytest.approx((row - rows[0]).mean())
                error = (row - rows[0]).std(ddof=1) / np.sqrt(len(row))
                assert 2.06 * error <= half <= 2.21 * error


def test_the_tables_are_those_of_the_metrics(report: Report) -> None:
    rates, choices, reading, classes, everything = tables(report.folder / "README.md")
    assert [row["dev accuracy by learning rate"] for row in rates] == list(FACTORS["model"])
    assert sum("**" in cell for row in rates for cell in row.values()) == 4
    assert len(choices) == sum(map(len, FACTORS.values())) + 1
    assert len(reading) == 6
    assert [row["class"] for row in classes] == ["正", "负"]
    *rows, bar = everything
    assert bar["test accuracy"] == choices[-1]["test accuracy"]
    found = [float(row["dev accuracy"]) for row in rows]
    assert found == sorted(found, reverse=True)
    assert len(rows) == len(CELLS)
    [whole] = report.select("baseline")
    for row in rows:
        cell = Cell(*row["tokenizer; stop words; vectors; model"].split("; "))
        record = trial(report, cell)
        assert row["test accuracy"] == f"{100 * record['test']:.1f}"
        assert row["test macro-F1"] == f"{100 * record['macro_f1']:.1f}"
        difference = f"{100 * (record['test'] - whole['test']):+.1f}".replace("-", "−")
        assert row["− baseline"] == difference


def rewritten(report: Report, folder: Path, quick: bool = True) -> Report:
    again = Report(folder, "classify", report._data, quick)
    again.records = copy.deepcopy(report.records)
    return again


def test_the_sentences_hold_the_numbers(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classify_report, "READ_ON", report._data.hash)
    again = rewritten(report, tmp_path / "full", quick=False)
    classify_report.write(again)
    text = (again.folder / "README.md").read_text(encoding="utf-8")
    sentences = "\n".join(line for line in text.splitlines() if line.startswith("- "))
    for effect in effects(report):
        if effect.differences:
            mean = f"{100 * effect.differences['test'][0]:+.2f}".replace("-", "−")
            assert f"{mean} ± {100 * effect.differences['test'][1]:.2f}" in sentences
    highest = max(t["test"] for t in report.select("trial"))
    [bar] = report.select("baseline")
    assert f"the highest has {100 * highest:.1f} against {100 * bar['test']:.1f}" in sentences
    assert "\n- " not in (report.folder / "README.md").read_text(encoding="utf-8")


def test_what_diverged_is_told_and_makes_no_pair(report: Report, tmp_path: Path) -> None:
    again = rewritten(report, tmp_path / "again")
    lost = again.select("trial", model="rnn")
    again.records = [r for r in again.records if r not in lost]
    for record in lost:
        again.add("diverged", **{factor: record[factor] for factor in FACTORS})
    classify_report.write(again)
    _, choices, _, _, everything = tables(again.folder / "README.md")
    [rnn] = [row for row in choices if row["choice"] == "model: rnn"]
    assert (rnn["trainings"], rnn["test accuracy"]) == ("0", "diverged")
    assert sum(row["dev accuracy"] == "diverged" for row in everything) == 12


def test_classes_have_numbers_where_no_font_has_them(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classify_figures, "font_with", lambda characters: None)
    again = rewritten(report, tmp_path / "again")
    classify_report.write(again)  # a missing glyph would be a warning, which is an error here
    assert "正" in (again.folder / "confusion.svg").read_text(encoding="utf-8")


# ---- trials ------------------------------------------------------------------------------------


def test_another_training_in_a_trials_folder_is_replaced(
    data: LabelledData, tmp_path: Path
) -> None:
    few = data.sample(40, 20)
    trial = trial_of(CELLS[0], 1e-3, QUICK, few)
    ClassifierRun.start_or_resume(trial.recipe, data.train, data.dev, tmp_path / "run").fit()
    trial.train(tmp_path / "run", 0)
    run = ClassifierRun.start_or_resume(trial.recipe, few.train, few.dev, tmp_path / "run")
    assert run.best.exists()  # that of these texts, and finished
    steps = [r["step"] for r in read_metrics(run.folder) if r["kind"] == "validation"]
    assert steps == [2, 4]  # 40 texts in batches of 32


def test_what_is_missing_is_told_before_anything_is_trained(
    data: LabelledData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise MissingExtraError("word vectors", "vectors")

    monkeypatch.setattr(classify, "train_vectors", missing)
    report = Report(tmp_path / "classify", "classify", data, quick=True)
    with pytest.raises(MissingExtraError):
        classify.run(data, True, report, Trials(report))
    assert not report.unfinished.exists()
