from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_tables import tables

from yinshi.corpus.dataset import Dataset
from yinshi.recipe import Recipe, load_recipe
from yinshi.studies import size
from yinshi.studies.report import Report
from yinshi.studies.size import (
    BASE,
    FULL,
    NETWORKS,
    PUBLISHED,
    QUICK,
    SERIES,
    Network,
    count_parameters,
    recipe_of,
    trial_of,
)
from yinshi.studies.trials import Trials


def test_each_series_changes_one_number() -> None:
    for place, series in enumerate(SERIES.values()):
        assert BASE in series
        numbers = [network[place] for network in series]
        assert numbers == sorted(set(numbers))
        assert len({network[:place] + network[place + 1 :] for network in series}) == 1
    assert len(NETWORKS) == 8
    assert PUBLISHED.keys() < set(NETWORKS)


@pytest.mark.parametrize("name", ["report-a", "report-a-2-layers", "report-a-word2vec"])
def test_the_reports_networks_are_among_them(name: str) -> None:
    network = load_recipe(name).network
    assert Network(network.embedding, network.hidden, network.layers) in PUBLISHED


def test_only_the_network_differs() -> None:
    """Hence all see the same batches in the same order."""
    base = recipe_of(BASE, FULL)
    for network in NETWORKS:
        recipe = recipe_of(network, FULL)
        assert recipe.training == base.training
        sizes = dict(zip(("embedding", "hidden", "layers"), network, strict=True))
        assert recipe.network == replace(base.network, **sizes)


def test_parameters_counted_by_hand() -> None:
    """V = 7, E = 2, H = 3, two layers: 4H (E + H + 2) and 4H (H + H + 2) in the LSTM."""
    recipe = Recipe.from_dict({"network": {"embedding": 2, "hidden": 3, "layers": 2}})
    recurrent = 12 * (2 + 3 + 2) + 12 * (3 + 3 + 2)
    expected = 7 * 2 + recurrent + 7 * 3 + 7
    assert count_parameters(recipe, 7) == {"parameters": expected, "recurrent": recurrent}


# ---- the whole study in miniature --------------------------------------------------------------


@pytest.fixture(scope="module")
def report(small_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    data = Dataset.load(small_dataset)
    report = Report(tmp_path_factory.mktemp("reports") / "size", "size", data, quick=True)
    size.run(data, True, report, Trials(report))
    return report


def test_files(report: Report) -> None:
    expected = {"README.md", "metrics.jsonl", "sizes.svg", "sizes.png"}
    assert {p.name for p in report.folder.iterdir()} == expected


def test_a_trial_for_each_network(report: Report) -> None:
    [setting] = report.select("setting")
    for network in NETWORKS:
        trial = trial_of(report, network)
        recipe = recipe_of(network, QUICK)
        shapes = recipe.network.weight_shapes(setting["vocabulary"])
        assert trial["parameters"] == sum(a * (b[0] if b else 1) for a, *b in shapes.values())
        assert trial["seconds"] > 0
        tokens = QUICK.epochs * QUICK.train * 25
        assert trial["tokens_per_second"] >= tokens / trial["seconds"]  # without the validation
    assert len(report.select("trial")) == len(NETWORKS)


def test_padding_counted(report: Report) -> None:
    """All poems have 24 characters, hence 25 targets of 80: the figure is PPL^(25/80)."""
    for network in NETWORKS:
        trial = trial_of(report, network)
        assert trial["padded"] == pytest.approx(trial["perplexity"] ** (25 / 80), rel=0.01)


def test_something_is_learnt(report: Report) -> None:
    [setting] = report.select("setting")
    assert max(t["perplexity"] for t in report.select("trial")) < setting["vocabulary"]


def test_the_table_is_that_of_the_metrics(report: Report) -> None:
    [rows] = tables(report.folder / "README.md")
    for row, network in zip(rows, NETWORKS, strict=True):
        trial = trial_of(report, network)
        assert row["embedding × hidden × layers"] == str(network)
        assert row["parameters"] == f"{trial['parameters']:,}"
        assert row["of these in the LSTM"] == f"{trial['recurrent']:,}"
        assert row["validation perplexity"] == f"{trial['perplexity']:.1f}"
        assert row["seconds"] == f"{trial['seconds']:.0f}"
        assert row["tokens a second"] == f"{trial['tokens_per_second']:,.0f}"
        assert row["report A (padded)"] == PUBLISHED.get(network, "")


def test_the_sentences_hold_the_numbers(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(size, "READ_ON", report._data.hash)
    text = rewritten(report, tmp_path / "full", "setting", quick=False)
    sentences = [line for line in text.splitlines() if line.startswith("- ")]
    for network in NETWORKS:
        trial = trial_of(report, network)
        assert any(f"{trial['perplexity']:.0f} in {trial['seconds']:.0f} s" in s for s in sentences)


def rewritten(report: Report, folder: Path, kind: str, quick: bool = True, **values: object) -> str:
    """The report's text, were its first record of this kind another."""
    again = Report(folder, "size", report._data, quick)
    again.records = copy.deepcopy(report.records)
    again.select(kind)[0].update(values)
    size.write(again)
    return (folder / "README.md").read_text(encoding="utf-8")


def test_times_are_told_with_how_many_ran_at_a_time(report: Report, tmp_path: Path) -> None:
    text = (report.folder / "README.md").read_text(encoding="utf-8")
    assert "The trainings ran one after another, so that their times may be compared" in text
    text = rewritten(report, tmp_path / "two", "setting", jobs=2)
    assert "The trainings ran 2 at a time, which share the machine: their times say little" in text


def test_what_diverged_is_told(report: Report, tmp_path: Path) -> None:
    rewritten(report, tmp_path / "again", "trial", diverged="it became nan")
    [[first, *others]] = tables(tmp_path / "again" / "README.md")
    assert first["validation perplexity"] == "diverged"
    assert all(row["validation perplexity"] != "diverged" for row in others)
