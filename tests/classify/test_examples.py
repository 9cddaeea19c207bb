from __future__ import annotations

import numpy as np
import pytest

from yinshi.classify.encoder import PAD, Encoder
from yinshi.classify.examples import Example, collate, examples_of, pad_texts
from yinshi.classify.tables import Table
from yinshi.corpus.batches import evaluation_batches, training_batches
from yinshi.recipe import TextRecipe

TABLE = Table(("甲", "甲乙丙", "乙乙"), ("差", "好", "好"))


@pytest.fixture
def examples() -> list[Example]:
    """乙 is 2 (three times), 甲 3, 丙 4; 好 is class 1."""
    encoder = Encoder.of(TextRecipe(min_frequency=1), TABLE.texts)
    assert encoder.words == ("乙", "甲", "丙")
    return examples_of(TABLE, encoder, ("中", "好", "差"))


def test_rows_with_the_numbers_of_their_classes(examples: list[Example]) -> None:
    assert [(e.ids.tolist(), e.label) for e in examples] == [([3], 2), ([3, 2, 4], 1), ([2, 2], 1)]
    assert [len(e) for e in examples] == [1, 3, 2]


def test_a_batch_by_hand(examples: list[Example]) -> None:
    """The longest first, each label with its text."""
    batch = collate(examples, np.array([0, 2, 1]))
    assert batch.inputs.T.tolist() == [[3, 2, 4], [2, 2, PAD], [3, PAD, PAD]]
    assert batch.targets.tolist() == [1, 1, 2]
    assert batch.lengths.tolist() == [3, 2, 1]
    assert batch.indices.tolist() == [1, 2, 0]
    assert batch.tokens == 3  # texts: what the nats are divided by


def test_a_text_in_the_wrong_order_would_be_cut(examples: list[Example]) -> None:
    """Negative control of `pad_texts`: it takes the first one's length for all."""
    with pytest.raises(ValueError, match="broadcast"):
        pad_texts([examples[0].ids, examples[1].ids])


def test_every_text_is_in_one_batch_with_its_label(examples: list[Example]) -> None:
    many = [Example(np.full(n % 7 + 1, n, np.int32), n % 3) for n in range(40)]
    for batches in (
        training_batches(many, 6, seed=1, epoch=0, collate=collate),
        evaluation_batches(many, 6, collate),
    ):
        seen = []
        for batch in batches:
            for column, index in enumerate(batch.indices):
                assert batch.targets[column] == many[index].label
                ids = batch.inputs[: batch.lengths[column], column]
                assert ids.tolist() == many[index].ids.tolist()
                seen.append(int(index))
        assert sorted(seen) == list(range(40))
