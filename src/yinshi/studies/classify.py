"""Tokenizer, stop words, word vectors, model: which of them tells classes of texts apart?

All combinations are trained, and beside them stands the baseline: on the texts as they are, and on
the very tokens that the network reads.
"""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from statistics import mean, median
from typing import Any, NamedTuple

import numpy as np

from yinshi.classify.baseline import baseline
from yinshi.classify.classifier import TextClassifier, recipe_of
from yinshi.classify.encoder import UNK, Encoder
from yinshi.classify.scores import Scores, score
from yinshi.classify.tables import Table, overlap
from yinshi.classify.training import ClassifierRun
from yinshi.corpus.vectors import train_vectors
from yinshi.errors import TrainingError
from yinshi.recipe import ClassificationRecipe
from yinshi.studies.classify_report import FACTORS, OFTEN, best_trial, write
from yinshi.studies.labelled_data import LabelledData
from yinshi.studies.report import Record, Report
from yinshi.studies.trials import Outcome, Trials

#: What each level of stop words is in a recipe.
STOP_WORDS: dict[str, dict[str, Any]] = {
    "none": {"stop_words": "none"},
    "iso": {"stop_words": "iso"},
    "iso, negations kept": {"stop_words": "iso", "keep_negations": True},
}
#: The learning rates tried for each model; it keeps its best.
RATES = (1e-3, 2e-3, 4e-3)
#: Private characters for the words of an encoder: as many as it may have at most.
FIRST_CHARACTER, CHARACTERS = 0xF0000, 2**17


class Cell(NamedTuple):
    """One combination: a level of each of `FACTORS`."""

    tokenizer: str
    stop_words: str
    vectors: str
    model: str


CELLS = tuple(Cell(*levels) for levels in product(*FACTORS.values()))
#: On which each model's learning rate is chosen.
BASES = tuple(cell for cell in CELLS if cell[:3] == CELLS[0][:3])


@dataclass(frozen=True)
class Size:
    """What the study is run on, and with; `sample`: so many texts to train on
    and to measure on, None for all."""

    sample: tuple[int, int] | None
    embedding: int
    hidden: int
    batch: int
    epochs: int
    patience: int


FULL = Size(None, embedding=128, hidden=128, batch=32, epochs=12, patience=3)
QUICK = Size((300, 60), embedding=8, hidden=8, batch=32, epochs=2, patience=3)


@dataclass(frozen=True)
class ClassifierTrial:
    """A classifier's training; see `trials.Trial`."""

    name: str
    recipe: ClassificationRecipe
    data: LabelledData

    @cached_property
    def asked(self) -> dict[str, Any]:
        return {"recipe": self.recipe.to_dict(), "data": self.data.hash}

    def train(self, folder: Path, place: int) -> None:
        self._begin_or_resume(folder, place).fit()

    def told(self, outcome: Outcome) -> str:
        return f"dev accuracy {1 - dev_error(outcome):.1%}"

    def _begin_or_resume(self, folder: Path, place: int) -> ClassifierRun:
        wanted = (self.recipe, self.data.train, self.data.dev, folder, place)
        try:
            return ClassifierRun.start_or_resume(*wanted)
        except TrainingError:  # another training was left there
            shutil.rmtree(folder)
            return ClassifierRun.start_or_resume(*wanted)


def run(data: LabelledData, quick: bool, report: Report, trials: Trials) -> None:
    """Measure the baseline, train all combinations, and write the report."""
    size = QUICK if quick else FULL
    data = data.sample(*size.sample) if size.sample else data
    figures, bar = measure_baseline(data)
    report.add("baseline", **figures)
    for tokenizer, stop_words in product(FACTORS["tokenizer"], FACTORS["stop_words"]):
        cell = CELLS[0]._replace(tokenizer=tokenizer, stop_words=stop_words)
        _add_reading(report, data, cell, size)
    rates, outcomes = _choose_rates(report, trials, data, size)
    others = [cell for cell in CELLS if cell not in BASES]
    found = trials.run([trial_of(cell, rates[cell.model], size, data) for cell in others])
    outcomes |= zip(others, found, strict=True)
    answers = {}
    for cell in CELLS:
        if outcomes[cell].diverged:
            report.add("diverged", **cell._asdict())
        else:
            answers[cell] = _add_trial(report, cell, outcomes[cell], data)
    best = best_trial(report)
    chosen = answers[Cell(*(best[factor] for factor in FACTORS))]
    report.add("answers", of="network", **asdict(chosen.scores), only=chosen.only_right(bar))
    report.add("answers", of="baseline", **asdict(bar.scores), only=bar.only_right(chosen))
    report.add("setting", **_facts(data), **asdict(size), jobs=trials.at_a_time)
    write(report)


def classifier_recipe(cell: Cell, rate: float, size: Size) -> ClassificationRecipe:
    """All alike but for the four factors and the learning rate."""
    return recipe_of(
        tokenizer=cell.tokenizer,
        **STOP_WORDS[cell.stop_words],
        max_vocabulary=CHARACTERS,
        vectors=cell.vectors,
        model=cell.model,
        embedding=size.embedding,
        hidden=size.hidden,
        learning_rate=rate,
        batch_size=size.batch,
        epochs=size.epochs,
        patience=size.patience,
        precision="float32",
    )


def trial_of(cell: Cell, rate: float, size: Size, data: LabelledData) -> ClassifierTrial:
    name = f"{', '.join(cell)}, rate {rate:g}"
    return ClassifierTrial(name, classifier_recipe(cell, rate, size), data)


def best_epoch(outcome: Outcome) -> Record:
    """That whose model was kept: the first with the fewest errors on dev."""
    return min(outcome.select("validation"), key=lambda record: float(record["error"]))


def dev_error(outcome: Outcome) -> float:
    return math.inf if outcome.diverged else float(best_epoch(outcome)["error"])


# ---- measuring --------------------------------------------------------------------------------


def _facts(data: LabelledData) -> dict[str, Any]:
    lengths = [len(text) for text in data.train.texts]
    return {
        "rows": {"train": len(data.train), "dev": len(data.dev), "test": len(data.test)},
        "classes": dict(Counter(data.train.labels).most_common()),
        "majority": score(data.test.labels, data.test.labels).majority,
        "overlap": {"dev": overlap(data.train, data.dev), "test": overlap(data.train, data.test)},
        "characters": {"median": median(lengths), "most": max(lengths)},
    }


@dataclass(frozen=True)
class Answers:
    """The true labels of the test texts, and the labels given to them."""

    true: Sequence[str]
    given: Sequence[str]

    @cached_property
    def scores(self) -> Scores:
        return score(self.true, self.given)

    def only_right(self, other: Answers) -> int:
        """How many texts these are right about and `other` is not."""
        both = zip(self.true, self.given, other.given, strict=True)
        return sum(ours == label != theirs for label, ours, theirs in both)


def measure_baseline(data: LabelledData) -> tuple[dict[str, float], Answers]:
    """Its figures on dev and test, and its answers on test."""
    dev, test = data.dev, data.test
    both = Table(dev.texts + test.texts, dev.labels + test.labels)
    found = baseline(data.train, both).predictions
    on_dev = score(dev.labels, found[: len(dev)]).accuracy
    answers = Answers(test.labels, found[len(dev) :])
    on_test = answers.scores
    return {"dev": on_dev, "test": on_test.accuracy, "macro_f1": on_test.macro_f1}, answers


def in_characters(data: LabelledData, encoder: Encoder) -> LabelledData:
    """What the network reads, a character for each token, so that the baseline reads it too."""

    def spelt(table: Table) -> Table:
        texts = (encoder.encode(text) + FIRST_CHARACTER for text in table.texts)
        return replace(table, texts=tuple("".join(map(chr, text)) for text in texts))

    return replace(data, train=spelt(data.train), dev=spelt(data.dev), test=spelt(data.test))


def _add_reading(report: Report, data: LabelledData, cell: Cell, size: Size) -> None:
    """What is left of the texts, what word2vec makes of it, and the baseline on it."""
    encoder = Encoder.of(classifier_recipe(cell, RATES[0], size).text, data.train.texts)
    tokens = [encoder.tokens(text) for text in data.train.texts]
    counts = Counter(token for text in tokens for token in text)
    vectors = train_vectors(tokens, size.embedding)
    encoded = [encoder.encode(text) for text in data.test.texts]
    report.add(
        "reading",
        tokenizer=cell.tokenizer,
        stop_words=cell.stop_words,
        tokens=mean(map(len, tokens)),
        words=len(encoder.words),
        often=mean(counts[word] >= OFTEN for word in encoder.words),
        covered=vectors.coverage(encoder.words),
        length=float(np.linalg.norm(vectors.rows_for(encoder.words)[1], axis=1).mean()),
        unknown=encoder.unknown_rate(data.test.texts),
        blank=sum(bool((ids == UNK).all()) for ids in encoded),
        **measure_baseline(in_characters(data, encoder))[0],
    )


def _choose_rates(
    report: Report, trials: Trials, data: LabelledData, size: Size
) -> tuple[dict[str, float], dict[Cell, Outcome]]:
    """Of each model the learning rate with the fewest errors on dev, and what became of it in
    `BASES` with that."""
    tried = list(product(BASES, RATES))
    trained = trials.run([trial_of(cell, rate, size, data) for cell, rate in tried])
    found = dict(zip(tried, trained, strict=True))
    best = {cell: min((dev_error(found[cell, r]), r) for r in RATES)[1] for cell in BASES}
    for (cell, rate), outcome in found.items():
        dev = None if outcome.diverged else 1 - dev_error(outcome)
        report.add("rate", model=cell.model, rate=rate, dev=dev, chosen=rate == best[cell])
    rates = {cell.model: rate for cell, rate in best.items()}
    return rates, {cell: found[cell, rate] for cell, rate in best.items()}


def _add_trial(report: Report, cell: Cell, outcome: Outcome, data: LabelledData) -> Answers:
    """What the classifier of the best epoch is worth; the test is read here, and once."""
    best = best_epoch(outcome)
    classifier = TextClassifier.load(outcome.folder)
    answers = Answers(data.test.labels, classifier.predict(data.test.texts))
    report.add(
        "trial",
        **cell._asdict(),
        dev=1 - best["error"],
        nats=best["nats"],
        test=answers.scores.accuracy,
        macro_f1=answers.scores.macro_f1,
        best_epoch=best["epoch"],
        epochs=len(outcome.select("validation")),
        seconds=outcome.seconds,
    )
    return answers
