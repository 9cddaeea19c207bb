"""The bar to beat: TF-IDF of character n-grams and a linear support vector machine."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from yinshi.classify.scores import Scores, score
from yinshi.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from yinshi.classify.tables import Table


@dataclass(frozen=True)
class Baseline:
    """Predicted labels of the test rows, what they are worth, and how long it took.

    decisions (N, C): how far each row is on each class's side of the machine's hyperplanes, the
    classes in the order of characters.
    """

    predictions: tuple[str, ...]
    decisions: NDArray[np.float64]
    scores: Scores
    seconds: float  # to train and to predict


def baseline(train: Table, test: Table) -> Baseline:
    """Trained on `train`, tested on `test`, with nothing tuned.

    Character 1- to 3-grams that occur in at least two texts, their counts damped (1 + ln n), by
    LinearSVC with C = 0.5. Raises DataError where `train` has one class only or no n-gram twice, or
    where `test` has a label unknown in it; MissingExtraError without scikit-learn.
    """
    from yinshi.classify.tables import require_classes  # NumPy, not when the package is imported

    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.svm import LinearSVC
    except ImportError:
        raise MissingExtraError("the baseline", "classify") from None
    require_classes(train, test)
    began = time.perf_counter()
    vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2, sublinear_tf=True)
    try:
        features = vectorizer.fit_transform(train.texts)
    except ValueError:
        raise DataError(
            f"training data: no character stands in two of the {len(train)} texts; "
            "expected more texts, or longer ones"
        ) from None
    machine = LinearSVC(C=0.5, random_state=0).fit(features, train.labels)
    decisions = machine.decision_function(vectorizer.transform(test.texts))
    if decisions.ndim == 1:  # of the second of two classes
        decisions = decisions[:, None] * (-1, 1)
    predictions = tuple(str(machine.classes_[row]) for row in decisions.argmax(axis=1))
    seconds = time.perf_counter() - began
    return Baseline(predictions, decisions, score(test.labels, predictions), seconds)
