"""Networks and the baseline's linear machine together: they err on different texts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from yinshi.classify.baseline import baseline
from yinshi.classify.predictor import Predictor
from yinshi.classify.scores import Scores, score
from yinshi.classify.tables import Table, check_labels
from yinshi.errors import UsageError

#: Of the networks; the first of equally good ones is taken.
WEIGHTS = (0.3, 0.2, 0.1, 0.05, 0.4, 0.6)


@dataclass(frozen=True)
class Mixture:
    """Predicted labels of the test rows by both together, and what they are worth.

    alone    the linear machine's scores on the test
    weight   w of the networks
    seconds  the machine's, to train and to predict
    """

    predictions: tuple[str, ...]
    scores: Scores
    alone: Scores
    weight: float
    seconds: float


def mixture(networks: Predictor, train: Table, dev: Table, test: Table) -> Mixture:
    """The class with the highest machine's decision + w · log P(class | text) by `networks`.

    The machine is trained on `train`; w is the one of `WEIGHTS` with the fewest errors on `dev`.
    Raises UsageError where the networks know other classes than `train` has, and what `baseline`
    does.
    """
    if networks.classes != train.classes:
        raise UsageError(
            f"found networks of {', '.join(networks.classes)}, expected the classes of the "
            f"training data, {', '.join(train.classes)}"
        )
    for table in (dev, test):
        check_labels(table, train.classes)
    machine = baseline(train, Table(dev.texts + test.texts, dev.labels + test.labels))
    logs = np.log(networks.predict_proba(dev.texts + test.texts) + 1e-12)

    def predictions(weight: float) -> tuple[str, ...]:
        rows = (machine.decisions + weight * logs).argmax(axis=1)
        return tuple(networks.classes[row] for row in rows)

    def errors(weight: float) -> int:
        told = zip(predictions(weight), dev.labels, strict=False)  # the rows of dev come first
        return sum(said != true for said, true in told)

    best = min(WEIGHTS, key=errors)
    found, alone = (tuple(p[len(dev) :]) for p in (predictions(best), machine.predictions))
    return Mixture(
        found, score(test.labels, found), score(test.labels, alone), best, machine.seconds
    )
