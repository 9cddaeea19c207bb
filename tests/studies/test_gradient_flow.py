from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from markdown_tables import tables

from yinshi.corpus.dataset import Dataset
from yinshi.studies import gradient_flow
from yinshi.studies.gradient_flow import (
    DISTANCES,
    NETWORKS,
    WEIGHTS,
    e_folding,
    geometric_mean,
    poems_of_one_length,
)
from yinshi.studies.poem_jacobians import HOMEWORK, STATE, H
from yinshi.studies.report import Record, Report
from yinshi.studies.trials import Trials


def test_geometric_mean() -> None:
    norms = np.array([[1e-8, 2.0, 0.0], [1e-2, 8.0, 1.0]])
    np.testing.assert_allclose(geometric_mean(norms), [1e-5, 4.0, 0.0])


def test_e_folding() -> None:
    norms = [math.exp(-n / 8) for n in range(41)]
    assert e_folding(norms, 20, 40) == "8.0"
    assert e_folding([9.0, *norms[1:]], 20, 40) == "8.0"  # what lies before counts for nothing
    assert e_folding(norms[::-1], 20, 40) == "grows"
    assert e_folding([*norms[:40], 0.0], 20, 40) == "0"


def test_poems_of_one_length() -> None:
    five, seven = "字" * 48, "詩" * 64
    assert poems_of_one_length([five, seven, "字" * 24, five]) == [five, five]
    assert poems_of_one_length(["字" * 12, "字" * 24, "字" * 12]) == ["字" * 24]
    assert poems_of_one_length([seven, seven]) == [seven, seven]


# ---- the whole study in miniature --------------------------------------------------------------


@pytest.fixture(scope="module")
def report(small_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    data = Dataset.load(small_dataset)
    report = Report(tmp_path_factory.mktemp("reports") / "flow", "gradient-flow", data, quick=True)
    gradient_flow.run(data, True, report, Trials(report))
    return report


def norms_of(report: Report, network: str, weights: str, jacobian: str = H) -> Record:
    [found] = report.select("norms", network=network, weights=weights, jacobian=jacobian)
    return found


def test_files(report: Report) -> None:
    expected = {"README.md", "metrics.jsonl"}
    expected |= {f"{name}.{kind}" for name in ("norms", "paths") for kind in ("svg", "png")}
    assert {p.name for p in report.folder.iterdir()} == expected


def test_every_network_is_measured_and_trained(report: Report) -> None:
    for name, network in NETWORKS.items():
        epochs = [r["perplexity"] for r in report.select("validation", network=name)]
        assert epochs[-1] < epochs[0]
        for weights in WEIGHTS:
            jacobians = (H, STATE, HOMEWORK) if network["cell"] == "lstm" else (H,)
            for jacobian in jacobians:
                norms = norms_of(report, name, weights, jacobian)
                assert len(norms["mean"]) == 24 + 1
                low, mean, high = (np.array(norms[key]) for key in ("low", "mean", "high"))
                assert np.all((low <= mean * 1.001) & (mean <= high * 1.001))
                assert norms["mean"][0] == 1
        assert norms_of(report, name, "random")["mean"] != norms_of(report, name, "trained")["mean"]


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("name", [n for n in NETWORKS if n.startswith("RNN")])
def test_no_rnn_exceeds_its_bound(report: Report, name: str, weights: str) -> None:
    [recurrence] = report.select("recurrence", network=name, weights=weights)
    slope = 0.25 if name == "RNN sigmoid" else 1.0
    assert recurrence["bound"] == pytest.approx(slope * recurrence["spectral_norm"])
    high = np.array(norms_of(report, name, weights)["high"])
    assert np.all(high <= recurrence["bound"] ** np.arange(25) * 1.001)


def test_the_forget_bias_opens_the_gate_and_lengthens_the_memory(report: Report) -> None:
    names = [n for n in NETWORKS if n.startswith("LSTM")]
    recurrences = [report.select("recurrence", network=n, weights="random")[0] for n in names]
    f = [r["forget_mean"] for r in recurrences]
    assert f == pytest.approx([0.5, 0.731, 0.881], abs=0.06)
    at_20 = [norms_of(report, n, "random")["mean"][20] for n in names]
    assert at_20[0] < at_20[1] < at_20[2]


def test_the_tables_are_those_of_the_metrics(report: Report) -> None:
    norms, networks, paths = tables(report.folder / "README.md")
    distances = [n for n in DISTANCES if n <= 24]
    for row in norms:
        mean = norms_of(report, row[""], row["weights"])["mean"]
        assert [row[f"n = {n}"] for n in distances] == [f"{mean[n]:.2g}" for n in distances]
        assert row["e-folding 10–20"] == e_folding(mean, 10, 20)
    assert [row[""] for row in norms] == [n for n in NETWORKS for _ in WEIGHTS]
    assert [row[""] for row in networks] == list(NETWORKS)
    for row in paths:
        network, jacobian = row[""].split(": ")
        mean = norms_of(report, network, row["weights"], jacobian)["mean"]
        assert [row[f"n = {n}"] for n in distances] == [f"{mean[n]:.2g}" for n in distances]
