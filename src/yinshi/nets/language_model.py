"""The poem network in PyTorch: Embedding → LSTM or RNN → Dropout → [projection] → Linear."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor, nn

from yinshi.errors import UsageError
from yinshi.nets.dropout import dropout, variational_dropout
from yinshi.nets.kernels.cuda_graphs import GraphedLSTM
from yinshi.nets.lstm import LSTM
from yinshi.nets.output import linear_cross_entropy
from yinshi.recipe import NetworkRecipe


class LanguageModel(nn.Module):
    """P(next character | those before), for poems side by side.

    Parameters carry the names and shapes of `NetworkRecipe.weight_shapes`. `backend` "own" is our
    LSTM, "library" PyTorch's. Raises UsageError for a cell, or for dropout, that PyTorch does not
    have.
    """

    def __init__(self, network: NetworkRecipe, vocabulary_size: int, backend: str = "own") -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, network.embedding)
        sizes = (network.embedding, network.hidden, network.layers)
        between = network.dropout if network.layers > 1 else 0.0
        if network.cell == "lstm" and backend == "own":
            ours = (network.output_dropout or 0.0, network.weight_dropout or 0.0)
            self.lstm: nn.Module = LSTM(*sizes, between, False, *ours)
        elif network.weight_dropout or (network.output_dropout and network.layers > 1):
            raise UsageError(
                "network.weight_dropout, and output_dropout between layers: only our LSTM has "
                "them; take cell lstm and training.backend own"
            )
        elif network.cell == "lstm":
            self.lstm = nn.LSTM(*sizes, dropout=between)
        elif network.cell == "rnn-sigmoid":
            raise UsageError("cell rnn-sigmoid: PyTorch has none; train it with --engine numpy")
        else:
            nonlinearity = network.cell.removeprefix("rnn-")
            self.rnn = nn.RNN(*sizes, nonlinearity=nonlinearity, dropout=between)
        self.dropout = network.dropout
        self.input_dropout = network.input_dropout or 0.0
        self.output_dropout = network.output_dropout or 0.0
        width = network.hidden
        if network.has_projection:
            width = network.embedding
            self.projection = nn.Linear(network.hidden, width, bias=False)
        self.output = nn.Linear(width, vocabulary_size)
        if network.tie_weights:
            self.output.weight = self.embedding.weight

    def forward(
        self, inputs: Tensor, targets: Tensor, alive: Sequence[int], asked: Tensor | None = None
    ) -> Tensor:
        """Summed cross-entropy in nats over the poems of a batch.

        inputs, targets (N,): the N real positions, packed step after step, of poems that stand
        longest first; `alive[t]` of them reach step t. Where headers are only read, `targets` are
        of the positions `asked` (M,) alone, and only these go on to the output layer.
        → scalar float32 (or float64).
        """
        rows = self.embedding(inputs)
        rows = variational_dropout(rows, alive, self.input_dropout, self.training)
        hidden = self._recurrence(rows, alive)
        hidden = variational_dropout(hidden, alive, self.output_dropout, self.training)
        if asked is not None:
            hidden = hidden.index_select(0, asked)
        hidden = dropout(hidden, self.dropout, self.training)
        if hasattr(self, "projection"):
            hidden = self.projection(hidden)
        return linear_cross_entropy(hidden, self.output.weight, self.output.bias, targets)

    def _recurrence(self, rows: Tensor, alive: Sequence[int]) -> Tensor:
        """rows (N, E) → (N, H), from the zero state."""
        layer = self.lstm if hasattr(self, "lstm") else self.rnn
        if isinstance(layer, LSTM) and rows.device.type == "cpu":
            return layer.packed(rows, alive, layer.zero_state(rows, alive[0]))[0]
        real = torch.arange(alive[0]) < torch.tensor(alive)[:, None]  # (T, B)
        index = real.flatten().nonzero().squeeze(1).to(rows.device, non_blocking=True)
        padded = rows.new_zeros(real.numel(), rows.shape[1]).index_copy(0, index, rows)
        padded = padded.view(*real.shape, -1)
        outputs = self._graphed(padded) if isinstance(layer, LSTM) else layer(padded)[0]
        return outputs.flatten(0, 1)[index]

    @cached_property
    def _graphed(self) -> GraphedLSTM:
        assert isinstance(self.lstm, LSTM)
        return GraphedLSTM(self.lstm)
