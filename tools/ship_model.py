"""Make a training run's best model the shipped one: float16, measured on the test split, with card.

    python tools/ship_model.py runs/tang --data data/tang

The figures on the card are those of the rounded weights, as they are shipped.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from yinshi.corpus.dataset import Dataset
from yinshi.evaluation.evaluate import Evaluation, evaluate
from yinshi.model_file import SHIPPED, ModelFile, resolve_model

MODELS = Path(__file__).parents[1] / "src" / "yinshi" / "models"

CARD = """\
# {name}

The model that `yinshi write` uses unless told otherwise. Licence: MIT, as the project's.

| | |
|---|---|
| network | {network} |
| recipe | [`{recipe}.toml`](../recipes/{recipe}.toml) |
| data | {collection}, {script} characters; source {sources} |
| data hash | `{data_hash}` |
| vocabulary | {vocabulary} |
| trained | {date}: {epochs} epochs, {tokens:,} tokens, {minutes:.0f} minutes in {precision} |
| file | float16, {megabytes:.1f} MB |

## Test split

{poems:,} poems, {test_tokens:,} tokens, {unknown:.3%} of the characters unknown. What each
convention means, and why only the first is ours: [docs/perplexity.md](../../../docs/perplexity.md).

| convention | value |
|---|---:|
{conventions}
| *Kneser–Ney trigram on the same data, masked per token* | {baseline:.2f} |

## Where the poems come from

全唐詩 as digitised by chinese-poetry/chinese-poetry at commit 99ebbef (MIT). The poems themselves
are in the public domain; none of them is in this file, but a network may quote a line by heart.
"""


def ship(run: Path, data: Path) -> ModelFile:
    trained = ModelFile.load(resolve_model(run))
    dataset = Dataset.load(data)
    rounded = {name: w.astype(np.float16) for name, w in trained.weights.items()}
    model = replace(trained, weights=rounded)
    result = evaluate(model, dataset)
    for warning in result.warnings:
        print("warning:", warning)
    facts = {**trained.facts, "test_perplexity": result.perplexity, "test": result.conventions}
    model = replace(model, facts=facts)
    path = MODELS / f"{SHIPPED}.safetensors"
    model.save(path, dtype="float16")
    card = _card(model, dataset, result, path.stat().st_size)
    (MODELS / f"{SHIPPED}.md").write_text(card, encoding="utf-8")
    return model


def _card(model: ModelFile, dataset: Dataset, result: Evaluation, size: int) -> str:
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
        date=facts["date"],
        epochs=facts["epochs"],
        tokens=facts["tokens"],
        minutes=facts["seconds"] / 60,
        precision=facts["precision"],
        megabytes=size / 1e6,
        poems=result.poems,
        test_tokens=result.tokens,
        unknown=result.unknown_rate,
        conventions="\n".join(f"| {n} | {v:.2f} |" for n, v in result.conventions.items()),
        baseline=result.baseline,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    shipped = ship(arguments.run, arguments.data)
    print(f"test perplexity {shipped.facts['test_perplexity']:.2f}")
