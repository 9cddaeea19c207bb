"""Experiments with labelled texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from yinshi.recipe.sections import Nested, number
from yinshi.recipe.training import TrainingRecipe


@dataclass(frozen=True)
class TextRecipe:
    """What a classifier's network reads of a text: its first `max_length` tokens.

    `tokenizer` is "char", "jieba" or a file of words; `stop_words`, which are left out, "none",
    "iso" or a file. Both lists of stop words that there are for Chinese contain 不, which
    `keep_negations` keeps, with all other negations.
    """

    tokenizer: str = "char"
    stop_words: str = "none"
    keep_negations: bool = False
    max_length: int = number(200, 1)
    min_frequency: int = number(2, 1)
    max_vocabulary: int | None = number(None, 3)


@dataclass(frozen=True)
class ClassifierRecipe:
    """Embedding → RNN or LSTM → pool → Dropout → Linear, and n-grams beside them.

    `model` "bilstm" reads each text in both directions; "bilstm-attention" also pools by attention,
    whatever `pool` says. `embedding_dropout` drops whole tokens' vectors. `pretrained` is what the
    embedding and the bottom layer begin with: "none", or the file or folder of a language model of
    texts. A text of a class with n training texts counts as n^-`class_weights` in the loss: 0 is
    all texts alike, 1 all classes. With `ngrams` = n the runs of 1 to n tokens vote too, each by a
    row of its hash bucket (Joulin et al. 2017, arXiv 1607.01759, with rows that are logits); 0 is
    none.
    """

    model: Literal["rnn", "lstm", "bilstm", "bilstm-attention"] = "bilstm"
    embedding: int = number(128, 1)
    hidden: int = number(128, 1)
    layers: int = number(1, 1, 3)
    pool: Literal["last", "max", "mean", "attention"] = "max"
    dropout: float = number(0.5, 0, 0.95)
    embedding_dropout: float = number(0.2, 0, 0.95)
    class_weights: float = number(0.0, 0, 1)
    vectors: str = "random"
    pretrained: str = "none"
    ngrams: int = number(0, 0, 5)
    buckets: int = number(2**18, 1, 2**22)

    def faults(self) -> list[str]:
        if self.pretrained != "none" and self.vectors != "random":
            return [f"vectors {self.vectors}: the embedding begins as pretrained; leave one out"]
        return []

    @property
    def pooling(self) -> str:
        """`pool`, or what `model` says."""
        return "attention" if self.model == "bilstm-attention" else self.pool

    def weight_shapes(self, vocabulary_size: int, classes: int) -> dict[str, tuple[int, ...]]:
        """Name → shape of every weight. Each layer and direction is a layer of its own:
        `forwards.0.weight_ih_l0`, `backwards.0.weight_ih_l0`, `forwards.1.…`."""
        shapes = self._reading_shapes(vocabulary_size, self.layers)
        width = self.hidden * len(self._directions)
        if self.pooling == "attention":
            shapes |= {"attention.weight": (width, width), "attention.bias": (width,)}
            shapes["context"] = (width,)
        if self.ngrams:
            shapes["ngrams.weight"] = (self.buckets, classes)
        shapes |= {"output.weight": (classes, width), "output.bias": (classes,)}
        return shapes

    def pretrained_shapes(self, vocabulary_size: int) -> dict[str, tuple[int, ...]]:
        """Of the weights that a classifier may begin with."""
        return self._reading_shapes(vocabulary_size, 1)

    def language_shapes(self, vocabulary_size: int) -> dict[str, tuple[int, ...]]:
        """Name → shape of every weight of the language model of texts."""
        shapes = self.pretrained_shapes(vocabulary_size)
        for direction in range(len(self._directions)):
            shapes[f"projections.{direction}.weight"] = (self.embedding, self.hidden)
        return shapes | {"bias": (vocabulary_size,)}

    @property
    def _directions(self) -> tuple[str, ...]:
        return ("forwards", "backwards") if self.model.startswith("bi") else ("forwards",)

    def _reading_shapes(self, vocabulary_size: int, layers: int) -> dict[str, tuple[int, ...]]:
        E, H = self.embedding, self.hidden
        rows = H if self.model == "rnn" else 4 * H
        shapes: dict[str, tuple[int, ...]] = {"embedding.weight": (vocabulary_size, E)}
        for layer in range(layers):
            for direction in self._directions:
                name = f"{direction}.{layer}"
                shapes |= {
                    f"{name}.weight_ih_l0": (rows, H * len(self._directions) if layer else E),
                    f"{name}.weight_hh_l0": (rows, H),
                    f"{name}.bias_ih_l0": (rows,),
                    f"{name}.bias_hh_l0": (rows,),
                }
        return shapes


@dataclass(frozen=True)
class ClassificationRecipe(Nested):
    """A whole experiment with labelled texts."""

    text: TextRecipe = TextRecipe()
    classifier: ClassifierRecipe = ClassifierRecipe()
    training: TrainingRecipe = TrainingRecipe()
