"""How good predictions are: accuracy, macro-F1, each class, and which is taken for which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from yinshi.errors import MissingExtraError


@dataclass(frozen=True)
class ClassScore:
    """Of one class: a ratio without a denominator (never predicted, say) is 0."""

    label: str
    precision: float
    recall: float
    f1: float
    rows: int  # whose true label it is


@dataclass(frozen=True)
class Scores:
    """Shares between 0 and 1; `dataclasses.asdict` of it is ready for JSON."""

    accuracy: float
    macro_f1: float  # mean of the classes' F1, each class counting alike
    majority: float  # accuracy of always answering the most frequent true label
    per_class: tuple[ClassScore, ...]  # every true or predicted label, in the order of characters
    confusion: tuple[tuple[int, ...], ...]  # rows: true label, columns: predicted, as `per_class`


def score(truth: Sequence[str], predictions: Sequence[str]) -> Scores:
    """Scores of N `predictions` against the N labels `truth`, N ≥ 1. Needs scikit-learn.

    Raises MissingExtraError without it.
    """
    try:
        from sklearn import metrics
    except ImportError:
        raise MissingExtraError("scoring a classifier", "classify") from None
    labels = sorted({*truth, *predictions})
    columns = metrics.precision_recall_fscore_support(
        truth, predictions, labels=labels, zero_division=0
    )
    per_class = tuple(
        ClassScore(label, float(precision), float(recall), float(f1), int(rows))
        for label, precision, recall, f1, rows in zip(labels, *columns, strict=True)
    )
    count = Counter(zip(truth, predictions, strict=True))
    return Scores(
        accuracy=float(metrics.accuracy_score(truth, predictions)),
        macro_f1=sum(one.f1 for one in per_class) / len(per_class),
        majority=max(Counter(truth).values()) / len(truth),
        per_class=per_class,
        confusion=tuple(tuple(count[true, said] for said in labels) for true in labels),
    )
