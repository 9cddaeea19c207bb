"""The published figures beside ours: reports/README.md, from the runs of the reports' recipes.

    yinshi train report-a                  (data/report-a and runs/report-a; so with each recipe)
    python tools/published.py runs/report-a runs/report-b …

A recipe measured before and not named keeps its line in reports/published.jsonl; without any run
the page alone is made anew.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from yinshi.atomic import write_atomically
from yinshi.corpus.dataset import Dataset
from yinshi.errors import UsageError
from yinshi.evaluation.evaluate import evaluate
from yinshi.model_file import ModelFile
from yinshi.studies import STUDIES
from yinshi.studies.report import table
from yinshi.training.metrics import read_metrics
from yinshi.training.run import Run

REPORTS = Path(__file__).parents[1] / "reports"

Record = dict[str, Any]

#: recipe → (what was published, the convention it was counted in).
PUBLISHED = {
    "report-a": ("17.67", "padded_to_80"),
    "report-a-2-layers": ("17.73", "padded_to_80"),
    "report-a-word2vec": ("17.57", "padded_to_80"),
    "report-b": ("curves only", "per_token"),
    "report-c": ("18.45", "base2_of_nats"),
    "lab-5": ("–", "per_token"),
}
CONVENTIONS = {
    "padded_to_80": "padded to 80, pads counted",
    "per_token": "2^bits, which is e^nats",
    "base2_of_nats": "2^nats",
}

#: What a poem is padded to, where it is not 80.
PAD_TO = {"report-c": 64}

PAGE = """\
# Reports

What the documents that this project grew from had measured, measured again; and the studies.

## The published figures

{published}

Every line is a recipe in [`src/yinshi/recipes/`](../src/yinshi/recipes): `yinshi train report-a`
prepares its poems, trains it and leaves the run in `runs/report-a`; `python tools/published.py
runs/report-a` measures it for this page. All figures are of the validation poems, on which the best
epoch was also chosen, as in the documents; the *baseline* is a Kneser–Ney trigram of these poems,
per real token. The conventions are those of [docs/perplexity.md](../docs/perplexity.md).

{details}

### Why ours differ

{reasons}

## The studies

{studies}

A study resumes where it stopped: `yinshi study NAME --data data/tang`, and for `classify` a folder
of labelled texts (`--quick` for minutes, `--jobs N` for several trainings at a time).
"""


def _a(r: Record) -> str:
    real, padded = r["conventions"]["per_token"], r["conventions"]["padded_to_80"]
    pads = 80 - r["tokens_per_poem"]
    return (
        f"**report-a.** What 17.67 becomes when padding is not counted: the same recipe gives "
        f"{padded:.2f} in that convention, and {real:.1f} per real token. Of 80 tokens of a poem "
        f"{pads:.1f} are pads, which cost nothing here and cost the report next to nothing. The "
        f"poems are cleaned (V {r['vocabulary']:,} instead of 7,585), none stands twice, and "
        "variants of a poem are on one side of the split; poems over 80 characters are cut at the "
        "end of a sentence, not hard; no pad is ever computed, so that none is learnt. The recipe "
        f"allows 100 epochs with a patience of 10. Ours was stopped after {r['epochs']}, when it "
        "still fell by up to one per cent an epoch, to leave the machine's time to the others."
    )


def _layers(r: Record) -> str:
    epochs, last = r["epochs"], r["perplexities"][-1]
    return (
        f"**report-a-2-layers.** As report-a, but stopped after no more than {epochs} epochs: two "
        "layers take half as long again, and the machine's time was over. One layer had "
        f"{known_records()['report-a']['perplexities'][epochs - 1]:.1f} after as many, two have "
        f"{last:.1f}: they begin more slowly (see the study of sizes), so that this says nothing "
        "about where they end."
    )


def _word2vec(r: Record) -> str:
    return (
        "**report-a-word2vec.** As report-a, with vectors of 100 numbers learnt from the training "
        f"poems alone (skip-gram, five negative samples), as gensim leaves them; {r['epochs']} "
        "epochs too. The report's settings are not known. Vectors are a head start of some three "
        "epochs, and after these the lower figure still, as in the report."
    )


def _b(r: Record) -> str:
    return (
        "**report-b.** It published curves. 2 to the bits is e to the nats: its convention is "
        f"ours. The held-out perplexity rose after epoch {r['best_epoch']}, where the recipe "
        "stops. Optimizer and learning rate (Adam, 0.001) are our choice: the report compares "
        "several, see the study of optimizers. Longer poems are left out, not cut; "
        f"{r['unknown_rate']:.1%} of the characters are unknown with V = 3,500, which makes the "
        "figure look better than with all characters."
    )


def _c(r: Record) -> str:
    nats, padded = (math.log(r["conventions"][name]) for name in ("per_token", "padded_to_64"))
    return (
        "**report-c.** Its two figures do not belong together: 2^4.07 is 16.8, and 18.45 is 2 to "
        f"4.21 nats. After {r['epochs']} epochs (the report names no number) ours pays {nats:.2f} "
        f"nats a real token, or {padded:.2f} if poems are padded to its length of 64 and pads "
        "counted. The weight decay, which Adam adds to the gradient, holds training back: its nats "
        f"({r['training_nats']:.2f}) are hardly below. Without it (`--set "
        "training.weight_decay=0.0`) they are 4.07 in the eighth epoch, when the validation "
        "perplexity, lowest after the sixth at 176, has risen to 198: 4.07 may well have been a "
        "training loss."
    )


def _lab(r: Record) -> str:
    poems = sum(r["poems"].values())
    return (
        f"**lab-5.** {poems:,} different 五绝 of Tang and Song (the hand-out had 12,842), 24 "
        f"characters, start and end each; with V = 2,001 {r['unknown_rate']:.1%} of the "
        "characters are unknown, a token that is easily guessed. Embedding 128, hidden 256 and "
        "Adam 0.001 are our choice. Xavier is of the recurrent weights too, not of the output "
        "layer's alone."
    )


#: recipe → why ours differs from what was published, of its record.
REASONS: dict[str, Callable[[Record], str]] = {
    "report-a": _a,
    "report-a-2-layers": _layers,
    "report-a-word2vec": _word2vec,
    "report-b": _b,
    "report-c": _c,
    "lab-5": _lab,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", type=Path, help="folders of runs")
    found = known_records() | {r["recipe"]: r for r in map(measure, parser.parse_args().runs)}
    measured = {name: found[name] for name in PUBLISHED if name in found}
    lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in measured.values()]
    write_atomically(REPORTS / "published.jsonl", "".join(lines).encode())
    write_atomically(REPORTS / "README.md", page(measured).encode())


def known_records() -> dict[str, Record]:
    """recipe → what was measured of it."""
    path = REPORTS / "published.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {record["recipe"]: record for record in map(json.loads, lines)}


def measure(folder: Path) -> Record:
    """What a run's best model pays for its validation poems, under every convention."""
    run = Run.resume(folder)
    if run.recipe.name not in PUBLISHED:
        raise UsageError(f"{folder}: found recipe {run.recipe.name}, expected a report's")
    data, model = Dataset.load(run.data), ModelFile.load(run.best)
    pad_to = PAD_TO.get(run.recipe.name, 80)
    found = evaluate(model, data, "validation", pad_to)
    records = read_metrics(folder)
    validation = [r for r in records if r["kind"] == "validation"]
    best = min(validation, key=lambda r: r["nats"])
    in_best = [r["nats"] for r in records if r["kind"] == "train" and r["epoch"] == best["epoch"]]
    return {
        "recipe": run.recipe.name,
        "data_hash": data.hash[:12],
        "poems": {name: data.manifest["counts"][name] for name in data.splits},
        "vocabulary": found.vocabulary_size,
        "unknown_rate": found.unknown_rate,
        "tokens_per_poem": found.tokens / found.poems,
        "conventions": found.conventions,
        "baseline": found.baseline,
        "best_epoch": best["epoch"],
        "epochs": validation[-1]["epoch"],
        "training_nats": math.fsum(in_best) / len(in_best),
        "perplexities": [round(r["perplexity"], 2) for r in validation],
    }


def page(measured: Mapping[str, Record]) -> str:
    """reports/README.md."""
    reasons = [f"- {REASONS[name](record)}" for name, record in measured.items()]
    return PAGE.format(
        published=_published_table(measured),
        details=_detail_table(measured),
        reasons="\n".join(reasons),
        studies=table(
            ["study", "what it asks"],
            [[f"[{name}]({name}/README.md)", question] for name, question in STUDIES.items()],
        ),
    )


def _published_table(measured: Mapping[str, Record]) -> str:
    headers = ["recipe", "published", "ours, counted so", "ours per real token", "baseline"]
    rows = []
    for name, record in measured.items():
        published, convention = PUBLISHED[name]
        rows.append(
            [
                f"[{name}](../src/yinshi/recipes/{name}.toml), {record['epochs']} epochs",
                f"{published} ({CONVENTIONS[convention]})",
                f"{record['conventions'][convention]:.2f}",
                f"**{record['conventions']['per_token']:.2f}**",
                f"{record['baseline']:.1f}",
            ]
        )
    return table(headers, rows)


def _detail_table(measured: Mapping[str, Record]) -> str:
    headers = ["recipe", "poems to train on, to validate", "V", "unknown", "tokens a poem"]
    headers += ["best epoch, of", "nats: training, validation"]
    rows = []
    for name, r in measured.items():
        nats = math.log(r["conventions"]["per_token"])
        rows.append(
            [
                name,
                f"{r['poems']['train']:,}, {r['poems']['validation']:,}",
                f"{r['vocabulary']:,}",
                f"{r['unknown_rate']:.2%}",
                f"{r['tokens_per_poem']:.1f}",
                f"{r['best_epoch']}, {r['epochs']}",
                f"{r['training_nats']:.2f}, {nats:.2f}",
            ]
        )
    return table(headers, rows)


if __name__ == "__main__":
    main()
