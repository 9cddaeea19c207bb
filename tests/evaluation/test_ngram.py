from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from math import log
from pathlib import Path

import numpy as np
import pytest

from yinshi.corpus.dataset import Dataset
from yinshi.corpus.vocabulary import EOS, SOS, UNK
from yinshi.evaluation.ngram import NGram, _discounts

A, B = 4, 5


def slow_p(
    poems: Sequence[Sequence[int]], V: int, order: int, context: tuple[int, ...], word: int
) -> float:
    """p(word | context) straight from the definition, with sets and loops."""
    grams: Counter[tuple[int, ...]] = Counter()
    for poem in poems:
        padded = [SOS] * (order - 1) + list(poem) + [EOS]
        for end in range(order, len(padded) + 1):
            grams[tuple(padded[end - order : end])] += 1
    p = 1 / (V - 2)
    for size in range(1, order + 1):
        counts = dict(grams)
        for longer in range(order, size, -1):  # N₁₊(• h w), level by level
            before: defaultdict[tuple[int, ...], set[int]] = defaultdict(set)
            for gram in counts:
                assert len(gram) == longer
                before[gram[1:]].add(gram[0])
            counts = {gram: len(tokens) for gram, tokens in before.items()}
        D = slow_discounts(counts)
        h = context[len(context) - size + 1 :] if size > 1 else ()
        after = [n for gram, n in counts.items() if gram[:-1] == h]
        if after:
            own = counts.get((*h, word), 0)
            p = (own - D[min(own, 3)] + sum(D[min(n, 3)] for n in after) * p) / sum(after)
    return p


def slow_discounts(counts: dict[tuple[int, ...], int]) -> list[float]:
    """Chen and Goodman's three, where they are defined and positive, or Ney's one."""
    n1, n2, n3, n4 = (sum(n == c for n in counts.values()) for c in (1, 2, 3, 4))
    Y = n1 / (n1 + 2 * n2) if n1 else 0.5
    if n1 and n2 and n3 and n4:
        D = [1 - 2 * Y * n2 / n1, 2 - 3 * Y * n3 / n2, 3 - 4 * Y * n4 / n3]
        if min(D) > 0:
            return [0, *D]
    return [0, Y, Y, Y]


def probability(model: NGram, poem: Sequence[int], position: int) -> float:
    return float(np.exp(-model.nats(np.array(poem, dtype=np.int32))[position]))


def random_poems(seed: int, V: int, poems: int = 12) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(UNK, V, rng.integers(0, 9)).astype(np.int32) for _ in range(poems)]


def test_bigram_by_hand() -> None:
    """Training on a b and a a, with V = 6: what can be predicted is <eos>, <unk>, a and b.

    Too few n-grams for three discounts, so there is one for each order.

    bigrams    <sos> a: 2;  a b, b <eos>, a a, a <eos>: 1      D₂ = 4 / (4 + 2·1) = 2/3
    unigrams   a after <sos>, a: 2;  b after a: 1;  <eos> after b, a: 2;  of 5
                                                               D₁ = 1 / (1 + 2·2) = 1/5
    p(a) = p(<eos>) = (2 − 1/5)/5 + 1/5·3/5·1/4 = 0.36 + 0.03 = 0.39,  p(b) = 0.16 + 0.03 = 0.19,
    p(<unk>) = 0.03
    """
    model = NGram.fit([np.array([A, B]), np.array([A, A])], vocabulary_size=6, order=2)
    p_ab = [
        (2 - 2 / 3) / 2 + 2 / 3 * 1 / 2 * 0.39,  # a after <sos>: 2 seen, 1 follower
        (1 - 2 / 3) / 3 + 2 / 3 * 3 / 3 * 0.19,  # b after a: 3 seen, 3 followers
        (1 - 2 / 3) / 1 + 2 / 3 * 1 / 1 * 0.39,  # <eos> after b
    ]
    assert model.nats(np.array([A, B])) == pytest.approx([-log(p) for p in p_ab])
    p_unknown = [1 / 3 * 0.03, 0.39]  # never after <sos>; then <eos> after a context never seen
    assert model.nats(np.array([UNK])) == pytest.approx([-log(p) for p in p_unknown])


def test_discounts_by_hand() -> None:
    """n(1..4) = 10, 4, 2, 1: Y = 10 / (10 + 2·4) = 5/9, then D(c) = c − (c+1) Y n(c+1)/n(c):

    1 − 2·5/9·4/10 = 5/9,  2 − 3·5/9·2/4 = 7/6,  3 − 4·5/9·1/2 = 17/9
    """
    counts = np.repeat([1, 2, 3, 4, 9], [10, 4, 2, 1, 5])
    assert _discounts(counts) == pytest.approx([0, 5 / 9, 7 / 6, 17 / 9])


@pytest.mark.parametrize(
    ("n", "Y"),
    [
        ((3, 1, 0, 0), 3 / 5),  # no triple
        ((10, 4, 2, 0), 5 / 9),  # D(3) would take all of a triple's mass
        ((4, 0, 2, 1), 1),  # nothing seen twice
        ((0, 3, 2, 1), 1 / 2),  # nothing seen once
        ((10, 4, 9, 1), 5 / 9),  # D(2) = 2 − 3·5/9·9/4 would be below 0
    ],
)
def test_where_three_discounts_can_not_be_estimated_one_does(
    n: tuple[int, int, int, int], Y: float
) -> None:
    assert _discounts(np.repeat([1, 2, 3, 4], n)) == pytest.approx([0, Y, Y, Y])


@pytest.mark.parametrize("poems", [12, 80])  # one discount an order; three for the trigrams
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_equals_the_definition(order: int, poems: int) -> None:
    V = 8
    train, test = random_poems(0, V, poems), random_poems(1, V)
    model = NGram.fit(train, V, order)
    lists = [poem.tolist() for poem in train]
    for poem in test:
        padded = [SOS] * (order - 1) + poem.tolist() + [EOS]
        slow = [
            slow_p(lists, V, order, tuple(padded[i : i + order - 1]), padded[i + order - 1])
            for i in range(len(poem) + 1)
        ]
        assert model.nats(poem) == pytest.approx([-log(p) for p in slow])


@pytest.mark.parametrize("poems", [1, 4, 80])
def test_sums_to_one_in_every_context(poems: int) -> None:
    """Seen or not, at the beginning or within: over V less <pad> and <sos>."""
    V = 7
    model = NGram.fit(random_poems(2, V, poems), V)
    contexts = [(), *((a,) for a in range(UNK, V))]
    contexts += [(a, b) for a in range(UNK, V) for b in range(UNK, V)]
    for context in contexts:
        p = {word: probability(model, [*context, word], len(context)) for word in range(UNK, V)}
        p[EOS] = probability(model, context, len(context))
        assert sum(p.values()) == pytest.approx(1)
        assert min(p.values()) > 0


def test_what_was_seen_often_costs_less_than_what_was_not() -> None:
    model = NGram.fit([np.array([A, B, A, B])] * 3 + [np.array([B])], vocabulary_size=6)
    assert probability(model, [A, B], 1) > 0.5 > probability(model, [A, A], 1) > 0


def test_no_ngram_seen_once_still_leaves_mass_to_the_unseen() -> None:
    model = NGram.fit([np.array([A, B])] * 3, vocabulary_size=6)
    assert 0 < probability(model, [B], 0) < 1


def test_poems_do_not_run_into_each_other() -> None:
    """The nats of poems together are those of each alone, and order does not matter in training."""
    V = 9
    train, test = random_poems(3, V), random_poems(4, V)
    model = NGram.fit(train, V)
    together = model.nats_of_poems(test)
    assert together.tolist() == np.concatenate([model.nats(poem) for poem in test]).tolist()
    assert NGram.fit(train[::-1], V).nats_of_poems(test).tolist() == together.tolist()


def test_nats_cover_the_end_of_an_empty_poem() -> None:
    model = NGram.fit(random_poems(5, 8), 8)
    assert model.nats(np.array([], dtype=np.int32)).shape == (1,)


def test_ids_too_many_for_one_number_are_refused() -> None:
    with pytest.raises(ValueError, match="order 5 of 10000 ids"):
        NGram.fit([np.array([A])], vocabulary_size=10_000, order=5)


def test_pad_and_sos_are_no_outcomes() -> None:
    """Of V = 5 ids three can be predicted; one never seen gets 1/3 of what was freed.

    Unigrams a, <eos>: once each, D = 2 / (2 + 0) = 1, so that all goes through the uniform floor.
    """
    model = NGram.fit([np.array([A])], vocabulary_size=5, order=1)
    assert probability(model, [UNK], 0) == pytest.approx(1 / 3)


def test_on_tang_each_order_is_better_than_the_last(tang_dataset: Path) -> None:
    dataset = Dataset.load(tang_dataset)
    V = len(dataset.vocabulary)
    train = [dataset.vocabulary.encode(text) for text in dataset.texts("train")]
    test = [dataset.vocabulary.encode(text) for text in dataset.texts("test")]
    found = [np.exp(NGram.fit(train, V, n).nats_of_poems(test).mean()) for n in (1, 2, 3)]
    assert found == pytest.approx([746, 271, 234], rel=0.03)  # as measured; moves with cleaning
