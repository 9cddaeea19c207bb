from __future__ import annotations

import copy
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_tables import tables
from small_poems import small_poems

from yinshi.corpus.dataset import Dataset, write_dataset
from yinshi.corpus.poem import Poem
from yinshi.corpus.vocabulary import Vocabulary
from yinshi.errors import UsageError
from yinshi.evaluation.evaluate import evaluate
from yinshi.model_file import BEST, ModelFile
from yinshi.recipe import CorpusRecipe, Recipe
from yinshi.studies import poet, poet_report
from yinshi.studies.poet import (
    BASE,
    BLOCKS,
    FEW,
    FULL,
    NETWORK,
    VARIANTS,
    Size,
    Variant,
    draw_parts,
    is_tang,
    planned_trial,
    recipe_of,
    tokens_per_second,
)
from yinshi.studies.poet_report import change, seeds_of, trial_of
from yinshi.studies.report import Record, Report
from yinshi.studies.trials import Outcome, Trials
from yinshi.training.transformer_run import TransformerRun

SMALL = Size(160, 40, few_passes=2, batch=4, least=2, shrink=32)


def poems_of(dynasty: str, author: str, count: int, seed: int) -> list[Poem]:
    return [
        replace(poem, author=author, title="月夜", source=f"poet.{dynasty}.0.json")
        for poem in small_poems(count, seed)
    ]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Of 60 poems of Tang and 100 of Song to train on, and 9 and 6 to validate."""
    tang, song = poems_of("tang", "李白", 69, 0), poems_of("song", "蘇軾", 106, 1)
    splits = {"train": tang[:60] + song[:100], "validation": tang[60:] + song[100:]}
    splits["test"] = tang[:5]
    vocabulary = Vocabulary.count(poem.text + poem.title for poem in splits["train"])
    folder = tmp_path_factory.mktemp("data") / "both"
    write_dataset(folder, splits, vocabulary, CorpusRecipe(collection="all"))
    return Dataset.load(folder)


@pytest.fixture(scope="module")
def parts(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dataset]:
    return draw_parts(data, tmp_path_factory.mktemp("parts"), SMALL)


# ---- what is planned ----------------------------------------------------------------------------


def test_the_parts_are_told_apart_and_judged_by_tang(
    data: Dataset, parts: dict[str, Dataset]
) -> None:
    drawn = {name: part.split("train") for name, part in parts.items()}
    assert Counter(drawn["all"]) == Counter(data.split("train"))
    assert drawn["all"] != data.split("train")
    assert Counter(drawn["tang"] + drawn["song"]) == Counter(drawn["all"])
    assert all(map(is_tang, drawn["tang"]))
    assert not any(map(is_tang, drawn["song"]))
    assert len(drawn["few"]) == 40
    assert Counter(drawn["few"]) <= Counter(drawn["tang"])
    for part in parts.values():
        assert part.split("validation") == [p for p in data.split("validation") if is_tang(p)]
        assert part.vocabulary.characters == parts["all"].vocabulary.characters
        assert part.splits == ["train", "validation"]


def test_poems_of_one_dynasty_are_refused(small_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no poems of Tang or none of Song, expected both"):
        draw_parts(Dataset.load(small_dataset), tmp_path, SMALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_names_are_distinct_and_what_they_go_on_from_is_there(block: str) -> None:
    names = [variant.name for variant in BLOCKS[block]]
    assert len(set(names)) == len(names)
    assert names[0] == BASE
    for variant in BLOCKS[block]:
        if variant.begin:
            [other] = [v for v in BLOCKS[block] if v.name == variant.begin]
            assert other.begin is None
            assert not other.network
            assert not variant.network


@pytest.mark.parametrize("block", BLOCKS)
def test_a_variant_changes_what_it_says(block: str, parts: dict[str, Dataset]) -> None:
    base = recipe_of(BLOCKS[block][0], block, FULL, parts)
    for variant in BLOCKS[block][1:]:
        recipe = recipe_of(variant, block, FULL, parts)
        network, training = dict(variant.network), dict(variant.training)
        if variant.kind is TransformerRun:
            network["tie_weights"] = False
        if variant.passes is not None:
            training["epochs"] = recipe.training.epochs
        assert recipe.network == replace(base.network, **network)
        assert recipe.training == replace(base.training, **training)
        different = (recipe, variant.data, variant.begin, variant.kind)
        assert different != (base, BLOCKS[block][0].data, None, poet.Run)


def test_the_study_covers_what_the_poet_was_asked() -> None:
    named = {key for variant in VARIANTS for key in (*variant.network, *variant.training)}
    assert named >= {
        "hidden", "layers", "embedding", "tie_weights", "dropout", "input_dropout",
        "output_dropout", "weight_dropout", "weight_decay", "schedule", "ema_decay",
        "batch_size", "learning_rate", "conditions",
    }  # fmt: skip
    assert {key for v in FEW for key in v.network} == {
        "dropout", "input_dropout", "output_dropout", "weight_dropout"
    }  # fmt: skip


def test_as_many_steps(parts: dict[str, Dataset]) -> None:
    """160 poems once, or the 60 of Tang 8/3 times: 3."""
    [tang] = [v for v in VARIANTS if v.passes == 0]
    assert recipe_of(tang, "all", FULL, parts).training.epochs == 3
    [twice] = [v for v in VARIANTS if v.name == "twice as long"]
    assert recipe_of(twice, "all", FULL, parts).training.epochs == 2
    assert recipe_of(FEW[0], "few", FULL, parts).training.epochs == FULL.few_passes


def test_the_transformer_has_as_many_parameters() -> None:
    """Within 2 %, with the vocabulary of the full run."""
    from yinshi.nets.transformer import Transformer

    V = 4533
    shapes = Recipe.from_dict({"network": NETWORK}).network.weight_shapes(V)
    expected = sum(math.prod(shape) for shape in shapes.values())
    for variant in VARIANTS:
        if variant.kind is TransformerRun:
            network = Recipe.from_dict({"network": dict(variant.network)}).network
            found = sum(p.numel() for p in Transformer(network, V, 127).parameters())
            assert found == pytest.approx(expected, rel=0.02)


def test_tokens_a_second_of_one_process(tmp_path: Path) -> None:
    """Between lines of one process: (100 − 40) / 2 and (220 − 100) / 3; not across two."""
    lines = [(40, 1.0, 7), (100, 3.0, 7), (220, 6.0, 7), (280, 0.5, 8), (380, 1.5, 8)]
    text = "".join(
        f'{{"kind": "clock", "tokens": {t}, "seconds": {s}, "process": {p}}}\n' for t, s, p in lines
    )
    (tmp_path / "metrics.jsonl").write_text(text, encoding="utf-8")
    assert tokens_per_second(Outcome(tmp_path, None)) == 40  # of 30, 40, 100
    (tmp_path / "metrics.jsonl").write_text(text.splitlines()[0], encoding="utf-8")
    assert tokens_per_second(Outcome(tmp_path, None)) is None


# ---- the whole study in miniature ---------------------------------------------------------------


@pytest.fixture(scope="module")
def report(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Report:
    report = Report(tmp_path_factory.mktemp("reports") / "poet", "poet", data, quick=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(poet, "QUICK", SMALL)
        poet.run(data, True, report, Trials(report))
    return report


def test_files(report: Report) -> None:
    expected = {"README.md", "metrics.jsonl"}
    expected |= {f"{name}.{kind}" for name in ("variants", "few") for kind in ("svg", "png")}
    assert {p.name for p in report.folder.iterdir()} == expected


def test_every_variant_has_its_figures(report: Report) -> None:
    for block, variants in BLOCKS.items():
        for variant in variants:
            trial = trial_of(report, block, variant.name)
            assert trial["perplexity"] == pytest.approx(min(trial["perplexities"]), abs=1e-3)
            assert trial["fitted"] is None or trial["fitted"] > 1
            if trial["seconds"]:
                assert trial["seconds"] == trial["tokens"] / trial["tokens_per_second"]
    assert len(report.select("trial")) == len(VARIANTS) + len(FEW)


def test_parameters(report: Report) -> None:
    """Header tokens have rows too; of a tied weight there is one."""
    [setting] = report.select("setting")
    for variant in VARIANTS:
        network = {**NETWORK, **variant.network}
        network |= {key: network[key] // SMALL.shrink for key in ("embedding", "hidden")}
        V = setting["vocabulary"] + {"dynasty": 2}.get(variant.name, 0)
        shapes = Recipe.from_dict({"network": network}).network.weight_shapes(V)
        found = trial_of(report, "all", variant.name)["parameters"]
        if variant.group == "attention" or variant.name.startswith("dynasty, "):
            continue
        assert found == sum(math.prod(shape) for shape in shapes.values())


def test_steps_and_tokens(report: Report) -> None:
    """160 poems of 25 tokens, 4 a batch; the parts of both dynasties are all of them."""
    base = trial_of(report, "all", BASE)
    assert (base["steps"], base["tokens"]) == (40, 160 * 25)
    song, tang = (trial_of(report, "all", name) for name in ("Song alone", "Song, then Tang"))
    assert (song["steps"], tang["steps"]) == (25, 15)
    assert trial_of(report, "all", "batches of 64")["steps"] == 20
    assert trial_of(report, "few", BASE)["steps"] == 20


def test_what_is_told(report: Report) -> None:
    one, whole = report.select("trial", group="told")
    assert list(one["told"]) == ["dynasty"]
    assert list(whole["told"]) == ["dynasty", "form", "author", "title", "all"]
    assert all(not t["told"] for t in report.select("trial") if t["group"] != "told")


def test_going_on_from_another(data: Dataset, tmp_path: Path) -> None:
    """The second training begins with the best weights of the first."""
    report = Report(tmp_path / "report", "poet", data, quick=True)
    parts = draw_parts(data, report.unfinished / "data", SMALL)
    first = Variant("which poems", "first", data="song")
    then = Variant("which poems", "then", {}, {"learning_rate": 1e-9}, "tang", begin="first")
    told = []
    for variant in (first, then):
        trial = planned_trial(variant, "all", SMALL, parts, report.unfinished)
        [outcome] = Trials(report).run([trial])
        model = ModelFile.load(outcome.folder / BEST)
        told.append(evaluate(model, parts["tang"], "validation", baseline=False).perplexity)
        assert outcome.perplexity == pytest.approx(told[-1], rel=0.01)
    assert told[1] == pytest.approx(told[0], rel=1e-4)


def rewritten(
    report: Report, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = "", **values: object
) -> Report:
    """The report of the full run, were this trial of the first block another."""
    monkeypatch.setattr(poet_report, "READ_ON", report._data.hash)
    again = Report(folder, "poet", report._data, quick=False)
    again.records = copy.deepcopy(report.records)
    if name:
        trial_of(again, "all", name).update(values)
    poet_report.write(again)
    return again


def test_the_tables_are_those_of_the_metrics(report: Report) -> None:
    variants, told, few = tables(report.folder / "README.md")
    for row, trial in zip(variants, report.select("trial", block="all"), strict=True):
        assert row[""].endswith(trial["name"])
        assert row["perplexity, Tang"] == f"{trial['perplexity']:.1f}"
        assert row["parameters"] == f"{trial['parameters']:,}"
        assert row["steps"] == f"{trial['steps']:,}"
    assert [row["nothing"] for row in told] == [
        f"{t['perplexity']:.1f}" for t in report.select("trial", group="told")
    ]
    for row, trial in zip(few, report.select("trial", block="few"), strict=True):
        assert row[""] == trial["name"]
        assert row["last"] == f"{trial['perplexities'][-1]:.1f}"
        assert trial["perplexities"][int(row["its epoch"]) - 1] == min(trial["perplexities"])


def test_changes_are_against_the_mean_of_the_seeds(report: Report) -> None:
    seeds = seeds_of(report, "all")
    assert len(seeds) == 3
    assert len(seeds_of(report, "few")) == 2
    trial = trial_of(report, "all", "2 layers")
    assert change(report, trial) == pytest.approx(trial["perplexity"] / (sum(seeds) / 3) - 1)
    assert sum(change(report, t) for t in report.select("trial", block="all", group=BASE)) < 1e-9


def sentences(report: Report) -> list[str]:
    text = (report.folder / "README.md").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.startswith("- ")]


def test_the_sentences_sort_by_what_seeds_differ(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A perplexity of half the base's is better, one of twice is worse, and its own is neither."""
    mean = sum(seeds_of(report, "all")) / 3
    expected = {"better": (0.5, "−50.0%"), "worse": (2.0, "+100.0%"), "no further": (1.0, "+0.0%")}
    for kind, (factor, told) in expected.items():
        again = rewritten(
            report, tmp_path / kind, monkeypatch, "2 layers", perplexity=factor * mean
        )
        [sentence] = [s for s in sentences(again) if "One pass" in s and "2 layers" in s]
        assert f", {kind}" in sentence
        assert f"2 layers ({told})" in sentence


def test_what_diverged_is_told(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = rewritten(report, tmp_path / "again", monkeypatch, "2 layers", diverged="it became nan")
    rows = {row[""]: row for row in tables(again.folder / "README.md")[0]}
    assert rows["2 layers"]["perplexity, Tang"] == "diverged"
    assert any(s.endswith("diverged: 2 layers.") for s in sentences(again))


def test_a_quick_run_has_no_sentences(report: Report) -> None:
    assert not sentences(report)
    records: list[Record] = report.records
    assert all(math.isfinite(r["perplexity"]) for r in records if r["kind"] == "trial")
