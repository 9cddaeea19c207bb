"""The language model of texts against PyTorch's own layers, text by text."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from yinshi.nets.text_language_model import TextLanguageModel
from yinshi.recipe import ClassifierRecipe

TEXTS = [[4, 7, 5, 7, 2], [3, 6], [5]]
V, E, H = 9, 4, 3


def recipe_of(model: str, **settings: Any) -> ClassifierRecipe:
    no_dropout = {"dropout": 0.0, "embedding_dropout": 0.0}
    return ClassifierRecipe(model, E, H, **no_dropout | settings)  # type: ignore[arg-type]


def model_of(recipe: ClassifierRecipe, backend: str = "own") -> TextLanguageModel:
    torch.manual_seed(0)
    model = TextLanguageModel(recipe, V, backend).double()
    nn.init.normal_(model.bias)
    return model


def packed() -> tuple[Tensor, list[int]]:
    """The tokens step after step, and how many texts reach each step."""
    steps = [[text[t] for text in TEXTS if len(text) > t] for t in range(len(TEXTS[0]))]
    return torch.tensor([token for step in steps for token in step]), [len(s) for s in steps]


def layer_like(theirs: nn.Module, cell: str) -> nn.Module:
    """PyTorch's, with the same weights."""
    layer = (nn.RNN if cell == "rnn" else nn.LSTM)(E, H).double()
    layer.load_state_dict(theirs.state_dict())
    return layer


def nats_of(model: TextLanguageModel, text: list[int], direction: int, cell: str) -> Tensor:
    """Σ -log p of the next token, and of 0 after the last, reading this way."""
    tokens = torch.tensor(text if direction == 0 else text[::-1])
    layer = (model.forwards, model.backwards)[direction][0]
    hidden, _ = layer_like(layer, cell)(model.embedding(tokens))
    projected = model.projections[direction](hidden)
    logits = projected @ model.embedding.weight.T + model.bias
    following = torch.cat([tokens[1:], torch.zeros(1, dtype=torch.int64)])
    return nn.functional.cross_entropy(logits, following, reduction="sum")


@pytest.mark.parametrize("backend", ["own", "library"])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "bilstm", "bilstm-attention"])
def test_nats_are_the_mean_of_the_directions(cell: str, backend: str) -> None:
    model = model_of(recipe_of(cell), backend)
    inputs, alive = packed()
    expected = sum(
        nats_of(model, text, direction, cell) / model.directions
        for text in TEXTS
        for direction in range(model.directions)
    )
    assert model.directions == (2 if cell.startswith("bi") else 1)
    torch.testing.assert_close(model(inputs, inputs, alive), expected, rtol=1e-12, atol=0)


def test_gradients_are_those_of_the_reference() -> None:
    model = model_of(recipe_of("bilstm"))
    inputs, alive = packed()
    names, parameters = zip(*model.named_parameters(), strict=True)
    ours = torch.autograd.grad(model(inputs, inputs, alive), parameters)

    def nats(*values: Tensor) -> Tensor:
        changed = dict(zip(names, values, strict=True))
        return torch.func.functional_call(model, changed, (inputs, inputs, alive))

    rng = torch.Generator().manual_seed(1)
    way = [torch.randn(p.shape, generator=rng, dtype=p.dtype) for p in parameters]
    step = 1e-6
    up, down = (
        nats(*(p + sign * step * w for p, w in zip(parameters, way, strict=True)))
        for sign in (1, -1)
    )
    slope = sum((g * w).sum() for g, w in zip(ours, way, strict=True))
    torch.testing.assert_close((up - down) / (2 * step), slope, rtol=1e-6, atol=0)
    assert all(g.abs().sum() > 0 for g in ours)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "bilstm"])
def test_names_and_shapes_are_the_recipes(cell: str, layers: int) -> None:
    """It has the bottom layer alone, whatever the classifier will have."""
    recipe = recipe_of(cell, layers=layers)
    found = {n: tuple(p.shape) for n, p in model_of(recipe).named_parameters()}
    assert found == recipe.language_shapes(V)
    kept = recipe.pretrained_shapes(V)
    assert kept.items() <= found.items()
    assert kept.items() <= recipe.weight_shapes(V, 5).items()
    assert not any("l1" in name or ".1.weight_ih" in name for name in kept)


def test_dropout_in_training_alone() -> None:
    model = model_of(recipe_of("bilstm", dropout=0.5, embedding_dropout=0.5))
    inputs, alive = packed()
    drawn = {model.train()(inputs, inputs, alive).item() for _ in range(3)}
    assert len(drawn) == 3
    assert len({model.eval()(inputs, inputs, alive).item() for _ in range(3)}) == 1
