"""The text classifier in PyTorch: Embedding → RNN, LSTM or BiLSTM → pool → Dropout → Linear.

Beside it, if asked for, n-grams: each run of tokens votes for the classes by itself (`runs`).

T time, B texts, N real positions, C classes; rows are packed as in pooling.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from yinshi.nets import pooling
from yinshi.nets.dropout import dropout
from yinshi.nets.pooling import Packing
from yinshi.nets.text_reader import TextReader
from yinshi.recipe import ClassifierRecipe

#: Odd, so that no factor of it is lost where the number of buckets is a power of two.
MULTIPLIER = 1_000_003


class TextClassifier(TextReader):
    """P(class | text), for texts side by side.

    Parameters carry the names and shapes of `ClassifierRecipe.weight_shapes`. Every text has at
    least one token.
    """

    def __init__(
        self,
        classifier: ClassifierRecipe,
        vocabulary_size: int,
        classes: int,
        backend: str = "own",
    ) -> None:
        super().__init__(classifier, vocabulary_size, classifier.layers, backend)
        width = classifier.hidden * self.directions
        if classifier.pooling == "attention":
            self.attention = nn.Linear(width, width)
            self.context = nn.Parameter(torch.randn(width) * width**-0.5)
        if classifier.ngrams:
            self.ngrams = nn.Embedding(classifier.buckets, classes)
        self.output = nn.Linear(width, classes)
        self.class_weights: Tensor
        self.register_buffer("class_weights", torch.ones(classes), persistent=False)

    def forward(self, inputs: Tensor, labels: Tensor, alive: Sequence[int]) -> Tensor:
        """Summed cross-entropy in nats over the texts of a batch, each by its class's weight.

        inputs (N,): the tokens, packed step after step, of texts that stand longest first; labels
        (B,); `alive[t]` of the texts reach step t. → scalar float32 (or float64).
        """
        logits = self.logits(inputs, alive)
        weights = self.class_weights.to(logits.dtype)
        return functional.cross_entropy(logits, labels, weights, reduction="sum")

    def logits(self, inputs: Tensor, alive: Sequence[int]) -> Tensor:
        """(B, C), of at least float32, of the tokens `inputs` (N,)."""
        recipe, packing = self.recipe, Packing(alive, inputs.device)
        pooled = self._pool(self._recurrence(self.vectors(inputs), packing), packing)
        pooled = dropout(pooled, recipe.dropout, self.training)
        with torch.autocast(inputs.device.type, enabled=False):  # small, and what is compared
            logits: Tensor = self.output(pooled.to(self.output.weight.dtype))
        return logits + self._votes(inputs, packing) if recipe.ngrams else logits

    def _recurrence(self, rows: Tensor, packing: Packing) -> Tensor:
        """rows (N, E) → (N, D): the top layer's h, of both directions where there are two."""
        for depth, forwards in enumerate(self.forwards):
            if depth:
                rows = dropout(rows, self.recipe.dropout, self.training)
            hidden = self.run(forwards, rows, packing)
            if self.directions == 2:
                back = self.run(self.backwards[depth], packing.mirror(rows), packing)
                hidden = torch.cat([hidden, packing.mirror(back)], dim=1)
            rows = hidden
        return rows

    def _pool(self, hidden: Tensor, packing: Packing) -> Tensor:
        """(N, D) → (B, D).

        Attention is that of Yang et al. 2016 (Hierarchical Attention Networks for Document
        Classification, NAACL-HLT, pp. 1480–1489) over words, (5) to (7): u_t = tanh(W h_t + b),
        a_t = softmax over the text of u_t · context, Σ a_t h_t.
        """
        match self.recipe.pooling:
            case "last":
                return pooling.last(hidden, packing, self.directions)
            case "max":
                return pooling.maximum(hidden, packing)
            case "mean":
                return pooling.mean(hidden, packing)
        u = torch.tanh(self.attention(hidden))
        return pooling.attention(hidden, (u * self.context).sum(1), packing)

    def _votes(self, inputs: Tensor, packing: Packing) -> Tensor:
        """(B, C): the sum of the rows of all runs of a text, divided by √(their number).

        A run that comes twice votes twice. In training runs are dropped and those kept scaled, as
        tokens' vectors are, so that the votes are the same in the mean.
        """
        n = self.recipe.ngrams
        buckets, texts = runs(inputs, packing, n, self.recipe.buckets)
        shorter = torch.arange(n, device=inputs.device)[:, None]
        numbers = (packing.lengths - shorter).clamp(min=0).sum(0)  # (B,)
        scales = numbers.to(self.ngrams.weight.dtype).rsqrt()[texts, None]
        scales = dropout(scales, self.recipe.embedding_dropout, self.training)
        votes: Tensor = self.ngrams(buckets) * scales
        return votes.new_zeros(packing.shape[1], votes.shape[1]).index_add(0, texts, votes)


def runs(inputs: Tensor, packing: Packing, n: int, buckets: int) -> tuple[Tensor, Tensor]:
    """The runs of 1 to `n` tokens of the texts `inputs` (N,): (bucket (R,), text (R,)) of each.

    The bucket of the k tokens x_1 … x_k is h_k of h_0 = k, h_i = (MULTIPLIER h_{i-1} + x_i) mod
    `buckets`: below 2⁶³ for any buckets up to 2⁴², and the same in engine/text_classifier.py.
    """
    found, texts = [], []
    for k in range(1, min(n, packing.shape[0]) + 1):
        # Every row from step k − 1 on ends one run.
        ends = slice(sum(packing.alive[: k - 1]), None)
        hashes = torch.full_like(inputs[ends], k)
        for back in reversed(range(k)):
            tokens = inputs[packing.starts[packing.steps[ends] - back] + packing.texts[ends]]
            hashes = (hashes * MULTIPLIER + tokens) % buckets
        found.append(hashes)
        texts.append(packing.texts[ends])
    return torch.cat(found), torch.cat(texts)
