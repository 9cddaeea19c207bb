"""Encoded texts with their classes → batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yinshi.classify.encoder import PAD, Encoder, Ids
from yinshi.classify.tables import Table
from yinshi.corpus.batches import Batch


@dataclass(frozen=True)
class Example:
    """One text: its tokens' ids (n,), and the number of its class, where it is known."""

    ids: Ids
    label: int | None

    def __len__(self) -> int:
        return len(self.ids)


def examples_of(table: Table, encoder: Encoder, classes: Sequence[str]) -> list[Example]:
    """The rows of `table`, all of whose labels are among `classes`."""
    number = {label: n for n, label in enumerate(classes)}
    return [
        Example(encoder.encode(text), number[label])
        for text, label in zip(table.texts, table.labels, strict=True)
    ]


def collate(examples: Sequence[Example], indices: NDArray[np.int64]) -> Batch:
    """The examples at `indices` as one batch: its targets are the classes (B,), or the tokens
    themselves (T, B) where there are none."""
    chosen = [examples[i] for i in indices]
    lengths = np.array([len(example) for example in chosen])
    order = np.argsort(-lengths, kind="stable")
    inputs = pad_texts([chosen[i].ids for i in order])
    labels = [chosen[i].label for i in order]
    targets = inputs if None in labels else np.array(labels, dtype=np.int32)
    return Batch(inputs, targets, lengths[order], np.asarray(indices)[order])


def pad_texts(texts: Sequence[Ids]) -> Ids:
    """(T, B) of texts that stand longest first."""
    inputs = np.full((len(texts[0]), len(texts)), PAD, dtype=np.int32)
    for column, ids in enumerate(texts):
        inputs[: len(ids), column] = ids
    return inputs
