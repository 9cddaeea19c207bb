from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yinshi.corpus import splits
from yinshi.corpus.poem import Poem
from yinshi.corpus.splits import drop_duplicates, near_duplicate_groups, split

#: Few characters, so that 5-grams meet again within a poem and across poems.
TEXTS = st.lists(st.text("春江，。", max_size=4) | st.text("春江花，", max_size=24), max_size=10)


def near(one: list[str], other: list[str]) -> bool:
    """The definition itself, on lists of 5-grams: each gram once, or each time it stands."""
    shared = len(set(one) & set(other))
    once = shared * 10 >= 7 * min(len(set(one)), len(set(other)))
    shorter, longer = sorted((one, other), key=len)
    each_time = sum(gram in longer for gram in shorter) * 10 >= 7 * len(shorter)
    if len(one) == len(other):
        each_time |= sum(gram in shorter for gram in longer) * 10 >= 7 * len(longer)
    return once or each_time


def brute_force_groups(texts: list[str]) -> list[int]:
    """Every pair compared, then whatever is reachable relabelled."""
    bare = [text.replace("，", "").replace("。", "") for text in texts]
    grams = [[b[i : i + 5] for i in range(len(b) - 4)] or [b] for b in bare]
    label = list(range(len(texts)))
    for i, j in combinations(range(len(texts)), 2):
        if near(grams[i], grams[j]):
            old, new = max(label[i], label[j]), min(label[i], label[j])
            label = [new if other == old else other for other in label]
    order = list(dict.fromkeys(label))
    return [order.index(number) for number in label]


@given(TEXTS)
def test_groups_are_those_of_the_definition(texts: list[str]) -> None:
    assert near_duplicate_groups(texts).tolist() == brute_force_groups(texts)


@given(texts=TEXTS)
def test_groups_do_not_depend_on_the_portions_they_are_counted_in(texts: list[str]) -> None:
    whole = near_duplicate_groups(texts).tolist()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splits, "_AT_A_TIME", 3)
        assert near_duplicate_groups(texts).tolist() == whole


def test_variant_readings_are_one_group() -> None:
    texts = [
        "床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。",
        "春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少。",
        "牀前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。",  # 15 of 16 grams
        "床前看月光，疑是地上霜。舉頭望山月，低頭思故鄉。",  # 5 + 5 grams gone: 6 of 16
    ]
    assert near_duplicate_groups(texts).tolist() == [0, 1, 0, 2]


def test_seventy_percent_of_the_shorter_is_enough_and_sixty_is_not() -> None:
    shorter = "一二三四五六七八九十甲乙丙丁"  # 10 grams
    seven = "一二三四五六七八九十甲" + "月山水花鳥風雨雲雪霜"  # its first 7
    six = "一二三四五六七八九十" + "月山水花鳥風雨雲雪霜"
    assert near_duplicate_groups([shorter, seven]).tolist() == [0, 0]
    assert near_duplicate_groups([shorter, six]).tolist() == [0, 1]


def test_a_refrain_counts_each_time_it_stands() -> None:
    refrain = "長相思在長安"  # 2 grams, three times over
    one = refrain * 3 + "春風秋月"
    other = refrain + "夜雨江花白雪青山古木"
    distinct = {one[i : i + 5] for i in range(len(one) - 4)}
    assert len(distinct & {other[i : i + 5] for i in range(len(other) - 4)}) / len(distinct) < 0.5
    assert near_duplicate_groups([refrain * 4 + "月", "山" + refrain * 5]).tolist() == [0, 0]
    assert near_duplicate_groups([one, other]).tolist() == [0, 1]


def test_links_are_chained() -> None:
    a, b, c = "甲乙丙丁戊己庚辛壬癸", "子丑寅卯辰巳午未申酉", "春夏秋冬東西南北中央"
    assert near_duplicate_groups([a, c, b, a + b]).tolist() == [0, 1, 0, 0]


def test_grams_never_reach_into_the_next_poem() -> None:
    assert near_duplicate_groups(["甲乙丙丁戊己", "庚辛壬癸子", "戊己庚辛壬癸"]).tolist() == [
        0,
        1,
        2,
    ]


def test_poems_shorter_than_a_gram_match_only_the_same_characters() -> None:
    texts = ["明月。", "明月，", "明月出", "明月出天山", "月", ""]
    assert near_duplicate_groups(texts).tolist() == [0, 0, 1, 2, 3, 4]


def test_no_texts_no_groups() -> None:
    assert near_duplicate_groups([]).tolist() == []


def test_the_first_of_exact_duplicates_stays() -> None:
    poems = [Poem(title, "", text, "") for title, text in [("a", "月"), ("b", "山"), ("c", "月")]]
    assert [p.title for p in drop_duplicates(poems)] == ["a", "b"]


@pytest.mark.parametrize(
    ("ratio", "sizes"),
    [((4, 1), [80, 20]), ((9, 1), [90, 10]), ((8, 1, 1), [80, 10, 10]), ((0.8, 0.2), [80, 20])],
)
def test_single_poems_are_split_to_the_ratio(ratio: tuple[float, ...], sizes: list[int]) -> None:
    parts = split(np.arange(100), ratio, seed=0)
    assert [len(part) for part in parts] == sizes
    assert sorted(np.concatenate(parts).tolist()) == list(range(100))
    assert all((np.diff(part) > 0).all() for part in parts)


@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=80),
    st.sampled_from([(4, 1), (9, 1), (8, 1, 1), (2.5, 1, 1)]),
    st.integers(0, 3),
)
def test_groups_stay_whole_and_sizes_match_within_the_largest(
    labels: list[int], ratio: tuple[float, ...], seed: int
) -> None:
    groups = np.unique(labels, return_inverse=True)[1]
    parts = split(groups, ratio, seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(groups)))
    for one, other in combinations(parts, 2):
        assert not set(groups[one]) & set(groups[other])
    for part, share in zip(parts, ratio, strict=True):
        assert abs(len(part) - len(groups) * share / sum(ratio)) <= np.bincount(groups).max()


def test_large_groups_do_not_spoil_the_ratio_where_poems_stand_alone() -> None:
    groups = np.r_[np.repeat(np.arange(10), 5), np.arange(10, 160)]  # 50 + 150 poems
    assert [len(part) for part in split(groups, (8, 1, 1), seed=1)] == [160, 20, 20]


def test_the_seed_decides_the_split() -> None:
    def first(seed: int) -> list[int]:
        return split(np.arange(50), (4, 1), seed)[0].tolist()

    assert first(3) == first(3)
    assert first(3) != first(4)
