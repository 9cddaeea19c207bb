"""The poem network, forward: Embedding → LSTM × layers → [projection] → output layer.

    model = LanguageModel(weights)
    logits, state = model.step(tokens, model.initial_state(len(tokens)))

Notation: T time, B batch, E embedding, H hidden, V vocabulary; arrays are time-major.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from yinshi.engine.cells import Array, lstm_step

Tokens = NDArray[np.integer]

#: Rows of logits that `token_nats` holds at once: 512 × 7,000 float32 are 14 MB.
CHUNK = 512


@dataclass(frozen=True, slots=True)
class State:
    """What the network remembers: for each layer h and c, each (B, H)."""

    layers: tuple[tuple[Array, Array], ...]

    def select(self, rows: Tokens | NDArray[np.bool_]) -> State:
        """The state of some rows of the batch, in that order; a row may be taken several times."""
        return State(tuple((h[rows], c[rows]) for h, c in self.layers))


@dataclass(frozen=True, slots=True)
class _Layer:
    weight_ih: Array  # (4H, I)
    weight_hh: Array  # (4H, H)
    bias: Array  # (4H,), both of PyTorch's biases


class LanguageModel:
    """The network of `weights`: PyTorch's names and shapes, computed in `dtype`.

    `output.weight` (V, H) may be missing; then the embedding (V, E) is the output layer too, after
    `projection.weight` (E, H) if there is one.
    """

    def __init__(self, weights: Mapping[str, Array], dtype: DTypeLike = np.float32) -> None:
        self.dtype = np.dtype(dtype)
        w = {name: np.asarray(weight, dtype=self.dtype) for name, weight in weights.items()}
        self._embedding = w["embedding.weight"]
        count = sum(name.startswith("lstm.weight_hh_l") for name in w)
        self._layers = [
            _Layer(
                w[f"lstm.weight_ih_l{k}"],
                w[f"lstm.weight_hh_l{k}"],
                w[f"lstm.bias_ih_l{k}"] + w[f"lstm.bias_hh_l{k}"],
            )
            for k in range(count)
        ]
        self._projection = w.get("projection.weight")
        self._output_weight = w.get("output.weight", self._embedding)
        self._output_bias = w["output.bias"]

    def initial_state(self, batch: int) -> State:
        """The state before the first token: zeros."""
        return State(
            tuple(
                (np.zeros((batch, H), self.dtype), np.zeros((batch, H), self.dtype))
                for H in (layer.weight_hh.shape[1] for layer in self._layers)
            )
        )

    def step(self, tokens: Tokens, state: State) -> tuple[Array, State]:
        """(logits (B, V) of the next token, new state), having read `tokens` (B,)."""
        hidden, state = self._read(tokens, state)
        return self._logits(hidden), state

    def token_nats(self, inputs: Tokens, targets: Tokens, lengths: Tokens) -> NDArray[np.float64]:
        """−log p(target) in nats, (T, B), from the zero state; 0 beyond the `lengths` (B,).

        `inputs` and `targets` are (T, B); the first `lengths[b]` tokens of column b are real.
        The logits of real tokens only are computed, and never all at once.
        """
        T, B = inputs.shape
        state, outputs = self.initial_state(B), []
        for t in range(T):
            hidden, state = self._read(inputs[t], state)
            outputs.append(hidden)
        real = np.arange(T)[:, None] < lengths
        hidden, wanted = np.stack(outputs)[real], targets[real]
        nats = np.zeros((T, B))
        nats[real] = np.concatenate(
            [
                _cross_entropy(self._logits(hidden[k : k + CHUNK]), wanted[k : k + CHUNK])
                for k in range(0, len(wanted), CHUNK)
            ]
            or [np.zeros(0)]
        )
        return nats

    def _read(self, tokens: Tokens, state: State) -> tuple[Array, State]:
        """(top layer's h (B, H), new state)."""
        x, layers = self._embedding[tokens], []
        for layer, (h, c) in zip(self._layers, state.layers, strict=True):
            gates_x = x @ layer.weight_ih.T + layer.bias
            h, c = lstm_step(gates_x, h, c, layer.weight_hh)
            layers.append((h, c))
            x = h
        return x, State(tuple(layers))

    def _logits(self, hidden: Array) -> Array:
        """(N, H) → (N, V)."""
        if self._projection is not None:
            hidden = hidden @ self._projection.T
        logits: Array = hidden @ self._output_weight.T
        logits += self._output_bias
        return logits


def _cross_entropy(logits: Array, targets: Tokens) -> NDArray[np.float64]:
    """logits (N, V), targets (N,) → nats (N,): log Σ e^logit − logit of the target."""
    top = logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(logits - top).sum(axis=1, dtype=np.float64)) + top[:, 0]
    nats: NDArray[np.float64] = log_sum - logits[np.arange(len(targets)), targets]
    return nats
