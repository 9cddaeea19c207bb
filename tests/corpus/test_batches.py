from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from yinshi.corpus.batches import (
    NO_HEADER,
    NOT_ASKED,
    HeadedPoem,
    batch_count,
    evaluation_batches,
    pad,
    pad_headed,
    training_batches,
)
from yinshi.corpus.vocabulary import EOS, PAD, SOS


def ids(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int32)


def poems_of(lengths: list[int]) -> list[np.ndarray]:
    """Poem number n consists of the id 10 + n only."""
    return [np.full(length, 10 + n, dtype=np.int32) for n, length in enumerate(lengths)]


def test_pad_by_hand() -> None:
    batch = pad([ids(7), ids(4, 5, 6)], np.array([0, 1]))
    assert batch.indices.tolist() == [1, 0]
    assert batch.lengths.tolist() == [4, 2]
    assert batch.inputs.T.tolist() == [[SOS, 4, 5, 6], [SOS, 7, PAD, PAD]]
    assert batch.targets.T.tolist() == [[4, 5, 6, EOS], [7, EOS, PAD, PAD]]
    assert batch.tokens == 6


def test_a_header_is_read_and_not_asked_for() -> None:
    poems = [HeadedPoem(NO_HEADER, ids(7)), HeadedPoem(ids(20, 21), ids(4, 5)),
             HeadedPoem(ids(20), ids(6))]  # fmt: skip
    batch = pad_headed(poems, np.array([0, 1, 2]))
    assert batch.indices.tolist() == [1, 2, 0]
    assert batch.lengths.tolist() == [5, 3, 2]
    assert batch.inputs.T.tolist() == [
        [20, 21, SOS, 4, 5],
        [20, SOS, 6, PAD, PAD],
        [SOS, 7, PAD, PAD, PAD],
    ]
    assert batch.targets.T.tolist() == [
        [NOT_ASKED, NOT_ASKED, 4, 5, EOS],
        [NOT_ASKED, 6, EOS, PAD, PAD],
        [7, EOS, PAD, PAD, PAD],
    ]
    assert batch.tokens == 7


def test_without_headers_a_batch_is_what_it_was() -> None:
    poems = poems_of([3, 1, 6, 3, 2])
    plain = pad(poems, np.array([4, 1, 0, 2, 3]))
    found = pad_headed([HeadedPoem(NO_HEADER, p) for p in poems], np.array([4, 1, 0, 2, 3]))
    for name in ("inputs", "targets", "lengths", "indices"):
        np.testing.assert_array_equal(getattr(found, name), getattr(plain, name))


lengths = st.lists(st.integers(1, 30), min_size=1, max_size=200)


@given(lengths, st.integers(1, 7), st.integers(0, 3), st.integers(0, 3))
def test_an_epoch_has_every_poem_once(
    sizes: list[int], batch_size: int, seed: int, epoch: int
) -> None:
    batches = list(training_batches(poems_of(sizes), batch_size, seed, epoch))
    assert len(batches) == batch_count(len(sizes), batch_size)
    assert sorted(np.concatenate([b.indices for b in batches])) == list(range(len(sizes)))
    assert sum(b.tokens for b in batches) == sum(sizes) + len(sizes)


@given(lengths, st.integers(1, 7), st.integers(0, 20))
def test_going_on_from_a_batch_gives_the_rest_of_the_epoch(
    sizes: list[int], batch_size: int, start: int
) -> None:
    poems = poems_of(sizes)
    whole = [b.indices.tolist() for b in training_batches(poems, batch_size, 1, 2)]
    rest = [b.indices.tolist() for b in training_batches(poems, batch_size, 1, 2, start)]
    assert rest == whole[start:]


def test_epochs_and_seeds_differ() -> None:
    poems = poems_of(list(range(1, 60)))

    def order(seed: int, epoch: int) -> list[int]:
        return [i for b in training_batches(poems, 4, seed, epoch) for i in b.indices]

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)


def test_batches_are_of_similar_length() -> None:
    rng = np.random.default_rng(0)
    poems = poems_of(rng.integers(1, 100, size=3000).tolist())
    batches = list(training_batches(poems, 16, 0, 0))
    padding = 1 - sum(b.tokens for b in batches) / sum(b.inputs.size for b in batches)
    assert padding < 0.04  # unsorted batches of these lengths are 47 % padding


def test_evaluation_batches_cover_all_poems_in_order_of_length() -> None:
    poems = poems_of([3, 1, 2, 1])
    batches = list(evaluation_batches(poems, 2))
    assert [b.indices.tolist() for b in batches] == [[1, 3], [0, 2]]
