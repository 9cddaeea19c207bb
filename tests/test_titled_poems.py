"""The layout `titled` from the recipe to the figure: what reads it, and what refuses it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from small_poems import small_poems
from tiny_models import tiny_model

from yinshi.apps.cli.main import main
from yinshi.corpus.dataset import Dataset
from yinshi.corpus.poem import Poem, form_of, laid_out, lines_of
from yinshi.corpus.prepare import prepare
from yinshi.errors import RecipeError, UsageError
from yinshi.evaluation.evaluate import evaluate
from yinshi.evaluation.nearest import nearest_lines
from yinshi.evaluation.poems import Critic
from yinshi.model_file import ModelFile
from yinshi.recipe import CorpusRecipe, Recipe, load_recipe
from yinshi.studies.trials import draw_sample
from yinshi.writing.poet import Poet

pytest.importorskip("pyarrow")

TITLED = CorpusRecipe(form="regulated", layout="titled", ratio=(8, 1, 1))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """100 quatrains titled 卷 and a number, every tenth without a title."""
    folder = tmp_path_factory.mktemp("titled")
    lines = [
        f"{'卷' + str(n) if n % 10 else ''}::無名::{poem.text}"
        for n, poem in enumerate(small_poems(100))
    ]
    (folder / "poems.txt").write_text("\n".join(lines), encoding="utf-8")
    prepare([folder / "poems.txt"], TITLED, folder / "data")
    return Dataset.load(folder / "data")


def test_title_and_a_sentence_a_line() -> None:
    text = "白日依山盡，黃河入海流。欲窮千里目？更上一層樓"
    lines = "白日依山盡，黃河入海流。\n欲窮千里目？\n更上一層樓"
    assert laid_out(Poem("登樓", "", text, ""), "titled") == f"登樓\n{lines}"
    assert laid_out(Poem("", "", text, ""), "titled") == f"\n{lines}"
    assert laid_out(Poem("登樓", "", text, ""), "text") == text


def test_a_network_reads_titles_and_nothing_else_does(data: Dataset) -> None:
    train = data.split("train")
    assert data.texts("train") == [laid_out(poem, "titled") for poem in train]
    assert data.verses("train") == [poem.text for poem in train]
    assert all(text.count("\n") == 2 for text in data.texts("train"))
    assert "\n" in data.vocabulary
    assert "卷" in data.vocabulary
    assert {poem.form for poem in train} == {"五绝"}
    lines = {line for text in data.verses("train") for line in lines_of(text)}
    assert {len(line) for line in lines} == {5}
    assert all(form_of(text) == "五绝" for text in data.verses("train"))
    near = nearest_lines(["卷三四"], data)
    assert all(len(line.text) == 5 for line in near[0])


def test_the_manifest_counts_what_is_read(data: Dataset) -> None:
    texts = data.texts("train")
    assert data.manifest["characters"]["train"] == sum(map(len, texts))
    untitled = sum(not p.title for name in data.splits for p in data.split(name))
    assert data.manifest["untitled"] == untitled > 5
    unknown = sum(c not in data.vocabulary for text in data.texts("test") for c in text)
    total = sum(map(len, data.texts("test")))
    assert data.manifest["unknown_rate"]["test"] == unknown / total


def test_the_layout_changes_neither_the_poems_nor_the_splits(data: Dataset, tmp_path: Path) -> None:
    source = data.folder.parent / "poems.txt"
    prepare([source], replace(TITLED, layout="text"), tmp_path / "plain")
    plain = Dataset.load(tmp_path / "plain")
    assert plain.split("train") == data.split("train")
    assert plain.texts("train") == data.verses("train")
    assert plain.hash != data.hash


def test_a_study_samples_verse(data: Dataset, tmp_path: Path) -> None:
    sample = draw_sample(data, tmp_path / "sample", train=20, validation=5)
    assert "\n" not in sample.vocabulary
    assert sample.texts("train") == sample.verses("train")


def test_train_measure_and_no_poem(
    data: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    small = ["network.embedding=8", "network.hidden=8", "training.epochs=1", "training.device=cpu"]
    settings = [part for setting in small for part in ("--set", setting)]

    def yinshi(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main([*map(str, arguments)])
        out, err = capsys.readouterr()
        return int(stopped.value.code or 0), out, err

    arguments = ["four-forms", "--data", data.folder, "--out", run, "--engine", "numpy", *settings]
    code, out, err = yinshi("train", *arguments)
    assert code == 0, err
    assert "test perplexity" in out.splitlines()[-2]

    code, out, _ = yinshi("evaluate", run, "--data", data.folder, "--json")
    assert code == 0
    texts = data.texts("test")
    assert json.loads(out)["tokens"] == sum(len(text) + 1 for text in texts)

    for refused in (
        ["write", "--model", run],
        ["evaluate", run, "--data", data.folder, "--poems", 2],
    ):
        code, out, err = yinshi(*refused)
        assert (code, len(err.splitlines())) == (2, 1)
        assert "found a model of poems with their titles" in err

    with pytest.raises(UsageError, match="poems with their titles"):
        Poet.load(run)
    with pytest.raises(UsageError, match="poems with their titles"):
        Critic(ModelFile.load(run / "best.safetensors"), data)


def test_a_model_of_verse_is_judged_beside_titled_poems(data: Dataset) -> None:
    model = tiny_model("".join(data.vocabulary.characters).replace("\n", ""))
    found = Critic(model, data).compare(data.verses("train")[:8])["五绝"]
    assert found.share_of_real == 1
    assert found.asked.copied == 1


def test_every_token_of_the_titled_text_counts(data: Dataset) -> None:
    """Untrained and of zeros: each token costs ln V, so that the figure is V."""
    recipe = Recipe.from_dict({"network": {"embedding": 4, "hidden": 4}})
    model = tiny_model("".join(data.vocabulary.characters))
    weights = {name: 0 * weight for name, weight in model.weights.items()}
    zeros = replace(model, weights=weights, recipe=replace(model.recipe, corpus=data.options))
    found = evaluate(zeros, data, baseline=False)
    assert recipe.corpus.layout == "text"
    assert found.perplexity == pytest.approx(len(data.vocabulary))
    assert found.tokens == sum(len(text) + 1 for text in data.texts("test"))


@pytest.mark.parametrize(
    ("form", "forms"),
    [
        ("any", ()),
        ("五绝", ("五绝",)),
        ("七律+五绝", ("七律", "五绝")),
        ("regulated", ("五绝", "七绝", "五律", "七律")),
        ("五绝+七绝+五律+七律", ("五绝", "七绝", "五律", "七律")),
    ],
)
def test_forms(form: str, forms: tuple[str, ...]) -> None:
    assert Recipe.from_dict({"corpus": {"form": form}}).corpus.forms == forms


@pytest.mark.parametrize("form", ["", "絕句", "五绝+", "五绝+any", "五绝+五绝", "五绝,七绝"])
def test_what_is_no_form(form: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.from_dict({"corpus": {"form": form}})
    assert caught.value.faults == [
        f"corpus.form {form!r}: expected any, regulated, or one or more of 五绝, 七绝, 五律, 七律 "
        "joined by +"
    ]


def test_several_forms_are_kept(tmp_path: Path) -> None:
    """Quatrains of five and eight lines of seven stay, couplets go."""
    five = [poem.text for poem in small_poems(20)]
    seven = [line.translate({ord("，"): "一二，", ord("。"): "三四。"}) * 2 for line in five]
    couplets = [text[:12] for text in five]
    source = tmp_path / "poems.txt"
    source.write_text("\n".join(five + seven + couplets), encoding="utf-8")
    recipe = replace(TITLED, form="五绝+七律", layout="text", ratio=(1, 1))
    manifest = prepare([source], recipe, tmp_path / "data")
    assert manifest["counts"]["form"] == 40
    splits = Dataset.load(tmp_path / "data")
    found = {poem.form for name in splits.splits for poem in splits.split(name)}
    assert found == {"五绝", "七律"}


def test_the_shipped_recipe_is_what_was_published() -> None:
    corpus = load_recipe("four-forms").corpus
    assert (corpus.collection, corpus.script, corpus.layout) == ("tang", "traditional", "titled")
    assert corpus.forms == ("五绝", "七绝", "五律", "七律")
    assert (corpus.max_vocabulary, corpus.min_frequency) == (None, 1)


def test_conditions_want_the_title_apart(data: Dataset, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from yinshi.training.run import Run

    recipe = Recipe.from_dict({"network": {"conditions": "title"}})
    with pytest.raises(UsageError, match="prepared with titles in the text"):
        Run.start(recipe, data.folder, tmp_path / "run")
    assert not (tmp_path / "run").exists()
