"""What makes the best small model of Tang verse? A base network, and one thing changed at a time.

All train on the same poems of Tang and Song, once, and are judged by Tang poems alone; a second
block trains long on few poems, where what is to keep a network from learning by heart can show.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np

from yinshi.corpus.dataset import Dataset, write_dataset
from yinshi.corpus.header import TANG, Heading
from yinshi.corpus.poem import Poem
from yinshi.corpus.vocabulary import Vocabulary
from yinshi.errors import UsageError
from yinshi.evaluation.evaluate import evaluate
from yinshi.recipe import Recipe, conditions_in
from yinshi.studies.poet_report import write
from yinshi.studies.report import Record, Report
from yinshi.studies.trials import Outcome, PoemTrial, Trials
from yinshi.training.checkpoints import load_checkpoint, weights_in
from yinshi.training.loop import Loop
from yinshi.training.run import Run
from yinshi.training.transformer_run import TransformerRun

NETWORK: dict[str, Any] = {
    "embedding": 128,
    "hidden": 256,
    "layers": 1,
    "dropout": 0.2,
    "tie_weights": True,
}
TRAINING: dict[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 4e-3,
    "weight_decay": 0.01,
    "schedule": "one-cycle",
    "clip_norm": 1.0,
    "batch_size": 32,
}
#: A Transformer of as many parameters: its width, that of its feed-forward layers, how many.
TRANSFORMER = {"embedding": 128, "hidden": 512, "layers": 2, "dropout": 0.1}
VARIATIONAL = {"dropout": 0.0, "input_dropout": 0.3, "output_dropout": 0.3}
BASE = "base"


@dataclass(frozen=True)
class Variant:
    """One training, told by what it changes.

    group   what it is a question of: a heading of the table
    data    the poems: "all", of which "tang" and "song" are parts; or "few"
    passes  how often it reads them; None as often as its block does
    begin   the variant whose model it goes on from
    kind    what trains it
    """

    group: str
    name: str
    network: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    data: str = "all"
    passes: int | None = None
    begin: str | None = None
    kind: type[Run] = Run


def _seeds(count: int, data: str) -> list[Variant]:
    names = [BASE] + [f"{BASE}, another seed ({seed})" for seed in range(1, count)]
    return [Variant(BASE, name, {}, {"seed": seed}, data) for seed, name in enumerate(names)]


VARIANTS = (
    *_seeds(3, "all"),
    Variant("size", "128 hidden units", {"hidden": 128}),
    Variant("size", "512 hidden units", {"hidden": 512}),
    Variant("size", "2 layers", {"layers": 2}),
    Variant("size", "embedding 256", {"embedding": 256}),
    Variant("size", "embeddings not tied", {"tie_weights": False}),
    Variant("regularisation", "no dropout", {"dropout": 0.0}),
    Variant("regularisation", "dropout 0.4", {"dropout": 0.4}),
    Variant("regularisation", "variational dropout 0.3, inputs and outputs", VARIATIONAL),
    Variant("regularisation", "DropConnect 0.3", {"weight_dropout": 0.3}),
    Variant("regularisation", "no weight decay", {}, {"weight_decay": 0.0}),
    Variant("regularisation", "weight decay 0.1", {}, {"weight_decay": 0.1}),
    Variant("optimisation", "learning rate 0.002", {}, {"learning_rate": 2e-3}),
    Variant("optimisation", "learning rate 0.006", {}, {"learning_rate": 6e-3}),
    Variant("optimisation", "cosine", {}, {"schedule": "cosine"}),
    Variant("optimisation", "constant", {}, {"schedule": "constant"}),
    Variant("optimisation", "averaged 0.99", {}, {"ema_decay": 0.99}),
    Variant(
        "optimisation", "constant, averaged 0.99", {}, {"schedule": "constant", "ema_decay": 0.99}
    ),
    Variant("optimisation", "batches of 16", {}, {"batch_size": 16}),
    Variant("optimisation", "batches of 64", {}, {"batch_size": 64}),
    Variant("told", "dynasty", {"conditions": "dynasty"}),
    Variant("told", "dynasty, form, author, title", {"conditions": "dynasty+form+author+title"}),
    Variant("which poems", "Song alone", data="song"),
    Variant(
        "which poems",
        "Song, then Tang",
        training={"learning_rate": 2e-3},
        data="tang",
        begin="Song alone",
    ),
    Variant(
        "which poems",
        "together, then Tang again",
        training={"learning_rate": 2e-3},
        data="tang",
        begin=BASE,
    ),
    Variant("which poems", "Tang alone, as many steps", data="tang", passes=0),
    Variant("longer", "twice as long", passes=2),
    Variant(
        "attention",
        "Transformer, learning rate 0.001",
        TRANSFORMER,
        {"learning_rate": 1e-3},
        kind=TransformerRun,
    ),
    Variant(
        "attention",
        "Transformer, learning rate 0.003",
        TRANSFORMER,
        {"learning_rate": 3e-3},
        kind=TransformerRun,
    ),
)
FEW = (
    *_seeds(2, "few"),
    Variant(BASE, "no dropout", {"dropout": 0.0}, data="few"),
    Variant(BASE, "dropout 0.5", {"dropout": 0.5}, data="few"),
    Variant(BASE, "variational dropout 0.3, inputs and outputs", VARIATIONAL, data="few"),
    Variant(BASE, "DropConnect 0.5", {"weight_dropout": 0.5}, data="few"),
    Variant(
        BASE, "variational 0.3 and DropConnect 0.5", {**VARIATIONAL, "weight_dropout": 0.5},
        data="few",
    ),
    Variant(BASE, "weight decay 0.3", {}, {"weight_decay": 0.3}, "few"),
    Variant(BASE, "averaged 0.99", {}, {"ema_decay": 0.99}, "few"),
)  # fmt: skip
BLOCKS = {"all": VARIANTS, "few": FEW}


@dataclass(frozen=True)
class Size:
    """What the study is run on, and with; the networks' widths are divided by `shrink`.

    least   how often the training poems have a character of the vocabulary
    """

    train: int
    few: int
    few_passes: int
    batch: int
    least: int
    shrink: int


FULL = Size(51200, 2000, few_passes=20, batch=32, least=20, shrink=1)
#: An author who has a token needs twenty poems.
QUICK = Size(2000, 200, few_passes=4, batch=16, least=2, shrink=32)


def run(data: Dataset, quick: bool, report: Report, trials: Trials) -> None:
    """Train every variant of both blocks, and write the report."""
    size = QUICK if quick else FULL
    parts = draw_parts(data, report.unfinished / f"data-{report.rank}", size)
    report.add("setting", **asdict(size), **_setting(parts))
    for block, variants in BLOCKS.items():
        outcomes: dict[str, Outcome] = {}
        for later in (False, True):  # first those that others go on from
            some = [v for v in variants if (v.begin is not None) is later]
            planned = [planned_trial(v, block, size, parts, report.unfinished) for v in some]
            names = [v.name for v in some]
            outcomes |= dict(zip(names, trials.run(planned), strict=True))
        for variant in variants:
            outcome, dataset = outcomes[variant.name], parts[variant.data]
            report.add("trial", block=block, group=variant.group, name=variant.name,
                       **measured(outcome, variant, dataset))  # fmt: skip
    write(report)


def draw_parts(data: Dataset, folder: Path, size: Size) -> dict[str, Dataset]:
    """The prepared folders of a study, by name: poems drawn from the training split of `data`, all
    with one vocabulary and, to validate with, the Tang poems of its validation split.

    Raises UsageError where it has no poems of Tang and Song.
    """
    rng = np.random.default_rng(0)
    poems = data.split("train")
    drawn = [poems[i] for i in rng.permutation(len(poems))[: size.train]]
    tang = [poem for poem in poems if is_tang(poem)]
    few = [tang[i] for i in rng.permutation(len(tang))[: size.few]]
    training = {
        "all": drawn,
        "tang": [poem for poem in drawn if is_tang(poem)],
        "song": [poem for poem in drawn if not is_tang(poem)],
        "few": few,
    }
    validation = [poem for poem in data.split("validation") if is_tang(poem)]
    if not validation or not all(training.values()):
        raise UsageError(
            f"{data.folder}: found no poems of Tang or none of Song, expected both, of the "
            "collections' own files; make it with `yinshi prepare --set corpus.collection=all`"
        )
    vocabulary = Vocabulary.count((poem.text for poem in drawn), size.least)
    options = replace(data.options, layout="text", sample=None, min_frequency=size.least)
    parts = {}
    for name, chosen in training.items():
        splits = {"train": chosen, "validation": validation}
        write_dataset(folder / name, splits, vocabulary, options, {"sample_of": data.hash})
        parts[name] = Dataset.load(folder / name)
    return parts


def is_tang(poem: Poem) -> bool:
    return Heading.of(poem).dynasty == TANG


def _setting(parts: Mapping[str, Dataset]) -> dict[str, Any]:
    validation = parts["all"].texts("validation")
    known = parts["all"].vocabulary
    characters = "".join(validation)
    return {
        "poems": {name: len(part.verses("train")) for name, part in parts.items()},
        "validation": len(validation),
        "validation_tokens": sum(len(text) + 1 for text in validation),
        "vocabulary": len(known),
        "unknown_rate": sum(c not in known for c in characters) / len(characters),
    }


def planned_trial(
    variant: Variant, block: str, size: Size, parts: Mapping[str, Dataset], folder: Path
) -> PoemTrial:
    """The training of `variant`; trials are kept in `folder`."""
    name = f"{block}, {variant.name}"
    begin = folder / f"{block}, {variant.begin}" if variant.begin else None
    data = parts[variant.data].folder
    recipe = recipe_of(variant, block, size, parts)
    return PoemTrial(name, recipe, data, watch=clock, begin=begin, kind=variant.kind)


def recipe_of(variant: Variant, block: str, size: Size, parts: Mapping[str, Dataset]) -> Recipe:
    """The base's, but for what `variant` changes."""
    network = {**NETWORK, **variant.network}
    if variant.kind is TransformerRun:
        network["tie_weights"] = False  # it ties them itself, and needs no projection
    network |= {key: network[key] // size.shrink for key in ("embedding", "hidden")}
    passes = variant.passes or (size.few_passes if block == "few" else 1)
    if variant.passes == 0:  # as many steps as all the poems make
        of_all, of_these = (len(parts[name].verses("train")) for name in ("all", variant.data))
        passes = max(1, round(of_all / of_these))
    training = {**TRAINING, **variant.training, "epochs": passes}
    training["batch_size"] = training["batch_size"] * size.batch // FULL.batch
    return Recipe.from_dict({"network": network, "training": training})


def clock(loop: Loop, record: Record) -> None:
    """Beside a line of training's metrics: tokens so far, and the seconds that processors worked
    for this process."""
    if loop.metrics and record["kind"] == "train":
        now = {"tokens": loop.progress.total_tokens, "seconds": time.process_time()}
        loop.metrics.append(
            {"kind": "clock", "step": record["step"], "process": os.getpid(), **now}
        )


def tokens_per_second(outcome: Outcome) -> float | None:
    """Of a processor's time, in training: the median between two lines; None of fewer lines."""
    rates = [
        (b["tokens"] - a["tokens"]) / (b["seconds"] - a["seconds"])
        for a, b in pairwise(outcome.select("clock"))
        if a["process"] == b["process"] and b["seconds"] > a["seconds"]
    ]
    return median(rates) if rates else None


def measured(outcome: Outcome, variant: Variant, dataset: Dataset) -> dict[str, Any]:
    """What came of a trial; perplexities are of the Tang poems, told nothing unless it says so.

    seconds   of a processor, for training alone
    fitted    the perplexity of the training poems in the last epoch, with dropout
    """
    progress, arrays = load_checkpoint(outcome.folder / "last.safetensors")
    found: dict[str, Any] = {
        "diverged": outcome.diverged,
        "parameters": sum(weight.size for weight in weights_in(arrays).values()),
        "steps": progress.step,
        "tokens": progress.total_tokens,
    }
    if outcome.diverged:
        return found
    ends = outcome.select("validation")
    last = [line["nats"] for line in outcome.select("train") if line["epoch"] == progress.epoch]
    speed = tokens_per_second(outcome)
    return found | {
        "tokens_per_second": speed,
        "seconds": progress.total_tokens / speed if speed else None,
        "perplexity": outcome.perplexity,
        "perplexities": [round(end["perplexity"], 3) for end in ends],
        "fitted": math.exp(fmean(last)) if last else None,
        "told": _told(outcome, variant, dataset),
    }


def _told(outcome: Outcome, variant: Variant, dataset: Dataset) -> dict[str, float]:
    """What the network is told → its perplexity then: each of its conditions, and all of them."""
    conditions = conditions_in(variant.network.get("conditions"))
    given = {condition: [condition] for condition in conditions}
    if len(conditions) > 1:
        given["all"] = list(conditions)
    return {
        name: evaluate(
            outcome.model(), dataset, "validation", baseline=False, given=some
        ).perplexity
        for name, some in given.items()
    }
