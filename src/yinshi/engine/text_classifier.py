"""The text classifier without PyTorch: Embedding → RNN, LSTM or BiLSTM → pool → Linear.

    classifier = TextClassifier(weights, pooling="max", ngrams=2)
    probabilities = classifier.probabilities(inputs, lengths)

Forward only: it runs a classifier that was trained elsewhere. T time, B texts, D width of what is
pooled, C classes; arrays are time-major, and text b is the first `lengths[b]` tokens of column b.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import DTypeLike, NDArray

from yinshi.engine import sequence
from yinshi.engine.cells import Array
from yinshi.engine.layers import Tokens, embedding, linear

PARAMETERS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
MULTIPLIER = 1_000_003  # as in nets/text_classifier.py

Mask = NDArray[np.bool_]


class TextClassifier:
    """The network of `weights`, with the names and shapes of `ClassifierRecipe.weight_shapes`.

    `pooling` is "last", "max", "mean" or "attention"; `ngrams` the longest run of tokens that
    votes, 0 for none. The cell, the layers, the directions and the number of buckets are read off
    the weights. Computed in `dtype`.
    """

    def __init__(
        self,
        weights: Mapping[str, Array],
        pooling: str,
        ngrams: int = 0,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self._weights = w = {name: np.asarray(a, dtype) for name, a in weights.items()}
        self._pooling, self._ngrams = pooling, ngrams
        rows, hidden = w["forwards.0.weight_hh_l0"].shape
        self._cell = "rnn-tanh" if rows == hidden else "lstm"
        self._hidden = hidden
        self._forwards, self._backwards = _layers(w, "forwards"), _layers(w, "backwards")

    def logits(self, inputs: Tokens, lengths: Tokens) -> Array:
        """(B, C) of the tokens `inputs` (T, B) and `lengths` (B,), in any order, each at least 1.

        What stands beyond a text's end is not read, but has to be a token.
        """
        w = self._weights
        real = np.arange(len(inputs))[:, None] < lengths  # (T, B)
        hidden = self._recurrence(embedding(inputs, w["embedding.weight"]), lengths, real)
        pooled = self._pool(hidden, lengths, real)
        logits = linear(pooled, w["output.weight"], w["output.bias"])
        return logits + self._votes(inputs, lengths) if self._ngrams else logits

    def probabilities(self, inputs: Tokens, lengths: Tokens) -> Array:
        """P(class | text), (B, C): the softmax of the logits."""
        return _softmax(self.logits(inputs, lengths), axis=1)

    def _recurrence(self, x: Array, lengths: Tokens, real: Mask) -> Array:
        """x (T, B, E) → (T, B, D), 0 beyond a text's end."""
        T, B = real.shape
        steps = np.arange(T)[:, None]
        mirrored = np.where(real, lengths - 1 - steps, steps), np.arange(B)  # its own inverse
        for depth, forwards in enumerate(self._forwards):
            hidden = sequence.forward(self._cell, [forwards], x, lengths=lengths).outputs
            if self._backwards:
                back = sequence.forward(
                    self._cell, [self._backwards[depth]], x[mirrored], lengths=lengths
                ).outputs
                hidden = np.concatenate([hidden, back[mirrored]], axis=2)
            x = hidden
        return x

    def _pool(self, hidden: Array, lengths: Tokens, real: Mask) -> Array:
        """(T, B, D) → (B, D), of the real positions only: see nets/pooling.py."""
        w, pooled = self._weights, hidden
        match self._pooling:
            case "last":  # of the direction that reads backwards it is the first
                ends = hidden[lengths - 1, np.arange(real.shape[1]), : self._hidden]
                pooled = np.concatenate([ends, hidden[0, :, self._hidden :]], axis=1)
            case "max":
                pooled = np.where(real[..., None], hidden, -np.inf).max(axis=0)
            case "mean":
                pooled = hidden.sum(axis=0) / lengths[:, None].astype(hidden.dtype)
            case "attention":
                u = np.tanh(linear(hidden, w["attention.weight"], w["attention.bias"]))
                shares = _softmax(np.where(real, u @ w["context"], -np.inf), axis=0)  # (T, B)
                pooled = (shares[..., None] * hidden).sum(axis=0)
        return pooled

    def _votes(self, inputs: Tokens, lengths: Tokens) -> Array:
        """(B, C): the sum of the rows of all runs of a text, divided by √(their number).

        The buckets are those of `runs` in nets/text_classifier.py.
        """
        weight, T = self._weights["ngrams.weight"], len(inputs)
        votes, numbers = np.zeros((inputs.shape[1], weight.shape[1]), weight.dtype), 0
        for k in range(1, min(self._ngrams, T) + 1):
            starts = T - k + 1
            buckets = np.full((starts, inputs.shape[1]), k, np.int64)
            for i in range(k):
                buckets = (buckets * MULTIPLIER + inputs[i : i + starts]) % len(weight)
            real = np.arange(starts)[:, None] + k <= lengths
            votes += np.sum(weight[buckets], axis=0, where=real[..., None])
            numbers = numbers + real.sum(axis=0)
        votes /= np.sqrt(numbers, dtype=weight.dtype)[:, None]
        return votes


def _layers(weights: Mapping[str, Array], direction: str) -> list[dict[str, Array]]:
    depth = sum(name.startswith(direction) for name in weights) // len(PARAMETERS)
    return [{p: weights[f"{direction}.{k}.{p}_l0"] for p in PARAMETERS} for k in range(depth)]


def _softmax(logits: Array, axis: int) -> Array:
    shares = np.exp(logits - logits.max(axis=axis, keepdims=True))
    result: Array = shares / shares.sum(axis=axis, keepdims=True)
    return result
