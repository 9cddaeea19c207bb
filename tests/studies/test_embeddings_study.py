from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from markdown_tables import tables
from small_poems import LINES, small_poems

from yinshi.corpus.dataset import Dataset, write_dataset
from yinshi.corpus.poem import Poem
from yinshi.corpus.vectors import WordVectors, read_vectors
from yinshi.corpus.vocabulary import SPECIALS, Vocabulary
from yinshi.errors import DataError, UsageError
from yinshi.recipe import CorpusRecipe
from yinshi.studies import character_map, vector_sources
from yinshi.studies import embeddings as study
from yinshi.studies.character_map import CharacterMap, place
from yinshi.studies.embeddings import LEARNT, QUICK, STATES, asked_characters, recipe_of
from yinshi.studies.report import Report
from yinshi.studies.trials import Trials
from yinshi.studies.vector_sources import SourceFolder, lines_of, without_lines_of
from yinshi.training.starting_weights import starting_weights

pytest.importorskip("gensim")
pytest.importorskip("sklearn")

#: Quatrains of other lines; the last two give away one of the lines that all the others are of.
ELSEWHERE = [
    *["曉日照孤城，江風動客情。", "海月生秋夜，湖光入酒清。", "紅葉滿山路，白雲無限程。"] * 20,
    f"曉日照孤城，{LINES[0]}。",
    f"{LINES[5]}，湖光入酒清。",
]

#: 日 and 月 are near each other, 山 is opposite.
GIVEN = np.array([[1, 0, 0, 0], [1, 0.1, 0, 0], [-1, 0, 0, 0], [0, 0, 1, 0]])


def prepare(folder: Path, texts: list[str], **options: Any) -> Path:
    """A prepared folder that trains on `texts`."""
    splits = {
        "train": [Poem(f"其{n}", "無名", text, "x.txt") for n, text in enumerate(texts)],
        "validation": small_poems(2),
    }
    write_dataset(folder, splits, Vocabulary.count(texts), CorpusRecipe(**options))
    return folder


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(tmp_path_factory.mktemp("data") / "elsewhere", ELSEWHERE)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vectors of 日, 月, 山, 夜 and of a word; most characters have none."""
    path = tmp_path_factory.mktemp("vectors") / "given.vec"
    matrix = np.array([*GIVEN, [0, 9, 0, 0]], np.float32)
    WordVectors(("日", "月", "山", "夜", "明月"), matrix).save(path)
    return path


@pytest.fixture
def folder(small_dataset: Path, tmp_path: Path) -> SourceFolder:
    return SourceFolder(tmp_path, Dataset.load(small_dataset), 6, 500, lambda line: None)


# ---- sources ----------------------------------------------------------------------------------


def test_lines() -> None:
    assert lines_of("白日沈西嶺，清泉出石門。") == {"白日沈西嶺", "清泉出石門"}
    assert lines_of("去矣，霜來葉自聞。") == {"霜來葉自聞"}  # shorter ones are anyone's
    assert lines_of("關關雎鳩，在河之洲。") == {"關關雎鳩，在河之洲。"}


def test_poems_that_share_a_line_are_left_out() -> None:
    held_out = ["白日沈西嶺，清泉出石門。", "關關雎鳩，在河之洲。"]
    kept = ["白日沈東嶺，清泉出古門。", "關關雎鳩，左右流之。", "日暮。"]
    leaks = ["遠客上高樓，白日沈西嶺。", "清泉出石門！白日沈西嶺？", "關關雎鳩，在河之洲。"]
    assert without_lines_of(held_out, [*leaks, *kept]) == kept


def test_vectors_are_learnt_on_the_training_split(
    folder: SourceFolder, small_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On all of it, of the data; and not a second time."""
    data, read = Dataset.load(small_dataset), []
    train = vector_sources.train_vectors

    def recorded(texts: list[str], dimension: int) -> WordVectors:
        read.append(texts)
        return train(texts, dimension)

    monkeypatch.setattr(vector_sources, "train_vectors", recorded)
    first, second = folder.learn(data), folder.learn(data)
    assert read == [data.texts("train")]
    assert (first.poems, first.left_out, first.name) == (80, None, "word2vec on small")
    np.testing.assert_array_equal(first.vectors.matrix, second.vectors.matrix)
    assert first.vectors.matrix.shape[1] == 6


def test_elsewhere_what_is_validated_on_is_not_read(
    folder: SourceFolder, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def recorded(texts: list[str], dimension: int) -> WordVectors:
        read.extend(texts)
        return WordVectors(("月",), np.ones((1, dimension), np.float32))

    monkeypatch.setattr(vector_sources, "train_vectors", recorded)
    source = folder.learn_elsewhere(elsewhere)
    validated = "".join(folder.sample.texts("validation"))
    assert LINES[0] in validated
    assert LINES[5] in validated
    assert read == ELSEWHERE[:-2]
    assert (source.poems, source.left_out) == (60, 2)


def test_another_script_is_not_for_these_poems(folder: SourceFolder, tmp_path: Path) -> None:
    other = prepare(tmp_path / "simplified", ["红叶满山路。"], script="simplified")
    with pytest.raises(UsageError, match=r"found simplified .* expected traditional .* --script"):
        folder.learn_elsewhere(other)


def test_centred_vectors(folder: SourceFolder, given: Path) -> None:
    """The mean of the three is (2, 2/3); without it two have the length √13 / 3, one 4/3."""
    path = folder.folder / "three.vec"
    WordVectors(("日", "月", "山"), np.array([[1, 0], [3, 0], [2, 2]], np.float32)).save(path)
    source = folder.centre(folder.read(path))
    length = (2 * 13**0.5 + 4) / 3
    expected = np.array([[-3, -2], [3, -2], [0, 4]]) / length
    np.testing.assert_allclose(source.vectors.matrix, expected, rtol=1e-6)
    np.testing.assert_array_equal(read_vectors(source.file).matrix, source.vectors.matrix)
    assert source.name == "three.vec"


def test_shuffled_vectors_are_the_same_at_other_characters(
    folder: SourceFolder, small_dataset: Path
) -> None:
    source = folder.learn(Dataset.load(small_dataset))
    shuffled = folder.shuffle(source)
    before, after = source.vectors.matrix, shuffled.vectors.matrix
    assert shuffled.vectors.words == source.vectors.words
    assert sorted(map(tuple, before.tolist())) == sorted(map(tuple, after.tolist()))
    assert np.mean(np.all(before == after, axis=1)) < 0.1
    np.testing.assert_array_equal(read_vectors(shuffled.file).matrix, after)


def test_of_a_file_the_wanted_are_kept(folder: SourceFolder, given: Path) -> None:
    """Under a name which tells other contents: a trial is known by its recipe."""
    source = folder.centre(folder.read(given))
    assert source.vectors.words == ("日", "月", "山", "夜")
    assert read_vectors(source.file).words == source.vectors.words
    assert folder.centre(folder.read(given)).file == source.file
    changed = folder.folder / given.name
    changed.write_text(given.read_text(encoding="utf-8").replace("日 1", "日 2"), encoding="utf-8")
    assert folder.centre(folder.read(changed)).file != source.file


def test_a_file_of_other_words(folder: SourceFolder, tmp_path: Path) -> None:
    path = tmp_path / "words.vec"
    WordVectors(("明月", "moon"), np.ones((2, 3), np.float32)).save(path)
    with pytest.raises(UsageError, match="found no character of the data there"):
        folder.read(path)


def test_names_are_told_apart(folder: SourceFolder, given: Path, small_dataset: Path) -> None:
    data = Dataset.load(small_dataset)
    with pytest.raises(UsageError, match=r"--also .* named 'given.vec'"):
        folder.collect(data, [given, given])
    with pytest.raises(UsageError, match="named 'word2vec on small'"):
        folder.collect(data, [small_dataset])
    assert [s.name for s in folder.collect(data, [given])] == [
        "word2vec on small", "word2vec on small, uncentred", "word2vec on small, shuffled",
        "given.vec",
    ]  # fmt: skip


def test_what_is_no_source(folder: SourceFolder, small_dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "poems").mkdir()
    with pytest.raises(DataError, match="expected prepared data"):
        folder.collect(Dataset.load(small_dataset), [tmp_path / "poems"])


def test_a_run_begins_with_the_vectors(folder: SourceFolder, given: Path) -> None:
    source, sample = folder.read(given), folder.sample
    recipe = recipe_of(source, "frozen", 0, QUICK)
    assert recipe.training.freeze_embedding
    assert not recipe_of(source, "tuned", 0, QUICK).training.freeze_embedding
    assert recipe.network.embedding == 4
    embedding = starting_weights(recipe, sample)[0]["embedding.weight"]
    moon = embedding[sample.vocabulary.id("月")]
    np.testing.assert_array_equal(moon, np.array([1, 0.1, 0, 0], np.float32))
    drawn = starting_weights(recipe_of(None, "frozen", 0, QUICK), sample)[0]["embedding.weight"]
    assert drawn.shape == (len(sample.vocabulary), QUICK.embedding)


@pytest.mark.parametrize(
    ("script", "asked"), [("traditional", "日紅山夜湖海月"), ("simplified", "日红山夜湖海月")]
)
def test_what_is_asked_is_in_the_script_of_the_poems(script: Any, asked: str) -> None:
    data: Any = SimpleNamespace(options=CorpusRecipe(script=script))
    assert asked_characters(data) == asked


# ---- the map ----------------------------------------------------------------------------------


def test_the_map_keeps_neighbours_together() -> None:
    """Two groups, each around a direction of its own; lengths count for nothing."""
    rng = np.random.default_rng(0)
    directions = np.repeat([[5.0, 0, 0, 0, 0], [0, 5, 0, 0, 0]], 15, axis=0)
    vectors = (directions + rng.normal(size=(30, 5)) / 2) * rng.uniform(1, 9, size=(30, 1))
    points = place(vectors)
    assert points.shape == (30, 2)
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    assert np.array_equal(apart.argmin(axis=1) < 15, np.arange(30) < 15)
    np.testing.assert_array_equal(points, place(vectors))


@pytest.mark.parametrize("font", [None, "DejaVu Sans"])
def test_the_svg_has_text_and_the_png_what_it_can(
    font: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a machine has a font or not; and without a warning."""
    monkeypatch.setattr(character_map, "chinese_font", lambda: font)
    figure = CharacterMap(panels=2)
    figure.draw_map("one", "日月", [0, 1], [0, 1])
    figure.draw_map("two", "山", [0], [0])
    shown = {}
    for kind in ("svg", "png"):
        figure.savefig(tmp_path / f"map.{kind}", format=kind, dpi=40)
        artists = (figure._characters, figure._dots)
        shown[kind] = [{artist.get_visible() for artist in some} for some in artists]
    svg = (tmp_path / "map.svg").read_text(encoding="utf-8")
    assert re.findall(r"<text[^>]*>([日月山])</text>", svg) == ["日", "月", "山"]
    assert shown["svg"] == [{True}, {False}]
    assert shown["png"] == ([{True}, {False}] if font else [{False}, {True}])


# ---- the whole study in miniature --------------------------------------------------------------


@pytest.fixture(scope="module")
def report(
    small_dataset: Path, elsewhere: Path, given: Path, tmp_path_factory: pytest.TempPathFactory
) -> Report:
    data = Dataset.load(small_dataset)
    report = Report(tmp_path_factory.mktemp("reports") / "e", "embeddings", data, quick=True)
    study.run(data, True, report, Trials(report), also=(elsewhere, given))
    return report


NAMES = [
    "random",
    "word2vec on small",
    "word2vec on small, uncentred",
    "word2vec on small, shuffled",
    "word2vec on elsewhere",
    "given.vec",
]


def test_files(report: Report) -> None:
    expected = {"README.md", "metrics.jsonl"}
    expected |= {f"{name}.{kind}" for name in ("curves", "map") for kind in ("svg", "png")}
    assert {p.name for p in report.folder.iterdir()} == expected


def test_every_arm_is_trained_alike(report: Report) -> None:
    for name in NAMES:
        for state in STATES:
            for seed in range(QUICK.seeds):
                found = report.select("validation", source=name, state=state, seed=seed)
                assert [r["epoch"] for r in found] == list(range(1, QUICK.epochs + 1))
                assert [r["step"] for r in found] == [5, 10]


def test_freezing_and_vectors_make_a_difference(report: Report) -> None:
    ends = {
        (name, state): report.select("validation", source=name, state=state, seed=0)[-1]["nats"]
        for name in NAMES
        for state in STATES
    }
    assert len(set(ends.values())) == len(ends)
    for name in NAMES:
        assert ends[name, "tuned"] < ends[name, "frozen"]  # it has more to learn with


def test_the_table_of_sources_is_that_of_the_metrics(report: Report, small_dataset: Path) -> None:
    sources, _ = tables(report.folder / "README.md")
    assert [row["embedding begins as"] for row in sources] == NAMES
    for row in sources:
        for state in STATES:
            best = [
                min(
                    r["perplexity"]
                    for r in report.select(
                        "validation", source=row["embedding begins as"], state=state, seed=seed
                    )
                )
                for seed in range(QUICK.seeds)
            ]
            shown = f"{np.mean(best):.1f} ({min(best):.1f}–{max(best):.1f})"
            assert row[f"perplexity, {state}"] == shown
    random, learnt, uncentred, shuffled, elsewhere, given = sources
    assert random["poems read"] == random["characters covered"] == "–"
    assert (learnt["poems read"], learnt["characters covered"]) == ("80", "100.0%")
    assert shuffled["mean length"] == learnt["mean length"] == "1.00"
    assert uncentred["mean length"] != "1.00"
    assert (elsewhere["poems read"], elsewhere["left out"]) == ("60", "2")
    characters = Dataset.load(small_dataset).vocabulary.characters
    assert (given["dimension"], random["dimension"]) == ("4", str(QUICK.embedding))
    assert given["characters covered"] == f"{4 / len(characters):.1%}"


def test_the_neighbours(report: Report) -> None:
    _, neighbours = tables(report.folder / "README.md")
    assert [row[""] for row in neighbours] == list("日紅山夜湖海月")
    assert list(neighbours[0])[1:] == [NAMES[1], *NAMES[4:], LEARNT]
    by_character = {row[""]: row for row in neighbours}
    assert by_character["日"]["given.vec"] == "月 夜 山"
    assert by_character["紅"]["given.vec"] == "–"
    [record] = report.select("nearest", source="given.vec", character="日")
    sun, *others = GIVEN - GIVEN.mean(axis=0)
    cosines = [sun @ v / np.linalg.norm(sun) / np.linalg.norm(v) for v in others]
    assert record["cosines"] == pytest.approx(sorted(cosines, reverse=True), abs=6e-4)
    for record in report.select("nearest", source=LEARNT):
        found = record["neighbours"]
        assert record["character"] not in found
        assert not set("，。") & set(found)
        assert record["cosines"] == sorted(record["cosines"], reverse=True)


def test_the_map_has_the_most_frequent_characters(report: Report, small_dataset: Path) -> None:
    characters = Dataset.load(small_dataset).vocabulary.characters
    assert characters[0] in SPECIALS or characters[0] in "，。"
    for record in report.select("map"):
        assert record["characters"] == "".join(characters[2 : 2 + QUICK.mapped])
        assert len(record["x"]) == len(record["y"]) == QUICK.mapped
    assert [r["source"] for r in report.select("map")] == ["word2vec on small", LEARNT]
    svg = (report.folder / "map.svg").read_text(encoding="utf-8")
    assert len(re.findall(r"<text[^>]*>[\u4e00-\u9fff]</text>", svg)) == 2 * QUICK.mapped


def test_what_diverged_is_said_to_have(report: Report, small_dataset: Path, tmp_path: Path) -> None:
    again = Report(tmp_path / "e", report.name, Dataset.load(small_dataset), quick=True)
    lost = {"source": "given.vec", "state": "tuned", "seed": 1}
    again.records = [
        r for r in report.records if not (r["kind"] == "validation" and lost.items() <= r.items())
    ]
    again.add("diverged", **lost)
    study.write(again)
    sources, _ = tables(again.folder / "README.md")
    diverged = [row for row in sources if "diverged" in row.values()]
    assert [row["embedding begins as"] for row in diverged] == ["given.vec"]
    assert diverged[0]["perplexity, tuned"] == "diverged"
    assert diverged[0]["perplexity, frozen"] != "diverged"
