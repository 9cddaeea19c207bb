from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from markdown_tables import tables
from numpy.typing import NDArray

from yinshi.corpus.dataset import Dataset
from yinshi.corpus.vocabulary import SOS
from yinshi.engine import sequence
from yinshi.engine.cells import Array
from yinshi.recipe import NetworkRecipe
from yinshi.studies import gradient_flow
from yinshi.studies.gradient_flow import (
    DISTANCES,
    HOMEWORK,
    NETWORKS,
    STATE,
    WEIGHTS,
    H,
    e_folding,
    geometric_mean,
    jacobian_norms,
    poems_of_one_length,
)
from yinshi.studies.report import Record, Report

TOKENS: NDArray[np.int32] = np.array([4, 5, 4, 6], dtype=np.int32)


def zero_weights(cell: str, hidden: int) -> dict[str, Array]:
    shapes = NetworkRecipe(cell=cell, embedding=2, hidden=hidden).weight_shapes(7)  # type: ignore[arg-type]
    return {name: np.zeros(shape) for name, shape in shapes.items()}


@pytest.mark.parametrize("cell", ["rnn-tanh", "rnn-sigmoid"])
def test_norms_of_an_rnn_that_reads_nothing(cell: str) -> None:
    """Of tanh, h = 0 at all times and every step is W; a sigmoid's steps are multiplied out."""
    W = np.array([[0.9, 0.3], [-0.2, 0.5]])
    h, product = np.zeros(2), np.eye(2)
    steps = []
    for _ in TOKENS:
        h = np.tanh(W @ h) if cell == "rnn-tanh" else 1 / (1 + np.exp(-W @ h))
        steps.append(W if cell == "rnn-tanh" else (h * (1 - h))[:, None] * W)
    expected = [1.0]
    for step in reversed(steps):
        product = product @ step
        expected.append(float(np.linalg.svd(product)[1].max()))
    found = jacobian_norms(cell, zero_weights(cell, 2) | {"rnn.weight_hh_l0": W}, TOKENS)
    assert list(found) == [H]
    np.testing.assert_allclose(found[H], expected, rtol=1e-12)


@pytest.mark.parametrize("forget_bias", [0.0, 1.0, 2.0])
def test_norms_of_an_lstm_that_reads_nothing(forget_bias: float) -> None:
    """All weights 0: h = c = 0, o = ½, so that ∂h_T/∂c_t = ½ fⁿ, ∂c_T/∂c_t = fⁿ, and h no path."""
    w = zero_weights("lstm", 3)
    w["lstm.bias_ih_l0"][3:6] = forget_bias
    f = 1 / (1 + math.exp(-forget_bias))
    found = jacobian_norms("lstm", w, TOKENS)
    n = np.arange(5)
    expected = np.where(n == 0, 1, math.sqrt(1.25) * f**n)
    np.testing.assert_allclose(found[STATE], expected, rtol=1e-12)
    np.testing.assert_allclose(found[H], n == 0, atol=1e-15)
    np.testing.assert_allclose(found[HOMEWORK], n == 0, atol=1e-15)


def test_norms_are_those_of_central_differences() -> None:
    """Of the engine's forward over the last 3 characters, by the state before them."""
    rng = np.random.default_rng(3)
    w = {name: rng.normal(size=a.shape) for name, a in zero_weights("lstm", 2).items()}
    layer = {k: w[f"lstm.{k}_l0"] for k in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    x = w["embedding.weight"][[SOS, *TOKENS[:-1]]][:, None]

    def end(before: Array) -> Array:
        h, c = before.reshape(2, 1, 1, 2)
        return np.ravel(sequence.forward("lstm", [layer], x[1:], (h, c)).state)

    before = np.ravel(sequence.forward("lstm", [layer], x[:1]).state)
    step = 1e-6 * np.eye(4)
    J = np.stack([(end(before + e) - end(before - e)) / 2e-6 for e in step], axis=1)
    found = jacobian_norms("lstm", w, TOKENS)
    assert found[STATE][3] == pytest.approx(np.linalg.norm(J, 2), rel=1e-8)
    assert found[H][3] == pytest.approx(np.linalg.norm(J[:2, :2], 2), rel=1e-8)


def test_the_homework_agrees_up_to_distance_1_only() -> None:
    rng = np.random.default_rng(0)
    w = {name: rng.normal(size=a.shape) for name, a in zero_weights("lstm", 3).items()}
    found = jacobian_norms("lstm", w, TOKENS)
    np.testing.assert_allclose(found[H][:2], found[HOMEWORK][:2], rtol=1e-12)
    assert np.all(np.abs(found[H][2:] / found[HOMEWORK][2:] - 1) > 0.01)
    assert np.all(found[H] <= found[STATE] * (1 + 1e-12))  # a block of it


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
    assert poems_of_one_length([seven, "字" * 24, "字" * 12]) == ["字" * 24]


# ---- the whole study in miniature --------------------------------------------------------------


@pytest.fixture(scope="module")
def report(small_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    data = Dataset.load(small_dataset)
    report = Report(tmp_path_factory.mktemp("reports") / "flow", "gradient-flow", data, quick=True)
    gradient_flow.run(data, True, report)
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
