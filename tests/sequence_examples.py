"""Random recurrent networks with a random linear objective: Σ doutputs·outputs + Σ dstate·state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from yinshi.engine import sequence as _sequence

torch: Any = pytest.importorskip("torch")

Array = NDArray[Any]

WEIGHT_NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


@dataclass(frozen=True)
class Example:
    """`arrays` holds all that is differentiated: weight_ih_l0, …, inputs, h0, in an LSTM c0."""

    cell: str
    depth: int
    arrays: dict[str, Array]
    doutputs: Array
    dstate: tuple[Array, ...]
    lengths: NDArray[np.integer] | None
    masks: tuple[Array, ...] = ()

    @classmethod
    def random(
        cls,
        cell: str,
        T: int,
        B: int,
        I: int,  # noqa: E741
        H: int,
        L: int,
        lengths: list[int] | None = None,
        dropout: bool = False,
        seed: int = 0,
    ) -> Example:
        rng = np.random.default_rng(seed)
        G = 4 * H if cell == "lstm" else H
        arrays = {"inputs": rng.normal(size=(T, B, I)), "h0": rng.normal(size=(L, B, H))}
        if cell == "lstm":
            arrays["c0"] = rng.normal(size=(L, B, H))
        for k in range(L):
            shapes = ((G, H if k else I), (G, H), (G,), (G,))
            for name, shape in zip(WEIGHT_NAMES, shapes, strict=True):
                arrays[f"{name}_l{k}"] = rng.uniform(-1, 1, shape) * (1.5 * H**-0.5)
        keep = [rng.random((T, B, H)) < 0.7 for _ in range(L - 1)] if dropout else []
        return cls(
            cell,
            L,
            arrays,
            rng.normal(size=(T, B, H)),
            tuple(rng.normal(size=(L, B, H)) for _ in range(2 if cell == "lstm" else 1)),
            None if lengths is None else np.array(lengths),
            tuple(mask / 0.7 for mask in keep),
        )

    def with_array(self, name: str, array: Array) -> Example:
        return replace(self, arrays={**self.arrays, name: array})

    def astype(self, dtype: Any) -> Example:
        return replace(
            self,
            arrays={name: array.astype(dtype) for name, array in self.arrays.items()},
            doutputs=self.doutputs.astype(dtype),
            dstate=tuple(part.astype(dtype) for part in self.dstate),
            masks=tuple(mask.astype(dtype) for mask in self.masks),
        )

    @property
    def layers(self) -> list[dict[str, Array]]:
        return [
            {name: self.arrays[f"{name}_l{k}"] for name in WEIGHT_NAMES} for k in range(self.depth)
        ]

    @property
    def state(self) -> tuple[Array, ...]:
        return tuple(self.arrays[name] for name in ("h0", "c0") if name in self.arrays)

    def trace(self, sequence: ModuleType = _sequence) -> Any:
        return sequence.forward(
            self.cell, self.layers, self.arrays["inputs"], self.state, self.lengths, self.masks
        )

    def objective(self, sequence: ModuleType = _sequence) -> Any:
        trace = self.trace(sequence)
        parts = zip(self.dstate, trace.state, strict=True)
        return np.sum(self.doutputs * trace.outputs) + sum(np.sum(d * s) for d, s in parts)

    def gradients(
        self, sequence: ModuleType = _sequence, truncate: int | None = None
    ) -> dict[str, Array]:
        """By the hand-written backward, named as `arrays`."""
        found = sequence.backward(self.trace(sequence), self.doutputs, self.dstate, truncate)
        named = {f"{n}_l{k}": layer[n] for k, layer in enumerate(found.layers) for n in layer}
        state = dict(zip(("h0", "c0"), found.state, strict=False))
        return {**named, **state, "inputs": found.inputs}


def torch_run(
    example: Example, truncate: int | None = None
) -> tuple[dict[str, Array], Array, tuple[Array, ...]]:
    """(gradients, outputs, state) of PyTorch's autograd under a plain loop over time.

    A finished row keeps its state by `torch.where`; a truncated sequence detaches it at the cuts.
    """
    leaves = {
        name: torch.tensor(array, requires_grad=True) for name, array in example.arrays.items()
    }
    T, B, _ = example.arrays["inputs"].shape
    lengths = torch.tensor(np.full(B, T) if example.lengths is None else example.lengths)
    x, finals = leaves["inputs"], []
    for k in range(example.depth):
        if k and example.masks:
            x = x * torch.tensor(example.masks[k - 1])
        weights = [leaves[f"{name}_l{k}"] for name in WEIGHT_NAMES]
        state = [leaves[name][k] for name in ("h0", "c0") if name in leaves]
        outputs = []
        for t in range(T):
            alive = (t < lengths)[:, None]
            if truncate and t and t % truncate == 0:
                state = [torch.where(alive, part.detach(), part) for part in state]
            new = _torch_step(example.cell, weights, x[t], state)
            state = [torch.where(alive, a, b) for a, b in zip(new, state, strict=True)]
            outputs.append(torch.where(alive, state[0], 0))
        x = torch.stack(outputs)
        finals.append(state)
    parts = [torch.stack(part) for part in zip(*finals, strict=True)]
    objective = (x * torch.tensor(example.doutputs)).sum()
    for part, derivative in zip(parts, example.dstate, strict=True):
        objective = objective + (part * torch.tensor(derivative)).sum()
    objective.backward()
    gradients = {
        name: (torch.zeros_like(leaf) if leaf.grad is None else leaf.grad).numpy()
        for name, leaf in leaves.items()
    }
    return gradients, x.detach().numpy(), tuple(part.detach().numpy() for part in parts)


def _torch_step(cell: str, weights: list[Any], x: Any, state: list[Any]) -> list[Any]:
    weight_ih, weight_hh, bias_ih, bias_hh = weights
    z = x @ weight_ih.T + state[0] @ weight_hh.T + bias_ih + bias_hh
    if cell != "lstm":
        return [{"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}[cell[4:]](z)]
    i, f, g, o = z.chunk(4, dim=1)
    c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
    return [torch.sigmoid(o) * torch.tanh(c), c]


def largest_error(actual: dict[str, Array], expected: dict[str, Array]) -> float:
    """The largest difference, relative to the largest entry of its array (or to 1e-3)."""
    assert actual.keys() == expected.keys()
    return max(
        float(np.max(np.abs(actual[name] - expected[name])))
        / max(1e-3, float(np.max(np.abs(expected[name]))))
        for name in expected
        if expected[name].size
    )
