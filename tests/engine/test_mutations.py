"""The negative control: with any one term of the backward removed, the gradient check must fail.

Each mutation replaces one piece of the engine's source, which must occur there exactly once; the
mutated engine then goes through the same check as `yinshi gradcheck`.
"""

from __future__ import annotations

import inspect
import sys
from types import ModuleType
from typing import NamedTuple

import pytest

from yinshi.engine import cells, gradcheck, sequence
from yinshi.engine.cells import CELLS


class Mutation(NamedTuple):
    """What is lost when `old` becomes `new` in the source of `module`."""

    loses: str
    module: ModuleType
    cell: str
    old: str
    new: str


LSTM_STEP = [
    Mutation(loses, cells, "lstm", old, new)
    for loses, old, new in (
        ("the cell path δc_{t-1} = δc_t ⊙ f_t", "dc_prev = dc * f", "dc_prev = 0 * dc"),
        ("f in the cell path", "dc_prev = dc * f", "dc_prev = dc"),
        ("the hidden path δh_{t-1}", "dh_prev = dgates @ weight_hh", "dh_prev = 0 * dh"),
        ("δc from the step after", "dc = dc + dh * o", "dc = dh * o"),
        ("δc from h", "dc = dc + dh * o * (1 - tanh_c * tanh_c)", "dc = dc + 0"),
        ("o in δc", "dh * o * (1 - tanh_c * tanh_c)", "dh * (1 - tanh_c * tanh_c)"),
        ("tanh′ in δc", "dh * o * (1 - tanh_c * tanh_c)", "dh * o"),
        ("δo", "dh * tanh_c * o * (1 - o)", "0"),
        ("tanh c in δo", "dh * tanh_c * o * (1 - o)", "dh * o * (1 - o)"),
        ("o of σ′ in δo", "dh * tanh_c * o * (1 - o)", "dh * tanh_c * (1 - o)"),
        ("1 - o of σ′ in δo", "dh * tanh_c * o * (1 - o)", "dh * tanh_c * o"),
        ("δg", "dc * i * (1 - g * g)", "0"),
        ("i in δg", "dc * i * (1 - g * g)", "dc * (1 - g * g)"),
        ("tanh′ in δg", "dc * i * (1 - g * g)", "dc * i"),
        ("δf", "dc * c_prev * f * (1 - f)", "0"),
        ("c_{t-1} in δf", "dc * c_prev * f * (1 - f)", "dc * f * (1 - f)"),
        ("c_{t-1} in δf, c_t in its place", "dc * c_prev * f", "dc * c * f"),
        ("f of σ′ in δf", "dc * c_prev * f * (1 - f)", "dc * c_prev * (1 - f)"),
        ("1 - f of σ′ in δf", "dc * c_prev * f * (1 - f)", "dc * c_prev * f"),
        ("δi", "dc * g * i * (1 - i)", "0"),
        ("g in δi", "dc * g * i * (1 - i)", "dc * i * (1 - i)"),
        ("i of σ′ in δi", "dc * g * i * (1 - i)", "dc * g * (1 - i)"),
        ("1 - i of σ′ in δi", "dc * g * i * (1 - i)", "dc * g * i"),
    )
]

RNN_STEP = [
    Mutation(loses, cells, cell, old, new)
    for loses, cell, old, new in (
        ("φ′", "rnn-tanh", "dh * _activation_derivative(cell, h)", "dh"),
        ("φ′", "rnn-sigmoid", "dh * _activation_derivative(cell, h)", "dh"),
        ("φ′", "rnn-relu", "dh * _activation_derivative(cell, h)", "dh"),
        ("the square in tanh′", "rnn-tanh", "else 1 - h * h", "else 1 - h"),
        ("h in σ′", "rnn-sigmoid", "h * (1 - h) if", "(1 - h) if"),
        ("1 - h in σ′", "rnn-sigmoid", "h * (1 - h) if", "h if"),
        ("the hidden path", "rnn-tanh", "Array = dgates @ weight_hh", "Array = 0 * dh"),
    )
]

SEQUENCE = [
    Mutation(loses, sequence, cell, old, new)
    for cell in ("lstm", "rnn-tanh")
    for loses, old, new in (
        ("δh from the step after", "dh = alive[0] + doutputs[rows]", "dh = 0 + doutputs[rows]"),
        ("δh from the layer above", "dh = alive[0] + doutputs[rows]", "dh = alive[0] + 0"),
        ("all but the last step", "part[:] = 0 if cut else new", "part[:] = 0"),
        ("dstate", "[part[packing.order] for", "[0 * part[packing.order] for"),
        ("the callers' order of dstate", "[part[packing.order] for", "[part.copy() for"),
        ("the callers' order of dh0", "[packing.unsort(part) for part in d", "[part for part in d"),
        ("the dropout masks", "dx *= trace._dropout_masks[depth - 1]", "pass"),
        ("h_{t-1} in ∂W, h_t in its place", "packing.before(layer.states[0])", "layer.outputs"),
        (
            "all but one step in ∂b",
            "np.ones(len(dgates), dgates.dtype)",
            "np.eye(1, len(dgates))[0]",
        ),
        ("∂b_hh", '"bias_hh": dbias.copy()', '"bias_hh": 0 * dbias'),
        ("δx", "dx = dgates @ layer", "dx = 0 * dgates @ layer"),
        ("∂W_ih", "dgates.T @ layer.inputs", "0 * dgates.T @ layer.inputs"),
        ("∂W_hh", "dgates.T @ h_prev", "0 * dgates.T @ h_prev"),
    )
]


def engine(monkeypatch: pytest.MonkeyPatch, mutation: Mutation | None) -> ModuleType:
    """`sequence`, compiled anew over `cells`, one of them mutated."""
    for module in (cells, sequence):
        source = inspect.getsource(module)
        if mutation and mutation.module is module:
            assert source.count(mutation.old) == 1
            source = source.replace(mutation.old, mutation.new)
        compiled = ModuleType(module.__name__)
        monkeypatch.setitem(sys.modules, module.__name__, compiled)
        exec(compile(source, f"<mutated {module.__name__}>", "exec"), vars(compiled))
    return compiled


def largest_error(cell: str) -> float:
    """Seed 1 draws sequences of which the longest does not come first, for any cell."""
    found = gradcheck.checks(cell, time=4, batch=4, inputs=2, hidden=3, layers=2, seed=1)
    return max(check.largest_error for check in found)


@pytest.mark.parametrize("cell", CELLS)
def test_check_passes_as_long_as_nothing_is_mutated(
    cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradcheck, "sequence", engine(monkeypatch, None))
    assert largest_error(cell) < gradcheck.TOLERANCE


@pytest.mark.parametrize(
    "mutation", [*LSTM_STEP, *RNN_STEP, *SEQUENCE], ids=lambda m: f"{m.cell} without {m.loses}"
)
def test_check_fails_without(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradcheck, "sequence", engine(monkeypatch, mutation))
    assert largest_error(mutation.cell) > 100 * gradcheck.TOLERANCE
