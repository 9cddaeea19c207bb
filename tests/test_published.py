"""reports/README.md is what tools/published.py makes of its measures, and those are true."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from small_poems import small_poems

from yinshi.corpus.dataset import Dataset
from yinshi.corpus.prepare import prepare
from yinshi.errors import UsageError
from yinshi.evaluation.evaluate import evaluate
from yinshi.model_file import ModelFile
from yinshi.recipe import Recipe, load_recipe, recipe_names
from yinshi.training.metrics import read_metrics
from yinshi.training.run import Run

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("published", ROOT / "tools" / "published.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_that_of_its_measures(tool: ModuleType) -> None:
    written = (ROOT / "reports" / "README.md").read_text(encoding="utf-8")
    assert tool.page(tool.known_records()) == written


def test_every_recipe_of_a_report_has_its_line_and_its_reason(tool: ModuleType) -> None:
    reports = set(recipe_names()) - {"smoke", "tang", "poet", "four-forms"}
    assert reports == set(tool.PUBLISHED) == set(tool.REASONS) == set(tool.known_records())


def test_a_run_is_measured_by_its_validation_poems(tool: ModuleType, tmp_path: Path) -> None:
    source = tmp_path / "poems.txt"
    lines = [f"其{n}::無名::{poem.text}" for n, poem in enumerate(small_poems(150))]
    source.write_text("\n".join(lines), encoding="utf-8")
    whole = load_recipe("report-c")
    prepare([source], whole.corpus, tmp_path / "data")
    network = replace(whole.network, embedding=8, hidden=8)
    training = replace(whole.training, epochs=2, batch_size=4, device="cpu")
    recipe = replace(whole, network=network, training=training)
    run = Run.start(recipe, tmp_path / "data", tmp_path / "run", "numpy")
    run.train()

    record = tool.measure(run.folder)
    expected = evaluate(ModelFile.load(run.best), Dataset.load(run.data), "validation", pad_to=64)
    assert record["recipe"] == "report-c"
    assert record["conventions"] == expected.conventions
    assert record["baseline"] == expected.baseline
    assert record["tokens_per_poem"] == 25  # 24 characters and the end
    best = min(
        (r for r in read_metrics(run.folder) if r["kind"] == "validation"), key=lambda r: r["nats"]
    )
    assert record["best_epoch"] == best["epoch"]
    assert math.exp(best["nats"]) == pytest.approx(record["conventions"]["per_token"], rel=1e-4)
    line = tool.page({"report-c": record}).split("\n| [report-c]")[1].split("\n")[0]
    assert f"| {record['conventions']['base2_of_nats']:.2f} |" in line
    assert f"**{record['conventions']['per_token']:.2f}**" in line


def test_another_run_is_refused(tool: ModuleType, small_dataset: Path, tmp_path: Path) -> None:
    recipe = Recipe.from_dict({"name": "mine", "network": {"embedding": 4, "hidden": 4}})
    run = Run.start(recipe, small_dataset, tmp_path / "run", "numpy")
    with pytest.raises(UsageError, match="found recipe mine, expected a report's"):
        tool.measure(run.folder)
