"""Make a training run's best model the shipped one: float16, measured on the test split, with card.

    python tools/ship_model.py runs/tang --data data/tang
    python tools/ship_model.py --data data/tang

Without a run, only the shipped model's index of training lines is made anew.

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
from yinshi.writing.novelty import NoveltyIndex

#: Bytes that the index of training lines may have.
LARGEST_INDEX = 2_000_000

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
| file | float16, {megabytes:.1f} MB, {index:.1f} MB of it the index of lines |

## Test split

{poems:,} poems, {test_tokens:,} tokens, {unknown:.3%} of the characters unknown. What each
convention means, and why only the first is ours: [docs/perplexity.md](../../../docs/perplexity.md).

| convention | value |
|---|---:|
{conventions}
| *Kneser–Ney trigram on the same data, masked per token* | {baseline:.2f} |

## Where the poems come from

全唐詩 as digitised by chinese-poetry/chinese-poetry at commit 99ebbef (MIT). The poems themselves
are in the public domain; none of them is in this file, but a network may quote a line by heart. An
index of the training lines in the file, a Bloom filter, tells quotations: no line of five
characters or more is missed, and 0.3 % of new lines of five are taken for known ones.
"""


def ship(run: Path, dataset: Dataset) -> None:
    trained = ModelFile.load(resolve_model(run))
    rounded = {name: w.astype(np.float16) for name, w in trained.weights.items()}
    model = replace(trained, weights=rounded)
    result = evaluate(model, dataset)
    for warning in result.warnings:
        print("warning:", warning)
    facts = {**trained.facts, "test_perplexity": result.perplexity, "test": result.conventions}
    model = replace(model, facts=facts)
    card = _card(model, dataset, result, *save_with_index(model, dataset))
    (MODELS / f"{SHIPPED}.md").write_text(card, encoding="utf-8")
    print(f"test perplexity {result.perplexity:.2f}")


def save_with_index(model: ModelFile, dataset: Dataset) -> tuple[int, int]:
    """Save the shipped model with the index of its lines: (bytes of both, of the index)."""
    if model.facts["data_hash"] != dataset.hash:
        raise SystemExit(f"{dataset.folder}: not the data that the model was trained on")
    index = NoveltyIndex.from_texts(dataset.verses("train")).to_arrays()
    index_size = sum(array.nbytes for array in index.values())
    if index_size > LARGEST_INDEX:
        raise SystemExit(f"the index has {index_size:,} bytes, expected {LARGEST_INDEX:,} at most")
    path = MODELS / f"{SHIPPED}.safetensors"
    replace(model, novelty=index).save(path, dtype="float16")
    print(f"{path.name}: {path.stat().st_size:,} bytes, the index {index_size:,} of them")
    return path.stat().st_size, index_size


def _card(model: ModelFile, dataset: Dataset, result: Evaluation, size: int, index: int) -> str:
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
        index=index / 1e6,
        poems=result.poems,
        test_tokens=result.tokens,
        unknown=result.unknown_rate,
        conventions="\n".join(f"| {n} | {v:.2f} |" for n, v in result.conventions.items()),
        baseline=result.baseline,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, nargs="?")
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    poems = Dataset.load(arguments.data)
    if arguments.run:
        ship(arguments.run, poems)
    else:
        save_with_index(ModelFile.load(resolve_model(None)), poems)
