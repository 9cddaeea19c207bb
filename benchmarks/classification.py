"""How well our classifiers do on real texts, beside TF-IDF with a linear support vector machine.

    python benchmarks/classification.py csl_ctg --data ../shared/classify --runs runs/classification
    python benchmarks/classification.py --table --runs runs/classification

A network of each of three seeds; the ensemble of the three; and this with the linear machine: its
decisions plus w times the logarithm of the ensemble's probabilities, w chosen on dev. Most begin
with one language model of training texts. The best epoch of each network is that with the fewest
errors on dev, and the test texts are read once, when all is trained. What is trained is kept in
--runs: stopped, the script goes on where it was. `--dynasties DIR` is a folder written by `yinshi
classify dynasties`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

from yinshi.classify.classifier import TextClassifier, pretrain
from yinshi.classify.mixing import mixture
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
    """`language` names the texts of the language model, if there is one; `goal` is of accuracy, and
    of macro-F1."""

    language: str | None
    goal: str
    settings: dict[str, Any] = field(default_factory=dict)


COMMON = {"ngrams": 3, "schedule": "one-cycle", "learning_rate": 2e-3, "embedding_dropout": 0.4}
TASKS = {
    "csl_ctg": Task(
        None,
        "80 / 65",
        COMMON
        | {"buckets": 2**17, "batch_size": 32, "epochs": 15, "patience": None, "pool": "mean"}
        | {"dropout": 0.7, "embedding_dropout": 0.5, "class_weights": 0.5, "learning_rate": 3e-3},
    ),
    "sentiment": Task("shopping", "94.3", COMMON | {"epochs": 5}),
    "category": Task("shopping", "91.5", COMMON | {"epochs": 5}),
    "ch_auto": Task("shopping", "95", COMMON | {"epochs": 8, "patience": None}),
    "dynasties": Task("dynasties", "the baseline", COMMON | {"epochs": 5}),
}
#: Epochs of each language model.
LANGUAGES = {"shopping": 9, "dynasties": 4}
SEEDS = (0, 1, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=f"of {', '.join(TASKS)}")
    parser.add_argument("--data", type=Path, default=Path("../shared/classify"))
    parser.add_argument("--dynasties", type=Path, default=Path("data/dynasties"))
    parser.add_argument("--runs", type=Path, default=Path("runs/classification"))
    parser.add_argument("--table", action="store_true", help="print what was measured so far")
    arguments = parser.parse_args()
    tune_allocator()
    for name in arguments.tasks:
        conduct(name, arguments)
    if arguments.table:
        print(table(arguments.runs))


def conduct(name: str, arguments: argparse.Namespace) -> None:
    """Train and measure the networks of a task, of each fold where there are several."""
    task, runs = TASKS[name], arguments.runs
    settings, seconds = dict(task.settings), 0.0
    if task.language:
        language = runs / "languages" / task.language
        pretrain(
            language_texts(task.language, arguments), language, epochs=LANGUAGES[task.language]
        )
        settings |= {"pretrained": str(language)}
        seconds = seconds_in(language)
    results = []
    for number, fold in enumerate(folds(name, arguments)):
        results.append(measure(fold, settings, runs / name / f"fold-{number}"))
        print(name, number, {key: round(value, 4) for key, value in results[-1].items()})
    figures = {key: mean(result[key] for result in results) for key in results[0]}
    figures |= {"seconds_pretraining": seconds, "folds": len(results)}
    (runs / name / "result.json").write_text(json.dumps(figures, indent=2), encoding="utf-8")


def measure(fold: Fold, settings: dict[str, Any], folder: Path) -> dict[str, float]:
    """The networks of all seeds alone and together, and the baseline, on one fold."""
    members = [
        TextClassifier(seed=seed, **settings).fit(fold.train, fold.dev, folder / f"seed-{seed}")
        for seed in SEEDS
    ]
    alone = [member.evaluate(fold.test) for member in members]
    together = Ensemble(members)
    mixed = mixture(together, fold.train, fold.dev, fold.test)
    return {
        **shown("baseline", mixed.alone),
        "accuracy": mean(scores.accuracy for scores in alone),
        "macro_f1": mean(scores.macro_f1 for scores in alone),
        "lowest": min(scores.accuracy for scores in alone),
        "highest": max(scores.accuracy for scores in alone),
        **shown("ensemble", together.evaluate(fold.test)),
        **shown("dev_ensemble", together.evaluate(fold.dev)),
        **shown("mixed", mixed.scores),
        "seconds": mean(seconds_in(folder / f"seed-{seed}") for seed in SEEDS),
        "seconds_baseline": mixed.seconds,
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
    """Markdown, of all tasks measured."""
    rows = [
        "| data | TF-IDF, SVM | goal | one network | 3 seeds | together | with the SVM | seconds |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, task in TASKS.items():
        path = runs / name / "result.json"
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            rows.append(f"| {name} | {' | '.join(cells(found, task))} |")
    return "\n".join(rows)


def cells(found: dict[str, float], task: Task) -> list[str]:
    def both(prefix: str) -> str:
        return f"{found[f'{prefix}accuracy']:.1%} / {found[f'{prefix}macro_f1']:.1%}"

    return [
        both("baseline_"),
        task.goal,
        both(""),
        f"{found['lowest']:.1%}–{found['highest']:.1%}",
        both("ensemble_"),
        both("mixed_"),
        f"{found['seconds_pretraining']:.0f} + {found['seconds']:.0f}",
    ]


if __name__ == "__main__":
    main()
