"""The engine's network against PyTorch's, put together here, and its gradients against autograd."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from yinshi.engine import cells, language_model, losses
from yinshi.engine.gradcheck import central_differences, relative_error
from yinshi.engine.initializers import initial_weights
from yinshi.engine.language_model import LanguageModel, State
from yinshi.recipe import NetworkRecipe

V, T, B = 11, 7, 4
TOLERANCE = {np.float64: 1e-10, np.float32: 1e-5}

NETWORKS = [
    NetworkRecipe(embedding=6, hidden=5, layers=1),
    NetworkRecipe(embedding=6, hidden=5, layers=3),
    NetworkRecipe(embedding=6, hidden=6, layers=1, tie_weights=True),
    NetworkRecipe(embedding=6, hidden=5, layers=2, tie_weights=True),
    NetworkRecipe("rnn-tanh", embedding=6, hidden=5, layers=2),
    NetworkRecipe("rnn-relu", embedding=6, hidden=5, layers=2, tie_weights=True),
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
    sizes = (network.embedding, network.hidden, network.layers)
    if network.cell == "lstm":
        module = torch.nn.LSTM(*sizes, dtype=dtype)
    else:
        module = torch.nn.RNN(*sizes, network.cell.removeprefix("rnn-"), dtype=dtype)
    recurrent = {k.partition(".")[2]: v for k, v in w.items() if k.startswith(("lstm.", "rnn."))}
    module.load_state_dict(recurrent)
    with torch.no_grad():
        hidden, _ = module(
            torch.nn.functional.embedding(torch.tensor(inputs), w["embedding.weight"])
        )
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
    model = LanguageModel(weights, dtype, network.cell)
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
    monkeypatch.setattr(losses, "CHUNK", 5)  # several chunks, the last not full
    rng = np.random.default_rng(2)
    weights = weights_of(network)
    inputs, targets = rng.integers(0, V, (2, T, B))
    lengths = np.array([T, 3, 1, 0])
    logits = torch_logits(network, weights, inputs, torch.float64)
    expected = torch.nn.functional.cross_entropy(
        torch.tensor(logits).flatten(0, 1), torch.tensor(targets).flatten(), reduction="none"
    ).reshape(T, B)
    nats = LanguageModel(weights, dtype, network.cell).token_nats(inputs, targets, lengths)
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


@pytest.mark.parametrize("network", NETWORKS)
def test_a_step_apart_is_each_rows_own(network: NetworkRecipe, monkeypatch: Any) -> None:
    """To the last bit, and the weights gone through in parts or not."""
    model = LanguageModel(weights_of(network), cell=network.cell)
    rng = np.random.default_rng(1)
    tokens, state = np.arange(9), model.initial_state(9)
    for _ in range(3):
        logits, after = model.step_apart(tokens, state)
        expected, _ = model.step(tokens, state)
        np.testing.assert_allclose(logits, expected, atol=1e-5)
        for row, (one_token, one) in enumerate(zip(tokens, state.rows(), strict=True)):
            one_logits, one_after = model.step_apart(np.array([one_token]), one)
            np.testing.assert_array_equal(one_logits[0], logits[row])
            np.testing.assert_array_equal(one_after.layers[-1][0][0], after.layers[-1][0][row])
        tokens, state = rng.integers(V, size=9), after
    monkeypatch.setattr(cells, "CACHED", 80)  # three rows of a weight, or four
    in_parts, _ = model.step_apart(tokens, state)
    np.testing.assert_allclose(in_parts, model.step(tokens, state)[0], atol=1e-5)


def test_rows_that_are_joined_are_the_batch() -> None:
    model = LanguageModel(weights_of(NETWORKS[1]))
    _, state = model.step(np.arange(4), model.initial_state(4))
    joined = State.join([*state.rows()[:3], state.select(np.array([3]))])
    for layer, expected in zip(joined.layers, state.layers, strict=True):
        for part, whole in zip(layer, expected, strict=True):
            np.testing.assert_array_equal(part, whole)


@pytest.mark.parametrize("network", NETWORKS)
def test_reading_a_text_is_stepping_through_it(network: NetworkRecipe) -> None:
    model = LanguageModel(weights_of(network), np.float64, network.cell)
    _, start = model.step(np.array([3]), model.initial_state(1))
    text, state = np.array([1, 5, 2, 2, 7]), start
    trace = model.read(text, start)
    for token, found in zip(text, model.logits(trace.outputs[:, 0]), strict=True):
        logits, state = model.step(np.array([token]), state)
        np.testing.assert_allclose(found, logits[0], atol=1e-12)
    if network.cell == "lstm":
        h, c = state.layers[0]
        i, f, g, o = np.split(trace.gates(0)[-1], 4, axis=1)
        np.testing.assert_allclose(trace.cells(0)[-1], c, atol=1e-12)
        np.testing.assert_allclose(o * np.tanh(c), h, atol=1e-12)
        np.testing.assert_allclose(f * trace.cells(0)[-2] + i * g, c, atol=1e-12)


def test_half_precision_weights_are_computed_in_float32() -> None:
    weights = {name: w.astype(np.float16) for name, w in weights_of(NETWORKS[3]).items()}
    widened = {name: w.astype(np.float32) for name, w in weights.items()}
    tokens = np.array([1, 2])
    half, _ = LanguageModel(weights).step(tokens, LanguageModel(weights).initial_state(2))
    full, _ = LanguageModel(widened).step(tokens, LanguageModel(widened).initial_state(2))
    assert half.dtype == np.float32
    np.testing.assert_array_equal(half, full)


def batch() -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(3)
    return rng.integers(0, V, (T, B)), rng.integers(0, V, (T, B)), np.array([T, 3, 5, 1])


def masks_of(network: NetworkRecipe) -> list[Any]:
    rng = np.random.default_rng(4)
    return [2.0 * (rng.random((T, B, network.hidden)) < 0.5) for _ in range(network.layers)]


@pytest.mark.parametrize("cell", ["lstm", "rnn-tanh", "rnn-sigmoid"])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("dropped", [False, True])
def test_gradients_are_central_differences(cell: Any, tied: bool, dropped: bool) -> None:
    """Every entry of every weight, with uneven lengths, two layers and, if asked, dropout."""
    network = NetworkRecipe(cell, embedding=4, hidden=3, layers=2, tie_weights=tied)
    weights = {name: w.astype(np.float64) for name, w in weights_of(network).items()}
    masks = masks_of(network) if dropped else []
    nats, gradients = LanguageModel(weights, np.float64, cell).nats_and_gradients(*batch(), masks)
    assert gradients.keys() == weights.keys()

    def objective(name: str, array: Any) -> float:
        model = LanguageModel({**weights, name: array}, np.float64, cell)
        return model.nats_and_gradients(*batch(), masks)[0]

    for name, weight in weights.items():
        expected = central_differences(lambda a, n=name: objective(n, a), weight, 1e-5)
        assert relative_error(gradients[name], expected).max() < 1e-6, name
    measured = LanguageModel(weights, np.float64, cell).token_nats(*batch()).sum()
    assert (nats == pytest.approx(measured, rel=1e-13)) is not dropped


def test_gradients_of_dropout_equal_autograds() -> None:
    """The whole network of the recipe in PyTorch, with the masks multiplied by hand."""
    torch = pytest.importorskip("torch")
    network = NETWORKS[3]
    weights, masks = weights_of(network), masks_of(network)
    inputs, targets, lengths = batch()
    w = {k: torch.tensor(a, dtype=torch.float64, requires_grad=True) for k, a in weights.items()}
    x = torch.nn.functional.embedding(torch.tensor(inputs), w["embedding.weight"])
    for k, mask in enumerate(masks):
        parameters = [w[f"lstm.{p}_l{k}"] for p in language_model.PARAMETERS]
        zero = torch.zeros(1, B, network.hidden, dtype=torch.float64)
        x, *_ = torch.lstm(x, (zero, zero), parameters, True, 1, 0.0, True, False, False)
        x = x * torch.tensor(mask)
    logits = x @ w["projection.weight"].T @ w["embedding.weight"].T + w["output.bias"]
    real = torch.tensor(np.arange(T)[:, None] < lengths)
    expected = torch.nn.functional.cross_entropy(
        logits[real], torch.tensor(targets)[real], reduction="sum"
    )
    expected.backward()
    model = LanguageModel(weights, np.float64)
    nats, gradients = model.nats_and_gradients(inputs, targets, lengths, masks)
    assert nats == pytest.approx(expected.item(), rel=1e-13)
    for name, leaf in w.items():
        np.testing.assert_allclose(gradients[name], leaf.grad.numpy(), rtol=0, atol=1e-12)


def test_tied_weights_receive_both_gradients() -> None:
    """As input alone, as output alone, and tied: the last is the sum of the first two."""
    tied = weights_of(NetworkRecipe(embedding=6, hidden=6, tie_weights=True))
    apart = {**tied, "output.weight": tied["embedding.weight"]}
    _, whole = LanguageModel(tied, np.float64).nats_and_gradients(*batch())
    _, parts = LanguageModel(apart, np.float64).nats_and_gradients(*batch())
    both = parts["embedding.weight"] + parts["output.weight"]
    np.testing.assert_allclose(whole["embedding.weight"], both, rtol=0, atol=1e-13)
    assert np.abs(parts["embedding.weight"]).max() > 0.1
    assert np.abs(parts["output.weight"]).max() > 0.1


def test_weights_changed_in_place_count_at_once() -> None:
    weights = {name: w.astype(np.float64) for name, w in weights_of(NETWORKS[1]).items()}
    model = LanguageModel(weights, np.float64)
    for weight in weights.values():
        weight *= 0.5
    fresh = LanguageModel({name: w.copy() for name, w in weights.items()}, np.float64)
    np.testing.assert_array_equal(model.token_nats(*batch()), fresh.token_nats(*batch()))
    np.testing.assert_array_equal(
        model.step(np.array([1]), model.initial_state(1))[0],
        fresh.step(np.array([1]), fresh.initial_state(1))[0],
    )
