from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from yinshi.corpus.cleaning import PUNCTUATION
from yinshi.corpus.dataset import Dataset
from yinshi.corpus.poem import Poem
from yinshi.corpus.prepare import in_script, prepare, sample, script_of, truncate, within_length
from yinshi.corpus.vocabulary import Vocabulary
from yinshi.errors import UsageError, YinshiError
from yinshi.recipe import CorpusRecipe

pytest.importorskip("pyarrow")

#: Characters that are the same in both scripts.
NEUTRAL = "山水日月天地人心江海川石竹木花草春秋夜雨雪霜城村白青古今行坐"
RECIPE = CorpusRecipe()

Source = Callable[[Sequence[str]], Path]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    def write(texts: Sequence[str]) -> Path:
        path = tmp_path / "poems.txt"
        lines = [f"其{n}::無名::{text}\n" for n, text in enumerate(texts)]
        path.write_text("".join(lines), encoding="utf-8")
        return path

    return write


def quatrains(count: int, width: int = 5, lines: int = 4, seed: int = 0) -> list[str]:
    """Poems of random characters, so that no two are alike."""
    rng = np.random.default_rng(seed)
    marks = "，。" * (lines // 2)
    return [
        "".join("".join(rng.choice(list(NEUTRAL), width)) + mark for mark in marks)
        for _ in range(count)
    ]


def five_grams(text: str) -> set[str]:
    bare = "".join(c for c in text if c not in PUNCTUATION)
    return {bare[i : i + 5] for i in range(len(bare) - 4)} or {bare}


def shared_grams(one: str, other: str) -> float:
    """Share of the shorter text's 5-grams that the other has too."""
    return len(five_grams(one) & five_grams(other)) / min(map(len, map(five_grams, (one, other))))


def test_variant_readings_never_stand_on_two_sides(source: Source, tmp_path: Path) -> None:
    poems = quatrains(80)
    variants = [text[:3] + "龍" + text[4:] for text in poems[:40]]
    variants += [text[:-2] + "鳳。" for text in variants[:20]]
    prepare([source(poems + variants)], replace(RECIPE, ratio=(2, 1, 1)), tmp_path / "data")
    data = Dataset.load(tmp_path / "data")
    sides = {text: name for name in data.splits for text in data.texts(name)}
    assert len(sides) == 140
    assert set(sides.values()) == {"train", "validation", "test"}
    alike = [(a, b) for a, b in combinations(sides, 2) if shared_grams(a, b) >= 0.7]
    assert len(alike) == 60  # a poem and its variant, the variant and its own variant
    assert all(sides[a] == sides[b] for a, b in alike)
    assert all(sides[poems[i]] == sides[variants[40 + i]] for i in range(20))


def test_poems_alike_only_once_truncated_stay_together(source: Source, tmp_path: Path) -> None:
    heads, tails = quatrains(30), quatrains(60, lines=12, seed=1)
    long = [head + tail for head, tail in zip(heads * 2, tails, strict=True)]
    long = [text.replace("，", "龍，", 1) if i < 30 else text for i, text in enumerate(long)]
    recipe = replace(RECIPE, max_length=25, ratio=(1, 1))
    manifest = prepare([source(long)], recipe, tmp_path / "data")
    assert manifest["near_duplicates"] == {"groups": 30, "poems": 60}


def test_vocabulary_knows_the_training_split_only(source: Source, tmp_path: Path) -> None:
    poems = quatrains(20)
    prepare([source(poems)], replace(RECIPE, ratio=(4, 1)), tmp_path / "plain")
    held_out = Dataset.load(tmp_path / "plain").texts("validation")
    marked = [t[:-2] + "龍。" if t in held_out else t for t in poems]
    manifest = prepare([source(marked)], replace(RECIPE, ratio=(4, 1)), tmp_path / "data")
    data = Dataset.load(tmp_path / "data")
    assert sorted(t[-2] for t in data.texts("validation")) == ["龍"] * 4
    assert "龍" not in data.vocabulary
    assert data.vocabulary.characters == Vocabulary.count(data.texts("train")).characters
    assert manifest["vocabulary_size"] == len(data.vocabulary)
    assert manifest["unknown_rate"]["train"] == 0
    unknown = sum(c not in data.vocabulary for t in data.texts("validation") for c in t)
    assert manifest["unknown_rate"]["validation"] == unknown / (4 * 24)
    assert unknown >= 4


def test_frequency_and_size_limit_the_vocabulary(source: Source, tmp_path: Path) -> None:
    path = source(quatrains(20))
    prepare([path], replace(RECIPE, min_frequency=15), tmp_path / "frequent")
    data = Dataset.load(tmp_path / "frequent")
    counts = Counter("".join(data.texts("train")))
    assert set(data.vocabulary.characters) == {c for c, n in counts.items() if n >= 15}
    manifest = prepare([path], replace(RECIPE, max_vocabulary=10), tmp_path / "small")
    assert manifest["vocabulary_size"] == 10
    assert manifest["unknown_rate"]["train"] > 0.5


def test_same_input_and_options_same_bytes(source: Source, tmp_path: Path) -> None:
    path = source(quatrains(40))
    for name in ("one", "other"):
        prepare([path], replace(RECIPE, sample=30), tmp_path / name)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "other" / file.name).read_bytes()


def test_the_seed_changes_sample_and_split(source: Source, tmp_path: Path) -> None:
    path = source(quatrains(40))
    hashes = {
        prepare([path], replace(RECIPE, sample=30, seed=seed), tmp_path / str(seed))["hash"]
        for seed in range(3)
    }
    assert len(hashes) == 3


@pytest.mark.parametrize(
    ("ratio", "sizes"),
    [
        ((4, 1), {"train": 32, "validation": 8}),
        ((9, 1), {"train": 36, "validation": 4}),
        ((8, 1, 1), {"train": 32, "validation": 4, "test": 4}),
    ],
)
def test_ratio(
    source: Source, tmp_path: Path, ratio: tuple[float, ...], sizes: dict[str, int]
) -> None:
    prepare([source(quatrains(40))], replace(RECIPE, ratio=ratio), tmp_path / "data")
    data = Dataset.load(tmp_path / "data")
    assert {name: len(data.split(name)) for name in data.splits} == sizes
    assert (tmp_path / "data" / "test.parquet").exists() == ("test" in sizes)


def test_only_the_form_asked_for(source: Source, tmp_path: Path) -> None:
    path = source(quatrains(10, width=7) + quatrains(30) + quatrains(10, lines=8))
    manifest = prepare([path], replace(RECIPE, form="五绝"), tmp_path / "data")
    assert manifest["counts"]["form"] == 30
    assert {p.form for p in Dataset.load(tmp_path / "data").split("train")} == {"五绝"}


def test_the_manifest_counts_each_stage(source: Source, tmp_path: Path) -> None:
    texts = quatrains(30)
    texts += [*texts[:3], texts[4][:3] + "龍" + texts[4][4:], *quatrains(2, lines=12)]
    recipe = replace(RECIPE, max_length=30, too_long="drop", sample=26)
    manifest = prepare([source(texts)], recipe, tmp_path / "data")
    assert manifest["counts"] == {
        "read": 36,
        "cleaning": 36,
        "form": 36,
        "length": 34,
        "duplicates": 31,
        "sample": 26,
        "train": 21,
        "validation": 3,
        "test": 2,
    }
    assert manifest["options"]["sample"] == 26
    assert manifest["truncated"] == 0
    assert list(manifest["sources"]) == ["poems.txt"]


def test_truncation_is_at_the_last_sentence_end_within() -> None:
    text = "春山一夜雨，江水滿城花。人心今古月！竹石坐行天？"
    assert truncate(text, 24) == text
    assert truncate(text, 23) == "春山一夜雨，江水滿城花。人心今古月！"
    assert truncate(text, 18) == "春山一夜雨，江水滿城花。人心今古月！"
    assert truncate(text, 17) == "春山一夜雨，江水滿城花。"
    assert truncate(text, 10) == "春山一夜雨，江水滿城"


def test_length_window_is_inclusive_and_counts_punctuation() -> None:
    poems = [Poem("", "", "月" * n + "。", "") for n in (3, 4, 8, 9)]
    recipe = replace(RECIPE, min_length=5, max_length=9, too_long="drop")
    kept, cut = within_length(poems, recipe)
    assert ([len(p.text) for p in kept], cut) == ([5, 9], 0)
    kept, cut = within_length(poems, replace(recipe, too_long="truncate"))
    assert ([p.text for p in kept], cut) == (["月月月月。", "月" * 8 + "。", "月" * 9], 1)


def test_what_truncation_leaves_too_short_is_dropped() -> None:
    poems = [Poem("", "", "月出。" + "春江花" * 5 + "。", "")]
    assert within_length(poems, replace(RECIPE, min_length=4, max_length=9)) == ([], 0)


def test_sample_keeps_order_and_draws_without_replacement() -> None:
    poems = [Poem(str(n), "", "月", "") for n in range(50)]
    chosen = [int(p.title) for p in sample(poems, 20, seed=0)]
    assert chosen == sorted(set(chosen))
    assert len(chosen) == 20
    assert sample(poems, 50, seed=0) == sample(poems, None, seed=0) == poems


def test_script_of_a_source_is_that_of_most_of_its_characters() -> None:
    assert script_of("紅顏弄月後，萬里見歸雲。余亦能高詠") == "traditional"
    assert script_of("红颜弄月后，万里见归云。余亦能高咏") == "simplified"
    assert script_of("山水日月") == "traditional"


def test_traditional_text_is_never_made_traditional_twice() -> None:
    poems = [
        Poem("別內", "李白", "紅顏棄軒冕，余亦能高詠。云何萬里後，皇后不見雲。", "tang.json"),
        Poem("其二", "無名", "余心", "tang.json"),  # alone it would look simplified
    ]
    assert in_script(poems, "traditional") == poems


def test_title_author_and_text_are_converted() -> None:
    traditional = [Poem("別內赴徵", "張九齡", "紅顏棄軒冕，萬里見歸雲。", "tang.json")]
    simplified = [Poem("别内赴征", "张九龄", "红颜弃轩冕，万里见归云。", "tang.json")]
    assert in_script(traditional, "simplified") == simplified
    assert in_script(simplified, "traditional")[0].text == traditional[0].text
    assert in_script(simplified, "simplified") == simplified


def test_each_source_is_judged_by_itself() -> None:
    poems = [Poem("", "", "紅顏見歸雲", "a"), Poem("", "", "红颜见归云", "b")]
    assert [p.text for p in in_script(poems, "simplified")] == ["红颜见归云"] * 2
    assert [p.text for p in in_script(poems, "traditional")] == ["紅顏見歸雲"] * 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"form": "七律"}, "no poem is left: found 0 after stage 'form'"),
        ({"min_length": 60}, "no poem is left: found 0 after stage 'length'"),
        ({"sample": 3}, "3 poems in 3 groups of near-duplicates, too few for ratio 8:1:1"),
    ],
)
def test_nothing_left_says_where_it_went(
    source: Source, tmp_path: Path, changed: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        prepare([source(quatrains(20))], replace(RECIPE, **changed), tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_a_bad_source_leaves_the_old_folder(source: Source, tmp_path: Path) -> None:
    path = source(quatrains(20))
    before = prepare([path], RECIPE, tmp_path / "data")
    path.write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(YinshiError):
        prepare([path], RECIPE, tmp_path / "data")
    assert Dataset.load(tmp_path / "data").manifest == before


def test_a_refused_folder_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="other files"):
        prepare([tmp_path / "no-such-source"], RECIPE, tmp_path)


def test_stages_that_take_poems_away_are_reported(source: Source, tmp_path: Path) -> None:
    lines: list[str] = []
    path = source([*quatrains(20), *quatrains(5)])
    prepare([path], replace(RECIPE, sample=15), tmp_path / "data", report=lines.append)
    assert lines[:3] == [
        "read: 25 poems",
        "without duplicates: 20 poems",
        "sampled: 15 poems",
    ]
    assert len(lines) == 5


def test_tang(tang_dataset: Path) -> None:
    """全唐詩 as a whole: figures that any right preparation comes close to."""
    data = Dataset.load(tang_dataset)
    counts = data.manifest["counts"]
    assert counts["read"] == 57_607
    assert 52_000 < counts["sample"] < 57_000
    for name, share in {"train": 0.8, "validation": 0.1, "test": 0.1}.items():
        assert abs(counts[name] - share * counts["sample"]) <= 1
        assert len(data.texts(name)) == counts[name]
        assert all(4 <= len(text) <= 126 for text in data.texts(name))
    assert 7_000 < data.manifest["vocabulary_size"] < 9_000
    assert 0 < data.manifest["unknown_rate"]["test"] < 0.002
    texts = [text for name in data.splits for text in data.texts(name)]
    assert len(set(texts)) == len(texts)
    forms = Counter(p.form for p in data.split("train"))
    assert forms["五律"] > forms["七绝"] > forms["七律"] > forms["五绝"] > 2_500


def test_no_near_duplicates_of_tang_stand_on_two_sides(tang_dataset: Path) -> None:
    """Every pair across sides that shares a 5-gram, counted with dictionaries."""
    data = Dataset.load(tang_dataset)
    sides = {text: name for name in data.splits for text in data.texts(name)}
    grams = {text: five_grams(text) for text in sides}
    holders: dict[str, list[str]] = {}
    for text, own in grams.items():
        for gram in own:
            holders.setdefault(gram, []).append(text)
    shared = Counter(
        pair
        for held in holders.values()
        for pair in combinations(held, 2)
        if sides[pair[0]] != sides[pair[1]]
    )
    assert len(shared) > 1000
    for (one, other), n in shared.items():
        assert n * 10 < 7 * min(len(grams[one]), len(grams[other]))
