"""The report on classifiers: all that is made of the records of `classify.run`."""

from __future__ import annotations

import math
from statistics import fmean

from yinshi.studies.classify_figures import ConfusionFigure, draw_factors
from yinshi.studies.main_effects import Effect, main_effects
from yinshi.studies.report import Record, Report, table

#: What differs between trainings → its levels; the others are compared with the first.
FACTORS = {
    "tokenizer": ("char", "jieba"),
    "stop_words": ("none", "iso", "iso, negations kept"),
    "vectors": ("random", "word2vec"),
    "model": ("rnn", "lstm", "bilstm", "bilstm-attention"),
}
MEASURES = ("dev", "test", "macro_f1")
#: A word seen so many times has a vector that says something.
OFTEN = 20
#: The data of the full run which the sentences of the report were written about.
READ_ON = "fd9a9b828b9f"
OF_MEASURES = ["dev accuracy", "test accuracy", "test macro-F1"]


def write(report: Report) -> None:
    """The report of what was measured."""
    [s] = report.select("setting")
    report.write(
        "Which tokens, stop words, vectors and models tell classes apart",
        _told_of_data(s),
        _told_of_training(report, s),
        _rate_table(report),
        "## What each choice brings",
        _effect_table(report),
        "Means over all trainings with this choice, in per cent; differences from the first choice "
        "are taken between trainings that are alike in all else, with the 95 % interval of their "
        "mean (Student's t over the pairs). It says how far a difference holds whatever the other "
        "choices and the luck of a training; not in it is that other test texts would give "
        f"another accuracy, by {_error_of_test(report):.1f} points either way with "
        f"{s['rows']['test']:,} of them.",
        report.figure(
            "factors",
            draw_factors(report, FACTORS),
            "Test accuracy of every training, by each of the four choices; the bar is the mean, "
            "the dashed line the baseline",
        ),
        report.findings(READ_ON, _findings),
        "## What is read",
        _reading_table(report),
        "*Tokens* are the mean of a training text. *Words* are the known ones, seen twice or "
        f"oftener in the training texts, *often* those of them seen {OFTEN} times or oftener; "
        "*unknown* are tokens of the test texts. Word2vec learns from the same tokens: *covered* "
        "are the words for which it has a vector, *length* is the mean of theirs. The last columns "
        "are the baseline on n-grams of these tokens, unknown ones alike: what the same reading is "
        "worth to it.",
        report.findings(READ_ON, _findings_on_reading),
        "## The best",
        _told_of_best(report),
        report.figure(
            "confusion",
            ConfusionFigure(report),
            "Test texts by true class (rows) and answer (columns), shaded by share of the row. The "
            "SVG needs a font for the classes' names where it is read, the PNG where it was made "
            "(or has numbers, in the order of the table)",
        ),
        _class_table(report),
        report.findings(READ_ON, _findings_on_best),
        "## All trainings",
        "By falling dev accuracy (and then rising nats). Differences, in points of test accuracy, "
        "from the baseline and from the baseline on the same tokens; *unknown* as above.",
        _trial_table(report),
    )


# ---- what the records say ----------------------------------------------------------------------


def effects(report: Report) -> list[Effect]:
    return list(main_effects(report.select("trial"), FACTORS, MEASURES))


def by_dev(report: Report) -> list[Record]:
    """The trainings, the best first; the test has no say."""
    return sorted(report.select("trial"), key=lambda trial: (-trial["dev"], trial["nats"]))


def best_trial(report: Report) -> Record:
    return by_dev(report)[0]


def difference_of_answers(report: Report) -> tuple[float, float]:
    """Test accuracy of the best network minus the baseline's, on the same texts: half the 95 %
    interval comes from those about which only one is right."""
    [s] = report.select("setting")
    ours, theirs = (a["only"] for a in report.select("answers"))
    n = s["rows"]["test"]
    mean = (ours - theirs) / n
    return mean, 1.96 * math.sqrt(((ours + theirs) / n - mean**2) / n)


def _error_of_test(report: Report) -> float:
    """In points: half the 95 % interval of the best accuracy, as a share of so many texts."""
    [s] = report.select("setting")
    p = best_trial(report)["test"]
    return 196 * math.sqrt(p * (1 - p) / s["rows"]["test"])


# ---- paragraphs and tables ---------------------------------------------------------------------


def _told_of_data(s: Record) -> str:
    rows, classes, twice = s["rows"], s["classes"], s["overlap"]
    most, *_, least = classes
    return (
        f"{rows['train']:,} texts to train on, {rows['dev']:,} to choose by, {rows['test']:,} to "
        f"measure on; {len(classes)} classes, from {most} ({classes[most]:,} training texts) to "
        f"{least} ({classes[least]:,}); always answering the most frequent is right about "
        f"{s['majority']:.1%} of the test. A training text has {s['characters']['median']:g} "
        f"characters in the median, {s['characters']['most']:,} at most. {twice['dev']:,} texts of "
        f"dev and {twice['test']:,} of test stand in train too."
    )


def _told_of_training(report: Report, s: Record) -> str:
    return (
        f"{len(report.select('trial'))} trainings, every combination of four choices, one seed. "
        f"The same for all: embedding {s['embedding']}, {s['hidden']} hidden units a direction, "
        "one layer, pooled by maximum (*bilstm-attention* by attention), dropout 0.5 before the "
        "output layer and 0.2 of the tokens, words seen twice or oftener; AdamW, batches of "
        f"{s['batch']}, gradients clipped to norm 1, float32, at most {s['epochs']} epochs, "
        f"stopped after {s['patience']} without fewer errors on dev. Vectors learn with the rest, "
        "wherever they come from. The model of the epoch with the fewest errors on dev is measured "
        "on test, once. *Baseline*: TF-IDF of character 1- to 3-grams and a linear support vector "
        "machine, nothing tuned. Each model has the learning rate that is best on dev where it "
        "reads characters, all of them, and begins with random vectors (whose dev accuracy is so "
        "the best of several):"
    )


def _rate_table(report: Report) -> str:
    """Dev accuracies, the best of each model in bold."""
    rows: dict[str, list[str]] = {}
    for tried in report.select("rate"):
        dev = "diverged" if tried["dev"] is None else _percent(tried["dev"])
        row = rows.setdefault(tried["model"], [tried["model"]])
        row.append(f"**{dev}**" if tried["chosen"] else dev)
    rates = dict.fromkeys(f"{tried['rate']:g}" for tried in report.select("rate"))
    return table(["dev accuracy by learning rate", *rates], rows.values())


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _signed(difference: float, digits: int = 1) -> str:
    return f"{100 * difference:+.{digits}f}".replace("-", "−")


def _with_interval(mean: float, half: float) -> str:
    return f"{_signed(mean, 2)} ± {100 * half:.2f}"


def _effect_table(report: Report) -> str:
    rows = []
    [bar] = report.select("baseline")
    for effect in effects(report):
        means = [_percent(effect.means[m]) if effect.means else "diverged" for m in MEASURES]
        differences = [
            _with_interval(*effect.differences[m]) if effect.differences else "–" for m in MEASURES
        ]
        name = f"{effect.factor.replace('_', ' ')}: {effect.level}"
        rows.append([name, str(effect.trials), *means, *differences])
    rows.append(["*baseline*", "1", *(_percent(bar[m]) for m in MEASURES), "", "", ""])
    differences = [f"difference, {name}" for name in OF_MEASURES]
    return table(["choice", "trainings", *OF_MEASURES, *differences], rows)


def _reading_table(report: Report) -> str:
    rows = [
        [
            f"{r['tokenizer']}; {r['stop_words']}",
            f"{r['tokens']:.1f}",
            f"{r['words']:,}",
            f"{r['often']:.0%}",
            f"{r['unknown']:.1%}",
            f"{r['covered']:.1%}",
            f"{r['length']:.2f}",
            *(_percent(r[m]) for m in MEASURES),
        ]
        for r in report.select("reading")
    ]
    headers = ["tokenizer; stop words", "tokens", "words", "often", "unknown", "covered", "length"]
    return table([*headers, *(f"baseline: {name}" for name in OF_MEASURES)], rows)


def name_of(trial: Record) -> str:
    return "; ".join(trial[factor] for factor in FACTORS)


def reading_of(report: Report, trial: Record) -> Record:
    """What the network of `trial` read."""
    read = {factor: trial[factor] for factor in ("tokenizer", "stop_words")}
    [found] = report.select("reading", **read)
    return found


def _trial_table(report: Report) -> str:
    [bar] = report.select("baseline")
    rows = []
    for trial in by_dev(report):
        reading = reading_of(report, trial)
        rows.append(
            [
                name_of(trial),
                *(_percent(trial[m]) for m in MEASURES),
                _signed(trial["test"] - bar["test"]),
                _signed(trial["test"] - reading["test"]),
                f"{trial['best_epoch']} of {trial['epochs']}",
                f"{trial['seconds']:.0f}",
                f"{reading['unknown']:.1%}",
            ]
        )
    for lost in report.select("diverged"):
        rows.append([name_of(lost), "diverged", *[""] * 7])
    rows.append(["*baseline*", *(_percent(bar[m]) for m in MEASURES), *[""] * 5])
    headers = ["tokenizer; stop words; vectors; model", *OF_MEASURES, "− baseline"]
    headers += ["− baseline on the same tokens", "best epoch", "seconds", "unknown"]
    return table(headers, rows)


def _told_of_best(report: Report) -> str:
    best, [bar] = best_trial(report), report.select("baseline")
    ours, theirs = (answers["only"] for answers in report.select("answers"))
    mean, half = difference_of_answers(report)
    return (
        f"By dev: {name_of(best)} ({best['dev']:.1%}). On test it has an accuracy of "
        f"{best['test']:.1%} and a macro-F1 of {best['macro_f1']:.1%}, the baseline "
        f"{bar['test']:.1%} and {bar['macro_f1']:.1%}. About {ours:,} texts only the network is "
        f"right, about {theirs:,} only the baseline: a difference of {_with_interval(mean, half)} "
        "points (95 % interval, over texts)."
    )


def _class_table(report: Report) -> str:
    network, bar = (
        {one["label"]: one for one in answers["per_class"]} for answers in report.select("answers")
    )
    nothing = {"precision": 0.0, "recall": 0.0, "f1": 0.0}
    figures = list(nothing)
    rows = [
        [label, f"{one['rows']:,}"]
        + [_percent(one[f]) for f in figures]
        + [_percent(bar.get(label, nothing)[f]) for f in figures]
        for label, one in network.items()
    ]
    names = ["precision", "recall", "F1"]
    headers = ["class", "test texts", *names, *(f"baseline: {name}" for name in names)]
    return table(headers, rows)


# ---- findings ----------------------------------------------------------------------------------


def _findings(report: Report) -> list[str]:
    """Numbers from the run; what is said about them was written after reading them."""
    found = {
        (effect.level, m): _with_interval(*effect.differences[m])
        for effect in effects(report)
        for m in effect.differences
    }
    [bar] = report.select("baseline")
    highest = max(trial["test"] for trial in report.select("trial"))
    return [
        f"Characters serve better than jieba's words, on dev ({found['jieba', 'dev']}) as on test "
        f"({found['jieba', 'test']}).",
        "What a model brings is that it reads in both directions "
        f"({found['bilstm', 'test']} with the maximum, {found['bilstm-attention', 'test']} with "
        "attention; they are not told apart). That an LSTM is better than an RNN is true of the "
        f"dev texts ({found['lstm', 'dev']}), not of the test texts ({found['lstm', 'test']}): so "
        "much for an interval that covers trainings and not texts.",
        f"To leave out stop words changes nothing that can be seen ({found['iso', 'test']}), nor "
        f"does it to keep the negations among them ({found['iso, negations kept', 'test']}). "
        "These are titles, which praise and blame nothing.",
        f"Word2vec on the same texts is no gain, on dev ({found['word2vec', 'dev']}) or on test "
        f"({found['word2vec', 'test']}).",
        f"None of the {len(report.select('trial'))} comes up to the baseline: the highest has "
        f"{_percent(highest)} against {_percent(bar['test'])}.",
    ]


def _findings_on_reading(report: Report) -> list[str]:
    read = {(r["tokenizer"], r["stop_words"]): r for r in report.select("reading")}
    characters, words = (read[tokenizer, "none"] for tokenizer in FACTORS["tokenizer"])
    without = read["char", "iso"]
    short = {
        tokenizer: fmean(
            reading_of(report, trial)["test"] - trial["test"]
            for trial in report.select("trial", tokenizer=tokenizer)
        )
        for tokenizer in FACTORS["tokenizer"]
    }
    return [
        f"The baseline loses by words too ({_percent(words['test'])} against "
        f"{_percent(characters['test'])}), and not by leaving out stop words "
        f"({_percent(without['test'])}): it is what is read, not the network alone. So few texts "
        f"leave {words['unknown']:.0%} of the words of test unknown, and "
        f"{characters['unknown']:.0%} of its characters. On the same tokens the networks are "
        f"behind the baseline by {_percent(short['char'])} points with characters, by "
        f"{_percent(short['jieba'])} with words.",
        "Word2vec has a vector for every word that is known, but little to learn it from: "
        f"{characters['often']:.0%} of the characters and {words['often']:.0%} of the words are "
        f"seen {OFTEN} times. With more text it does help "
        "([embeddings](../embeddings/README.md)).",
    ]


def _findings_on_best(report: Report) -> list[str]:
    best, [bar] = best_trial(report), report.select("baseline")
    network, machine = (
        {one["label"]: one for one in answers["per_class"]} for answers in report.select("answers")
    )
    behind = [name for name in network if network[name]["f1"] < machine[name]["f1"]]
    ahead = [name for name in network if network[name]["f1"] > machine[name]["f1"]]
    largest = max(network, key=lambda name: int(network[name]["rows"]))
    ours, theirs = (
        f"recall {_percent(classes[largest]['recall'])}, "
        f"precision {_percent(classes[largest]['precision'])}"
        for classes in (network, machine)
    )
    return [
        "The network is worse than the baseline: the interval does not reach 0. On dev it is only "
        f"{_percent(bar['dev'] - best['dev'])} points behind; to be chosen there, the best of "
        f"{len(report.select('trial'))}, flatters it.",
        f"It is behind in {len(behind)} classes of {len(network)} by F1, ahead in "
        f"{', '.join(ahead)}. When in doubt the baseline says {largest}, the largest class "
        f"({theirs}), the network less often ({ours}).",
    ]
