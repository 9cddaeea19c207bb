"""How well our classifiers do on real texts, beside TF-IDF with a linear support vector machine.

    python benchmarks/classification.py csl_ctg --data ../shared/classify --runs runs/classification
    python benchmarks/classification.py --table --runs runs/classification

A data set's classifier is an ensemble of `MEMBERS` networks that begin with one language model of
unlabelled texts, trained first; the seeds of an ensemble are its own. The best epoch of each is
that with the fewest errors on dev, and the test texts are read once, when all is trained. The
language model never sees a text of dev or test. What is trained is kept in --runs: stopped, the
script goes on where it was. `--dynasties DIR` is a folder written by `yinshi classify dynasties`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from yinshi.classify.baseline import baseline
from yinshi.classify.classifier import TextClassifier, pretrain
from yinshi.classify.predictor import Ensemble
from yinshi.classify.scores import Scores
from yinshi.classify.tables import (
    Table,
    drop_duplicates,
    load_table,
    stratified_folds,
    stratified_split,
)
from yinshi.training.allocator import tune_allocator
from yinshi.training.metrics import read_metrics

SHOPPING = Path("online_shopping_10_cats", "online_shopping_10_cats.zip")


@dataclass(frozen=True)
class Fold:
    """Texts to learn from, to choose by, to be measured on."""

    train: Table
    dev: Table
    test: Table


@dataclass(frozen=True)
class Task:
    """`language` names the texts of the language model; `goal` is of accuracy, and of macro-F1."""

    language: str
    goal: str
    members: int
    settings: dict[str, Any] = field(default_factory=dict)


COMMON = {"ngrams": 3, "schedule": "one-cycle", "embedding_dropout": 0.4, "patience": 20}
TASKS = {
    "csl_ctg": Task(
        "csl_ctg",
        "80 / 65",
        5,
        COMMON
        | {"buckets": 2**17, "learning_rate": 3e-3, "batch_size": 32, "epochs": 20}
        | {"pool": "mean", "dropout": 0.7, "embedding_dropout": 0.5},
    ),
    "sentiment": Task("shopping", "94.3", 3, COMMON | {"learning_rate": 2e-3, "epochs": 5}),
    "category": Task("shopping", "91.5", 3, COMMON | {"learning_rate": 2e-3, "epochs": 5}),
    "ch_auto": Task("shopping", "95", 1, COMMON | {"learning_rate": 2e-3, "epochs": 8}),
    "dynasties": Task("dynasties", "the baseline", 1, COMMON | {"epochs": 5}),
}
#: Epochs of each language model.
LANGUAGES = {"csl_ctg": 30, "shopping": 6, "dynasties": 4}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=f"of {', '.join(TASKS)}")
    parser.add_argument("--data", type=Path, default=Path("../shared/classify"))
    parser.add_argument("--dynasties", type=Path, default=Path("data/dynasties"))
    parser.add_argument("--runs", type=Path, default=Path("runs/classification"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--table", action="store_true", help="print what was measured so far")
    arguments = parser.parse_args()
    tune_allocator()
    for name in arguments.tasks:
        for seed in arguments.seeds:
            conduct(name, seed, arguments)
    if arguments.table:
        print(table(arguments.runs))


def conduct(name: str, seed: int, arguments: argparse.Namespace) -> None:
    """Train and measure one ensemble, of each fold where there are several."""
    task, runs = TASKS[name], arguments.runs
    done = runs / name / f"result-{seed}.json"
    if done.exists():
        return
    language = runs / "languages" / task.language
    if not (language / "done").exists():
        texts = language_texts(task.language, arguments)
        pretrain(texts, language, epochs=LANGUAGES[task.language])
        (language / "done").touch()
    results = [
        measure(fold, task, seed, language, runs / name / f"fold-{number}")
        for number, fold in enumerate(folds(name, arguments))
    ]
    figures = {key: mean(result[key] for result in results) for key in results[0]}
    figures["seconds_pretraining"] = seconds_in(language)
    figures["folds"] = len(results)
    done.write_text(json.dumps(figures, indent=2), encoding="utf-8")
    print(name, f"seed {seed}", json.dumps({k: round(v, 4) for k, v in figures.items()}))


def measure(fold: Fold, task: Task, seed: int, language: Path, folder: Path) -> dict[str, float]:
    """The ensemble of `seed` and the baseline, on one fold."""
    members, seconds = [], 0.0
    for number in range(seed * task.members, (seed + 1) * task.members):
        place = folder / f"member-{number}"
        classifier = TextClassifier(pretrained=str(language), seed=number, **task.settings)
        members.append(classifier.fit(fold.train, fold.dev, place))
        seconds += seconds_in(place)
    bar = baseline(fold.train, fold.test)
    single = mean(member.evaluate(fold.test).accuracy for member in members)
    dev = Ensemble(members).evaluate(fold.dev)
    ours = Ensemble(members).evaluate(fold.test)
    return {
        **shown("test", ours),
        **shown("dev", dev),
        "test_accuracy_of_one_member": single,
        **shown("baseline", bar.scores),
        "seconds_baseline": bar.seconds,
        "seconds_training": seconds,
        "test_rows": len(fold.test),
    }


def shown(name: str, scores: Scores) -> dict[str, float]:
    return {f"{name}_accuracy": scores.accuracy, f"{name}_macro_f1": scores.macro_f1}


def seconds_in(run: Path) -> float:
    return float(read_metrics(run)[-1]["seconds"])


def folds(name: str, arguments: argparse.Namespace) -> Iterator[Fold]:
    """The splits of a task: its own, or 8:1:1 with seed 0, or ten folds of which a tenth of the
    training part is dev."""
    if name in ("csl_ctg", "dynasties"):
        folder = arguments.data / name if name == "csl_ctg" else arguments.dynasties
        columns = {"text_column": 1, "label_column": 2} if name == "csl_ctg" else {}
        parts = (load_table(folder / f"{part}.tsv", **columns) for part in ("train", "dev", "test"))
        yield Fold(*parts)
    elif name == "ch_auto":
        rows = load_table(arguments.data / name / "dev.tsv")
        for train, test in stratified_folds(rows, 10, seed=0):
            yield Fold(*stratified_split(train, (9, 1), seed=0), test)
    else:
        yield shopping(name, arguments)


def shopping(name: str, arguments: argparse.Namespace) -> Fold:
    column = {"sentiment": "label", "category": "cat"}[name]
    rows = drop_duplicates(load_table(arguments.data / SHOPPING, label_column=column))
    return Fold(*stratified_split(rows, (8, 1, 1), seed=0))


def language_texts(name: str, arguments: argparse.Namespace) -> list[str]:
    """Training texts alone: of the reviews those which both tasks train on."""
    if name == "shopping":
        both = [shopping(task, arguments).train.texts for task in ("sentiment", "category")]
        return sorted(set(both[0]) & set(both[1]))
    return list(next(folds(name, arguments)).train.texts)


def table(runs: Path) -> str:
    """Markdown, of all tasks measured: means over seeds, and their range."""
    rows = [
        "| data | TF-IDF + SVM | goal | one network | ensemble | seeds | dev | seconds |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, task in TASKS.items():
        found = [json.loads(path.read_text()) for path in runs.glob(f"{name}/result-*.json")]
        if not found:
            continue
        of = {key: 100 * np.array([one[key] for one in found]) for key in found[0]}
        both = (
            " / ".join(f"{of[f'{part}_{what}'].mean():.1f}" for what in ("accuracy", "macro_f1"))
            for part in ("baseline", "test", "dev")
        )
        bar, ours, dev = both
        one = of["test_accuracy_of_one_member"].mean()
        low, high = of["test_accuracy"].min(), of["test_accuracy"].max()
        seconds = mean(one["seconds_training"] + one["seconds_pretraining"] for one in found)
        rows.append(
            f"| {name} | {bar} | {task.goal} | {one:.1f} | {ours} ({task.members} networks) | "
            f"{low:.1f}–{high:.1f} of {len(found)} | {dev} | {seconds:.0f} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    main()
