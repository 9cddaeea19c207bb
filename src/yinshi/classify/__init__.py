"""Texts with labels: read, split, learnt, measured.

    table = drop_duplicates(load_table("reviews.tsv"))
    train, dev, test = stratified_split(table, (8, 1, 1), seed=0)
    classifier = TextClassifier(model="bilstm", epochs=2).fit(train, dev)
    print("network", classifier.evaluate(test).accuracy, classifier.predict(["物流很快"]))
    print("TF-IDF ", baseline(train, test).scores.accuracy)

Importing this package is cheap: each name below is fetched when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# At once: its module has the same name, and would take its place here whenever it is imported.
from yinshi.classify.baseline import Baseline, baseline

if TYPE_CHECKING:
    from yinshi.classify.classifier import TextClassifier, pretrain
    from yinshi.classify.confusion import draw_confusion
    from yinshi.classify.dynasties import DynastySet, dynasty_set
    from yinshi.classify.encoder import Encoder
    from yinshi.classify.mixing import mixture
    from yinshi.classify.predictor import Ensemble
    from yinshi.classify.scores import ClassScore, Scores, score
    from yinshi.classify.stop_words import load_stop_words
    from yinshi.classify.tables import (
        Table,
        TableReport,
        drop_duplicates,
        drop_overlap,
        load_table,
        overlap,
        stratified_folds,
        stratified_split,
    )
    from yinshi.classify.tokenizer import Tokenizer
    from yinshi.classify.word_vectors import load_vectors
    from yinshi.corpus.vectors import WordVectors

#: name → its module.
_HOMES = {
    "ClassScore": "yinshi.classify.scores",
    "DynastySet": "yinshi.classify.dynasties",
    "Encoder": "yinshi.classify.encoder",
    "Ensemble": "yinshi.classify.predictor",
    "Scores": "yinshi.classify.scores",
    "Table": "yinshi.classify.tables",
    "TableReport": "yinshi.classify.tables",
    "TextClassifier": "yinshi.classify.classifier",
    "Tokenizer": "yinshi.classify.tokenizer",
    "WordVectors": "yinshi.corpus.vectors",
    "draw_confusion": "yinshi.classify.confusion",
    "drop_duplicates": "yinshi.classify.tables",
    "drop_overlap": "yinshi.classify.tables",
    "dynasty_set": "yinshi.classify.dynasties",
    "load_stop_words": "yinshi.classify.stop_words",
    "load_table": "yinshi.classify.tables",
    "load_vectors": "yinshi.classify.word_vectors",
    "mixture": "yinshi.classify.mixing",
    "overlap": "yinshi.classify.tables",
    "pretrain": "yinshi.classify.classifier",
    "score": "yinshi.classify.scores",
    "stratified_folds": "yinshi.classify.tables",
    "stratified_split": "yinshi.classify.tables",
}

__all__ = [
    "Baseline",
    "ClassScore",
    "DynastySet",
    "Encoder",
    "Ensemble",
    "Scores",
    "Table",
    "TableReport",
    "TextClassifier",
    "Tokenizer",
    "WordVectors",
    "baseline",
    "draw_confusion",
    "drop_duplicates",
    "drop_overlap",
    "dynasty_set",
    "load_stop_words",
    "load_table",
    "load_vectors",
    "mixture",
    "overlap",
    "pretrain",
    "score",
    "stratified_folds",
    "stratified_split",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'yinshi.classify' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
