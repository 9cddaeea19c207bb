from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from yinshi.corpus.dataset import Dataset, write_dataset
from yinshi.corpus.poem import Poem
from yinshi.corpus.vocabulary import EOS, SOS, UNK, Vocabulary
from yinshi.engine.language_model import LanguageModel
from yinshi.errors import DataError, ModelFileError
from yinshi.evaluation import evaluate as module
from yinshi.evaluation.evaluate import evaluate
from yinshi.evaluation.ngram import NGram
from yinshi.model_file import ModelFile
from yinshi.recipe import CorpusRecipe, Recipe

TRAIN = ["白日依山盡，黃河入海流。", "明月出天山，蒼茫雲海間。", "山中一夜雨，樹杪百重泉。"]
TEST = ["明月海", "山，日。", "月落烏啼霜滿天，江楓漁火對愁眠。", "夜"]
RECIPE = Recipe.from_dict({"network": {"embedding": 5, "hidden": 7, "layers": 2}})


def poems(texts: list[str]) -> list[Poem]:
    return [Poem("無題", "佚名", text, "test") for text in texts]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    splits = {"train": poems(TRAIN), "validation": [], "test": poems(TEST)}
    write_dataset(tmp_path / "data", splits, Vocabulary.count(TRAIN), CorpusRecipe())
    return Dataset.load(tmp_path / "data")


def model_of(
    dataset: Dataset, scale: float = 0.8, vocabulary: Vocabulary | None = None
) -> ModelFile:
    vocabulary = vocabulary or dataset.vocabulary
    rng = np.random.default_rng(0)
    shapes = RECIPE.network.weight_shapes(len(vocabulary))
    weights = {name: scale * rng.standard_normal(shape) for name, shape in shapes.items()}
    return ModelFile(weights, RECIPE, vocabulary, {"data_hash": dataset.hash})


def nats_one_by_one(model: ModelFile) -> list[float]:
    """Each test poem alone, a step at a time, in float64: no batch, no padding, no mask."""
    network = LanguageModel(model.weights, dtype=np.float64)
    paid = []
    for text in TEST:
        ids = model.vocabulary.encode(text).tolist()
        state = network.initial_state(1)
        for token, target in zip([SOS, *ids], [*ids, EOS], strict=True):
            logits, state = network.step(np.array([token]), state)
            p = np.exp(logits[0]) / np.exp(logits[0]).sum()
            paid.append(float(-np.log(p[target])))
    return paid


@pytest.mark.parametrize("batch_size", [1, 3, 128])
def test_the_figure_is_total_nats_by_total_tokens(
    dataset: Dataset, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH_SIZE", batch_size)
    model = model_of(dataset)
    nats = nats_one_by_one(model)
    found = evaluate(model, dataset)
    assert found.perplexity == pytest.approx(np.exp(sum(nats) / len(nats)), rel=1e-5)
    assert found.conventions["per_token"] == found.perplexity
    assert found.tokens == len(nats) == sum(len(text) + 1 for text in TEST)
    assert found.poems == 4
    assert found.vocabulary_size == len(dataset.vocabulary)


def test_a_model_of_zeros_is_as_perplexed_as_its_vocabulary_is_large(dataset: Dataset) -> None:
    found = evaluate(model_of(dataset, scale=0), dataset, pad_to=1)
    V = len(dataset.vocabulary)
    for name in ("per_token", "per_character", "padded_to_1", "mean_of_poems"):
        assert found.conventions[name] == pytest.approx(V)
    assert found.conventions["base2_of_nats"] == pytest.approx(V ** np.log(2))


def test_unknown_rate_is_of_characters_without_eos(dataset: Dataset) -> None:
    """Of 3 + 4 + 16 + 1 characters, 落烏啼霜滿江楓漁火對愁眠 were never in the training split."""
    assert evaluate(model_of(dataset), dataset).unknown_rate == pytest.approx(12 / 24)


def test_baseline_is_fitted_on_the_training_split(dataset: Dataset) -> None:
    encode = dataset.vocabulary.encode
    ngram = NGram.fit([encode(text) for text in TRAIN], len(dataset.vocabulary))
    nats = np.concatenate([ngram.nats(encode(text)) for text in TEST])
    found = evaluate(model_of(dataset), dataset)
    assert found.baseline == pytest.approx(np.exp(nats.mean()))
    assert evaluate(model_of(dataset), dataset, baseline=False).baseline is None


def test_a_model_of_this_data_needs_no_warning(dataset: Dataset) -> None:
    assert evaluate(model_of(dataset), dataset).warnings == ()


def test_a_model_of_other_data_is_told(dataset: Dataset) -> None:
    model = model_of(dataset, vocabulary=Vocabulary("山月，"))
    stranger = ModelFile(model.weights, RECIPE, model.vocabulary, {"data_hash": "other"})
    found = evaluate(stranger, dataset)
    assert len(found.warnings) == 2
    assert "trained on other data" in found.warnings[0]
    assert f"V = 7) is not the data's (V = {len(dataset.vocabulary)})" in found.warnings[1]
    assert found.vocabulary_size == 7
    encoded = [model.vocabulary.encode(text) for text in TEST]
    unknown = sum(int((ids == UNK).sum()) for ids in encoded)
    assert found.unknown_rate == pytest.approx(unknown / sum(map(len, encoded)))


def test_the_training_split_is_told(dataset: Dataset) -> None:
    assert "by heart" in evaluate(model_of(dataset), dataset, split="train").warnings[0]


def test_progress_counts_to_the_last_poem(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH_SIZE", 3)
    calls: list[tuple[int, int]] = []
    evaluate(model_of(dataset), dataset, progress=lambda done, all_: calls.append((done, all_)))
    assert calls == [(3, 4), (4, 4)]


def test_absent_and_empty_splits(dataset: Dataset) -> None:
    with pytest.raises(DataError, match="no split 'dev', expected one of train, validation, test"):
        evaluate(model_of(dataset), dataset, split="dev")
    with pytest.raises(DataError, match="split 'validation' holds no poems"):
        evaluate(model_of(dataset), dataset, split="validation")


NAMES = ("length:3", "lines:1", "lines:2", "author:王维:唐", "title")


def told_model(dataset: Dataset, scale: float = 0.8) -> ModelFile:
    rng, vocabulary = np.random.default_rng(0), dataset.vocabulary
    shapes = RECIPE.network.weight_shapes(len(vocabulary) + len(NAMES))
    weights = {name: scale * rng.standard_normal(shape) for name, shape in shapes.items()}
    return ModelFile(weights, RECIPE, vocabulary, {"data_hash": dataset.hash}, header_names=NAMES)


def test_what_is_given_is_read_and_not_counted(tmp_path: Path) -> None:
    """Each poem alone, a step at a time, after a header by hand."""
    told = [
        Poem("山中", "王維", "明月海", "poet.tang.1.json"),
        Poem("題", "杜甫", "山，日。", "poet.tang.1.json"),
    ]
    splits = {"train": poems(TRAIN), "validation": told, "test": told}
    write_dataset(tmp_path / "told", splits, Vocabulary.count(TRAIN), CorpusRecipe())
    data = Dataset.load(tmp_path / "told")
    model, V = told_model(data), len(data.vocabulary)
    title = [V + 4, *data.vocabulary.encode("山中").tolist()]
    headers: dict[tuple[str, ...], list[list[int]]] = {
        (): [[], []],
        ("form",): [[V + 1, V], [V + 2]],
        ("author",): [[V + 3], []],
        ("title",): [title, []],
        ("title", "form"): [[V + 1, V, *title], [V + 2]],
    }
    network, figures = LanguageModel(model.weights, dtype=np.float64), set()
    for given, each in headers.items():
        nats = []
        for poem, header in zip(told, each, strict=True):
            ids = data.vocabulary.encode(poem.text).tolist()
            state = network.initial_state(1)
            for token in header:
                _, state = network.step(np.array([token]), state)
            for token, target in zip([SOS, *ids], [*ids, EOS], strict=True):
                logits, state = network.step(np.array([token]), state)
                p = np.exp(logits[0]) / np.exp(logits[0]).sum()
                nats.append(float(-np.log(p[target])))
        found = evaluate(model, data, baseline=False, given=given)
        assert found.perplexity == pytest.approx(np.exp(np.mean(nats)), rel=1e-5)
        padded = np.exp(sum(nats) / 160)
        assert found.conventions["padded_to_80"] == pytest.approx(padded, rel=1e-5)
        assert (found.tokens, found.vocabulary_size, found.warnings) == (len(nats), V, ())
        figures.add(round(found.perplexity, 6))
    assert len(figures) == len(headers)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_diverged_model_is_refused(dataset: Dataset, value: float) -> None:
    model = model_of(dataset)
    weights = {**model.weights, "output.bias": np.full(len(dataset.vocabulary), value)}
    with pytest.raises(ModelFileError, match="not numbers: its training diverged"):
        evaluate(ModelFile(weights, RECIPE, model.vocabulary), dataset)
