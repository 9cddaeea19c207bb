"""Make a training run's best model the shipped one: int8, measured on the test split, with card.

    python tools/ship_model.py runs/poet --data data/poet --history "as the recipe says"

The figures on the card are those of the rounded weights, as they are shipped, and beside them that
of the weights as they were trained.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from yinshi.corpus.dataset import Dataset
from yinshi.evaluation.evaluate import Evaluation, evaluate
from yinshi.model_file import SHIPPED, ModelFile, resolve_model

#: Bytes that the file may have.
LARGEST = 14_000_000
#: What the network is told of the test poems, beside nothing.
GIVEN = ("form", "form+title", "form+pattern+rhyme", "dynasty+form+pattern+rhyme+author+title")

MODELS = Path(__file__).parents[1] / "src" / "yinshi" / "models"

CARD = """\
# {name}

The model that `yinshi write` uses unless told otherwise. Licence: MIT, as the project's.

| | |
|---|---|
| network | {network} |
| recipe | [`{recipe}.toml`](../recipes/{recipe}.toml); {history} |
| data | {collection}, {script} characters; source {sources} |
| data hash | `{data_hash}` |
| vocabulary | {vocabulary}, and {headers:,} tokens that may stand before a poem |
| last training | {date}: {epochs} epochs, {tokens:,} tokens, {minutes:.0f} minutes in {precision} |
| file | int8, {megabytes:.1f} MB, {index:.1f} MB of it the index of lines |

## Test split

{poems:,} poems, {test_tokens:,} tokens, {unknown:.3%} of the characters unknown. What each
convention means, and why only the first is ours: [docs/perplexity.md](../../../docs/perplexity.md).

| convention | value |
|---|---:|
{conventions}
| *Kneser–Ney trigram on the same data, masked per token* | {baseline:.2f} |
| *the weights before they were rounded, per token* | {exact:.2f} |

Told something of each poem before it begins (a header is read, never asked for), per token:

| told | value |
|---|---:|
{given}

## Where the poems come from

全唐詩 and 全宋詩 as digitised by chinese-poetry/chinese-poetry at commit 99ebbef (MIT). The poems
themselves are in the public domain; none of them is in this file, but a network may quote a line by
heart. An index of the training lines in the file, a Bloom filter, tells quotations: no line of five
characters or more is missed, and 0.8 % of new lines of five are taken for known ones.
"""


def ship(run: Path, dataset: Dataset, history: str) -> None:
    trained = ModelFile.load(resolve_model(run))
    if trained.facts["data_hash"] != dataset.hash:
        raise SystemExit(f"{dataset.folder}: not the data that the model was trained on")
    exact = evaluate(trained, dataset, baseline=False).perplexity
    path = MODELS / f"{SHIPPED}.safetensors"
    trained.save(path, dtype="int8")
    model = ModelFile.load(path)
    result = evaluate(model, dataset)
    for warning in result.warnings:
        print("warning:", warning)
    given = {
        parts: evaluate(model, dataset, baseline=False, given=parts.split("+")).perplexity
        for parts in GIVEN
    }
    facts = {**trained.facts, "test_perplexity": result.perplexity, "test": result.conventions}
    replace(trained, facts=facts).save(path, dtype="int8")
    size = path.stat().st_size
    if size > LARGEST:
        raise SystemExit(f"{path.name} has {size:,} bytes, expected {LARGEST:,} at most")
    card = _card(model, dataset, result, exact, given, history)
    (MODELS / f"{SHIPPED}.md").write_text(card, encoding="utf-8")
    print(f"{path.name}: {size:,} bytes; test perplexity {result.perplexity:.2f}")


def _card(
    model: ModelFile,
    dataset: Dataset,
    result: Evaluation,
    exact: float,
    given: Mapping[str, float],
    history: str,
) -> str:
    recipe, facts = model.recipe, model.facts
    network, parameters = recipe.network, sum(w.size for w in model.weights.values())
    described = (
        f"Embedding {network.embedding} → {network.layers} × LSTM {network.hidden} → "
        f"dropout {network.dropout:g} → output{', tied' if network.tie_weights else ''}; "
        f"{parameters / 1e6:.2f} million parameters"
    )
    return CARD.format(
        name=SHIPPED,
        network=described,
        recipe=recipe.name,
        collection=recipe.corpus.collection,
        script=recipe.corpus.script,
        sources=", ".join(f"{name} `{h}`" for name, h in dataset.manifest["sources"].items()),
        data_hash=facts["data_hash"],
        vocabulary=f"{len(model.vocabulary):,} tokens",
        headers=len(model.header_names),
        history=history,
        date=facts["date"],
        epochs=facts["epochs"],
        tokens=facts["tokens"],
        minutes=facts["seconds"] / 60,
        precision=facts["precision"],
        megabytes=(MODELS / f"{SHIPPED}.safetensors").stat().st_size / 1e6,
        index=sum(array.nbytes for array in model.novelty.values()) / 1e6,
        poems=result.poems,
        test_tokens=result.tokens,
        unknown=result.unknown_rate,
        conventions="\n".join(f"| {n} | {v:.2f} |" for n, v in result.conventions.items()),
        baseline=result.baseline,
        exact=exact,
        given="\n".join(f"| {parts} | {value:.2f} |" for parts, value in given.items()),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--history", default="as it says", help="How it was trained, for the card.")
    arguments = parser.parse_args()
    ship(arguments.run, Dataset.load(arguments.data), arguments.history)
