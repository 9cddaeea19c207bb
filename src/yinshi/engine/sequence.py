"""A recurrent network over whole sequences: the loop over time, and its backward (BPTT).

    trace = forward("lstm", layers, inputs, lengths=lengths)
    gradients = backward(trace, doutputs)

T time, B batch, I input, H hidden, L layers; G is 4H for an LSTM and H for an RNN. Padding costs
nothing: inside, the sequences stand longest first, and step t computes the rows still alive. Their
arrays are packed, (N, …) with N real positions, step after step (`_Packing`), so that whatever does
not depend on the step before is one product over N rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yinshi.engine.cells import (
    Array,
    State,
    lstm_step,
    lstm_step_backward,
    rnn_step,
    rnn_step_backward,
)

#: One layer's weight_ih (G, I), weight_hh (G, H), bias_ih (G,) and bias_hh (G,).
Weights = Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Trace:
    """What `forward` found, and what `backward` needs; `backward` changes nothing in it.

    `outputs` may be a view of what `backward` needs: nothing may be written into it.
    """

    outputs: Array  #: (T, B, H), the top layer's h; 0 beyond a sequence's length
    state: State  #: (h,) or (h, c), each (L, B, H), after each sequence's own last step
    _cell: str
    _layers: list[_LayerTrace]
    _dropout_masks: list[Array]
    _packing: _Packing

    def gates(self, layer: int) -> Array:
        """(T, B, 4H): an LSTM's i, f, g, o at each step; 0 beyond a sequence's length."""
        return self._packing.unpack(self._layers[layer].gates)

    def cells(self, layer: int) -> Array:
        """(T, B, H): an LSTM's c after each step; 0 beyond a sequence's length."""
        return self._packing.unpack(self._layers[layer].states[1][self._packing.batch :])


@dataclass(frozen=True, slots=True)
class Gradients:
    """The derivatives of the objective, in the shapes of what they belong to."""

    layers: list[dict[str, Array]]
    inputs: Array  #: (T, B, I)
    state: State  #: (dh0,) or (dh0, dc0), each (L, B, H)


def forward(
    cell: str,
    layers: Sequence[Weights],
    inputs: Array,
    state: State | None = None,
    lengths: NDArray[np.integer] | None = None,
    dropout_masks: Sequence[Array] = (),
) -> Trace:
    """Run the layers over `inputs` (T, B, I), in the dtype which all arguments share.

    `cell` is one of `cells.CELLS`. `state` is (h,) of an RNN or (h, c) of an LSTM, each (L, B, H);
    zeros if None. `lengths` (B,), 0 to T in any order, says how many steps of each column are real;
    all are if None. `dropout_masks[l]` (T, B, H), scaled already, multiplies the output of layer l
    on its way into layer l + 1: there are L - 1 of them, or none.
    """
    T, B, _ = inputs.shape
    packing = _Packing(T, B, lengths)
    if state is None:
        H = layers[0]["weight_hh"].shape[1]
        parts = 2 if cell == "lstm" else 1
        state = tuple(np.zeros((len(layers), B, H), inputs.dtype) for _ in range(parts))
    masks = [packing.pack(mask) for mask in dropout_masks]
    x, traces = packing.pack(inputs), []
    for depth, weights in enumerate(layers):
        if depth and masks:
            x = x * masks[depth - 1]
        traces.append(_forward_layer(cell, weights, x, [part[depth] for part in state], packing))
        x = traces[-1].outputs
    final = _per_part([[packing.last(s) for s in trace.states] for trace in traces])
    return Trace(packing.unpack(x), final, cell, traces, masks, packing)


def backward(
    trace: Trace, doutputs: Array, dstate: State | None = None, truncate: int | None = None
) -> Gradients:
    """The gradients of an objective whose derivatives by `trace.outputs` are `doutputs` (T, B, H).

    `dstate`, in the shapes of `trace.state`, are its derivatives by the final state (zeros if
    None). With `truncate` = k, BPTT is truncated: the sequence is cut at the steps k, 2k, …; the
    state was carried forward across a cut, but no gradient goes back across it.
    """
    packing = trace._packing
    if dstate is None:
        dstate = tuple(np.zeros_like(part) for part in trace.state)
    dx = packing.pack(doutputs)
    gradients: list[dict[str, Array]] = []
    dstates: list[list[Array]] = []
    for depth in reversed(range(len(trace._layers))):
        layer, ends = trace._layers[depth], [part[depth] for part in dstate]
        dgates, dstart = _backward_layer(trace._cell, layer, dx, ends, packing, truncate)
        gradients.insert(0, _weight_gradients(layer, dgates, packing))
        dstates.insert(0, dstart)
        dx = dgates @ layer.weights["weight_ih"]  # (1.23), (2.32)
        if depth and trace._dropout_masks:
            dx *= trace._dropout_masks[depth - 1]
    return Gradients(gradients, packing.unpack(dx), _per_part(dstates))


@dataclass(frozen=True, slots=True)
class _LayerTrace:
    """One layer's arrays, packed. `states` have B rows more: the initial state stands first."""

    weights: Weights
    inputs: Array  # (N, I)
    gates: Array  # (N, G)
    states: list[Array]  # h and, of an LSTM, c: (B + N, H)
    outputs: Array  # (N, H), the view of h after the initial state


def _forward_layer(
    cell: str, weights: Weights, x: Array, start: Sequence[Array], packing: _Packing
) -> _LayerTrace:
    """x (N, I), start: h (and c) (B, H)."""
    weight_hh = weights["weight_hh"]
    gates = x @ weights["weight_ih"].T
    gates += weights["bias_ih"] + weights["bias_hh"]
    states = [packing.after(part, len(gates)) for part in start]
    for _, rows, before, now in packing.steps():
        prev = [s[before] for s in states]
        if cell == "lstm":
            step = lstm_step(gates[rows], prev[0], prev[1], weight_hh)
        else:
            step = (rnn_step(cell, gates[rows], prev[0], weight_hh),)
        for s, new in zip(states, step, strict=True):
            s[now] = new
    return _LayerTrace(weights, x, gates, states, states[0][packing.batch :])


def _backward_layer(
    cell: str,
    layer: _LayerTrace,
    doutputs: Array,
    dstate: Sequence[Array],
    packing: _Packing,
    truncate: int | None,
) -> tuple[Array, list[Array]]:
    """(dgates (N, G), dstart: dh0 (and dc0) (B, H)), from doutputs (N, H) and dstate (B, H)."""
    weight_hh = layer.weights["weight_hh"]
    dgates = np.empty_like(layer.gates)
    dstate = [part[packing.order] for part in dstate]
    for t, rows, before, now in reversed(list(packing.steps())):
        alive = [part[: rows.stop - rows.start] for part in dstate]
        dh = alive[0] + doutputs[rows]  # (1.20), (2.26)
        if cell == "lstm":
            c = layer.states[1]
            dprev = lstm_step_backward(
                dh, alive[1], layer.gates[rows], c[before], c[now], weight_hh, dgates[rows]
            )
        else:
            dprev = (rnn_step_backward(cell, dh, layer.states[0][now], weight_hh, dgates[rows]),)
        cut = truncate is not None and t > 0 and t % truncate == 0
        for part, new in zip(alive, dprev, strict=True):
            part[:] = 0 if cut else new  # (1.24)
    return dgates, [packing.unsort(part) for part in dstate]


def _weight_gradients(layer: _LayerTrace, dgates: Array, packing: _Packing) -> dict[str, Array]:
    """Σ_t dgatesᵀ (what the weight multiplied), (1.22) and (2.31): one product over all of T."""
    h_prev = packing.before(layer.states[0])
    dbias = np.ones(len(dgates), dgates.dtype) @ dgates
    return {
        "weight_ih": dgates.T @ layer.inputs,
        "weight_hh": dgates.T @ h_prev,
        "bias_ih": dbias,
        "bias_hh": dbias.copy(),
    }


def _per_part(layers: Sequence[Sequence[Array]]) -> State:
    """[layer][part] (B, H) → each part (L, B, H)."""
    return tuple(np.stack(part) for part in zip(*layers, strict=True))


class _Packing:
    """Which rows step t computes, and where they stand.

    Of T = 3 steps of B = 2 sequences a (length 1) and b (length 3), N = 4 positions are real. The
    longest comes first: packed, they are b0 a0 b1 b2; the states, which begin with the initial
    one, are b₋ a₋ b0 a0 b1 b2. So the rows before and after any step are one slice each.
    """

    def __init__(self, T: int, B: int, lengths: NDArray[np.integer] | None) -> None:
        self.shape, self.batch = (T, B), B
        lengths = np.full(B, T) if lengths is None else np.asarray(lengths, np.intp)
        self.padded = bool(np.any(lengths < T))
        self.order = np.argsort(-lengths, kind="stable")
        self.lengths = lengths[self.order]
        self.alive = (self.lengths > np.arange(T)[:, None]).sum(axis=1)
        self.starts = np.concatenate([[0], np.cumsum(self.alive)])

    def steps(self) -> Iterator[tuple[int, slice, slice, slice]]:
        """(t, packed rows of step t, rows of the states before it, rows of the states after it)."""
        previous = 0
        for t, alive in enumerate(self.alive):
            start = int(self.starts[t])
            now = start + self.batch
            yield (
                t,
                slice(start, start + alive),
                slice(previous, previous + alive),
                slice(now, now + alive),
            )
            previous = now

    def pack(self, array: Array) -> Array:
        """(T, B, F) → (N, F)."""
        flat = array.reshape(-1, array.shape[2])
        return flat[self._positions()] if self.padded else flat

    def unpack(self, packed: Array) -> Array:
        """(N, F) → (T, B, F), zero where nothing is real."""
        if not self.padded:
            return packed.reshape(*self.shape, -1)
        flat = np.zeros((self.shape[0] * self.batch, packed.shape[1]), packed.dtype)
        flat[self._positions()] = packed
        return flat.reshape(*self.shape, -1)

    def _positions(self) -> NDArray[np.intp]:
        """(N,): the place t·B + b of each packed row."""
        places = np.arange(self.shape[0])[:, None] * self.batch + self.order
        real: NDArray[np.intp] = places[np.arange(self.batch) < self.alive[:, None]]
        return real

    def after(self, start: Array, rows: int) -> Array:
        """(B + rows, H): the sorted initial state, then room for the states of every step."""
        states = np.empty((self.batch + rows, start.shape[1]), start.dtype)
        states[: self.batch] = start[self.order]
        return states

    def before(self, states: Array) -> Array:
        """(N, H): the state before each step, of states (B + N, H)."""
        if not self.padded:
            return states[: -self.batch]
        return np.concatenate([states[before] for _, _, before, _ in self.steps()])

    def last(self, states: Array) -> Array:
        """(B, H): each sequence's state after its own last step."""
        starts = np.concatenate([[0], self.starts + self.batch])  # of the states after t steps
        return self.unsort(states[starts[self.lengths] + np.arange(self.batch)])

    def unsort(self, rows: Array) -> Array:
        """(B, H) longest first → in the caller's order."""
        result = np.empty_like(rows)
        result[self.order] = rows
        return result
