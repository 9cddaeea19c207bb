"""The weights with which a run begins: drawn, given by word vectors, or taken from a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yinshi.corpus.dataset import Dataset
from yinshi.corpus.vectors import WordVectors, read_vectors, train_vectors
from yinshi.corpus.vocabulary import SPECIALS, Vocabulary
from yinshi.engine.initializers import initial_weights
from yinshi.errors import UsageError
from yinshi.model_file import ModelFile
from yinshi.recipe import NetworkRecipe, Recipe

Weights = dict[str, NDArray[Any]]


def starting_weights(
    recipe: Recipe,
    dataset: Dataset,
    model: ModelFile | None = None,
    header_names: Sequence[str] = (),
) -> tuple[Weights, list[str]]:
    """(name → weight, what there is to say about them, a sentence each).

    Drawn as the recipe says. With `network.vectors` the embedding's rows are then word vectors,
    where there are any; with `model` every weight is the model's, and of the embedding and the
    output layer the rows of the characters that it knows too. The rows of the tokens called
    `header_names` come last. Raises UsageError where the vectors or the model do not fit the
    recipe's network.
    """
    network, vocabulary = recipe.network, dataset.vocabulary
    weights: Weights = dict(
        initial_weights(
            network.weight_shapes(len(vocabulary) + len(header_names)),
            network.hidden,
            np.random.default_rng(recipe.training.seed),
            network.initializer,
            network.forget_bias,
        )
    )
    notes = []
    if network.vectors != "random" and model is None:
        vectors = _vectors(recipe, dataset)
        rows, characters = weights["embedding.weight"], vocabulary.characters
        notes.append(put_vectors(rows, vectors, characters, len(SPECIALS), network.vectors))
    if model is not None:
        notes.append(_hand_over(weights, model, vocabulary, network, header_names))
    return weights, notes


def _vectors(recipe: Recipe, dataset: Dataset) -> WordVectors:
    network = recipe.network
    if network.vectors == "word2vec":
        texts = dataset.texts("train")
        return train_vectors(texts, network.embedding, seed=recipe.training.seed)
    return read_vectors(Path(network.vectors), frozenset(dataset.vocabulary.characters))


def put_vectors(
    embedding: NDArray[Any], vectors: WordVectors, words: Sequence[str], first: int, name: str
) -> str:
    """Put the vectors of `words`, which begin at row `first` of `embedding` (V, E), in their rows;
    all others keep what was drawn. Says how many there are; `name` is what the recipe calls them.

    Raises UsageError where there is none, or where they have another dimension.
    """
    places, rows = vectors.rows_for(words)
    if not len(places):
        raise UsageError(
            f"vectors {name}: found none of the data's {len(words):,} words or characters there; "
            "are they of another script, or cut into other words?"
        )
    if vectors.dimension != embedding.shape[1]:
        raise UsageError(
            f"vectors {name}: found {vectors.dimension} dimensions, expected "
            f"{embedding.shape[1]}; set the embedding to {vectors.dimension}"
        )
    embedding[places + first] = rows
    return f"vectors for {len(places):,} of {len(words):,} words or characters ({name})"


def _hand_over(
    weights: Weights,
    model: ModelFile,
    vocabulary: Vocabulary,
    network: NetworkRecipe,
    header_names: Sequence[str],
) -> str:
    """Copy the model's weights, rows by character and name; what is new to it keeps what was
    drawn."""
    check_same_network(model.recipe.network, network)
    pairs = [(i, i) for i in range(len(SPECIALS))]
    pairs += [
        (vocabulary.id(character), model.vocabulary.id(character))
        for character in vocabulary.characters
        if character in model.vocabulary
    ]
    shared = len(pairs) - len(SPECIALS)
    known = {name: i for i, name in enumerate(model.header_names, start=len(model.vocabulary))}
    pairs += [
        (row, known[name])
        for row, name in enumerate(header_names, start=len(vocabulary))
        if name in known
    ]
    ours, theirs = np.array(pairs).T
    for name, weight in weights.items():
        if name in ("embedding.weight", "output.weight", "output.bias"):
            weight[ours] = model.weights[name][theirs]
        else:
            weight[...] = model.weights[name]
    size = len(vocabulary.characters)
    return (
        f"kept the rows of {shared:,} characters; {size - shared:,} are new, and "
        f"{len(model.vocabulary.characters) - shared:,} of the model's are not in the data"
    )


def check_same_network(found: NetworkRecipe, expected: NetworkRecipe) -> None:
    """Raises UsageError unless weights of one fit the other, whatever the vocabulary."""
    for name in ("cell", "embedding", "hidden", "layers", "tie_weights"):
        theirs, ours = getattr(found, name), getattr(expected, name)
        if theirs != ours:
            said = str(theirs).lower() if isinstance(theirs, bool) else theirs
            raise UsageError(
                f"the model has network.{name} {theirs}, the recipe {ours}; "
                f"take the model's by --set network.{name}={said}"
            )
