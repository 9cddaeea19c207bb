"""A language model of texts whose order is a rule; classifiers that begin with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from labelled_texts import SMALL, told_by_a_word
from safetensors.numpy import load_file

from yinshi.classify.classifier import TextClassifier, pretrain, recipe_of
from yinshi.classify.classifier_file import ClassifierFile
from yinshi.errors import DataError, RecipeError, TrainingError, UsageError
from yinshi.training.loop import Stopped
from yinshi.training.metrics import read_metrics

pytest.importorskip("torch")

from yinshi.classify.pretraining import PretrainingRun

ORDER = "天地玄黄宇宙洪荒日月盈昃辰宿列张"
#: Each character is followed by the next one of the rule: 4 of the 16, from anywhere on.
RULED = [(ORDER * 2)[start : start + 4] for start in range(16)] * 8
TRAIN, DEV = told_by_a_word(64, 1), told_by_a_word(16, 2)


def pretrained(folder: Path, texts: list[str] = RULED, **settings: Any) -> Path:
    pretrain(texts, folder, **SMALL | {"epochs": 30} | settings)
    return folder


def test_learns_the_rule_of_the_texts(tmp_path: Path) -> None:
    """What precedes and follows is certain but at the ends: the first of a text is not asked for,
    and that it is over after four can't be known of it alone."""
    records = read_metrics(pretrained(tmp_path / "run"))
    found = [r["perplexity"] for r in records if r["kind"] == "validation"]
    assert found[0] > 8
    assert min(found) < 2
    [best] = [r["epoch"] for r in records if r.get("perplexity") == min(found)]
    assert ClassifierFile.load(tmp_path / "run").facts["epochs"] == best


def test_shuffled_texts_have_no_rule(tmp_path: Path) -> None:
    """The control: the same characters in any order."""
    rng = np.random.default_rng(0)
    texts = ["".join(rng.permutation(list(text))) for text in RULED]
    texts = ["".join(rng.permutation(list(ORDER))[:4]) for _ in texts]
    records = read_metrics(pretrained(tmp_path / "run", texts))
    assert min(r["perplexity"] for r in records if r["kind"] == "validation") > 6


def test_a_classifier_begins_with_it(tmp_path: Path) -> None:
    language = pretrained(tmp_path / "language", epochs=1)
    settings = SMALL | {"pretrained": str(language), "epochs": 1, "learning_rate": 1e-12}
    classifier = TextClassifier(**settings).fit(TRAIN, DEV, tmp_path / "run")
    began, now = (
        load_file(language / "best.safetensors"),
        load_file(tmp_path / "run/best.safetensors"),
    )
    assert sorted(began) == sorted(n for n in now if n.split(".")[0] not in ("output",))
    for name, weight in began.items():
        np.testing.assert_allclose(now[name], weight, rtol=0, atol=1e-9)
    assert set(ORDER) <= set(classifier.encoder.words)  # some are rare in TRAIN
    assert classifier.encoder.words == ClassifierFile.load(language).encoder.words


def test_what_it_must_have_in_common_is_inherited(tmp_path: Path) -> None:
    language = pretrained(tmp_path / "language", epochs=1, max_length=7, model="lstm")
    recipe = recipe_of(pretrained=str(language))
    assert (recipe.text.max_length, recipe.classifier.model) == (7, "lstm")
    assert (recipe.classifier.embedding, recipe.classifier.hidden) == (8, 8)
    assert recipe.classifier.dropout == recipe_of().classifier.dropout


@pytest.mark.parametrize(
    ("setting", "value", "found"),
    [
        ("hidden", 9, 8),
        ("model", "rnn", "bilstm"),
        ("max_length", 9, 200),
        ("tokenizer", "jieba", "char"),
    ],
)
def test_another_setting_is_refused(
    setting: str, value: object, found: object, tmp_path: Path
) -> None:
    language = pretrained(tmp_path / "language", epochs=1)
    classifier = TextClassifier(**SMALL | {"pretrained": str(language), setting: value})
    told = f"pretrained with {setting} {found}, expected {value}"
    with pytest.raises(TrainingError, match=told):
        classifier.fit(TRAIN, DEV, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_attention_may_be_added(tmp_path: Path) -> None:
    language = pretrained(tmp_path / "language", epochs=1)
    settings = SMALL | {"pretrained": str(language), "model": "bilstm-attention", "epochs": 1}
    assert TextClassifier(**settings).fit(TRAIN, DEV).classes == ("正", "负")


def test_an_interrupted_one_goes_on_to_the_same_end(tmp_path: Path) -> None:
    def run(folder: str) -> PretrainingRun:
        recipe = recipe_of(**SMALL | {"dropout": 0.2, "epochs": 2})
        return PretrainingRun.start_or_resume(recipe, RULED, tmp_path / folder)

    run("whole").fit()
    steps = iter(range(20))
    with pytest.raises(Stopped):
        run("stopped").fit(should_stop=lambda: next(steps) == 19)
    run("stopped").fit()
    whole, stopped = (load_file(tmp_path / f / "best.safetensors") for f in ("whole", "stopped"))
    for name, weight in whole.items():
        np.testing.assert_array_equal(stopped[name], weight)


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=re.escape("found 1 text(s) to pretrain with")):
        pretrain(["天地"], tmp_path / "run")
    with pytest.raises(DataError, match="no word stands there 2 times"):
        pretrain(["天地", "玄黄"], tmp_path / "run")
    assert not (tmp_path / "run").exists()
    language = pretrained(tmp_path / "language", epochs=1)
    with pytest.raises(TrainingError, match="something other than this very training"):
        pretrained(tmp_path / "language", RULED[:-1], epochs=1)
    with pytest.raises(UsageError, match="knows no classes yet"):
        TextClassifier.load(language)
    with pytest.raises(RecipeError, match="the embedding begins as pretrained; leave one out"):
        TextClassifier(pretrained=str(language), vectors="word2vec")
    classifier = TextClassifier(**SMALL | {"epochs": 1}).fit(TRAIN, DEV)
    classifier.save(tmp_path / "classifier.safetensors")
    begins = TextClassifier(pretrained=str(tmp_path / "classifier.safetensors"))
    with pytest.raises(TrainingError, match="found a classifier there"):
        begins.fit(TRAIN, DEV)
