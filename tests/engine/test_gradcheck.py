from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from yinshi.engine import gradcheck, sequence
from yinshi.engine.cells import CELLS
from yinshi.engine.gradcheck import (
    GradientCheck,
    central_differences,
    checks,
    relative_error,
)
from yinshi.errors import UsageError

Array = NDArray[Any]
Backward = Callable[..., sequence.Gradients]

RNN_NAMES = [
    f"{name}_l{k}" for k in (0, 1) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
]
RNN_NAMES += ["inputs", "h0"]


def names(cell: str) -> list[str]:
    return [*RNN_NAMES, "c0"] if cell == "lstm" else RNN_NAMES


def check_of(expected: list[float], actual: list[float]) -> GradientCheck:
    return GradientCheck("lstm", "h0", np.array(expected), np.array(actual))


def test_central_differences_of_a_cubic() -> None:
    """(f(a + ε) − f(a − ε)) / 2ε of a³ is 3a² + ε²."""
    array = np.array([[1.0, -2.0], [0.0, 0.5]])
    found = central_differences(lambda a: float((a**3).sum()), array, epsilon=0.1)
    np.testing.assert_allclose(found, 3 * array**2 + 0.01, rtol=0, atol=1e-13)
    np.testing.assert_array_equal(array, [[1.0, -2.0], [0.0, 0.5]])


def test_relative_error_is_relative_to_the_larger_or_the_floor() -> None:
    actual, expected = np.array([2.0, -1.0, 0.001, 0.0]), np.array([1.0, 1.0, 0.0, 0.0])
    np.testing.assert_allclose(relative_error(actual, expected), [0.5, 2.0, 0.01, 0.0])
    np.testing.assert_allclose(relative_error(actual, expected, 0.01)[2], 0.1)


def test_check_passes_up_to_a_millionth() -> None:
    assert check_of([1.0, 2.0], [1.0 + 9e-7, 2.0]).passed
    assert not check_of([1.0, 2.0], [1.0 + 2e-6, 2.0]).passed
    assert check_of([0.0], [9e-8]).passed
    assert not check_of([0.0], [2e-7]).passed


def test_nan_does_not_pass() -> None:
    assert not check_of([1.0, 2.0], [1.0, np.nan]).passed
    assert check_of([1.0, 2.0], [1.0, np.nan]).entries(1) == [(1,)]


def test_entries_are_the_worst_and_others_spread_out() -> None:
    zeros = np.zeros((3, 4))
    wrong = zeros.copy()
    wrong[1, 2] = 1.0
    check = GradientCheck("lstm", "weight_hh_l0", zeros, wrong)
    assert check.entries(3) == [(1, 2), (0, 0), (2, 3)]
    assert len(set(check.entries(99))) == 12
    assert check_of([1.0], [1.0]).entries(3) == [(0,)]


@pytest.mark.parametrize("cell", CELLS)
def test_every_gradient_is_right(cell: str) -> None:
    found = checks(cell, seed=1)
    assert [check.name for check in found] == names(cell)
    assert all(check.passed for check in found)
    assert all(np.abs(check.actual).max() > 1e-3 for check in found)


@pytest.mark.parametrize("cell", CELLS)
def test_problem_has_uneven_lengths_dropout_and_a_state_and_stays_off_the_kink(cell: str) -> None:
    shape = gradcheck._Shape(time=5, batch=4, inputs=2, hidden=3, layers=2)
    problem = gradcheck._Problem.draw(cell, shape, np.random.default_rng(1))
    assert max(problem.lengths) == 5
    assert len(set(problem.lengths)) > 1
    assert set(np.unique(problem.masks[0])) == {0, 2}
    assert all(problem.values[name].all() for name in names(cell) if name in ("h0", "c0"))


def test_seed_decides_the_draw() -> None:
    first, again, other = (checks("rnn-tanh", seed=seed)[0].expected for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


# ---- the kink of ReLU ----------------------------------------------------------------------------


def relu_problem(seed: int) -> gradcheck._Problem:
    shape = gradcheck._Shape(time=4, batch=3, inputs=2, hidden=3, layers=2)
    return gradcheck._Problem.draw("rnn-relu", shape, np.random.default_rng(seed))


def test_nearest_kink_is_that_of_a_loop_written_out() -> None:
    problem = relu_problem(3)
    values, nearest = problem.values, np.inf
    for b, length in enumerate(problem.lengths):
        h = values["h0"][:, b].copy()
        for t in range(length):
            x = values["inputs"][t, b]
            for k in range(2):
                z = values[f"weight_ih_l{k}"] @ x + values[f"weight_hh_l{k}"] @ h[k]
                z += values[f"bias_ih_l{k}"] + values[f"bias_hh_l{k}"]
                nearest = min(nearest, np.abs(z).min())
                h[k] = np.maximum(z, 0)
                x = h[k] * problem.masks[0][t, b]
    assert problem.nearest_kink() == pytest.approx(nearest, rel=1e-12)


def on_the_kink() -> gradcheck._Problem:
    """A bias moved so that one pre-activation of the first step is 0."""
    problem = relu_problem(3)
    values = problem.values
    z = values["weight_ih_l0"] @ values["inputs"][0, 0] + values["bias_ih_l0"]
    z += values["weight_hh_l0"] @ values["h0"][0, 0] + values["bias_hh_l0"]
    values["bias_ih_l0"][0] -= z[0]
    return problem


def test_on_the_kink_differences_are_wrong_and_the_draw_is_refused() -> None:
    problem = on_the_kink()
    assert problem.nearest_kink() < gradcheck.KINK_MARGIN
    assert not all(check.passed for check in problem.checks())


def test_relu_is_drawn_until_it_is_off_the_kink(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = iter([on_the_kink(), on_the_kink(), relu_problem(3)])
    drawn: list[gradcheck._Problem] = []

    def draw(*_: object) -> gradcheck._Problem:
        drawn.append(next(draws))
        return drawn[-1]

    monkeypatch.setattr(gradcheck._Problem, "draw", draw)
    assert all(check.passed for check in checks("rnn-relu"))
    assert len(drawn) == 3


def test_relu_network_too_large_to_stay_off_the_kink(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradcheck, "DRAWS", 3)
    with pytest.raises(UsageError, match=r"in 3 draws .* ask for a smaller --time"):
        checks("rnn-relu", time=40, batch=8, hidden=32)


# ---- properties ----------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    cell=st.sampled_from(CELLS),
    time=st.integers(1, 12),
    batch=st.integers(1, 5),
    inputs=st.integers(1, 3),
    hidden=st.integers(1, 3),
    layers=st.integers(1, 2),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_shape_passes(
    cell: str, time: int, batch: int, inputs: int, hidden: int, layers: int, seed: int
) -> None:
    found = checks(
        cell, time=time, batch=batch, inputs=inputs, hidden=hidden, layers=layers, seed=seed
    )
    assert max(check.largest_error for check in found) <= gradcheck.TOLERANCE


# ---- negative controls ---------------------------------------------------------------------------


@pytest.mark.parametrize("cell", CELLS)
def test_one_wrong_entry_fails_its_own_array_alone(
    cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1e-5 added to one entry of one gradient."""
    original = gradcheck._Problem.backward
    for name in names(cell):

        def backward(problem: gradcheck._Problem, name: str = name) -> dict[str, Array]:
            found = original(problem)
            found[name].flat[0] += 1e-5
            return found

        with monkeypatch.context() as patch:
            patch.setattr(gradcheck._Problem, "backward", backward)
            found = checks(cell, time=3, batch=2, inputs=1, hidden=2)
            assert [check.name for check in found if not check.passed] == [name]


def without_cell_path(step: Callable[..., Any]) -> Callable[..., Any]:
    """The usual homework answer: δ_{t-1} = δ_t ∂h_t/∂h_{t-1} alone."""

    def backward(*arguments: Any) -> tuple[Array, Array]:
        dh_prev, dc_prev = step(*arguments)
        return dh_prev, 0 * dc_prev

    return backward


def without_hidden_path(step: Callable[..., Any]) -> Callable[..., Any]:
    def backward(*arguments: Any) -> Any:
        found = step(*arguments)
        return (0 * found[0], found[1]) if isinstance(found, tuple) else 0 * found

    return backward


def without_gate(k: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def damaged(step: Callable[..., Any]) -> Callable[..., Any]:
        def backward(*arguments: Any) -> Any:
            found, dgates = step(*arguments), arguments[-1]
            H = dgates.shape[1] // 4
            dgates[:, k * H : (k + 1) * H] = 0
            return found

        return backward

    return damaged


@pytest.mark.parametrize(
    "damaged",
    [without_cell_path, without_hidden_path, *(without_gate(k) for k in range(4))],
    ids=["cell path", "hidden path", "i", "f", "g", "o"],
)
def test_broken_lstm_backward_fails(
    damaged: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    step = damaged(sequence.lstm_step_backward)
    monkeypatch.setattr(sequence, "lstm_step_backward", step)
    assert max(check.largest_error for check in checks("lstm")) > 1e-2


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell != "lstm"])
def test_broken_rnn_backward_fails(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    step = without_hidden_path(sequence.rnn_step_backward)
    monkeypatch.setattr(sequence, "rnn_step_backward", step)
    assert max(check.largest_error for check in checks(cell)) > 1e-2
