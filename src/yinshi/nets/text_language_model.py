"""A language model of texts, in each direction that the classifier reads them in.

What it learns without labels, its embedding and its layers, a classifier may begin with (Dai & Le
2015, "Semi-supervised Sequence Learning", NeurIPS, arXiv 1511.01432).

T time, B texts, N real positions, E embedding, H units; rows are packed as in pooling.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from yinshi.nets.dropout import dropout
from yinshi.nets.output import linear_cross_entropy
from yinshi.nets.pooling import Packing
from yinshi.nets.text_reader import TextReader
from yinshi.recipe import ClassifierRecipe


class TextLanguageModel(TextReader):
    """P(next token | those before), and P(token before | those after) of a bidirectional model.

    It has the recipe's bottom layer alone, since the next one would see both directions. Beyond the
    last token of a direction stands token 0. Each direction's h is projected to the embedding's
    width, and the embedding is the output layer too; both directions share its `bias`. Parameters
    carry the names and shapes of `ClassifierRecipe.language_shapes`.
    """

    def __init__(
        self, classifier: ClassifierRecipe, vocabulary_size: int, backend: str = "own"
    ) -> None:
        super().__init__(classifier, vocabulary_size, 1, backend)
        E, H = classifier.embedding, classifier.hidden
        self.projections = nn.ModuleList(
            nn.Linear(H, E, bias=False) for _ in range(self.directions)
        )
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))

    def forward(self, inputs: Tensor, targets: Tensor, alive: Sequence[int]) -> Tensor:
        """Summed cross-entropy in nats, the mean of the directions: one prediction a token.

        inputs, targets (N,): the tokens, both times, packed step after step, of texts that stand
        longest first; `alive[t]` of the texts reach step t. → scalar float32 (or float64).
        """
        packing = Packing(alive, inputs.device)
        vectors = self.vectors(inputs)
        nats = self._nats(0, self.forwards[0], vectors, targets, packing)
        if self.directions == 2:
            mirrored = packing.mirror(vectors), targets[packing.mirrored]
            nats = (nats + self._nats(1, self.backwards[0], *mirrored, packing)) / 2
        return nats

    def _nats(
        self, direction: int, layer: nn.Module, vectors: Tensor, tokens: Tensor, packing: Packing
    ) -> Tensor:
        hidden = dropout(self.run(layer, vectors, packing), self.recipe.dropout, self.training)
        projected = self.projections[direction](hidden)
        following = _following(tokens, packing)
        return linear_cross_entropy(projected, self.embedding.weight, self.bias, following)


def _following(tokens: Tensor, packing: Packing) -> Tensor:
    """tokens (N,) → of each the next one of its text (N,), 0 after the last."""
    padded = packing.pad(tokens[:, None])
    return packing.pack(functional.pad(padded[1:], (0, 0, 0, 0, 0, 1))).squeeze(1)
