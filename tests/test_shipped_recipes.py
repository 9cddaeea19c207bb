"""Every shipped recipe, in miniature: its poems prepared as it says, its network trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from small_poems import small_poems

from yinshi.corpus.dataset import Dataset
from yinshi.corpus.prepare import prepare
from yinshi.model_file import ModelFile
from yinshi.recipe import load_recipe, recipe_names
from yinshi.training.metrics import read_metrics
from yinshi.training.run import Run


@pytest.fixture(scope="module")
def poems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("poems") / "tang.txt"
    lines = [f"其{n}::無名::{poem.text}" for n, poem in enumerate(small_poems(150))]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", recipe_names())
def test_a_shipped_recipe_trains(name: str, poems: Path, tmp_path: Path) -> None:
    whole = load_recipe(name)
    told = whole.network.conditions and "form"  # of which alone these poems tell enough
    recipe = replace(
        whole,
        network=replace(whole.network, embedding=8, hidden=10, conditions=told),
        training=replace(whole.training, epochs=2, batch_size=16, device="cpu"),
    )
    prepare([poems], recipe.corpus, tmp_path / "data")
    data = Dataset.load(tmp_path / "data")
    assert data.options == whole.corpus
    run = Run.start(recipe, data.folder, tmp_path / "run")
    run.train()
    validation = [r for r in read_metrics(run.folder) if r["kind"] == "validation"]
    assert validation[-1]["perplexity"] < validation[0]["perplexity"] < 1.1 * len(data.vocabulary)
    model = ModelFile.load(run.best)
    assert model.recipe == replace(recipe, corpus=data.options)
    assert len(list(run.folder.glob("epoch-*"))) == (2 if whole.training.keep_epochs else 0)


def test_what_the_reports_state() -> None:
    """Issue by issue of the reports: sizes, splits, limits."""
    a, layers, word2vec, b, c, lab = (
        load_recipe(name)
        for name in (
            "report-a", "report-a-2-layers", "report-a-word2vec", "report-b", "report-c", "lab-5"
        )
    )  # fmt: skip
    assert (a.corpus.script, a.corpus.max_length, a.corpus.ratio) == ("simplified", 80, (4, 1))
    assert (a.network.embedding, a.network.hidden, a.network.dropout) == (128, 256, 0.2)
    assert (a.training.optimizer, a.training.learning_rate) == ("adam", 1e-3)
    assert (a.training.batch_size, a.training.epochs, a.training.patience) == (128, 100, 10)
    assert layers.network == replace(a.network, layers=2)
    assert word2vec.network == replace(a.network, embedding=100, vectors="word2vec")
    for other in (layers, word2vec):
        assert (other.corpus, other.training) == (a.corpus, a.training)
    assert (b.corpus.max_length, b.corpus.too_long, b.corpus.ratio) == (49, "drop", (9, 1))
    assert (b.network.initializer, b.training.patience) == ("xavier-uniform", 1)
    assert (c.corpus.sample, c.corpus.min_length, c.corpus.max_length) == (10_000, 10, 63)
    assert (c.training.learning_rate, c.training.weight_decay) == (1e-2, 1e-4)
    assert c.training.keep_epochs
    assert (lab.corpus.form, lab.corpus.collection, lab.network.layers) == ("五绝", "all", 2)
    assert lab.corpus.max_vocabulary == 2001
