from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from markdown_tables import tables

from yinshi.corpus.dataset import Dataset
from yinshi.recipe import load_recipe
from yinshi.studies import optimizer_report, optimizers
from yinshi.studies.optimizer_report import (
    PUBLISHED,
    SHARED_RATE,
    UNIGRAM,
    at_edge,
    best_rate,
    over_seeds,
)
from yinshi.studies.optimizers import FULL, OPTIMIZERS, QUICK, RATES, Setting, recipe_of
from yinshi.studies.report import Record, Report
from yinshi.studies.trials import Trials


def test_the_network_is_report_a_s() -> None:
    published = load_recipe("report-a")
    recipe = recipe_of(Setting("Adam", SHARED_RATE), FULL)
    assert recipe.network == published.network
    training = replace(published.training, epochs=FULL.epochs, batch_size=FULL.batch, patience=None)
    assert recipe.training == training


def test_only_the_optimizer_differs() -> None:
    """Hence every arm begins with the same weights, and sees the same batches in the same order."""
    adam = recipe_of(Setting("Adam", 0.5), FULL)
    for name in OPTIMIZERS:
        recipe = recipe_of(Setting(name, 0.25), FULL)
        changed = {"optimizer": "adam", "momentum": 0.0, "weight_decay": 0.0, "learning_rate": 0.5}
        assert replace(recipe, training=replace(recipe.training, **changed)) == adam
    distinct = {recipe_of(Setting(name, 0.25), FULL) for name in OPTIMIZERS}
    assert len(distinct) == len(OPTIMIZERS) == 7


def test_the_grids_are_rising_and_hold_the_shared_rate() -> None:
    assert RATES.keys() == OPTIMIZERS.keys()
    for rates in RATES.values():
        assert len(rates) == FULL.rates
        assert list(rates) == sorted(set(rates))
        assert SHARED_RATE in rates[: QUICK.rates]


@pytest.fixture
def grid(small_dataset: Path, tmp_path: Path) -> Report:
    report = Report(tmp_path / "grid", "optimizers", Dataset.load(small_dataset), quick=True)
    found = {0.1: [90.0, 80.0], 1: [70.0, 75.0], 10: [60.0]}
    for rate, perplexities in found.items():
        diverged = "it became nan" if rate == 10 else None
        common = {"optimizer": "SGD", "rate": rate, "diverged": diverged}
        report.add("trial", **common, seed=0, perplexities=perplexities)
        report.add("trial", **common, seed=1, perplexities=[1.0])
    return report


def test_the_best_rate_is_that_of_seed_0_and_of_no_trial_that_diverged(grid: Report) -> None:
    assert best_rate(grid, "SGD") == 1
    assert not at_edge(grid, "SGD", 1)
    assert at_edge(grid, "SGD", 0.1)
    assert at_edge(grid, "SGD", 10)


def test_over_seeds() -> None:
    assert over_seeds([2.0], ".1f") == "2.0"
    assert over_seeds([2.0, 4.0, 3.0], ".1f") == "3.0 (2.0–4.0)"
    assert over_seeds([2.0, math.inf, 3.0], ".1f") == "2.5 (2.0–3.0), 1 diverged"
    assert over_seeds([math.inf, 2.0], ".1f") == "2.0, 1 diverged"
    assert over_seeds([math.inf], ".1f") == "diverged"


# ---- the whole study in miniature --------------------------------------------------------------


@pytest.fixture(scope="module")
def report(small_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    data = Dataset.load(small_dataset)
    report = Report(tmp_path_factory.mktemp("reports") / "o", "optimizers", data, quick=True)
    optimizers.run(data, True, report, Trials(report))
    return report


def test_files(report: Report) -> None:
    names = ("one-rate", "best-rates", "grids")
    figures = {f"{name}.{kind}" for name in names for kind in ("svg", "png")}
    assert {p.name for p in report.folder.iterdir()} == {"README.md", "metrics.jsonl", *figures}


def test_the_grid_and_then_the_best_with_the_other_seeds(report: Report) -> None:
    trials = {(t["optimizer"], t["rate"], t["seed"]) for t in report.select("trial")}
    grid = {(name, rate, 0) for name in OPTIMIZERS for rate in RATES[name][: QUICK.rates]}
    again = {(name, best_rate(report, name), 1) for name in OPTIMIZERS}
    assert trials == grid | again
    assert len(report.select("trial")) == len(trials)
    for name in OPTIMIZERS:
        found = {t["rate"]: min(t["perplexities"]) for t in select(report, name, seed=0)}
        assert best_rate(report, name) == min(found, key=lambda rate: found[rate])


def select(report: Report, name: str, **values: object) -> list[Record]:
    return report.select("trial", optimizer=name, **values)


def test_every_trial_has_the_same_steps(report: Report) -> None:
    steps = QUICK.train // QUICK.batch * QUICK.epochs
    assert {tuple(t["steps"]) for t in report.select("trial")} == {tuple(range(20, steps + 1, 20))}
    assert {len(t["nats"]) for t in report.select("trial")} == {steps // 20}
    assert {len(t["perplexities"]) for t in report.select("trial")} == {QUICK.epochs}


def test_where_next_to_nothing_is_learnt_only_the_seed_matters(report: Report) -> None:
    """SGD and Adadelta hardly move at this rate: same weights, same poems, same nats."""
    [sgd], [adadelta] = (
        select(report, name, rate=SHARED_RATE, seed=0) for name in ("SGD", "Adadelta")
    )
    assert sgd["nats"] == pytest.approx(adadelta["nats"], rel=2e-3)
    [adam] = select(report, "Adam", rate=SHARED_RATE, seed=0)
    assert adam["nats"] != pytest.approx(adadelta["nats"], rel=2e-3)


def test_the_tables_are_those_of_the_metrics(report: Report) -> None:
    shared, best, grids = tables(report.folder / "README.md")
    [setting] = report.select("setting")
    *rows, unigram, published = shared
    assert [row[""] for row in rows] == [row[""] for row in best] == list(OPTIMIZERS)
    for row in rows:
        [trial] = select(report, row[""], rate=SHARED_RATE, seed=0)
        assert row["training nats, steps 21–40"] == f"{trial['nats'][1]:.3f}"
        assert row["validation perplexity"] == f"{min(trial['perplexities']):.4g}"
    assert unigram[""] == UNIGRAM
    assert unigram["validation perplexity"] == f"{setting['unigram_perplexity']:.4g}"
    assert published["padded to 80"] == PUBLISHED
    for row in best:
        rate = best_rate(report, row[""])
        assert row["learning rate"] == f"{rate:g} (edge)"  # of two rates
        found = [min(t["perplexities"]) for t in select(report, row[""], rate=rate)]
        mean, low, high = np.mean(found), min(found), max(found)
        assert len(found) == QUICK.seeds
        assert row["validation perplexity"] == f"{mean:.4g} ({low:.4g}–{high:.4g})"
    for row, name in zip(grids, OPTIMIZERS, strict=True):
        assert f"{best_rate(report, name):g} → **" in " ".join(row.values())


def test_padding_counted(report: Report) -> None:
    """All poems have 24 characters, hence 25 targets of 80: the figure is PPL^(25/80)."""
    for name in OPTIMIZERS:
        [trial] = select(report, name, rate=SHARED_RATE, seed=0)
        [padded] = report.select("padded", optimizer=name)
        expected = min(trial["perplexities"]) ** (25 / 80)
        assert padded["perplexity"] == pytest.approx(expected, rel=0.01)


def test_the_sentences_hold_the_numbers(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = copied(report, tmp_path / "full", quick=False)
    monkeypatch.setattr(optimizer_report, "READ_ON", report._data.hash)
    optimizers.write(again)
    text = (again.folder / "README.md").read_text(encoding="utf-8")
    text = "\n".join(line for line in text.splitlines() if line.startswith("- "))
    [setting] = report.select("setting")
    assert f"against {setting['unigram_perplexity']:.0f})" in text
    for name in OPTIMIZERS:
        trials = select(report, name, rate=best_rate(report, name))
        mean = np.mean([min(trial["perplexities"]) for trial in trials])
        assert f"{mean:.0f}" in text
    assert "\n- " not in (report.folder / "README.md").read_text(encoding="utf-8")


def copied(report: Report, folder: Path, quick: bool = True) -> Report:
    again = Report(folder, "optimizers", report._data, quick)
    again.records = copy.deepcopy(report.records)
    return again


def test_what_diverged_is_told_and_not_chosen(report: Report, tmp_path: Path) -> None:
    again = copied(report, tmp_path / "again")
    chosen = best_rate(report, "SGD")
    for trial in (select(again, "SGD", rate=chosen)[0], select(again, "Adam", seed=1)[0]):
        trial |= {"diverged": "it became nan", "steps": [20], "nats": [9.0], "perplexities": []}
    optimizers.write(again)
    assert best_rate(again, "SGD") != chosen
    shared, best, _ = tables(again.folder / "README.md")
    text = (again.folder / "README.md").read_text(encoding="utf-8")
    assert f"{chosen:g} → diverged" in text
    assert best[5]["validation perplexity"].endswith(", 1 diverged")
    assert all("diverged" not in row["validation perplexity"] for row in shared)
