"""The loop over time and its backward: against PyTorch, differences, and sums done by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sequence_examples import WEIGHT_NAMES, Array, Example, largest_error, torch, torch_run

from yinshi.engine import sequence
from yinshi.engine.cells import CELLS

LENGTHS = {"full": None, "sorted": [7, 7, 4, 1], "unsorted": [3, 7, 1, 7]}


def by_hand(cell: str) -> tuple[list[dict[str, Array]], Array]:
    """One unit, one input, two steps; for an LSTM all four gates alike."""
    G = 4 if cell == "lstm" else 1
    layer = {
        "weight_ih": np.full((G, 1), 0.5),
        "weight_hh": np.full((G, 1), -2.0),
        "bias_ih": np.full(G, 0.25),
        "bias_hh": np.full(G, -0.125),
    }
    return [layer], np.array([[[1.0]], [[3.0]]])


def test_rnn_of_two_steps_by_hand() -> None:
    layers, inputs = by_hand("rnn-tanh")
    trace = sequence.forward("rnn-tanh", layers, inputs)
    h1 = math.tanh(0.625)
    h2 = math.tanh(1.625 - 2 * h1)
    np.testing.assert_allclose(trace.outputs[:, 0, 0], [h1, h2], rtol=1e-15)
    np.testing.assert_allclose(trace.state[0], [[[h2]]], rtol=1e-15)

    found = sequence.backward(trace, np.array([[[0.0]], [[1.0]]]))
    dz2 = 1 - h2 * h2
    dz1 = dz2 * -2 * (1 - h1 * h1)
    np.testing.assert_allclose(found.inputs[:, 0, 0], [0.5 * dz1, 0.5 * dz2], rtol=1e-14)
    np.testing.assert_allclose(found.layers[0]["weight_ih"], [[dz1 + 3 * dz2]], rtol=1e-14)
    np.testing.assert_allclose(found.layers[0]["weight_hh"], [[dz2 * h1]], rtol=1e-14)
    np.testing.assert_allclose(found.layers[0]["bias_hh"], [dz1 + dz2], rtol=1e-14)
    np.testing.assert_allclose(found.state[0], [[[-2 * dz1]]], rtol=1e-14)


def test_error_reaches_an_lstms_first_cell_state_through_the_forget_gates() -> None:
    """W_hh = 0 leaves the cell state as the only path: dc0 = dc2 f2 f1."""
    layers, inputs = by_hand("lstm")
    layers[0]["weight_hh"] = np.zeros((4, 1))
    trace = sequence.forward("lstm", layers, inputs)
    f1, f2 = (1 / (1 + math.exp(-z)) for z in (0.625, 1.625))
    c1 = f1 * math.tanh(0.625)
    c2 = f2 * c1 + f2 * math.tanh(1.625)
    found = sequence.backward(trace, np.array([[[0.0]], [[1.0]]]))
    expected = f2 * (1 - math.tanh(c2) ** 2) * f2 * f1
    np.testing.assert_allclose(found.state[1], [[[expected]]], rtol=1e-14)
    assert found.state[0] == 0


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
@pytest.mark.parametrize("cell", ["lstm", "rnn-tanh", "rnn-relu"])
@pytest.mark.parametrize(("precision", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_equals_pytorchs_layers(
    cell: str, lengths: list[int] | None, precision: str, tolerance: float
) -> None:
    """Three layers, states in and out: every output and every gradient of nn.LSTM and nn.RNN."""
    example = Example.random(cell, T=7, B=4, I=5, H=6, L=3, lengths=lengths).astype(precision)
    dtype = getattr(torch, precision)
    if cell == "lstm":
        module = torch.nn.LSTM(5, 6, 3, dtype=dtype)
    else:
        module = torch.nn.RNN(5, 6, 3, nonlinearity=cell[4:], dtype=dtype)
    for name, parameter in module.named_parameters():
        parameter.data = torch.tensor(example.arrays[name])
    leaves = {n: torch.tensor(example.arrays[n], requires_grad=True) for n in ("inputs", "h0")}
    if cell == "lstm":
        leaves["c0"] = torch.tensor(example.arrays["c0"], requires_grad=True)
    inputs: Any = leaves["inputs"]
    if lengths:
        inputs = torch.nn.utils.rnn.pack_padded_sequence(inputs, lengths, enforce_sorted=False)
    state = (leaves["h0"], leaves["c0"]) if cell == "lstm" else leaves["h0"]
    outputs, final = module(inputs, state)
    if lengths:
        outputs, _ = torch.nn.utils.rnn.pad_packed_sequence(outputs)
    finals = final if cell == "lstm" else (final,)
    objective = (outputs * torch.tensor(example.doutputs)).sum() + sum(
        (s * torch.tensor(d)).sum() for s, d in zip(finals, example.dstate, strict=True)
    )
    objective.backward()

    trace = example.trace()
    assert trace.outputs.dtype == precision
    np.testing.assert_allclose(trace.outputs, outputs.detach(), rtol=0, atol=tolerance)
    for ours, theirs in zip(trace.state, finals, strict=True):
        np.testing.assert_allclose(ours, theirs.detach(), rtol=0, atol=tolerance)
    gradients = example.gradients()
    assert {array.dtype for array in gradients.values()} == {np.dtype(precision)}
    parameters = {**leaves, **dict(module.named_parameters())}
    expected = {name: leaf.grad.numpy() for name, leaf in parameters.items()}
    assert largest_error(gradients, expected) < tolerance


@pytest.mark.parametrize("cell", CELLS)
def test_equals_a_plain_loop_under_autograd_with_dropout_between_layers(cell: str) -> None:
    example = Example.random(cell, 6, 4, 3, 5, L=3, lengths=[2, 6, 0, 5], dropout=True)
    gradients, outputs, state = torch_run(example)
    trace = example.trace()
    np.testing.assert_allclose(trace.outputs, outputs, rtol=0, atol=1e-13)
    for ours, theirs in zip(trace.state, state, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-13)
    assert largest_error(example.gradients(), gradients) < 1e-12


@pytest.mark.parametrize("truncate", [1, 2, 3, 5, 7, 100])
@pytest.mark.parametrize("cell", CELLS)
def test_truncated_bptt_detaches_the_state_at_the_cuts(cell: str, truncate: int) -> None:
    example = Example.random(cell, 7, 4, 3, 4, L=2, lengths=[7, 3, 6, 1])
    expected, _, _ = torch_run(example, truncate)
    assert largest_error(example.gradients(truncate=truncate), expected) < 1e-12
    full = example.gradients()
    assert (largest_error(full, expected) < 1e-12) == (truncate >= 7)


def test_beyond_its_length_a_sequence_neither_counts_nor_changes() -> None:
    example = Example.random("lstm", 5, 3, 2, 4, L=2, lengths=[2, 5, 0])
    trace, gradients = example.trace(), example.gradients()
    assert not trace.outputs[2:, 0].any()
    assert not gradients["inputs"][2:, 0].any()
    for part, start in zip(trace.state, example.state, strict=True):
        np.testing.assert_array_equal(part[:, 2], start[:, 2])
    np.testing.assert_array_equal(gradients["h0"][:, 2], example.dstate[0][:, 2])

    inputs, doutputs = example.arrays["inputs"].copy(), example.doutputs.copy()
    inputs[2:, 0] = doutputs[2:, 0] = np.nan  # what stands in the padding is never read
    nans = Example(**{**vars(example.with_array("inputs", inputs)), "doutputs": doutputs})
    assert largest_error(nans.gradients(), gradients) == 0


def test_state_carried_over_a_cut_changes_nothing_forward() -> None:
    example = Example.random("lstm", 6, 3, 2, 4, L=2)
    inputs = example.arrays["inputs"]
    whole = example.trace()
    first = sequence.forward("lstm", example.layers, inputs[:2], example.state)
    rest = sequence.forward("lstm", example.layers, inputs[2:], first.state)
    np.testing.assert_allclose(
        np.concatenate([first.outputs, rest.outputs]), whole.outputs, rtol=0, atol=1e-15
    )
    np.testing.assert_allclose(rest.state, whole.state, rtol=0, atol=1e-15)


def test_backward_changes_nothing_so_it_may_be_called_again() -> None:
    example = Example.random("lstm", 5, 3, 2, 4, L=2, lengths=[5, 2, 4])
    before = {name: array.copy() for name, array in example.arrays.items()}
    trace = example.trace()
    first = sequence.backward(trace, example.doutputs, example.dstate)
    sequence.backward(trace, 2 * example.doutputs)
    again = sequence.backward(trace, example.doutputs, example.dstate)
    np.testing.assert_array_equal(first.inputs, again.inputs)
    np.testing.assert_array_equal(first.state, again.state)
    for layer, same in zip(first.layers, again.layers, strict=True):
        for name in WEIGHT_NAMES:
            np.testing.assert_array_equal(layer[name], same[name])
    for name, array in before.items():
        np.testing.assert_array_equal(example.arrays[name], array)


def test_state_is_zero_unless_given() -> None:
    example = Example.random("lstm", 4, 2, 3, 4, L=2)
    zeros = tuple(np.zeros_like(part) for part in example.state)
    without = sequence.forward("lstm", example.layers, example.arrays["inputs"])
    given_zeros = sequence.forward("lstm", example.layers, example.arrays["inputs"], zeros)
    np.testing.assert_array_equal(without.outputs, given_zeros.outputs)


@st.composite
def examples(draw: st.DrawFn) -> Example:
    """T 1–12, B 1–5, lengths 0–T in any order, non-zero states, one to three layers."""
    T, B = draw(st.integers(1, 12)), draw(st.integers(1, 5))
    each = st.lists(st.integers(0, T), min_size=B, max_size=B)
    return Example.random(
        draw(st.sampled_from(CELLS)),
        T,
        B,
        I=draw(st.integers(1, 4)),
        H=draw(st.integers(1, 5)),
        L=draw(st.integers(1, 3)),
        lengths=draw(st.none() | each),
        dropout=draw(st.booleans()),
        seed=draw(st.integers(0, 2**32 - 1)),
    )


@settings(deadline=None, max_examples=60)
@given(examples(), st.none() | st.integers(1, 12))
def test_any_shape_equals_autograd(example: Example, truncate: int | None) -> None:
    expected, _, _ = torch_run(example, truncate)
    assert largest_error(example.gradients(truncate=truncate), expected) < 1e-10


@settings(deadline=None, max_examples=60)
@given(examples(), st.integers(0, 2**32 - 1))
def test_any_shape_equals_the_slope_along_a_random_direction(example: Example, seed: int) -> None:
    """By complex step everywhere, and by central differences where nothing has a corner."""
    rng = np.random.default_rng(seed)
    gradients = example.gradients()
    for name, array in example.arrays.items():
        direction = rng.normal(size=array.shape)
        slope = float(np.sum(gradients[name] * direction))
        scale = max(1.0, float(np.sum(np.abs(gradients[name] * direction))))
        moved = example.astype(complex).with_array(name, array + 1e-30j * direction)
        assert abs(slope - moved.objective().imag / 1e-30) < 1e-12 * scale
        if example.cell != "rnn-relu":
            ahead, behind = (
                example.with_array(name, array + step * direction).objective()
                for step in (1e-5, -1e-5)
            )
            assert abs(slope - (ahead - behind) / 2e-5) < 1e-6 * scale
