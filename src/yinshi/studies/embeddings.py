"""What do word vectors learnt beforehand bring, frozen and tuned, and what do they know?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from yinshi.corpus.dataset import Dataset
from yinshi.corpus.poem import HAN
from yinshi.corpus.script import to_traditional
from yinshi.corpus.vectors import WordVectors
from yinshi.corpus.vocabulary import SPECIALS
from yinshi.model_file import ModelFile
from yinshi.recipe import Recipe
from yinshi.studies.character_map import CharacterMap, check_scikit_learn, place
from yinshi.studies.report import COLOURS, Report, table
from yinshi.studies.trials import PoemTrial, Trials
from yinshi.studies.vector_sources import RANDOM, Source, SourceFolder, mean_length, name_of
from yinshi.training.starting_weights import starting_weights

STATES = ("frozen", "tuned")
#: What has become of the embedding that began without vectors.
LEARNT = f"{RANDOM}, tuned"
#: Whose neighbours are shown, in simplified characters.
ASKED = "日红山夜湖海月"
NEIGHBOURS = 8
#: The data of the full run which the sentences of the report were written about.
READ_ON = "34c46f7acb40"


@dataclass(frozen=True)
class Size:
    """What the study is run on, and with.

    poems            word2vec reads at most so many of a prepared folder
    common, mapped   so many of the most frequent characters are neighbours, are on the map
    """

    train: int
    validation: int
    embedding: int
    hidden: int
    epochs: int
    batch: int
    seeds: int
    poems: int
    common: int
    mapped: int


FULL = Size(
    train=8000, validation=1000, embedding=100, hidden=256, epochs=4, batch=64, seeds=2,
    poems=1_000_000, common=1500, mapped=150,
)  # fmt: skip
QUICK = Size(
    train=80, validation=12, embedding=6, hidden=8, epochs=2, batch=16, seeds=2,
    poems=500, common=100, mapped=30,
)  # fmt: skip


def run(
    data: Dataset, quick: bool, report: Report, trials: Trials, also: Sequence[Path] = ()
) -> None:
    """Train from every source, frozen and tuned, and write the report.

    `also` are files of vectors, and prepared folders to learn vectors from.
    """
    check_scikit_learn()
    size = QUICK if quick else FULL
    sample = trials.sample(data, size.train, size.validation)
    # Absolute: a trial is known again by its recipe, which names the file.
    folder = SourceFolder(
        report.unfinished.resolve(), sample, size.embedding, size.poems, report.say
    )
    sources = folder.collect(data, also)
    for source in [None, *sources]:
        _add_source(report, source, sample, size)
    model = _train(report, trials, sources, sample, size)
    facts = {"vocabulary": len(sample.vocabulary), "precision": model.facts["precision"]}
    report.add("sample", **asdict(size), **facts, data=name_of(data))
    rows = model.weights["embedding.weight"][len(SPECIALS) :]
    drawn = WordVectors(tuple(sample.vocabulary.characters), rows)
    shown = {source.name: source.vectors for source in sources if not source.control}
    for name, vectors in {**shown, LEARNT: drawn}.items():
        _add_neighbours(report, name, vectors, sample, size)
    for name, vectors in {sources[0].name: sources[0].vectors, LEARNT: drawn}.items():
        _add_map(report, name, vectors, sample, size)
    write(report)


def recipe_of(source: Source | None, state: str, seed: int, size: Size) -> Recipe:
    """From the vectors of `source`, or from none."""
    network: dict[str, Any] = {"embedding": size.embedding, "hidden": size.hidden}
    if source:
        network |= {"embedding": source.vectors.dimension, "vectors": str(source.file)}
    training = {
        "learning_rate": 4e-3,
        "schedule": "one-cycle",
        "clip_norm": 1.0,
        "freeze_embedding": state == "frozen",
        "epochs": size.epochs,
        "batch_size": size.batch,
        "seed": seed,
    }
    return Recipe.from_dict({"network": network, "training": training})


def _train(
    report: Report, trials: Trials, sources: Sequence[Source], sample: Dataset, size: Size
) -> ModelFile:
    """Add every epoch of every arm; the model that began with a random embedding, tuned."""
    runs = {
        (name_in_report(source), state, seed): recipe_of(source, state, seed, size)
        for source in [None, *sources]
        for state in STATES
        for seed in range(size.seeds)
    }
    planned = [
        PoemTrial(f"{name}, {state}, seed {seed}", recipe, sample.folder)
        for (name, state, seed), recipe in runs.items()
    ]
    outcomes = dict(zip(runs, trials.run(planned), strict=True))
    for (name, state, seed), outcome in outcomes.items():
        names = {"source": name, "state": state, "seed": seed}
        if outcome.diverged:
            report.add("diverged", **names)
        for record in outcome.select("validation"):
            kept = {key: record[key] for key in ("epoch", "step", "nats", "perplexity")}
            report.add("validation", **names, **kept)
    return outcomes[RANDOM, "tuned", 0].model()


def name_in_report(source: Source | None) -> str:
    return source.name if source else RANDOM


# ---- measuring --------------------------------------------------------------------------------


def _add_source(report: Report, source: Source | None, sample: Dataset, size: Size) -> None:
    """How much of the sample it covers, and how long the vectors are that training begins with."""
    recipe = recipe_of(source, "tuned", 0, size)
    weights, _ = starting_weights(recipe, sample)
    length = mean_length(weights["embedding.weight"][len(SPECIALS) :])
    facts: dict[str, Any] = {"dimension": recipe.network.embedding, "length": length}
    if source:
        facts |= {
            "poems": source.poems,
            "left_out": source.left_out,
            "characters": source.vectors.coverage(sample.vocabulary.characters),
            "text": source.vectors.coverage("".join(sample.texts("validation"))),
        }
    report.add("source", source=name_in_report(source), **facts)


def common_characters(sample: Dataset, count: int) -> list[str]:
    """The most frequent ones, without punctuation."""
    return [c for c in sample.vocabulary.characters if re.match(f"[{HAN}]", c)][:count]


def asked_characters(data: Dataset) -> str:
    """`ASKED` in the script of the poems."""
    return ASKED if data.options.script == "simplified" else to_traditional(ASKED)


def _add_neighbours(
    report: Report, name: str, vectors: WordVectors, sample: Dataset, size: Size
) -> None:
    """Among the common characters, which are the same for every source."""
    asked = asked_characters(sample)
    words = list(dict.fromkeys([*common_characters(sample, size.common), *asked]))
    places, rows = vectors.rows_for(words)
    common = WordVectors(tuple(words[place] for place in places), rows)
    for character in asked:
        found = common.nearest(character, NEIGHBOURS) if character in common else []
        report.add(
            "nearest",
            source=name,
            character=character,
            neighbours="".join(word for word, _ in found),
            cosines=[round(cosine, 3) for _, cosine in found],
        )


def _add_map(report: Report, name: str, vectors: WordVectors, sample: Dataset, size: Size) -> None:
    characters = common_characters(sample, size.mapped)
    places, rows = vectors.rows_for(characters)
    x, y = place(rows).T.round(2).tolist()
    report.add("map", source=name, characters="".join(characters[i] for i in places), x=x, y=y)


# ---- writing ----------------------------------------------------------------------------------


def write(report: Report) -> None:
    """The report of what was measured."""
    [s] = report.select("sample")
    steps = max(r["step"] for r in report.select("validation"))
    learnt = f"word2vec on {s['data']}"
    report.write(
        "What word vectors learnt beforehand bring",
        f"Report A's network (hidden {s['hidden']}, one layer, dropout 0.2) on {s['train']:,} "
        f"poems and a vocabulary of {s['vocabulary']:,}, validated on {s['validation']:,}; batches "
        f"of {s['batch']}, {s['epochs']} epochs, {steps} steps; AdamW, one-cycle up to 0.004, "
        f"gradients clipped to norm 1, in {s['precision']}; {s['seeds']} seeds, which draw all "
        "other weights, the order of the poems and dropout. Only what the embedding begins with "
        "differs, and whether it stays so (*frozen*) or learns with the rest (*tuned*).",
        f"*Random* is drawn from a normal distribution. *{learnt}* is trained (skip-gram, window "
        "5, 5 epochs, one seed) on the training split from which the sample is drawn, never on the "
        "poems it is validated on: it has seen more poems than the network, as vectors learnt "
        "beforehand have. Vectors that are not drawn are centred (their mean is taken away) and "
        "scaled to a mean length of 1, about that of the drawn ones; where there is none for a "
        "character, the one that was drawn stays. Two controls: *uncentred* are the vectors as "
        "word2vec made them; *shuffled* are the same as the first, each given to another "
        "character, as long and as spread, but without what word2vec learnt. Of another folder's "
        "poems those are *left out* that share a line of five or more characters with a validation "
        "poem.",
        _source_table(report),
        "*Characters covered* are of the vocabulary, *text covered* of the validation poems. "
        "Perplexity per token on the validation poems, the lowest after any epoch: mean and range "
        "over seeds.",
        report.figure(
            "curves",
            _draw(report),
            "Validation perplexity after each epoch, mean and range over seeds",
        ),
        report.findings(READ_ON, _findings),
        "## Nearest neighbours",
        f"By cosine, among the {s['common']:,} most frequent characters of the sample. *{LEARNT}* "
        "is what the network made of its random embedding, of seed 0, in these few epochs.",
        _neighbour_table(report),
        report.findings(READ_ON, _findings_on_neighbours),
        "## A map",
        report.figure(
            "map",
            _draw_map(report),
            f"The {s['mapped']} most frequent characters in the plane, by t-SNE: who is near whom "
            "means something, the axes and the distances between groups do not. The SVG needs a "
            "font for Chinese where it is read, the PNG where it was made (or has dots)",
        ),
    )


def _findings(report: Report) -> list[str]:
    """Numbers from the run; what is said about them was written after reading them."""
    _, learnt, uncentred, shuffled, *more = _names(report)
    frozen, tuned = (
        {name: _perplexity(report, name, state) for name in _names(report)} for state in STATES
    )
    found = [
        f"Vectors learnt by word2vec help: frozen {frozen[learnt]} against {frozen[RANDOM]} of "
        f"random ones, tuned {tuned[learnt]} against {tuned[RANDOM]}. It is what they know that "
        f"helps, not how long or spread they are: in disorder they are no better than random ones "
        f"({frozen[shuffled]}, {tuned[shuffled]}).",
        "Tuned is better than frozen wherever they come from.",
        f"As word2vec made them, longer and off centre, they serve no worse ({frozen[uncentred]}, "
        f"{tuned[uncentred]}).",
    ]
    if more:
        found.append(
            f"Learnt on many more poems ({more[0]}) they are no better frozen "
            f"({frozen[more[0]]}), and tuned ({tuned[more[0]]}) within the range of the others."
        )
    return found


def _findings_on_neighbours(report: Report) -> list[str]:
    first = {
        name: [r["cosines"][0] for r in report.select("nearest", source=name) if r["cosines"]]
        for name in (_names(report)[1], LEARNT)
    }
    learnt, drawn = (float(np.mean(cosines)) for cosines in first.values())
    return [
        f"A character and the nearest to it have a cosine of {learnt:.2f} by word2vec, and of "
        f"{drawn:.2f} in the embedding which the network tuned, on average over these. Word2vec "
        "puts together what is spoken of together; the network, in so few epochs, what can stand "
        "in the same place (紅 金 丹 銀; 山 溪 江 湖), among much else."
    ]


def _names(report: Report) -> list[str]:
    return [r["source"] for r in report.select("source")]


def _curves(report: Report, name: str, state: str) -> list[list[float]]:
    """Perplexity after each epoch, a list a seed; of those that diverged only as far as they
    came."""
    by_seed: dict[int, list[float]] = {}
    for r in report.select("validation", source=name, state=state):
        by_seed.setdefault(r["seed"], []).append(r["perplexity"])
    return list(by_seed.values())


def _perplexity(report: Report, name: str, state: str) -> str:
    if report.select("diverged", source=name, state=state):
        return "diverged"
    best = [min(curve) for curve in _curves(report, name, state)]
    mean = f"{np.mean(best):.1f}"
    return mean if len(best) == 1 else f"{mean} ({min(best):.1f}–{max(best):.1f})"


def _source_table(report: Report) -> str:
    forms = {
        "poems": "{:,}",
        "left_out": "{:,}",
        "dimension": "{}",
        "characters": "{:.1%}",
        "text": "{:.1%}",
        "length": "{:.2f}",
    }
    rows = []
    for record in report.select("source"):
        found = {key: record.get(key) for key in forms}
        cells = ["–" if v is None else forms[key].format(v) for key, v in found.items()]
        name = record["source"]
        rows.append([name, *cells, *(_perplexity(report, name, state) for state in STATES)])
    headers = ["embedding begins as", "poems read", "left out", "dimension", "characters covered"]
    headers += ["text covered", "mean length", *(f"perplexity, {state}" for state in STATES)]
    return table(headers, rows)


def _neighbour_table(report: Report) -> str:
    found = report.select("nearest")
    names = list(dict.fromkeys(r["source"] for r in found))
    characters = list(dict.fromkeys(r["character"] for r in found))
    cells = {(r["character"], r["source"]): " ".join(r["neighbours"]) or "–" for r in found}
    rows = [[c, *(cells[c, name] for name in names)] for c in characters]
    return table(["", *names], rows)


def _draw(report: Report) -> Figure:
    """Frozen left, tuned right."""
    figure = Figure(figsize=(10, 5), layout="constrained")
    for axes, state in zip(figure.subplots(1, 2, sharey=True), STATES, strict=True):
        for number, name in enumerate(_names(report)):
            curves = _curves(report, name, state)
            if curves:
                _draw_curve(axes, curves, name, COLOURS[number % len(COLOURS)])
        axes.set(xlabel="epoch", title=state, yscale="log")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.yaxis.set_major_formatter("{x:.0f}")
        axes.yaxis.set_minor_formatter("{x:.0f}")
        axes.grid(alpha=0.3, which="both")
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("validation perplexity per token")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _draw_curve(axes: Axes, curves: Sequence[Sequence[float]], name: str, colour: str) -> None:
    """The mean over seeds and their range, as far as all of them came."""
    by_epoch = list(zip(*curves, strict=False))
    epochs = range(1, len(by_epoch) + 1)
    axes.plot(epochs, [np.mean(p) for p in by_epoch], "o-", ms=4, color=colour, label=name)
    low, high = list(map(min, by_epoch)), list(map(max, by_epoch))
    axes.fill_between(epochs, low, high, color=colour, alpha=0.15, lw=0)


def _draw_map(report: Report) -> CharacterMap:
    found = report.select("map")
    figure = CharacterMap(panels=len(found))
    for r in found:
        figure.draw_map(r["source"], r["characters"], r["x"], r["y"])
    return figure
