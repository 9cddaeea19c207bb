"""The poem network in PyTorch: Embedding → LSTM → Dropout → [projection] → Linear."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from yinshi.recipe import NetworkRecipe


class LanguageModel(nn.Module):
    """P(next character | those before), for poems side by side.

    Parameters carry the names and shapes of `NetworkRecipe.weight_shapes`.
    """

    def __init__(self, network: NetworkRecipe, vocabulary_size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, network.embedding)
        self.lstm = nn.LSTM(
            network.embedding,
            network.hidden,
            network.layers,
            dropout=network.dropout if network.layers > 1 else 0.0,
        )
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
        hidden, _ = self.lstm(self.embedding(inputs))
        hidden = self.dropout(hidden[mask])  # (tokens, H): padding never reaches the output layer
        if hasattr(self, "projection"):
            hidden = self.projection(hidden)
        logits = self.output(hidden)
        if logits.dtype == torch.bfloat16:
            logits = logits.float()
        return functional.cross_entropy(logits, targets[mask], reduction="sum")
