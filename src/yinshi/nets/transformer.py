"""A small Transformer of PyTorch's own modules, to hold the recurrent network against.

Decoder only: every position attends to itself and to those before (Vaswani et al. 2017, arXiv
1706.03762), with learned positions and layers that normalise first (Radford et al. 2019).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from yinshi.nets.output import linear_cross_entropy
from yinshi.nets.pooling import Packing
from yinshi.recipe import NetworkRecipe

#: Units of one head of attention.
HEAD = 32
#: Standard deviation of what the embeddings begin with, as in GPT-2.
SPREAD = 0.02


class Transformer(nn.Module):
    """P(next character | those before): what `LanguageModel` is, without a state.

    Of `network`, `embedding` D is the width, `hidden` that of the layers between two of attention,
    and `layers` their number; the output layer's weight is always the embedding's. Reads at most
    `longest` tokens.
    """

    def __init__(self, network: NetworkRecipe, vocabulary_size: int, longest: int) -> None:
        super().__init__()
        D = network.embedding
        self.embedding = nn.Embedding(vocabulary_size, D)
        self.positions = nn.Embedding(longest, D)
        heads = max(1, D // HEAD)
        layer = nn.TransformerEncoderLayer(
            D, heads, network.hidden, network.dropout, activation="gelu", norm_first=True
        )
        self.encoder = nn.TransformerEncoder(
            layer, network.layers, nn.LayerNorm(D), enable_nested_tensor=False
        )
        self.output = nn.Linear(D, vocabulary_size)
        self.output.weight = self.embedding.weight
        self.dropout = network.dropout
        self._draw()

    def _draw(self) -> None:
        """PyTorch's layers begin as copies of one another, its embeddings far too large."""
        for parameter in self.encoder.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
        for embedding in (self.embedding, self.positions):
            nn.init.normal_(embedding.weight, std=SPREAD)
        nn.init.zeros_(self.output.bias)

    def forward(
        self, inputs: Tensor, targets: Tensor, alive: Sequence[int], asked: Tensor | None = None
    ) -> Tensor:
        """Summed cross-entropy in nats: arguments as `LanguageModel.forward` has them."""
        packing = Packing(alive, inputs.device)
        rows = self.embedding(inputs) + self.positions(packing.steps)
        rows = functional.dropout(rows, self.dropout, self.training)
        mask = nn.Transformer.generate_square_subsequent_mask(len(alive), inputs.device)
        # What is beyond a poem's end stands after all that is real, which never looks there.
        hidden = packing.pack(self.encoder(packing.pad(rows), mask, is_causal=True))
        if asked is not None:
            hidden = hidden.index_select(0, asked)
        return linear_cross_entropy(hidden, self.output.weight, self.output.bias, targets)
