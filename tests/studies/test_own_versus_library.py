from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markdown_tables import tables

from yinshi.corpus.batches import training_batches
from yinshi.corpus.dataset import Dataset
from yinshi.studies import own_versus_library as study
from yinshi.studies.own_versus_library import (
    ARMS,
    FOLLOWED,
    PAIRS,
    QUICK,
    compare,
    differences,
    flat,
    followed,
    recipe_of,
)
from yinshi.studies.report import Report
from yinshi.studies.trials import Trials
from yinshi.training import loop
from yinshi.training.checkpoints import load_checkpoint
from yinshi.training.run import Run

SEED_0 = [name for name, arm in ARMS.items() if arm.seed == 0]


def test_compare() -> None:
    start, others = np.array([1.0, 1, 1]), np.array([1.0, 4, 5])  # moved by 5
    found = compare(np.array([1.0, 4.5, 5]), others, start)
    assert found == pytest.approx({"largest": 0.5, "relative": 0.1})
    assert compare(others, others, start) == {"largest": 0, "relative": 0}


def test_followed_weights_are_some_of_all() -> None:
    rng = np.random.default_rng(0)
    weights = {"b": rng.normal(size=(70, 100)), "a": rng.normal(size=13).astype(np.float32)}
    every = flat(weights)
    np.testing.assert_array_equal(every[:13], weights["a"])
    np.testing.assert_array_equal(every[13:], weights["b"].ravel())
    some = followed(weights)
    assert FOLLOWED <= len(some) < 2 * FOLLOWED
    np.testing.assert_array_equal(some, every[::3])
    assert len(followed({"a": np.zeros(5)})) == 5


def test_every_arm_of_a_seed_starts_with_the_same_weights(
    small_dataset: Path, tmp_path: Path
) -> None:
    """Run.start draws them by the recipe's seed alone; float32 has them rounded."""
    starts = {}
    for name, arm in ARMS.items():
        recipe = recipe_of(arm, QUICK)
        run = Run.start(recipe, small_dataset, tmp_path / name, arm.engine)
        arrays = load_checkpoint(run.checkpoint)[1]
        starts[name] = {n: a for n, a in arrays.items() if n.startswith("weights.")}
    exact = starts["own, float64"]
    for name in SEED_0:
        assert starts[name].keys() == exact.keys()
        for key, array in starts[name].items():
            assert array.dtype == ("float64" if "float64" in name else "float32")
            np.testing.assert_array_equal(array, exact[key].astype(array.dtype))
    other = starts["own, float32, another seed"]
    assert np.all(other["weights.embedding.weight"] != exact["weights.embedding.weight"])


def test_the_arms_of_a_seed_differ_in_who_computes_alone() -> None:
    plain = {"backend": "", "precision": ""}
    recipes = {name: recipe_of(ARMS[name], QUICK).to_dict() for name in SEED_0}
    same = [{**r, "training": {**r["training"], **plain}} for r in recipes.values()]
    assert all(a == b for a, b in pairwise(same))
    computed = {(ARMS[n].engine, ARMS[n].backend, ARMS[n].precision) for n in SEED_0}
    assert len(computed) == len(SEED_0)


# ---- the whole study in miniature --------------------------------------------------------------

Batches = list[list[int]]


@pytest.fixture(scope="module")
def made(
    small_dataset: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Report, list[Batches]]:
    """The report, and the poems of the batches that were trained on: of each arm and epoch."""
    seen: list[Batches] = []

    def recorded(*arguments: Any) -> Iterator[Any]:
        seen.append([])
        for batch in training_batches(*arguments):
            seen[-1].append(batch.indices.tolist())
            yield batch

    data = Dataset.load(small_dataset)
    folder = tmp_path_factory.mktemp("reports") / "own"
    report = Report(folder, "own-versus-library", data, quick=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "training_batches", recorded)
        study.run(data, True, report, Trials(report))
    return report, seen


@pytest.fixture(scope="module")
def report(made: tuple[Report, list[Batches]]) -> Report:
    return made[0]


def test_files(report: Report) -> None:
    expected = {"README.md", "metrics.jsonl", "curves.svg", "curves.png"}
    assert {p.name for p in report.folder.iterdir()} == expected


def test_every_arm_of_a_seed_sees_the_same_batches(made: tuple[Report, list[Batches]]) -> None:
    _, seen = made
    epochs = QUICK.epochs
    assert len(seen) == len(ARMS) * epochs
    by_arm = {name: seen[epochs * n : epochs * (n + 1)] for n, name in enumerate(ARMS)}
    for name in SEED_0:
        assert by_arm[name] == by_arm["own, float64"]
    assert by_arm["own, float32, another seed"] != by_arm["own, float64"]
    assert len({str(epoch) for epoch in by_arm["own, float64"]}) == epochs  # all in other orders


def end(report: Report, arm: str, other: str) -> dict[str, Any]:
    [found] = report.select("end", arm=arm, other=other)
    return found


@pytest.mark.parametrize("arm", ["library", "NumPy"])
def test_the_three_are_equal_but_for_rounding(report: Report, arm: str) -> None:
    exact = end(report, f"{arm}, float64", "own, float64")
    rounded = end(report, f"{arm}, float32", "own, float32")
    assert 0 < exact["relative"] < 1e-12
    assert 1e-8 < rounded["relative"] < 1e-3
    for record in report.select("weights", arm=f"{arm}, float64"):
        assert record["relative"] < 1e-12
    assert differences(report, PAIRS[0]).keys() == {20, 40, 60}
    for pair in PAIRS[:2]:
        assert max(differences(report, pair).values()) < 1e-13


def test_the_comparison_is_not_blind(report: Report) -> None:
    """Fewer digits are seen, and another seed even more."""
    rounded = end(report, "library, float32", "own, float32")
    coarse = end(report, "own, bfloat16", "own, float32")
    other = end(report, "own, float32, another seed", "own, float32")
    assert 10 * rounded["relative"] < coarse["relative"] < 0.3
    assert other["relative"] > 1
    apart = [max(differences(report, pair).values()) for pair in PAIRS]
    assert apart[-1] > 10 * max(apart[:-1])


def test_the_tables_are_those_of_the_metrics(report: Report) -> None:
    arms, pairs = tables(report.folder / "README.md")
    assert [row[""] for row in arms] == list(ARMS)
    for row in arms:
        nats = {r["step"]: r["nats"] for r in report.select("train", arm=row[""])}
        assert row["nats, steps 1–20"] == f"{nats[20]:.4f}"
        assert row["nats, steps 41–60"] == f"{nats[60]:.4f}"
        last = report.select("validation", arm=row[""])[-1]
        assert row["validation perplexity"] == f"{math.exp(last['nats']):.3f}"
        speeds = [r["tokens_per_second"] for r in report.select("train", arm=row[""])]
        assert row["tokens per second"] == f"{sorted(speeds)[1]:,.0f}"
    assert [row[""] for row in pairs] == [f"{p.arm} − {p.other}" for p in PAIRS]
    for row, pair in zip(pairs, PAIRS, strict=True):
        ours, theirs = (report.select("train", arm=name) for name in pair[:2])
        apart = [abs(a["nats"] - b["nats"]) for a, b in zip(ours, theirs, strict=True)]
        shown = [row[f"nats, steps {n - 19}–{n}"] for n in (20, 40, 60)]
        assert shown == [f"{x:.1g}" for x in apart]
        assert row["nats, largest"] == f"{max(apart):.1g}"
        found = end(report, pair.arm, pair.other)
        assert row["weights, relative"] == f"{found['relative']:.1g}"
        assert row["weights, largest"] == f"{found['largest']:.1g}"


def test_the_weights_followed_end_like_all_of_them(report: Report) -> None:
    for pair in PAIRS:
        *_, last = report.select("weights", arm=pair.arm, other=pair.other)
        found = end(report, pair.arm, pair.other)
        assert last["step"] == 60
        assert found["relative"] / 3 < last["relative"] < 3 * found["relative"]
        assert last["largest"] <= found["largest"]


def test_what_diverged_is_said_to_have(report: Report, small_dataset: Path, tmp_path: Path) -> None:
    again = Report(tmp_path / "own", report.name, Dataset.load(small_dataset), quick=True)
    again.records = [
        r
        for r in report.records
        if not (r.get("arm") == "own, bfloat16" and r["kind"] in ("train", "validation"))
    ]
    again.add("diverged", arm="own, bfloat16")
    study.write(again)
    arms, pairs = tables(again.folder / "README.md")
    rows = [row for row in arms + pairs if row[""].startswith("own, bfloat16")]
    assert len(rows) == 2
    for row in rows:
        assert {value for key, value in row.items() if key} == {"diverged"}
    assert sum("diverged" in row.values() for row in arms + pairs) == 2
