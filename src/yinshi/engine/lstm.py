"""One LSTM layer that keeps its weights and its last run."""

from __future__ import annotations

import numpy as np

from yinshi.engine import sequence
from yinshi.engine.cells import Array, State


class LSTM:
    """An LSTM layer in float64, to look at its gradients by hand.

        lstm = LSTM(input_size=3, hidden_size=5, rng=np.random.default_rng(0))
        outputs, state = lstm.forward(inputs)
        gradients = lstm.backward(k=2, delta=np.ones(5))
        gradients.layers[0]["weight_hh"]  # ∂L/∂W_hh (20, 5) of L = Σ_j h_2[j]

    `weights` are named and shaped as in PyTorch and drawn from `rng`, uniform in ±H^-1/2.
    """

    def __init__(self, input_size: int, hidden_size: int, rng: np.random.Generator) -> None:
        bound, G = hidden_size**-0.5, 4 * hidden_size
        shapes = {
            "weight_ih": (G, input_size),
            "weight_hh": (G, hidden_size),
            "bias_ih": (G,),
            "bias_hh": (G,),
        }
        self.weights: dict[str, Array] = {
            name: rng.uniform(-bound, bound, shape) for name, shape in shapes.items()
        }

    def forward(self, inputs: Array, state: State | None = None) -> tuple[Array, State]:
        """(outputs (T, B, H), (h, c)) of inputs (T, B, I), from `state` (h, c) or from zeros.

        h and c are (B, H). For one sequence, inputs (T, I), every array is without its B.
        """
        self._single = inputs.ndim == 2
        start = None if state is None else tuple(self._batched(part[None]) for part in state)
        self._trace = sequence.forward("lstm", [self.weights], self._batched(inputs), start)
        outputs, final = self._trace.outputs, tuple(part[0] for part in self._trace.state)
        if self._single:
            return outputs[:, 0], tuple(part[0] for part in final)
        return outputs, final

    def backward(self, k: int, delta: Array) -> sequence.Gradients:
        """The gradients, from the last `forward`, of an objective L at time k only.

        `delta` is ∂L/∂h_k in the shape of `outputs[k]`: (B, H), or (H,). They hold what
        `sequence.Gradients` holds, B and L = 1 included. Any number of k may follow one `forward`.
        """
        doutputs = np.zeros_like(self._trace.outputs)
        doutputs[k] = delta
        return sequence.backward(self._trace, doutputs)

    def _batched(self, array: Array) -> Array:
        """(n, F) of one sequence → (n, 1, F)."""
        return array[:, None] if self._single else array
