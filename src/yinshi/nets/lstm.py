"""Our LSTM: `nn.LSTM`'s parameters and results, our own backward, uneven lengths at no cost.

layer = LSTM(128, 256, num_layers=2, dropout=0.2)
layer.load_state_dict(nn.LSTM(128, 256, num_layers=2).state_dict())     # and the other way
outputs, (h_n, c_n) = layer(inputs, lengths=lengths)
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from yinshi.errors import UsageError
from yinshi.nets.dropout import dropout, variational_dropout
from yinshi.nets.lstm_function import LSTMFunction
from yinshi.nets.lstm_reference import PARAMETERS, ReferenceLSTM, State
from yinshi.nets.pointwise import cell_dtype, choose_pointwise


class LSTM(ReferenceLSTM):
    """One to many layers of LSTM, one direction, time-major: what `ReferenceLSTM` says, faster.

    T time, B batch, I `input_size`, H `hidden_size`, L `num_layers`, N real positions. Parameters
    have `nn.LSTM`'s names, shapes, gate order (i, f, g, o) and initial distribution. Under autocast
    the products are made in its dtype, and the cell state stays in float32. `dropout` acts on the
    outputs of every layer but the last, in training only.

    keep_gates      False lets the backward write over the gates: less memory, but it can then be
                    taken once only (no retain_graph)
    output_dropout  acts where `dropout` does, with one mask for all steps of a sequence
    weight_dropout  of the recurrent weights, one mask a call (DropConnect: Wan et al. 2013; here
                    Merity et al. 2017, arXiv 1708.02182)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        dropout: float = 0.0,
        keep_gates: bool = True,
        output_dropout: float = 0.0,
        weight_dropout: float = 0.0,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, dropout)
        self.keep_gates = keep_gates
        self.output_dropout, self.weight_dropout = output_dropout, weight_dropout

    def forward(
        self, inputs: Tensor, state: State | None = None, lengths: Sequence[int] | None = None
    ) -> tuple[Tensor, State]:
        """inputs (T, B, I) → outputs (T, B, H), 0 beyond a sequence's length; (h_n, c_n).

        state    (h_0, c_0), each (L, B, H); zeros if None
        lengths  (B,) steps that are real, the longest first; all T if None
        h_n, c_n (L, B, H), after each sequence's own last step

        Raises UsageError for lengths that don't fall, or that don't fit `inputs`; for a state of
        other shapes.
        """
        T, B, _ = inputs.shape
        state = state or self.zero_state(inputs, B)
        _check_state(state, (self.num_layers, B, self.hidden_size))
        if lengths is None:
            rows, state = self.packed(inputs.flatten(0, 1), [B] * T, state)
            return rows.view(T, B, -1), state
        _check(list(lengths), T, B)
        real = torch.arange(T)[:, None] < torch.tensor(lengths)
        index = real.flatten().nonzero().squeeze(1).to(inputs.device)
        alive = [n for n in real.sum(1).tolist() if n]
        rows, state = self.packed(inputs.flatten(0, 1)[index], alive, state)
        outputs = rows.new_zeros(T * B, self.hidden_size).index_copy(0, index, rows)
        return outputs.view(T, B, -1), state

    def packed(self, rows: Tensor, alive: Sequence[int], state: State) -> tuple[Tensor, State]:
        """rows (N, I) → (N, H), step after step: `alive[t]` sequences reach step t."""
        device = rows.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
        dtype = dtype or rows.dtype
        pointwise = choose_pointwise(device, dtype)
        ends = []
        for layer in range(self.num_layers):
            weight_ih, weight_hh, bias_ih, bias_hh = (
                getattr(self, f"{name}_l{layer}") for name in PARAMETERS
            )
            if layer:
                rows = dropout(rows, self.dropout, self.training)
                rows = variational_dropout(rows, alive, self.output_dropout, self.training)
            weight_hh = dropout(weight_hh, self.weight_dropout, self.training)
            rows, *end = LSTMFunction.apply(  # type: ignore[no-untyped-call]
                rows.to(dtype),
                state[0][layer].to(dtype),
                state[1][layer].to(cell_dtype(dtype)),
                weight_ih.to(dtype),
                weight_hh.to(dtype),
                (bias_ih + bias_hh).to(dtype),
                alive,
                pointwise,
                self.keep_gates,
            )
            ends.append(end)
        h_n, c_n = (torch.stack(parts).to(dtype) for parts in zip(*ends, strict=True))
        return rows, (h_n, c_n)

    def zero_state(self, inputs: Tensor, B: int) -> State:
        """(h_0, c_0) of B sequences, in the dtype and on the device of `inputs`."""
        shape = (self.num_layers, B, self.hidden_size)
        return inputs.new_zeros(shape), inputs.new_zeros(shape)


def _check(lengths: list[int], T: int, B: int) -> None:
    falling = all(a >= b for a, b in pairwise(lengths))
    if len(lengths) != B or not falling or not all(0 <= n <= T for n in lengths):
        raise UsageError(
            f"lengths {lengths}: expected {B} numbers from 0 to {T}, the longest sequence first"
        )


def _check_state(state: State, shape: tuple[int, ...]) -> None:
    found = [tuple(part.shape) for part in state]
    if found != [shape, shape]:
        raise UsageError(f"state of shapes {found}: expected (h_0, c_0), each {shape}")
