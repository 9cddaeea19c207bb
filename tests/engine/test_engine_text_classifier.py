"""The engine's classifier beside one that reads a single text, token by token."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from yinshi.engine.cells import lstm_step, rnn_step
from yinshi.engine.text_classifier import TextClassifier
from yinshi.recipe import ClassifierRecipe

V, C = 12, 3
TEXTS = [[6, 5, 6, 9], [5], [4, 7, 5, 7, 4, 7, 11], [7, 4, 10]]  # not the longest first

NETWORKS = [
    ClassifierRecipe(model, 4, 3, layers, pool, ngrams=ngrams, buckets=17)
    for model, pool, layers, ngrams in product(
        ("rnn", "lstm", "bilstm"), ("last", "max", "mean", "attention"), (1, 2), (0, 3)
    )
]


def named(recipe: ClassifierRecipe) -> str:
    return f"{recipe.model}-{recipe.pool}-{recipe.layers}-{recipe.ngrams}"


def weights_of(recipe: ClassifierRecipe) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=s) for name, s in recipe.weight_shapes(V, C).items()}


def padded(texts: list[list[int]], filler: int = 0) -> tuple[Any, Any]:
    lengths = np.array([len(text) for text in texts])
    columns = [text + [filler] * (lengths.max() - len(text)) for text in texts]
    return np.array(columns, dtype=np.int32).T, lengths


def classifier_of(recipe: ClassifierRecipe, dtype: Any = np.float64) -> TextClassifier:
    return TextClassifier(weights_of(recipe), recipe.pooling, recipe.ngrams, dtype)


def one_direction(cell: str, w: dict[str, Any], name: str, vectors: list[Any]) -> list[Any]:
    weight_hh = w[f"{name}.weight_hh_l0"]
    h = c = np.zeros((1, weight_hh.shape[1]))
    states = []
    for x in vectors:
        gates = x[None] @ w[f"{name}.weight_ih_l0"].T
        gates = gates + w[f"{name}.bias_ih_l0"] + w[f"{name}.bias_hh_l0"]
        if cell == "rnn":
            h = rnn_step("rnn-tanh", gates, h, weight_hh)
        else:
            h, c = lstm_step(gates, h, c, weight_hh)
        states.append(h[0])
    return states


def naive_logits(recipe: ClassifierRecipe, w: dict[str, Any], text: list[int]) -> Any:
    """(C,) of one text."""
    vectors = [w["embedding.weight"][token] for token in text]
    for depth in range(recipe.layers):
        hidden = one_direction(recipe.model, w, f"forwards.{depth}", vectors)
        if recipe.model == "bilstm":
            back = one_direction(recipe.model, w, f"backwards.{depth}", vectors[::-1])
            hidden = [np.concatenate(pair) for pair in zip(hidden, back[::-1], strict=True)]
        vectors = hidden
    h = np.array(vectors)
    if recipe.pool == "last":
        pooled = np.concatenate([h[-1, :3], h[0, 3:]])
    elif recipe.pool == "attention":
        scores = [
            np.tanh(w["attention.weight"] @ row + w["attention.bias"]) @ w["context"] for row in h
        ]
        pooled = (np.exp(scores) / np.exp(scores).sum()) @ h
    else:
        pooled = h.max(axis=0) if recipe.pool == "max" else h.mean(axis=0)
    logits = w["output.weight"] @ pooled + w["output.bias"]
    runs = [text[i : i + k] for k in range(1, recipe.ngrams + 1) for i in range(len(text) - k + 1)]
    for run in runs:
        bucket = len(run)
        for token in run:
            bucket = (bucket * 1_000_003 + token) % recipe.buckets
        logits = logits + w["ngrams.weight"][bucket] / np.sqrt(len(runs))
    return logits


@pytest.mark.parametrize("recipe", NETWORKS, ids=named)
def test_logits_equal_those_of_each_text_alone(recipe: ClassifierRecipe) -> None:
    expected = [naive_logits(recipe, weights_of(recipe), text) for text in TEXTS]
    found = classifier_of(recipe).logits(*padded(TEXTS))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("recipe", NETWORKS, ids=named)
def test_what_stands_beyond_a_text_is_not_read(recipe: ClassifierRecipe) -> None:
    classifier = classifier_of(recipe)
    found = [classifier.logits(*padded(TEXTS, filler)) for filler in (0, 7)]
    np.testing.assert_array_equal(*found)
    tokens, lengths = padded(TEXTS, filler=7)
    longer = classifier.logits(tokens, lengths + (lengths < len(tokens)))
    assert np.abs(longer[lengths < len(tokens)] - found[0][lengths < len(tokens)]).max() > 1e-3


def test_padding_in_the_mean_would_be_seen() -> None:
    """Negative control: with every text as long as the longest, the short ones' logits move."""
    recipe = ClassifierRecipe("lstm", 4, 3, 1, "mean")
    classifier, (tokens, lengths) = classifier_of(recipe), padded(TEXTS)
    full = classifier.logits(tokens, np.full_like(lengths, len(tokens)))
    moved = np.abs(full - classifier.logits(tokens, lengths)).max(axis=1) > 1e-6
    assert moved.tolist() == (lengths < len(tokens)).tolist()


def test_buckets_by_hand() -> None:
    """Of 7 8 in 1000 buckets: 10 and 11 for 7 and 8, 47 for the two; √3 runs."""
    recipe = ClassifierRecipe("rnn", 4, 3, ngrams=5, buckets=1000)
    weights = weights_of(recipe)
    plain = TextClassifier(weights, "max", 0, np.float64).logits(*padded([[7, 8]]))
    votes = TextClassifier(weights, "max", 5, np.float64).logits(*padded([[7, 8]])) - plain
    expected = weights["ngrams.weight"][[10, 11, 47]].sum(axis=0) / np.sqrt(3)
    np.testing.assert_allclose(votes[0], expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_probabilities_are_the_softmax_of_the_logits(scale: float) -> None:
    recipe = NETWORKS[-1]
    weights = {name: scale * w for name, w in weights_of(recipe).items()}
    classifier = TextClassifier(weights, recipe.pooling, recipe.ngrams, np.float64)
    probabilities = classifier.probabilities(*padded(TEXTS))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-14)
    logits = classifier.logits(*padded(TEXTS))
    odds = np.exp(np.clip(logits - logits.max(axis=1, keepdims=True), -700, 0))
    np.testing.assert_allclose(probabilities, odds / odds.sum(axis=1, keepdims=True), atol=1e-300)


@pytest.mark.parametrize("recipe", NETWORKS, ids=named)
def test_the_dtype_asked_for_is_kept(recipe: ClassifierRecipe) -> None:
    narrow = classifier_of(recipe, np.float32).logits(*padded(TEXTS))
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, classifier_of(recipe).logits(*padded(TEXTS)), atol=1e-4)


def test_half_precision_weights_are_computed_in_float32() -> None:
    half = {name: w.astype(np.float16) for name, w in weights_of(NETWORKS[-1]).items()}
    found = TextClassifier(half, "attention", 3).probabilities(*padded(TEXTS))
    assert found.dtype == np.float32
