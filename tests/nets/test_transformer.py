"""PyTorch's Transformer as a poem network: its formula, and that it looks back only."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from yinshi.corpus.batches import HeadedPoem, pad, pad_headed
from yinshi.nets.learner import TorchLearner
from yinshi.nets.transformer import HEAD, Transformer
from yinshi.recipe import NetworkRecipe, TrainingRecipe

V = 30
Poem = NDArray[np.int32]


def learner_of(network: NetworkRecipe, longest: int = 12, **training: object) -> TorchLearner:
    def build() -> Transformer:
        return Transformer(network, V, longest)

    torch.manual_seed(0)
    weights = {name: p.detach().numpy() for name, p in build().named_parameters()}
    recipe = TrainingRecipe(**{"precision": "float64", "device": "cpu", **training})  # type: ignore[arg-type]
    return TorchLearner(build, recipe, weights)


def network_of(layers: int = 2, embedding: int = 8) -> NetworkRecipe:
    return NetworkRecipe(embedding=embedding, hidden=12, layers=layers, dropout=0.0)


def poem_of(length: int, seed: int = 0) -> Poem:
    return np.random.default_rng(seed).integers(4, V, length).astype(np.int32)


def nats(learner: TorchLearner, *poems: Poem) -> float:
    batch = pad(poems, np.arange(len(poems)))
    return float(learner.evaluate_batch(batch.inputs, batch.targets, batch.lengths))


def test_one_layer_is_its_formula() -> None:
    """x + attention(norm(x)), then that + feed-forward(norm(that)), then norm, output; one head."""
    learner = learner_of(network_of(layers=1))
    w = {name: torch.from_numpy(array) for name, array in learner.weights().items()}
    poem, layer = poem_of(5), "encoder.layers.0."
    inputs, targets = torch.tensor([1, *poem]), torch.tensor([*poem, 2])

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return functional.layer_norm(x, (8,), w[f"{name}.weight"], w[f"{name}.bias"])

    x = w["embedding.weight"][inputs] + w["positions.weight"][: len(inputs)]
    attention = layer + "self_attn."
    y = norm(x, layer + "norm1") @ w[attention + "in_proj_weight"].T
    q, k, v = (y + w[attention + "in_proj_bias"]).chunk(3, dim=1)
    scores = (q @ k.T / math.sqrt(8)).masked_fill(torch.ones(6, 6).triu(1) == 1, -math.inf)
    seen = scores.softmax(1) @ v
    x = x + seen @ w[attention + "out_proj.weight"].T + w[attention + "out_proj.bias"]
    y = norm(x, layer + "norm2") @ w[layer + "linear1.weight"].T + w[layer + "linear1.bias"]
    y = functional.gelu(y)
    x = x + y @ w[layer + "linear2.weight"].T + w[layer + "linear2.bias"]
    logits = norm(x, "encoder.norm") @ w["embedding.weight"].T + w["output.bias"]
    expected = functional.cross_entropy(logits, targets, reduction="sum").item()
    assert nats(learner, poem) == pytest.approx(expected, rel=1e-10)


def test_padding_changes_nothing() -> None:
    learner = learner_of(network_of())
    long, short = poem_of(9), poem_of(3, seed=1)
    apart = nats(learner, long) + nats(learner, short)
    assert nats(learner, short, long) == pytest.approx(apart, rel=1e-12)


def test_what_comes_later_is_not_seen() -> None:
    """The nats of a beginning are the same, whatever follows: 4 targets, then a difference."""
    learner = learner_of(network_of())
    poem, other = poem_of(8), poem_of(8)
    other[5:] = (other[5:] + 1 - 4) % (V - 4) + 4

    def of_beginning(poem: Poem) -> float:
        batch = pad([poem], np.array([0]))
        batch.targets[4:] = -1  # not asked for
        return float(learner.evaluate_batch(batch.inputs, batch.targets, batch.lengths))

    assert of_beginning(poem) == pytest.approx(of_beginning(other), rel=1e-13)
    assert nats(learner, poem) != pytest.approx(nats(learner, other), rel=1e-3)


def test_order_matters() -> None:
    """Attention alone would not know it."""
    learner = learner_of(network_of())
    poem = poem_of(6)
    swapped = poem[[1, 0, 2, 3, 4, 5]]
    assert set(poem) == set(swapped)
    assert nats(learner, poem) != pytest.approx(nats(learner, swapped), rel=1e-4)


def test_a_header_is_read_and_not_asked_for() -> None:
    learner = learner_of(network_of(), longest=20)
    poems = [HeadedPoem(poem_of(2, seed=5), poem_of(4)), HeadedPoem(poem_of(0), poem_of(7))]
    batch = pad_headed(poems, np.arange(2))
    found = float(learner.evaluate_batch(batch.inputs, batch.targets, batch.lengths))
    alone = [pad_headed(poems, np.array([i])) for i in (0, 1)]
    parts = [float(learner.evaluate_batch(b.inputs, b.targets, b.lengths)) for b in alone]
    assert found == pytest.approx(sum(parts), rel=1e-12)
    assert parts[0] != pytest.approx(nats(learner, poems[0].poem), rel=1e-4)


@pytest.mark.parametrize(("width", "heads"), [(8, 1), (HEAD, 1), (4 * HEAD, 4)])
def test_heads(width: int, heads: int) -> None:
    network = Transformer(network_of(embedding=width), V, 5)
    assert network.encoder.layers[0].self_attn.num_heads == heads


def test_layers_begin_differently_and_weights_are_tied() -> None:
    network = Transformer(network_of(), V, 5)
    first, second = (layer.linear1.weight for layer in network.encoder.layers)
    assert not torch.equal(first, second)
    assert network.output.weight is network.embedding.weight


def test_it_learns() -> None:
    learner = learner_of(network_of(), optimizer="adamw")
    poem = poem_of(8)
    batch = pad([poem], np.array([0]))
    before = nats(learner, poem)
    for _ in range(60):
        learner.train_batch(batch.inputs, batch.targets, batch.lengths, 0.01)
    assert nats(learner, poem) < before / 10
