from __future__ import annotations

import numpy as np
import pytest

from yinshi.corpus.dataset import Dataset, write_dataset
from yinshi.corpus.poem import Poem, lines_of
from yinshi.corpus.vocabulary import Vocabulary
from yinshi.errors import DataError
from yinshi.evaluation.nearest import nearest_lines
from yinshi.evaluation.poems import Critic, distinct, keeps_tones, recombined, rhymes
from yinshi.model_file import ModelFile
from yinshi.prosody.scan import scan
from yinshi.recipe import CorpusRecipe, Recipe

CLIMB = "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。"
LOVE = "紅豆生南國，春來發幾枝。願君多采擷，此物最相思。"
DEER = "空山不見人，但聞人語響。返景入深林，復照青苔上。"
BROTHERS = "獨在異鄉爲異客，每逢佳節倍思親。遙知兄弟登高處，遍插茱萸少一人。"
MIXED = "江南好，風景舊曾諳。"
RECIPE = Recipe.from_dict({"network": {"embedding": 3, "hidden": 4}})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    train = [Poem("登鸛雀樓", "王之渙", CLIMB, "t"), Poem("相思", "王維", LOVE, "t")]
    test = [Poem("鹿柴", "王維", DEER, "t"), Poem("九月九日憶山東兄弟", "王維", BROTHERS, "t")]
    test.append(Poem("憶江南", "白居易", MIXED, "t"))
    folder = tmp_path_factory.mktemp("poems") / "data"
    texts = [poem.text for poem in train + test]
    splits = {"train": train, "validation": [], "test": test}
    write_dataset(folder, splits, Vocabulary.count(texts), CorpusRecipe())
    return Dataset.load(folder)


@pytest.fixture(scope="module")
def critic(dataset: Dataset) -> Critic:
    """Its model has weights of 0: every token costs log V."""
    shapes = RECIPE.network.weight_shapes(len(dataset.vocabulary))
    weights = {name: np.zeros(shape) for name, shape in shapes.items()}
    return Critic(ModelFile(weights, RECIPE, dataset.vocabulary), dataset)


def test_figures_by_hand(critic: Critic, dataset: Dataset) -> None:
    asked = "白日依山盡，黃河入海流。山山水水雲，山上一層樓。"
    figures = critic.measure([asked, LOVE], compared=1)
    assert figures.poems == 2
    assert figures.copied == 6 / 8
    assert figures.longest == 20
    assert figures.span == (10 + 20) / 2
    assert figures.rhyme == 1.0  # 流 and 樓; 枝 and 思
    assert (figures.strict, figures.regulated) == (0.5, 1.0)  # 雲 is level where it may not be
    assert figures.repeated == pytest.approx((3 + 1) / 40)  # 山 four times, 水 twice
    assert figures.nats == pytest.approx(np.log(len(dataset.vocabulary)))


def test_each_form_beside_the_real_one(critic: Critic) -> None:
    found = critic.compare([CLIMB, LOVE, BROTHERS, MIXED])
    assert list(found) == ["五绝", "七绝"]
    short = found["五绝"]
    assert (short.share, short.share_of_real) == (2 / 4, 1 / 3)
    assert (short.asked.poems, short.asked.strict, short.asked.rhyme) == (2, 1.0, 1.0)
    assert (short.asked.copied, short.asked.compared) == (1.0, 1)
    assert short.real is not None
    assert (short.real.poems, short.real.strict, short.real.rhyme) == (1, 0.0, 0.0)
    assert (short.real.regulated, short.real.copied, short.real.span) == (0.0, 0.0, 0.0)
    assert short.recombined == short.real  # of one poem there is nothing to recombine


def test_a_form_that_the_split_lacks(critic: Critic) -> None:
    eight = CLIMB + LOVE
    found = critic.compare([eight])["五律"]
    assert (found.real, found.recombined, found.share_of_real) == (None, None, 0.0)
    assert found.asked.poems == found.asked.compared == 1


def test_no_poem_of_any_form(critic: Critic) -> None:
    assert critic.compare([MIXED]) == {}


@pytest.mark.parametrize(
    "text",
    [
        CLIMB.replace("。", "。\n"),
        "\n".join(lines_of(CLIMB)),
        "白日依山尽，黄河入海流。欲穷千里目，更上一层楼。",
        "白日依山尽\n黄河入海流\n欲穷千里目\n更上一层楼\n",
    ],
)
def test_layout_and_script_are_as_those_of_the_data(critic: Critic, text: str) -> None:
    assert critic.compare([text])["五绝"].asked == critic.compare([CLIMB])["五绝"].asked


def test_a_split_without_poems(critic: Critic, dataset: Dataset) -> None:
    with pytest.raises(DataError, match="'validation' holds no poems"):
        Critic(critic._model, dataset, "validation")


def test_recombined_lines_keep_their_places_and_are_each_used_once() -> None:
    poems = ["".join(f"{n}{place}{'，。'[place % 2]}" for place in range(4)) for n in "甲乙丙丁戊"]
    found = recombined(poems)
    assert found[0] == "甲0，戊1。丁2，丙3。"
    for place in range(4):
        before, after = ([lines_of(poem)[place] for poem in each] for each in (poems, found))
        assert sorted(before) == sorted(after)
    assert all(len({line[0] for line in lines_of(poem)}) == 4 for poem in found)
    assert recombined([]) == []


def test_poems_of_different_length_are_recombined_too() -> None:
    poems = ["甲0，甲1。", "乙0，乙1。乙2，乙3。", "丙0，丙1。丙2，丙3。"]
    assert recombined(poems) == ["甲0，丙1。", "乙0，甲1。乙2，丙3。", "丙0，乙1。丙2，乙3。"]


@pytest.mark.parametrize(
    ("poem", "expected"),
    [
        (CLIMB, True),
        ("白日依山尽，黄河入海流。欲穷千里目，更上一层楼。", True),
        (BROTHERS, True),
        (DEER, False),  # 響 and 上 are oblique
        (CLIMB.replace("樓", "流"), False),  # the same word twice
        (CLIMB.replace("樓", "山"), False),
        ("流水白日山，黃河入海流。山河千里日，更上一層樓。", True),  # whatever the tones
    ],
)
def test_rhymes(poem: str, expected: bool) -> None:
    assert rhymes(lines_of(poem)) is expected


def test_tones_do_not_ask_for_rhyme() -> None:
    out_of_rhyme = scan(CLIMB.replace("樓", "山"))
    assert keeps_tones(out_of_rhyme, "strict")
    assert not out_of_rhyme.is_clean("strict")
    level_ending = scan("打起黃鶯兒，莫教枝上啼。啼時驚妾夢，不得到遼西。")  # 三平尾
    assert keeps_tones(level_ending, "loose")
    assert not keeps_tones(level_ending, "strict")


def test_distinct_n_grams_do_not_cross_lines() -> None:
    assert distinct(["春風春雨", "春山"]) == (4 / 6, 1.0, 1.0)
    assert distinct(["山山山山"]) == (1 / 4, 1 / 3, 1 / 2)
    assert distinct(["月", "月"]) == (1 / 2, 0.0, 0.0)


def test_nearest_lines_with_author_and_title(dataset: Dataset) -> None:
    same, near, none = nearest_lines(["黄河入海流", "空山不見君", "電腦"], dataset, k=2)
    assert [(line.text, line.author, line.title) for line in same[:1]] == [
        ("黃河入海流", "王之渙", "登鸛雀樓")
    ]
    assert same[0].similarity == 1
    assert near[0].text == "空山不見人"  # four characters and three pairs of nine
    assert near[0].similarity == pytest.approx(2 * 7 / 18)
    assert none == []
