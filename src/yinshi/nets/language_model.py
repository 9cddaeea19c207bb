"""The poem network in PyTorch: Embedding → LSTM or RNN → Dropout → [projection] → Linear."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from yinshi.errors import UsageError
from yinshi.recipe import NetworkRecipe


class LanguageModel(nn.Module):
    """P(next character | those before), for poems side by side.

    Parameters carry the names and shapes of `NetworkRecipe.weight_shapes`. Raises UsageError for a
    cell that PyTorch does not have.
    """

    def __init__(self, network: NetworkRecipe, vocabulary_size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, network.embedding)
        sizes = (network.embedding, network.hidden, network.layers)
        between = network.dropout if network.layers > 1 else 0.0
        if network.cell == "lstm":
            self.lstm = nn.LSTM(*sizes, dropout=between)
        elif network.cell == "rnn-sigmoid":
            raise UsageError("cell rnn-sigmoid: PyTorch has none; train it with --engine numpy")
        else:
            nonlinearity = network.cell.removeprefix("rnn-")
            self.rnn = nn.RNN(*sizes, nonlinearity=nonlinearity, dropout=between)
        self.dropout = nn.Dropout(network.dropout)
        width = network.hidden
        if network.has_projection:
            width = network.embedding
            self.projection = nn.Linear(network.hidden, width, bias=False)
        self.output = nn.Linear(width, vocabulary_size)
        if network.tie_weights:
            self.output.weight = self.embedding.weight

    def forward(self, inputs: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        """Summed cross-entropy in nats, over the targets where `mask` is True only.

        inputs, targets, mask (T, B) → scalar float32 (float64 in double precision)
        """
        recurrence = self.lstm if hasattr(self, "lstm") else self.rnn
        hidden, _ = recurrence(self.embedding(inputs))
        hidden = self.dropout(hidden[mask])  # (tokens, H): padding never reaches the output layer
        if hasattr(self, "projection"):
            hidden = self.projection(hidden)
        logits = self.output(hidden)
        if logits.dtype == torch.bfloat16:
            logits = logits.float()
        return functional.cross_entropy(logits, targets[mask], reduction="sum")
