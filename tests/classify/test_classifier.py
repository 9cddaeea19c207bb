from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from labelled_texts import SMALL, told_by_a_word

from yinshi.classify.classifier import TextClassifier, recipe_of
from yinshi.classify.tables import Table
from yinshi.errors import (
    DataError,
    MissingExtraError,
    ModelFileError,
    RecipeError,
    UsageError,
)

TRAIN, TEST = told_by_a_word(160, 1), told_by_a_word(40, 3)


@pytest.fixture(scope="module")
def classifier() -> TextClassifier:
    pytest.importorskip("torch")
    return TextClassifier(**SMALL, ngrams=2, buckets=100).fit(TRAIN)


# ---- settings ----------------------------------------------------------------------------------


def test_settings_find_their_sections() -> None:
    recipe = recipe_of(tokenizer="jieba", hidden=7, pool="mean", epochs=3, seed=5)
    assert (recipe.text.tokenizer, recipe.classifier.hidden) == ("jieba", 7)
    assert (recipe.classifier.pool, recipe.training.epochs) == ("mean", 3)
    assert recipe.training.seed == 5


def test_what_is_not_set() -> None:
    """Not as a poem network's training: with early stopping, and gradients cut."""
    training = recipe_of().training
    assert (training.epochs, training.patience, training.clip_norm) == (20, 3, 1.0)
    assert recipe_of(patience=None).training.patience is None


def test_all_faults_of_the_settings_at_once() -> None:
    with pytest.raises(RecipeError) as caught:
        TextClassifier(hidden=0, epoch=3, model="gru")
    assert len(caught.value.faults) == 3
    assert "classifier.hidden: found 0, expected at least 1" in str(caught.value)
    assert "unknown key epoch (nearest valid name: training.epochs)" in str(caught.value)


# ---- fitting -----------------------------------------------------------------------------------


def test_it_learns_and_is_measured(classifier: TextClassifier) -> None:
    scores = classifier.evaluate(TEST)
    assert (scores.accuracy, scores.macro_f1, scores.majority) == (1, 1, 0.5)
    assert classifier.classes == ("正", "负")


def test_probabilities_are_in_the_order_of_the_classes(classifier: TextClassifier) -> None:
    """And in that of the texts, whatever their lengths; more than one batch of them."""
    texts = ["天地喜玄黄", "怒", "宇宙洪荒怒日月盈昃", "喜喜喜"] * 40
    found = classifier.predict_proba(texts)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    assert found.argmax(axis=1).tolist() == [0, 1, 1, 0] * 40
    assert classifier.predict(texts) == ["正", "负", "负", "正"] * 40
    alone = np.concatenate([classifier.predict_proba([text]) for text in texts[:4]])
    np.testing.assert_allclose(found[:4], alone, atol=1e-6)


def test_no_texts(classifier: TextClassifier) -> None:
    assert classifier.predict([]) == []
    assert classifier.predict_proba([]).shape == (0, 2)


def test_saved_and_loaded_it_answers_the_same(classifier: TextClassifier, tmp_path: Path) -> None:
    classifier.save(tmp_path / "c.safetensors")
    loaded = TextClassifier.load(tmp_path / "c.safetensors")
    assert loaded.recipe == classifier.recipe
    expected = classifier.predict_proba(TEST.texts)
    np.testing.assert_array_equal(loaded.predict_proba(TEST.texts), expected)


def test_a_folder_keeps_the_run(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    fitted = TextClassifier(**SMALL | {"epochs": 1}).fit(TRAIN, TEST, tmp_path / "run")
    loaded = TextClassifier.load(str(tmp_path / "run"))
    np.testing.assert_array_equal(
        loaded.predict_proba(TEST.texts), fitted.predict_proba(TEST.texts)
    )


@pytest.mark.parametrize(
    ("train", "dev", "told"),
    [
        (Table(("一", "二"), ("正", "正")), None, "found only the label '正'; expected two"),
        (Table(("一", "二"), ()), None, "found no labels; expected two"),
        (
            TRAIN,
            Table(("一",), ("中",)),
            r"1 label\(s\) unknown in the training data, such as '中'",
        ),
        (Table(("一", "二") * 9, ("正", "负") * 9), Table(("一",), ("正",)), None),
        (Table(("一", "二"), ("正", "负")), TEST, "no word stands there 2 times"),
    ],
)
def test_tables_that_can_not_be_learnt_from(
    train: Table, dev: Table | None, told: str | None, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    classifier, folder = TextClassifier(**SMALL | {"epochs": 1}), tmp_path / "run"
    if told is None:  # the control: so little is enough
        classifier.fit(train, dev, folder)
        assert folder.exists()
        return
    with pytest.raises(DataError, match=told):
        classifier.fit(train, dev, folder)
    assert not folder.exists()


def test_a_class_of_one_text_stays_in_train() -> None:
    """Where a tenth is held back; what is held back has to be known."""
    pytest.importorskip("torch")
    rare = Table((*TRAIN.texts, "稀"), (*TRAIN.labels, "罕"))
    fitted = TextClassifier(**SMALL | {"epochs": 1}).fit(rare)
    assert fitted.classes == ("正", "罕", "负")


def test_a_label_unknown_to_it(classifier: TextClassifier) -> None:
    with pytest.raises(DataError, match="such as '中'"):
        classifier.evaluate(Table(("一",), ("中",)))


def test_it_knows_nothing_before() -> None:
    for ask in (lambda c: c.predict(["喜"]), lambda c: c.classes, lambda c: c.save("x")):
        with pytest.raises(UsageError, match="knows nothing yet; fit it, or load a trained one"):
            ask(TextClassifier())


def test_what_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.safetensors"):
        with pytest.raises(ModelFileError, match="no such file"):
            TextClassifier.load(path)


def test_without_pytorch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delitem(sys.modules, "yinshi.classify.training", raising=False)
    monkeypatch.delitem(sys.modules, "yinshi.nets.learner", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"training a classifier needs .*yinshi\[train\]"):
        TextClassifier(**SMALL).fit(TRAIN, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_trained_one_runs_without_pytorch(classifier: TextClassifier, tmp_path: Path) -> None:
    classifier.save(tmp_path / "c.safetensors")
    code = (
        "import sys; from yinshi.classify.classifier import TextClassifier;"
        "found = TextClassifier.load(sys.argv[1]).predict(['天喜', '怒']);"
        "heavy = {'torch', 'sklearn', 'scipy', 'gensim', 'pyarrow', 'matplotlib'};"
        "print(found == ['正', '负'], sorted(heavy & set(sys.modules)))"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "c.safetensors")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stdout == "True []\n"


# ---- any string --------------------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.text(st.characters(codec=None, exclude_categories=())), max_size=5))
@example(["", "\0", "\ud800\udfff", "\udcff", "喜" * 100_000, "\u202e" * 999, "ﷺ" * 999])
def test_any_strings_are_classified(classifier: TextClassifier, texts: list[str]) -> None:
    found = classifier.predict_proba(texts)
    assert found.shape == (len(texts), 2)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    assert set(classifier.predict(texts)) <= set(classifier.classes)
