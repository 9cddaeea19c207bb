"""The engine's forward step against PyTorch, with the network put together here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from yinshi.engine import language_model
from yinshi.engine.initializers import initial_weights
from yinshi.engine.language_model import LanguageModel
from yinshi.recipe import NetworkRecipe

V, T, B = 11, 7, 4
TOLERANCE = {np.float64: 1e-10, np.float32: 1e-5}

NETWORKS = [
    NetworkRecipe(embedding=6, hidden=5, layers=1),
    NetworkRecipe(embedding=6, hidden=5, layers=3),
    NetworkRecipe(embedding=6, hidden=6, layers=1, tie_weights=True),
    NetworkRecipe(embedding=6, hidden=5, layers=2, tie_weights=True),
]


def weights_of(network: NetworkRecipe) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    weights = initial_weights(network.weight_shapes(V), network.hidden, rng)
    weights["output.bias"] = rng.normal(size=V).astype(np.float32)  # not 0: it must count
    return {name: 2 * weight for name, weight in weights.items()}


def torch_logits(
    network: NetworkRecipe, weights: Mapping[str, Any], inputs: Any, dtype: Any
) -> Any:
    """(T, B, V) by nn.LSTM and products."""
    torch = pytest.importorskip("torch")
    w = {name: torch.tensor(weight, dtype=dtype) for name, weight in weights.items()}
    lstm = torch.nn.LSTM(network.embedding, network.hidden, network.layers, dtype=dtype)
    lstm.load_state_dict(
        {k.removeprefix("lstm."): v for k, v in w.items() if k.startswith("lstm.")}
    )
    with torch.no_grad():
        hidden, _ = lstm(torch.nn.functional.embedding(torch.tensor(inputs), w["embedding.weight"]))
        if network.has_projection:
            hidden = hidden @ w["projection.weight"].T
        output = w["embedding.weight" if network.tie_weights else "output.weight"]
        return (hidden @ output.T + w["output.bias"]).numpy()


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_steps_equal_pytorch(network: NetworkRecipe, dtype: Any) -> None:
    torch = pytest.importorskip("torch")
    weights = weights_of(network)
    inputs = np.random.default_rng(1).integers(0, V, (T, B))
    expected = torch_logits(network, weights, inputs, getattr(torch, np.dtype(dtype).name))
    model = LanguageModel(weights, dtype)
    state = model.initial_state(B)
    for t in range(T):
        logits, state = model.step(inputs[t], state)
        assert logits.dtype == dtype
        np.testing.assert_allclose(logits, expected[t], rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_token_nats_equal_pytorch_where_tokens_are_real(
    network: NetworkRecipe, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(language_model, "CHUNK", 5)  # several chunks, the last not full
    rng = np.random.default_rng(2)
    weights = weights_of(network)
    inputs, targets = rng.integers(0, V, (2, T, B))
    lengths = np.array([T, 3, 1, 0])
    logits = torch_logits(network, weights, inputs, torch.float64)
    expected = torch.nn.functional.cross_entropy(
        torch.tensor(logits).flatten(0, 1), torch.tensor(targets).flatten(), reduction="none"
    ).reshape(T, B)
    nats = LanguageModel(weights, dtype).token_nats(inputs, targets, lengths)
    real = np.arange(T)[:, None] < lengths
    np.testing.assert_allclose(nats[real], expected.numpy()[real], rtol=0, atol=TOLERANCE[dtype])
    assert (nats[~real] == 0).all()


def test_token_nats_of_nothing_are_zero() -> None:
    model = LanguageModel(weights_of(NETWORKS[0]))
    tokens = np.zeros((T, B), dtype=int)
    assert not model.token_nats(tokens, tokens, np.zeros(B, dtype=int)).any()


def test_selected_rows_go_on_as_the_rows_they_came_from() -> None:
    model = LanguageModel(weights_of(NETWORKS[3]), np.float64)
    _, state = model.step(np.array([1, 2, 3]), model.initial_state(3))
    whole, _ = model.step(np.array([4, 5, 6]), state)
    rows = np.array([2, 0, 2])
    some, _ = model.step(np.array([6, 4, 6]), state.select(rows))
    np.testing.assert_allclose(some, whole[rows], rtol=0, atol=1e-12)
    assert not np.allclose(whole[2], whole[0])


def test_half_precision_weights_are_computed_in_float32() -> None:
    weights = {name: w.astype(np.float16) for name, w in weights_of(NETWORKS[3]).items()}
    widened = {name: w.astype(np.float32) for name, w in weights.items()}
    tokens = np.array([1, 2])
    half, _ = LanguageModel(weights).step(tokens, LanguageModel(weights).initial_state(2))
    full, _ = LanguageModel(widened).step(tokens, LanguageModel(widened).initial_state(2))
    assert half.dtype == np.float32
    np.testing.assert_array_equal(half, full)
