"""The PyTorch network beside the NumPy engine: same weights, same nats."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from learners import torch_learner

from yinshi.corpus.batches import pad
from yinshi.engine.initializers import initial_weights
from yinshi.engine.language_model import LanguageModel as EngineModel
from yinshi.errors import UsageError
from yinshi.nets import language_model
from yinshi.nets.language_model import LanguageModel
from yinshi.nets.learner import TorchLearner
from yinshi.recipe import NetworkRecipe, Recipe, TrainingRecipe

V = 30


def learner_of(network: NetworkRecipe, **training: object) -> TorchLearner:
    recipe = Recipe(network=network, training=TrainingRecipe(**training))  # type: ignore[arg-type]
    weights = initial_weights(network.weight_shapes(V), network.hidden, np.random.default_rng(3))
    return torch_learner(recipe, weights)


def batch_of(*lengths: int, seed: int = 0) -> object:
    rng = np.random.default_rng(seed)
    poems = [rng.integers(4, V, size=n).astype(np.int32) for n in lengths]
    return pad(poems, np.arange(len(poems)))


@pytest.mark.parametrize(
    "network",
    [
        NetworkRecipe(embedding=6, hidden=8),
        NetworkRecipe(embedding=6, hidden=8, layers=3, tie_weights=True),
        NetworkRecipe(embedding=8, hidden=8, layers=2, tie_weights=True),
    ],
)
def test_nats_equal_the_engines(network: NetworkRecipe) -> None:
    learner = learner_of(network, precision="float64", device="cpu")
    batch = batch_of(9, 5, 5, 1)
    engine = EngineModel(learner.weights(), dtype=np.float64)
    expected = engine.token_nats(batch.inputs, batch.targets, batch.lengths).sum()
    found = float(learner.evaluate_batch(batch.inputs, batch.targets, batch.lengths))
    assert found == pytest.approx(expected, rel=1e-12)


def test_parameters_are_those_of_the_recipe() -> None:
    for tie in (False, True):
        network = NetworkRecipe(embedding=6, hidden=8, layers=2, tie_weights=tie)
        shapes = {name: w.shape for name, w in learner_of(network).weights().items()}
        assert shapes == network.weight_shapes(V)


def test_padding_changes_neither_nats_nor_gradients() -> None:
    """A poem alone and the same poem beside a longer one: the sum is the sum of the parts."""
    learner = learner_of(NetworkRecipe(embedding=6, hidden=8), precision="float64", device="cpu")

    def nats(batch: object) -> float:
        return float(learner.evaluate_batch(batch.inputs, batch.targets, batch.lengths))

    rng = np.random.default_rng(1)
    poems = [rng.integers(4, V, size=n).astype(np.int32) for n in (9, 3)]
    apart = sum(nats(pad(poems, np.array([i]))) for i in (0, 1))
    assert nats(pad(poems, np.array([0, 1]))) == pytest.approx(apart, rel=1e-13)


def test_a_step_is_sgd_on_the_mean_gradient() -> None:
    """θ ← θ − lr · ∂(mean nats)/∂θ, against central differences for a few weights."""
    network = NetworkRecipe(embedding=4, hidden=5, dropout=0.0)
    learner = learner_of(
        network, optimizer="sgd", clip_norm=None, precision="float64", device="cpu"
    )
    batch = batch_of(4, 2)
    before = {name: w.copy() for name, w in learner.weights().items()}
    learner.train_batch(batch.inputs, batch.targets, batch.lengths, learning_rate=0.1)
    after = learner.weights()

    def mean_nats(weights: dict[str, np.ndarray]) -> float:
        engine = EngineModel(weights, dtype=np.float64)
        total = engine.token_nats(batch.inputs, batch.targets, batch.lengths).sum()
        return float(total) / batch.tokens

    for name in before:
        index = tuple(np.random.default_rng(0).integers(0, before[name].shape))
        if name == "embedding.weight":
            index = (batch.inputs[1, 0], 2)
        high, low = dict(before), dict(before)
        high[name], low[name] = before[name].copy(), before[name].copy()
        high[name][index] += 1e-5
        low[name][index] -= 1e-5
        slope = (mean_nats(high) - mean_nats(low)) / 2e-5
        step = after[name][index] - before[name][index]
        assert step == pytest.approx(-0.1 * slope, rel=1e-6, abs=1e-11), name


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sgd", torch.optim.SGD),
        ("adagrad", torch.optim.Adagrad),
        ("adadelta", torch.optim.Adadelta),
        ("rmsprop", torch.optim.RMSprop),
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
    ],
)
def test_optimizers_by_name(name: str, kind: type) -> None:
    momentum = 0.9 if name == "sgd" else 0.0
    learner = learner_of(
        NetworkRecipe(embedding=4, hidden=5), optimizer=name, momentum=momentum, weight_decay=0.1
    )
    assert type(learner.optimizer) is kind
    group = learner.optimizer.param_groups[0]
    assert group["weight_decay"] == 0.1
    assert group.get("momentum", 0.0) == momentum


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad", "adadelta", "rmsprop", "adam", "adamw"])
def test_state_restores_the_next_steps_bitwise(optimizer: str) -> None:
    network = NetworkRecipe(embedding=6, hidden=8, layers=2, dropout=0.5)
    first = learner_of(network, optimizer=optimizer, momentum=0.9 if optimizer == "sgd" else 0.0)
    batches = [batch_of(7, 4, 2, seed=s) for s in range(6)]

    def steps(learner: TorchLearner, part: list[object]) -> None:
        for batch in part:
            learner.train_batch(batch.inputs, batch.targets, batch.lengths, 0.01)

    steps(first, batches[:3])
    saved = {name: array.copy() for name, array in first.state().items()}
    steps(first, batches[3:])
    second = learner_of(network, optimizer=optimizer, momentum=0.9 if optimizer == "sgd" else 0.0)
    second.load_state(saved)
    steps(second, batches[3:])
    for name, weight in first.weights().items():
        np.testing.assert_array_equal(second.weights()[name], weight)


def test_bfloat16_is_near_float32() -> None:
    network = NetworkRecipe(embedding=32, hidden=32, dropout=0.0)
    batch = batch_of(20, 18, 17)
    exact, rounded = (
        float(learner.evaluate_batch(batch.inputs, batch.targets, batch.lengths))
        for learner in (
            learner_of(network, precision=p, device="cpu") for p in ("float32", "bfloat16")
        )
    )
    assert rounded == pytest.approx(exact, rel=5e-3)
    assert rounded != exact


# ---- what is dropped of a whole poem -------------------------------------------------------------


def dropping(**dropout: float) -> NetworkRecipe:
    return NetworkRecipe(embedding=6, hidden=8, layers=2, dropout=0.3, **dropout)  # type: ignore[arg-type]


def test_none_and_0_are_the_network_without() -> None:
    """Bit for bit, and no random number is drawn for what is not there."""
    nothing = dropping(input_dropout=0.0, output_dropout=0.0, weight_dropout=0.0)
    found = []
    for network in (dropping(), nothing):
        learner = learner_of(network)
        for batch in [batch_of(7, 4, 2, seed=s) for s in range(4)]:
            learner.train_batch(batch.inputs, batch.targets, batch.lengths, 0.01)
        found.append((learner.weights(), torch.get_rng_state()))
    (ours, state), (theirs, other) = found
    for name, weight in theirs.items():
        np.testing.assert_array_equal(ours[name], weight)
    assert torch.equal(state, other)


@pytest.mark.parametrize("name", ["input_dropout", "output_dropout", "weight_dropout"])
def test_each_acts_in_training_alone(name: str) -> None:
    network, plain = (
        NetworkRecipe(embedding=6, hidden=8, dropout=0.0, **some)  # type: ignore[arg-type]
        for some in ({name: 0.5}, {})
    )
    batch = batch_of(9, 5, 5, 1)
    parts = batch.inputs, batch.targets, batch.lengths
    ours, theirs = (learner_of(n, precision="float64", device="cpu") for n in (network, plain))
    assert float(ours.evaluate_batch(*parts)) == float(theirs.evaluate_batch(*parts))
    dropped, whole = (float(each.train_batch(*parts, 0.01)) for each in (ours, theirs))
    assert dropped != pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize("name", ["input_dropout", "output_dropout"])
def test_a_poem_is_read_through_one_mask(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the embedded characters, and of what goes on to the output layer."""
    masked = []
    true_dropout = language_model.variational_dropout

    def watched(
        rows: torch.Tensor, alive: list[int], probability: float, training: bool
    ) -> torch.Tensor:
        dropped = true_dropout(rows, alive, probability, training)
        if dropped is not rows:
            masked.append((rows.shape[1], (dropped == 0), alive))
        return dropped

    monkeypatch.setattr(language_model, "variational_dropout", watched)
    learner = learner_of(NetworkRecipe(embedding=6, hidden=32, dropout=0.0, **{name: 0.5}))  # type: ignore[arg-type]
    batch = batch_of(9, 5, 5, 1)
    learner.train_batch(batch.inputs, batch.targets, batch.lengths, 0.01)
    [(width, mask, alive)] = masked
    assert width == {"input_dropout": 6, "output_dropout": 32}[name]
    poems = torch.cat([torch.arange(n) for n in alive])
    assert torch.equal(mask, mask[: alive[0]][poems])


@pytest.mark.parametrize(
    ("network", "backend"),
    [
        (NetworkRecipe(weight_dropout=0.5), "library"),
        (NetworkRecipe(cell="rnn-tanh", weight_dropout=0.5), "own"),
        (NetworkRecipe(layers=2, output_dropout=0.5), "library"),
    ],
)
def test_what_only_our_layer_has(network: NetworkRecipe, backend: str) -> None:
    with pytest.raises(UsageError, match="only our LSTM has them; take cell lstm and training"):
        LanguageModel(network, V, backend)


@pytest.mark.parametrize("cell", ["lstm", "rnn-tanh"])
def test_what_every_layer_has(cell: str) -> None:
    network = NetworkRecipe(cell=cell, output_dropout=0.5, input_dropout=0.5)  # type: ignore[arg-type]
    assert LanguageModel(network, V, "library")
