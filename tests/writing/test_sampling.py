from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yinshi.errors import UsageError
from yinshi.writing.sampling import Sampling, inverse_cumulative, log_softmax

P = np.array([[0.125, 0.5, 0.125, 0.25]])


def test_log_softmax_of_huge_logits() -> None:
    logits = np.array([[1e4, 1e4, -1e4], [0.0, np.log(3), -np.inf]], dtype=np.float32)
    expected = [[-np.log(2), -np.log(2), -2e4 - np.log(2)], [-np.log(4), np.log(3 / 4), -np.inf]]
    np.testing.assert_allclose(log_softmax(logits), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(1.0), [0.125, 0.5, 0.125, 0.25]),
        (Sampling(0.5), [1 / 22, 16 / 22, 1 / 22, 4 / 22]),  # squares
        (Sampling(1.0, top_k=2), [0, 2 / 3, 0, 1 / 3]),
        (Sampling(1.0, top_k=3), [0.125, 0.5, 0.125, 0.25]),  # a tie with the third is kept
        (Sampling(1.0, top_k=99), [0.125, 0.5, 0.125, 0.25]),
        (Sampling(1.0, top_p=0.5), [0, 1, 0, 0]),
        (Sampling(1.0, top_p=0.51), [0, 2 / 3, 0, 1 / 3]),
        (Sampling(1.0, top_p=1.0), [0.125, 0.5, 0.125, 0.25]),
        (Sampling(0.5, top_p=0.8), [0, 16 / 20, 0, 4 / 20]),  # of the sharpened distribution
        (Sampling(1.0, top_k=2, top_p=0.6), [0, 1, 0, 0]),  # of what top_k left
    ],
)
def test_weights_by_hand(sampling: Sampling, expected: list[float]) -> None:
    weights = sampling.weights(np.log(P))
    np.testing.assert_allclose(weights / weights.sum(), [expected], rtol=1e-12)


def test_what_is_not_allowed_has_no_weight() -> None:
    scores = np.array([[-1.0, -np.inf, -2.0, -np.inf]])
    for sampling in (Sampling(), Sampling(top_k=3), Sampling(top_p=0.999)):
        assert (sampling.weights(scores)[0] > 0).tolist() == [True, False, True, False]


def test_the_lowest_temperature_is_as_good_as_greedy() -> None:
    assert Sampling(0.01).choose(np.log(P), np.array([0.999])).tolist() == [1]


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0},
        {"temperature": 1e-9},  # 0 in float32
        {"temperature": 1e9},
        {"temperature": float("nan")},
        {"top_k": 0},
        {"top_p": 0.0},
        {"top_p": 1.1},
    ],
)
def test_impossible_options_are_named(options: dict[str, Any]) -> None:
    (name, value), *_ = options.items()
    with pytest.raises(UsageError, match=f"{name} {value}: expected"):
        Sampling(**options)


# Whole numbers, so that every sum is exact and the plain way is the truth.
ROWS = st.lists(st.integers(0, 3), min_size=1, max_size=200).filter(any)


@given(ROWS, st.floats(0, 1, exclude_max=True))
def test_two_levels_choose_what_one_running_sum_does(row: list[int], uniform: float) -> None:
    weights = np.array([row, row[::-1]], dtype=np.float64)
    expected = [
        np.searchsorted(np.cumsum(one), uniform * one.sum(), side="right") for one in weights
    ]
    assert inverse_cumulative(weights, np.array([uniform, uniform])).tolist() == expected


@pytest.mark.parametrize("uniform", [0.0, np.nextafter(1.0, 0)])
def test_the_edges_never_choose_what_has_no_weight(uniform: float) -> None:
    rng = np.random.default_rng(0)
    weights = rng.random((500, 300), dtype=np.float32) * (rng.random((500, 300)) < 0.02)
    weights = weights[weights.any(axis=1)]
    chosen = inverse_cumulative(weights, np.full(len(weights), uniform))
    assert (weights[np.arange(len(weights)), chosen] > 0).all()


def test_frequencies_are_the_probabilities() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(100))
    scores = np.repeat(np.log(probabilities)[None], 20_000, axis=0).astype(np.float32)
    counts = np.bincount(Sampling(1.0).choose(scores, rng.random(20_000)), minlength=100)
    deviation = np.sqrt(probabilities * (1 - probabilities) * 20_000)
    assert (np.abs(counts - 20_000 * probabilities) < 4.5 * deviation + 1).all()
