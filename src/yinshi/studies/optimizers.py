"""Which optimizer learns the poems best? All at one learning rate, then each at its own.

The first is what report A and report B saw, the second asks whether it is true.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from yinshi.corpus.dataset import Dataset
from yinshi.evaluation.evaluate import token_nats
from yinshi.evaluation.ngram import unigram_nats
from yinshi.recipe import Recipe
from yinshi.studies.optimizer_report import PADDED, SHARED_RATE, best_rate, write
from yinshi.studies.report import Report
from yinshi.studies.trials import Outcome, PoemTrial, Trials

#: What each changes in the recipe's training. AdamW's weight decay is PyTorch's default.
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"optimizer": "sgd"},
    "SGD + momentum 0.9": {"optimizer": "sgd", "momentum": 0.9},
    "Adagrad": {"optimizer": "adagrad"},
    "Adadelta": {"optimizer": "adadelta"},
    "RMSprop": {"optimizer": "rmsprop"},
    "Adam": {"optimizer": "adam"},
    "AdamW": {"optimizer": "adamw", "weight_decay": 0.01},
}
#: The learning rates tried, rising; the shared one is among the first two, which a quick run takes.
RATES: dict[str, tuple[float, ...]] = {
    "SGD": (SHARED_RATE, 3, 10, 30),
    "SGD + momentum 0.9": (SHARED_RATE, 0.3, 1, 3),
    "Adagrad": (SHARED_RATE, 0.01, 0.03, 0.1),
    "Adadelta": (SHARED_RATE, 1, 3, 10),
    "RMSprop": (3e-4, SHARED_RATE, 3e-3, 1e-2),
    "Adam": (SHARED_RATE, 3e-3, 1e-2, 3e-2),
    "AdamW": (SHARED_RATE, 3e-3, 1e-2, 3e-2),
}


@dataclass(frozen=True)
class Size:
    """What the study is run on, and with; `rates` of each grid are tried, the lowest first."""

    train: int
    validation: int
    embedding: int
    hidden: int
    epochs: int
    batch: int
    rates: int
    seeds: int


FULL = Size(8000, 1000, embedding=128, hidden=256, epochs=4, batch=64, rates=4, seeds=3)
QUICK = Size(80, 12, embedding=8, hidden=8, epochs=2, batch=4, rates=2, seeds=2)


class Setting(NamedTuple):
    """One training of the grid."""

    optimizer: str
    rate: float
    seed: int = 0


def run(data: Dataset, quick: bool, report: Report, trials: Trials) -> None:
    """Train the grid with seed 0, then the best of each with the other seeds; write the report."""
    size = QUICK if quick else FULL
    sample = trials.sample(data, size.train, size.validation)
    grid = [Setting(name, rate) for name in OPTIMIZERS for rate in RATES[name][: size.rates]]
    outcomes = train(grid, size, sample, report, trials)
    shared = [outcomes[Setting(name, SHARED_RATE)] for name in OPTIMIZERS]
    for name, outcome in zip(OPTIMIZERS, shared, strict=True):
        report.add("padded", optimizer=name, perplexity=_padded(outcome, sample))
    best = {name: best_rate(report, name) for name in OPTIMIZERS}
    again = [Setting(*chosen, seed) for chosen in best.items() for seed in range(1, size.seeds)]
    train(again, size, sample, report, trials)
    report.add(
        "setting",
        **asdict(size),
        vocabulary=len(sample.vocabulary),
        unigram_perplexity=math.exp(unigram_nats(sample)),
        precision=shared[0].model().facts["precision"],
    )
    write(report)


def train(
    settings: Sequence[Setting], size: Size, sample: Dataset, report: Report, trials: Trials
) -> dict[Setting, Outcome]:
    """Train them; each adds a record with its curves."""
    planned = [
        PoemTrial(f"{s.optimizer}, {s.rate:g}, seed {s.seed}", recipe_of(s, size), sample.folder)
        for s in settings
    ]
    outcomes = dict(zip(settings, trials.run(planned), strict=True))
    for setting, outcome in outcomes.items():
        lines, ends = outcome.select("train"), outcome.select("validation")
        report.add(
            "trial",
            **setting._asdict(),
            diverged=outcome.diverged,
            steps=[line["step"] for line in lines],
            nats=[round(line["nats"], 4) for line in lines],
            perplexities=[float(f"{end['perplexity']:.6g}") for end in ends],
        )
    return outcomes


def recipe_of(setting: Setting, size: Size) -> Recipe:
    """Report A's network; only the optimizer, its learning rate and the seed differ."""
    network = {"embedding": size.embedding, "hidden": size.hidden, "dropout": 0.2}
    training = {
        **OPTIMIZERS[setting.optimizer],
        "learning_rate": setting.rate,
        "epochs": size.epochs,
        "batch_size": size.batch,
        "seed": setting.seed,
    }
    return Recipe.from_dict({"network": network, "training": training})


def _padded(outcome: Outcome, sample: Dataset) -> float:
    """What the best epoch's model gives if padding is counted."""
    poems = [sample.vocabulary.encode(text) for text in sample.texts("validation")]
    return token_nats(outcome.model(), poems).padded_to(PADDED)
