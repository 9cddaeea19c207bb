from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from markdown_tables import tables

from yinshi.corpus.dataset import Dataset
from yinshi.engine import sequence
from yinshi.engine.cells import Array
from yinshi.model_file import ModelFile
from yinshi.studies import initialization
from yinshi.studies.initialization import (
    BREAKING,
    COMPARED,
    QUICK,
    distinct_rows,
    hidden_units,
    recipe_of,
)
from yinshi.studies.report import Report
from yinshi.studies.trials import Trials
from yinshi.training.run import Run
from yinshi.training.starting_weights import starting_weights


def layer(hidden: int, inputs: int, seed: int = 0) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    shapes = {"weight_ih": (inputs,), "weight_hh": (hidden,), "bias_ih": (), "bias_hh": ()}
    return {
        f"lstm.{name}_l0": rng.normal(size=(4 * hidden, *shape)) for name, shape in shapes.items()
    }


def test_distinct_rows() -> None:
    rows = np.array([[1.0, 2.0], [1.0, 2.0 + 1e-10], [1.0, 2.0 + 1e-8], [1.0, 2.0]])
    assert distinct_rows(rows, 1e-9) == 2
    assert distinct_rows(rows, 0.0) == 3
    assert distinct_rows(rows, 1e-7) == 1


def test_a_unit_is_its_row_in_every_gate() -> None:
    w = layer(hidden=3, inputs=2)
    units = hidden_units(w)
    assert units.shape == (3, 4 * (2 + 3 + 1))
    for gate in range(4):
        row = 3 * gate + 1  # of unit 1
        bias = w["lstm.bias_ih_l0"][row] + w["lstm.bias_hh_l0"][row]
        expected = [*w["lstm.weight_ih_l0"][row], *w["lstm.weight_hh_l0"][row], bias]
        np.testing.assert_array_equal(units[1, 6 * gate : 6 * gate + 6], expected)


def test_units_with_equal_rows_compute_the_same() -> None:
    """And one with a row that differs in one gate alone does not: that is what is counted."""
    w = layer(hidden=3, inputs=2)
    for array in w.values():
        for gate in range(4):
            array[3 * gate + 2] = array[3 * gate]
    assert distinct_rows(hidden_units(w), 1e-9) == 2
    weights = {name.removeprefix("lstm.").removesuffix("_l0"): a for name, a in w.items()}
    inputs = np.random.default_rng(1).normal(size=(5, 2, 2))
    h = sequence.forward("lstm", [weights], inputs).outputs
    np.testing.assert_allclose(h[..., 0], h[..., 2], rtol=1e-12)
    assert np.abs(h[..., 0] - h[..., 1]).min() > 1e-6

    w["lstm.weight_ih_l0"][3 * 3 + 2, 0] += 0.1  # the output gate's
    assert distinct_rows(hidden_units(w), 1e-9) == 3
    h = sequence.forward("lstm", [weights], inputs).outputs
    assert np.abs(h[..., 0] - h[..., 2]).max() > 1e-6


# ---- the whole study in miniature --------------------------------------------------------------


@pytest.fixture(scope="module")
def report(small_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    data = Dataset.load(small_dataset)
    report = Report(
        tmp_path_factory.mktemp("reports") / "start", "initialization", data, quick=True
    )
    initialization.run(data, True, report, Trials(report))
    return report


def test_files(report: Report) -> None:
    expected = {"README.md", "metrics.jsonl", "curves.svg", "curves.png"}
    assert {p.name for p in report.folder.iterdir()} == expected


@pytest.mark.parametrize("name", ["zeros", "constant 1/I"])
def test_symmetric_starts_keep_one_distinct_unit(report: Report, name: str) -> None:
    found = report.select("units", setting=name)
    assert len(found) == QUICK.seeds * (1 + QUICK.epochs)
    assert {r["distinct"] for r in found} == {1}
    assert max(r["spread"] for r in found) <= 1e-9


@pytest.mark.parametrize("name", [n for n in COMPARED if n not in ("zeros", "constant 1/I")])
def test_random_starts_keep_all_units_distinct(report: Report, name: str) -> None:
    assert {r["distinct"] for r in report.select("units", setting=name)} == {QUICK.hidden}


@pytest.mark.parametrize(
    "name", ["constant 1/I, with dropout 0.2", "zeros, tied to the random embedding"]
)
def test_what_breaks_the_symmetry(report: Report, name: str) -> None:
    start, *later = [r["distinct"] for r in report.select("units", setting=name)]
    assert start == 1
    assert later[-1] == QUICK.hidden


def test_from_zeros_only_the_output_bias_moves(small_dataset: Path, tmp_path: Path) -> None:
    recipe = recipe_of(COMPARED["zeros"], QUICK, seed=0)
    run = Run.start(recipe, small_dataset, tmp_path / "run", "numpy")
    run.train()
    weights = ModelFile.load(run.best).weights
    start, _ = starting_weights(recipe, Dataset.load(small_dataset))
    moved = {name for name, weight in weights.items() if np.any(weight != start[name])}
    assert moved == {"output.bias"}


def test_zeros_learn_character_frequencies_at_most(report: Report) -> None:
    """Only output.bias moves; the rest learn more from the same batches."""
    last = {
        name: report.select("validation", setting=name, seed=0)[-1]["nats"] for name in COMPARED
    }
    assert last["zeros"] == max(last.values())
    [sample] = report.select("sample")
    assert last["zeros"] > sample["unigram_nats"]
    assert last["zeros"] < math.log(sample["vocabulary"])


def test_every_setting_sees_the_same_batches(report: Report) -> None:
    steps = {
        (name, seed): [r["step"] for r in report.select("train", setting=name, seed=seed)]
        for name in COMPARED
        for seed in range(QUICK.seeds)
    }
    assert set(map(tuple, steps.values())) == {(20, 40)}


def test_the_tables_are_those_of_the_metrics(report: Report) -> None:
    curves, units = tables(report.folder / "README.md")
    last = QUICK.train // QUICK.batch * QUICK.epochs
    for row in curves[:-1]:
        name = row[""]
        nats = [r["nats"] for r in report.select("train", setting=name, step=40)]
        assert row["nats, steps 21–40"] == f"{np.mean(nats):.3f}"
        ends = report.select("validation", setting=name, step=last)
        perplexity = np.mean([math.exp(r["nats"]) for r in ends])
        assert row["validation perplexity"].startswith(f"{perplexity:.1f} (")
    assert [row[""] for row in curves[:-1]] == list(COMPARED)
    assert [row[""] for row in units] == [*COMPARED, *BREAKING]
    for row in units:
        found = {r["distinct"] for r in report.select("units", setting=row[""], step=last)}
        assert row["distinct units at the end"] == "–".join(map(str, sorted(found)))
