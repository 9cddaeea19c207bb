"""The poem network: Embedding → LSTM or RNN → Dropout → [projection] → Linear.

    model = LanguageModel(weights)
    logits, state = model.step(tokens, model.initial_state(len(tokens)))        # writes
    nats = model.token_nats(inputs, targets, lengths)                           # measures
    nats, gradients = model.nats_and_gradients(inputs, targets, lengths)        # trains

T time, B batch, E embedding, H hidden, V vocabulary; arrays are time-major. N counts real tokens:
the first `lengths[b]` of column b. A target below 0 is not asked for: its token is only read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from yinshi.engine import sequence
from yinshi.engine.cells import Array, lstm_step, rnn_step
from yinshi.engine.layers import (
    Tokens,
    dropout,
    dropout_backward,
    embedding,
    embedding_backward,
    linear,
    linear_backward,
)
from yinshi.engine.losses import Nats, linear_cross_entropy, linear_cross_entropy_with_gradient

PARAMETERS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


@dataclass(frozen=True, slots=True)
class State:
    """What the network remembers: for each layer h and, of an LSTM, c, each (B, H)."""

    layers: tuple[tuple[Array, ...], ...]

    def select(self, rows: Tokens | NDArray[np.bool_]) -> State:
        """The state of some rows of the batch, in that order; a row may be taken several times."""
        return State(tuple(tuple(part[rows] for part in layer) for layer in self.layers))

    def rows(self) -> list[State]:
        """Each row, a batch of one."""
        batch = len(self.layers[0][0])
        return [
            State(tuple(tuple(part[k : k + 1] for part in layer) for layer in self.layers))
            for k in range(batch)
        ]

    @classmethod
    def join(cls, states: Sequence[State]) -> State:
        """The rows of `states`, one after the other, as one batch."""
        layers = zip(*(state.layers for state in states), strict=True)
        return cls(tuple(tuple(map(np.concatenate, zip(*layer, strict=True))) for layer in layers))


class LanguageModel:
    """The network of `weights`: PyTorch's names and shapes, computed in `dtype`.

    `output.weight` (V, H) may be missing; then the embedding (V, E) is the output layer too, after
    `projection.weight` (E, H) if there is one. `cell` is one of `cells.CELLS`. The arrays of the
    attribute `weights` may be changed in place: nothing computed from them is kept.
    """

    def __init__(
        self, weights: Mapping[str, Array], dtype: DTypeLike = np.float32, cell: str = "lstm"
    ) -> None:
        self.dtype = np.dtype(dtype)
        self.weights = w = {name: np.asarray(a, self.dtype) for name, a in weights.items()}
        self._cell = cell
        self._parts = 2 if cell == "lstm" else 1  # of the state
        module = "lstm" if cell == "lstm" else "rnn"
        depth = sum(name.startswith(f"{module}.weight_hh_l") for name in w)
        self._names = [{p: f"{module}.{p}_l{k}" for p in PARAMETERS} for k in range(depth)]
        self._layers = [{p: w[name] for p, name in names.items()} for names in self._names]
        self._embedding = w["embedding.weight"]
        self._projection = w.get("projection.weight")
        self._output_name = "output.weight" if "output.weight" in w else "embedding.weight"
        self._output, self._bias = w[self._output_name], w["output.bias"]

    def initial_state(self, batch: int) -> State:
        """The state before the first token: zeros."""
        shapes = [(batch, layer["weight_hh"].shape[1]) for layer in self._layers]
        return State(
            tuple(tuple(np.zeros(s, self.dtype) for _ in range(self._parts)) for s in shapes)
        )

    def step(self, tokens: Tokens, state: State) -> tuple[Array, State]:
        """(logits (B, V) of the next token, new state), having read `tokens` (B,)."""
        x, layers = embedding(tokens, self._embedding), []
        for layer, before in zip(self._layers, state.layers, strict=True):
            gates = linear(x, layer["weight_ih"], layer["bias_ih"] + layer["bias_hh"])
            if self._cell == "lstm":
                after = lstm_step(gates, before[0], before[1], layer["weight_hh"])
            else:
                after = (rnn_step(self._cell, gates, before[0], layer["weight_hh"]),)
            layers.append(after)
            x = after[0]
        return self.logits(x), State(tuple(layers))

    def logits(self, outputs: Array) -> Array:
        """(…, V) of the next token, from the recurrent layers' outputs (…, H)."""
        return linear(self._projected(outputs), self._output, self._bias)

    def step_apart(self, tokens: Tokens, state: State) -> tuple[Array, State]:
        """`step`, each row as if it were alone: the same to the last bit whatever is beside it.

        How a BLAS sums depends on how many rows a product has and where in it a row stands. Here
        the batch is a stack of batches of one.
        """
        apart = State(tuple(tuple(part[:, None] for part in layer) for layer in state.layers))
        logits, after = self.step(tokens[:, None], apart)
        layers = tuple(tuple(part[:, 0] for part in layer) for layer in after.layers)
        return logits[:, 0], State(layers)

    def read(self, tokens: Tokens, state: State) -> sequence.Trace:
        """What the recurrent layers make of one text `tokens` (T,), from `state`, of one row."""
        start = tuple(np.stack(part) for part in zip(*state.layers, strict=True))  # (L, 1, H)
        vectors = embedding(tokens[:, None], self._embedding)
        return sequence.forward(self._cell, self._layers, vectors, start)

    def token_nats(self, inputs: Tokens, targets: Tokens, lengths: Tokens) -> Nats:
        """−log p(target) in nats, (T, B), from the zero state; 0 beyond the `lengths` (B,), and
        where none is asked for."""
        asked = _real(inputs, lengths) & (targets >= 0)
        trace = self._forward(inputs, lengths)
        hidden = self._projected(trace.outputs[asked])
        nats = np.zeros(inputs.shape)
        nats[asked] = linear_cross_entropy(hidden, self._output, self._bias, targets[asked])
        return nats

    def nats_and_gradients(
        self,
        inputs: Tokens,
        targets: Tokens,
        lengths: Tokens,
        dropout_masks: Sequence[Array] = (),
    ) -> tuple[float, dict[str, Array]]:
        """(Σ nats, name → its derivatives by that weight), from the zero state.

        `dropout_masks` (T, B, H), one a layer or none, multiply the layers' outputs; the last one's
        stands before the output layer.
        """
        real, gradients = _real(inputs, lengths), {}
        asked = real & (targets >= 0)
        trace = self._forward(inputs, lengths, dropout_masks[:-1])
        outputs = dropout(trace.outputs, dropout_masks[-1]) if dropout_masks else trace.outputs
        hidden = outputs[asked]  # (N, H)
        nats, dx, dweight, gradients["output.bias"] = linear_cross_entropy_with_gradient(
            self._projected(hidden), self._output, self._bias, targets[asked]
        )
        # … and back, line by line
        if self._projection is not None:
            dx, gradients["projection.weight"], _ = linear_backward(dx, hidden, self._projection)
        doutputs = np.zeros_like(outputs)
        doutputs[asked] = dx
        if dropout_masks:
            doutputs = dropout_backward(doutputs, dropout_masks[-1])
        through_time = sequence.backward(trace, doutputs)
        for names, layer in zip(self._names, through_time.layers, strict=True):
            gradients |= {name: layer[p] for p, name in names.items()}
        dvectors = through_time.inputs[real]
        gradients["embedding.weight"] = embedding_backward(dvectors, inputs[real], self._embedding)
        if self._output_name in gradients:  # tied: one matrix in two places
            gradients[self._output_name] += dweight
        else:
            gradients[self._output_name] = dweight
        return float(nats.sum()), gradients

    def _forward(
        self, inputs: Tokens, lengths: Tokens, dropout_masks: Sequence[Array] = ()
    ) -> sequence.Trace:
        vectors = embedding(inputs, self._embedding)
        return sequence.forward(
            self._cell, self._layers, vectors, lengths=lengths, dropout_masks=dropout_masks
        )

    def _projected(self, hidden: Array) -> Array:
        return hidden if self._projection is None else linear(hidden, self._projection)


def _real(tokens: Tokens, lengths: Tokens) -> NDArray[np.bool_]:
    """(T, B): which tokens are not padding."""
    return np.arange(len(tokens))[:, None] < lengths
