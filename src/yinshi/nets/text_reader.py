"""What the networks that read texts have in common: Embedding → RNN or LSTM, in one or both ways.

T time, B texts, N real positions, E embedding, H units; rows are packed as in pooling.py.
"""

from __future__ import annotations

from torch import Tensor, nn

from yinshi.nets.dropout import dropout
from yinshi.nets.kernels.cuda_graphs import GraphedLSTM
from yinshi.nets.lstm import LSTM
from yinshi.nets.pooling import Packing
from yinshi.recipe import ClassifierRecipe


class TextReader(nn.Module):
    """`embedding`, and `layers` of the recipe's in each direction: `forwards`, `backwards`.

    `backend` "own" is our LSTM, "library" PyTorch's; an RNN is always PyTorch's. Each layer and
    direction is a module of its own.
    """

    def __init__(
        self, classifier: ClassifierRecipe, vocabulary_size: int, layers: int, backend: str
    ) -> None:
        super().__init__()
        self.recipe = classifier
        self.directions = 2 if classifier.model.startswith("bi") else 1
        width = classifier.hidden * self.directions
        inputs = [classifier.embedding] + [width] * (layers - 1)
        self.embedding = nn.Embedding(vocabulary_size, classifier.embedding)
        self.forwards, self.backwards = (
            nn.ModuleList(_layer(classifier, size, backend) for size in sizes)
            for sizes in (inputs, inputs if self.directions == 2 else [])
        )
        self._graphed = {m: GraphedLSTM(m) for m in self.modules() if isinstance(m, LSTM)}

    def vectors(self, inputs: Tensor) -> Tensor:
        """(N, E) of the tokens (N,); in training a token is there or is not."""
        vectors: Tensor = self.embedding(inputs)
        if not self.training:
            return vectors
        tokens = vectors.new_ones(len(vectors), 1)  # one number for all of a token's vector
        return vectors * dropout(tokens, self.recipe.embedding_dropout, True)

    def run(self, layer: nn.Module, rows: Tensor, packing: Packing) -> Tensor:
        """rows (N, I) → (N, H), from the zero state."""
        if isinstance(layer, LSTM) and rows.device.type == "cpu":
            state = layer.zero_state(rows, packing.shape[1])
            return layer.packed(rows, packing.alive, state)[0]
        padded = packing.pad(rows)
        outputs = self._graphed[layer](padded) if isinstance(layer, LSTM) else layer(padded)[0]
        return packing.pack(outputs)


def _layer(classifier: ClassifierRecipe, inputs: int, backend: str) -> nn.Module:
    """One layer of one direction, (N, inputs) → (N, H)."""
    if classifier.model == "rnn":
        return nn.RNN(inputs, classifier.hidden)
    if backend == "own":
        return LSTM(inputs, classifier.hidden, keep_gates=False)
    return nn.LSTM(inputs, classifier.hidden)
