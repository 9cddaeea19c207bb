"""The LSTM as it is written in a textbook: a loop over time, and autograd for the gradients.

Read this first. The equations (2.1) to (2.7) are those of docs/lstm.md. `lstm.py` gives the same
results faster, and makes the gradients itself, by section 3 of that document.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor]

PARAMETERS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class ReferenceLSTM(nn.Module):
    """Layers of LSTM, with `nn.LSTM`'s names and shapes of parameters and its order of gates.

    >>> layer = ReferenceLSTM(input_size=3, hidden_size=5, num_layers=2)
    >>> inputs = torch.randn(7, 4, 3)  # 7 steps of 4 sequences
    >>> outputs, (h_n, c_n) = layer(inputs, lengths=[7, 2, 5, 0])
    >>> outputs.shape, h_n.shape, c_n.shape
    (torch.Size([7, 4, 5]), torch.Size([2, 4, 5]), torch.Size([2, 4, 5]))
    """

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.hidden_size, self.num_layers, self.dropout = hidden_size, num_layers, dropout
        bound = 1 / math.sqrt(hidden_size)
        for layer in range(num_layers):
            width = input_size if layer == 0 else hidden_size
            for name, columns in zip(PARAMETERS, [(width,), (hidden_size,), (), ()], strict=True):
                values = torch.empty(4 * hidden_size, *columns).uniform_(-bound, bound)
                self.register_parameter(f"{name}_l{layer}", nn.Parameter(values))

    def forward(
        self, inputs: Tensor, state: State | None = None, lengths: Sequence[int] | None = None
    ) -> tuple[Tensor, State]:
        """inputs (T, B, I) → outputs (T, B, H), 0 beyond a sequence's length; (h_n, c_n).

        state (h_0, c_0), each (L, B, H), is 0 if None; lengths (B,), in any order, are T if None.
        h_n, c_n (L, B, H) are those after each sequence's own last step.
        """
        T, B, _ = inputs.shape
        ends = torch.tensor([T] * B if lengths is None else lengths, device=inputs.device)
        h_0, c_0 = state or [inputs.new_zeros(self.num_layers, B, self.hidden_size)] * 2
        last = []
        for layer in range(self.num_layers):
            if layer > 0:
                inputs = nn.functional.dropout(inputs, self.dropout, self.training)
            h, c, outputs = h_0[layer], c_0[layer], []
            for t in range(T):
                real = (t < ends)[:, None]  # (B, 1): the others keep the state they ended with
                h_t, c_t = self._step(layer, inputs[t], h, c)
                h, c = torch.where(real, h_t, h), torch.where(real, c_t, c)
                outputs.append(torch.where(real, h_t, 0))
            inputs = torch.stack(outputs)
            last.append((h, c))
        h_n, c_n = (torch.stack(parts) for parts in zip(*last, strict=True))
        return inputs, (h_n, c_n)

    def _step(self, layer: int, x: Tensor, h: Tensor, c: Tensor) -> State:
        """x (B, I), h and c (B, H) of the step before → h, c (B, H) of this one."""
        weight_ih, weight_hh, bias_ih, bias_hh = (
            getattr(self, f"{name}_l{layer}") for name in PARAMETERS
        )
        a = x @ weight_ih.T + h @ weight_hh.T + bias_ih + bias_hh  # (2.1)
        a_i, a_f, a_g, a_o = a.chunk(4, dim=1)
        i = torch.sigmoid(a_i)  # (2.2)
        f = torch.sigmoid(a_f)  # (2.3)
        g = torch.tanh(a_g)  # (2.4)
        o = torch.sigmoid(a_o)  # (2.5)
        c = f * c + i * g  # (2.6)
        return o * torch.tanh(c), c  # (2.7)
