"""The engine's backward against central differences, in float64, for every entry of everything.

    for check in checks("lstm", layers=2, seed=3):
        print(check.name, check.largest_error)

The objective is a random linear function of all outputs and of the final state, over random
sequences of uneven lengths, from a random initial state, with dropout between the layers. Its
derivatives by every parameter, the inputs and the initial state are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yinshi.engine import sequence
from yinshi.engine.cells import Array, State
from yinshi.errors import UsageError

EPSILON = 1e-4
TOLERANCE = 1e-6

#: An error is relative to the derivative, but to no less than this: an entry must be right to a
#: millionth of itself, or to 1e-7. For central differences are themselves off by ε²/6 |L‴| ≈
#: 2e-9 |L‴| (truncation) and 1e-16 |L|/ε ≈ 1e-12 |L| (rounding), which is a large part of a
#: derivative near 0 and says nothing about the backward. The objective is scaled so that the
#: derivatives of most arrays reach 0.1 to 1.
FLOOR = 0.1

#: ReLU has no derivative at 0, and a central difference across 0 is wrong. No pre-activation
#: may lie nearer to it than this; a draw where one does is thrown away and drawn again.
KINK_MARGIN = 10 * EPSILON
DRAWS = 1000


def central_differences(
    objective: Callable[[Array], float], array: Array, epsilon: float = EPSILON
) -> Array:
    """∂L/∂a ≈ (L(a + ε) − L(a − ε)) / 2ε for every entry a of `array`, in its shape."""
    moved, derivatives = array.copy(), np.empty_like(array)
    for index, value in np.ndenumerate(array):
        moved[index] = value + epsilon
        above = objective(moved)
        moved[index] = value - epsilon
        derivatives[index] = (above - objective(moved)) / (2 * epsilon)
        moved[index] = value
    return derivatives


def relative_error(actual: Array, expected: Array, floor: float = FLOOR) -> Array:
    """|actual − expected| / max(|actual|, |expected|, floor), entry by entry."""
    scale = np.maximum(np.maximum(np.abs(actual), np.abs(expected)), floor)
    error: Array = np.abs(actual - expected) / scale
    return error


@dataclass(frozen=True)
class GradientCheck:
    """The derivatives of the objective by one array, in its shape."""

    cell: str
    name: str  #: a parameter by PyTorch's name (weight_hh_l0, …), or inputs, h0, c0
    expected: Array  #: by central differences
    actual: Array  #: by the engine's backward

    @property
    def errors(self) -> Array:
        """The relative error of each entry."""
        return relative_error(self.actual, self.expected)

    @property
    def largest_error(self) -> float:
        """The largest relative error of all entries."""
        return float(self.errors.max())

    @property
    def passed(self) -> bool:
        """Whether no error exceeds `TOLERANCE`; NaN does not pass."""
        return self.largest_error <= TOLERANCE

    def entries(self, count: int) -> list[tuple[int, ...]]:
        """The indices of the worst entry and of count − 1 others, spread evenly over the rest."""
        worst = int(np.argmax(self.errors))
        others = np.delete(np.arange(self.actual.size), worst)
        spread = np.linspace(0, len(others) - 1, min(count - 1, len(others))).astype(int)
        flat = [worst, *others[spread]] if len(others) else [worst]
        return [tuple(map(int, np.unravel_index(k, self.actual.shape))) for k in flat]


def checks(
    cell: str,
    *,
    time: int = 5,
    batch: int = 3,
    inputs: int = 3,
    hidden: int = 4,
    layers: int = 2,
    seed: int = 0,
) -> list[GradientCheck]:
    """Check the backward of `cell`, one of `cells.CELLS`: every parameter, the inputs, h0, c0.

    `inputs` and `hidden` are I and H. Raises UsageError where a ReLU network is so large that no
    draw keeps all its pre-activations off the kink.
    """
    rng = np.random.default_rng(seed)
    shape = _Shape(time, batch, inputs, hidden, layers)
    for _ in range(DRAWS):
        problem = _Problem.draw(cell, shape, rng)
        if cell != "rnn-relu" or problem.nearest_kink() > KINK_MARGIN:
            return problem.checks()
    raise UsageError(
        f"found no ReLU network of {time * batch * hidden * layers} units over time in {DRAWS} "
        f"draws without a pre-activation in ±{KINK_MARGIN:g}, where differences are wrong; "
        "ask for a smaller --time, --batch, --hidden or --layers"
    )


@dataclass(frozen=True)
class _Shape:
    time: int
    batch: int
    inputs: int
    hidden: int
    layers: int


@dataclass(frozen=True)
class _Problem:
    """One random objective: `values` are what it is differentiated by, the rest is constant."""

    cell: str
    layers: int
    values: dict[str, Array]
    lengths: NDArray[np.integer]
    masks: list[Array]
    doutputs: Array
    dstate: State

    @classmethod
    def draw(cls, cell: str, shape: _Shape, rng: np.random.Generator) -> _Problem:
        T, B, I, H, L = shape.time, shape.batch, shape.inputs, shape.hidden, shape.layers  # noqa: E741
        G = 4 * H if cell == "lstm" else H
        state = ("h0", "c0") if cell == "lstm" else ("h0",)
        values: dict[str, Array] = {}
        for k in range(L):
            values[f"weight_ih_l{k}"] = rng.uniform(-1, 1, (G, H if k else I)) * H**-0.5
            values[f"weight_hh_l{k}"] = rng.uniform(-1, 1, (G, H)) * H**-0.5
            values[f"bias_ih_l{k}"] = rng.uniform(-1, 1, G) * H**-0.5
            values[f"bias_hh_l{k}"] = rng.uniform(-1, 1, G) * H**-0.5
        values["inputs"] = rng.uniform(-1, 1, (T, B, I))
        values |= {name: rng.uniform(-1, 1, (L, B, H)) for name in state}
        lengths = rng.integers(1, T + 1, B)
        lengths[rng.integers(B)] = T
        masks = [rng.integers(0, 2, (T, B, H)) * 2.0 for _ in range(L - 1)]  # dropout ½
        scale = (T * B) ** -0.5  # so that sums over T and B, and their third derivatives, stay O(1)
        doutputs = rng.uniform(-scale, scale, (T, B, H))
        dstate = tuple(rng.uniform(-scale, scale, (L, B, H)) for _ in state)
        return cls(cell, L, values, lengths, masks, doutputs, dstate)

    def checks(self) -> list[GradientCheck]:
        actual = self.backward()
        return [
            GradientCheck(self.cell, name, self.differences(name), actual[name])
            for name in self.values
        ]

    def differences(self, name: str) -> Array:
        """The derivatives of the objective by values[name], from the forward alone."""
        return central_differences(
            lambda array: self.objective(self.values | {name: array}), self.values[name]
        )

    def backward(self) -> dict[str, Array]:
        """The derivatives of the objective by each of `values`, from the engine's backward."""
        gradients = sequence.backward(
            self.forward(self.values, self.layers), self.doutputs, self.dstate
        )
        layers = {
            f"{name}_l{k}": array
            for k, layer in enumerate(gradients.layers)
            for name, array in layer.items()
        }
        state = dict(zip(("h0", "c0"), gradients.state, strict=False))
        return {**layers, "inputs": gradients.inputs, **state}

    def objective(self, values: dict[str, Array]) -> float:
        trace = self.forward(values, self.layers)
        products = [trace.outputs * self.doutputs]
        products += [s * ds for s, ds in zip(trace.state, self.dstate, strict=True)]
        return float(sum(product.sum() for product in products))

    def forward(self, values: dict[str, Array], layers: int) -> sequence.Trace:
        """Run the lowest `layers` layers."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        weights = [{name: values[f"{name}_l{k}"] for name in names} for k in range(layers)]
        state = tuple(values[name][:layers] for name in ("h0", "c0") if name in values)
        masks = self.masks[: layers - 1]
        return sequence.forward(self.cell, weights, values["inputs"], state, self.lengths, masks)

    def nearest_kink(self) -> float:
        """min |z| over the pre-activations of every layer of an RNN, padding excepted."""
        real = np.arange(len(self.doutputs))[:, None] < self.lengths
        x, nearest = self.values["inputs"], np.inf
        for k in range(self.layers):
            w_ih, w_hh, b_ih, b_hh = (
                self.values[f"{name}_l{k}"]
                for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            h = self.forward(self.values, k + 1).outputs
            h_prev = np.concatenate([self.values["h0"][k : k + 1], h[:-1]])
            z = x @ w_ih.T + h_prev @ w_hh.T + b_ih + b_hh
            nearest = min(nearest, float(np.abs(z[real]).min()))
            x = h * self.masks[k] if k < len(self.masks) else h
        return nearest
