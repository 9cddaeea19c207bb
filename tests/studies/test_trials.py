from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from yinshi.corpus.dataset import Dataset
from yinshi.recipe import Recipe
from yinshi.studies.report import Record, Report
from yinshi.studies.trials import PoemTrial, Trials, draw_sample
from yinshi.training.loop import Loop
from yinshi.training.metrics import read_metrics
from yinshi.training.run import Run
from yinshi.training.starting_weights import starting_weights


@pytest.fixture
def data(small_dataset: Path) -> Dataset:
    return Dataset.load(small_dataset)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def report(data: Dataset, tmp_path: Path, said: list[str]) -> Report:
    return Report(tmp_path / "report", "growth", data, quick=True, say=said.append)


def recipe_of(**training: object) -> Recipe:
    return Recipe.from_dict(
        {
            "network": {"embedding": 3, "hidden": 4},
            "training": {"epochs": 2, "batch_size": 16, "device": "cpu", **training},
        }
    )


def trials_of(data: Dataset, count: int, **training: object) -> list[PoemTrial]:
    return [
        PoemTrial(f"seed {seed}", recipe_of(seed=seed, **training), data.folder, "numpy")
        for seed in range(count)
    ]


# ---- samples -----------------------------------------------------------------------------------


def test_a_sample_is_drawn_within_each_split(data: Dataset, tmp_path: Path) -> None:
    sample = draw_sample(data, tmp_path / "sample", train=20, validation=5)
    for name, count in (("train", 20), ("validation", 5)):
        drawn = Counter(sample.texts(name))
        assert drawn.total() == count
        assert drawn <= Counter(data.texts(name))
    assert sample.texts("train") != data.texts("train")[:20]
    assert sample.manifest["sample_of"] == data.hash


def test_a_sample_is_a_function_of_its_seed(data: Dataset, tmp_path: Path) -> None:
    a, b, c = (draw_sample(data, tmp_path / f"{n}", 20, 5, seed=n // 2) for n in (2, 3, 4))
    assert a.hash == b.hash != c.hash


def test_a_sample_knows_what_it_trains_on_twice(data: Dataset, tmp_path: Path) -> None:
    sample = draw_sample(data, tmp_path / "sample", train=4, validation=5)
    counts = Counter("".join(sample.texts("train")))
    assert set(sample.vocabulary.characters) == {c for c, n in counts.items() if n >= 2}
    assert min(counts.values()) == 1


def test_no_more_than_there_are(data: Dataset, tmp_path: Path) -> None:
    sample = draw_sample(data, tmp_path / "sample", train=1000, validation=1000)
    assert Counter(sample.texts("train")) == Counter(data.texts("train"))


# ---- trainings ---------------------------------------------------------------------------------


def test_a_trial_is_the_run_of_its_recipe(data: Dataset, report: Report, tmp_path: Path) -> None:
    """The same weights and figures as `Run` gives, in the order asked for."""
    outcomes = Trials(report).run(trials_of(data, 2))
    for seed, outcome in enumerate(outcomes):
        run = Run.start(recipe_of(seed=seed), data.folder, tmp_path / f"run{seed}", "numpy")
        run.train()
        expected = [r["nats"] for r in read_metrics(run.folder)]
        assert [r["nats"] for r in outcome.records] == expected
        assert outcome.perplexity == min(r["perplexity"] for r in outcome.select("validation"))
        assert outcome.diverged is None
    first, second = (o.model().weights["output.bias"] for o in outcomes)
    assert np.any(first != second)


def test_what_is_finished_is_not_trained_again(
    data: Dataset, report: Report, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    [before] = Trials(report).run(trials_of(data, 1))
    monkeypatch.setattr(Run, "train", None)  # would fail
    [after] = Trials(report).run(trials_of(data, 1))
    assert after.records == before.records
    assert len(said) == 1
    assert report.seconds_before == after.seconds > 0


@pytest.mark.parametrize("change", [{"learning_rate": 0.5}, {"epochs": 3}])
def test_another_recipe_under_the_same_name_is_trained_anew(
    data: Dataset, report: Report, change: dict[str, object]
) -> None:
    [before] = Trials(report).run(trials_of(data, 1))
    last = before.records[-1]
    [after] = Trials(report).run(trials_of(data, 1, **change))
    assert after.records[-1]["nats"] != last["nats"]


def test_other_data_under_the_same_name_are_trained_anew(
    data: Dataset, report: Report, tmp_path: Path
) -> None:
    [before] = Trials(report).run(trials_of(data, 1))
    last = before.records[-1]
    sample = draw_sample(data, tmp_path / "sample", 20, 5)
    [after] = Trials(report).run(trials_of(sample, 1))
    assert after.records[-1]["step"] != last["step"]


def test_an_interrupted_trial_goes_on(data: Dataset, report: Report, tmp_path: Path) -> None:
    """With the checkpoint's weights, not from the start: its metrics are those of one whole run."""
    [trial] = trials_of(data, 1, checkpoint_every=1)

    def interrupt(loop: Loop, record: Record) -> None:
        if record["kind"] == "validation":
            raise KeyboardInterrupt

    broken = PoemTrial(trial.name, trial.recipe, trial.data, "numpy", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Trials(report).run([broken])
    begun = read_metrics(report.unfinished / trial.name)
    [outcome] = Trials(report).run([trial])
    assert [r["epoch"] for r in begun if r["kind"] == "validation"] == [1]
    [whole] = Trials(Report(tmp_path / "other", "growth", Dataset.load(data.folder), True)).run(
        [trial]
    )
    assert [r["nats"] for r in outcome.records] == [r["nats"] for r in whole.records]


def test_divergence_is_an_outcome(data: Dataset, report: Report, said: list[str]) -> None:
    trials = [*trials_of(data, 1, optimizer="sgd", learning_rate=1e300)]
    [outcome] = Trials(report).run(trials)
    assert outcome.diverged
    assert "smaller training.learning_rate" in outcome.diverged
    assert outcome.perplexity == float("inf")
    assert outcome.diverged in said[0]


def test_several_at_a_time_find_the_same(data: Dataset, report: Report, tmp_path: Path) -> None:
    """In processes of their own, whose threads share the processors."""
    trials = trials_of(data, 3)
    before = dict(os.environ)
    one = Trials(report).run(trials)
    other = Report(tmp_path / "other", "growth", data, quick=True)
    several = Trials(other, jobs=2).run(trials)
    for a, b in zip(one, several, strict=True):
        assert [r["nats"] for r in a.records] == pytest.approx([r["nats"] for r in b.records])
    assert dict(os.environ) == before


SHARED = """
import sys
from pathlib import Path
from yinshi.corpus.dataset import Dataset
from yinshi.recipe import Recipe
from yinshi.studies.report import Report
from yinshi.studies.trials import PoemTrial, Trials

data, out = map(Path, sys.argv[1:])
said = []
report = Report(out, "growth", Dataset.load(data), True, say=said.append)
network = {"embedding": 3, "hidden": 4}
recipes = [
    Recipe.from_dict({"network": network, "training": {"epochs": 1, "seed": n}}) for n in range(3)
]
trials = [PoemTrial(f"seed {n}", recipe, data, "numpy") for n, recipe in enumerate(recipes)]
outcomes = Trials(report).run(trials)
print(len(said), *(f"{o.perplexity:.6f}" for o in outcomes))
"""


def test_processes_of_torchrun_share_the_trials(data: Dataset, tmp_path: Path) -> None:
    """Each trains its own, and each sees all outcomes."""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", SHARED, str(data.folder), str(tmp_path / "out")],
            env=os.environ | {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    told = [child.communicate(timeout=120)[0].split() for child in children]
    assert [int(line[0]) for line in told] == [2, 1]
    assert told[0][1:] == told[1][1:]


def test_training_begins_with_the_starting_weights(data: Dataset, report: Report) -> None:
    recipe = Recipe.from_dict(
        {
            "network": {"embedding": 3, "hidden": 4, "initializer": "orthogonal"},
            "training": {"optimizer": "sgd", "learning_rate": 1e-30, "epochs": 1, "seed": 5},
        }
    )
    [outcome] = Trials(report).run([PoemTrial("still", recipe, data.folder, "numpy")])
    expected, _ = starting_weights(recipe, data)
    weights = outcome.model().weights
    assert weights.keys() == expected.keys()
    for name, weight in weights.items():
        np.testing.assert_allclose(weight, expected[name], rtol=0, atol=1e-20)


def test_a_watch_may_add_to_the_metrics(data: Dataset, report: Report) -> None:
    [trial] = trials_of(data, 1)
    watched = PoemTrial("watched", trial.recipe, trial.data, "numpy", note_the_epoch)
    [outcome] = Trials(report).run([watched])
    assert outcome.select("note") == [{"kind": "note", "of": 1}, {"kind": "note", "of": 2}]
    json.dumps(outcome.records)


def note_the_epoch(loop: Loop, record: Record) -> None:
    if record["kind"] == "validation" and loop.metrics:
        loop.metrics.append({"kind": "note", "of": record["epoch"]})
