"""The average of the weights: its formula, its exchange with them, its state."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from learners import torch_learner
from torch import nn

from yinshi.corpus.batches import Batch, pad
from yinshi.engine.initializers import initial_weights
from yinshi.nets.averaging import WeightAverage
from yinshi.nets.learner import TorchLearner
from yinshi.recipe import Recipe

V = 30


def trained(values: list[float], decay: float) -> tuple[nn.Linear, WeightAverage]:
    """A network of one weight, which was 100 before training and then each of `values`."""
    network = nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(network.weight, 100.0)
    average = WeightAverage(network, decay)
    for value in values:
        nn.init.constant_(network.weight, value)
        average.update()
    return network, average


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.99])
def test_the_formula(decay: float) -> None:
    values = [3.0, -1.0, 4.0, 1.5]
    _, average = trained(values, decay)
    weights = [decay ** (3 - s) for s in range(4)]
    expected = sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
    assert average.weights()["weight"].item() == pytest.approx(expected, rel=1e-12)


def test_by_hand() -> None:
    """β = ½: (1·4 + ½·2) / (1 + ½) = 10/3."""
    _, average = trained([2.0, 4.0], 0.5)
    assert average.weights()["weight"].item() == pytest.approx(10 / 3, rel=1e-15)


def test_before_the_first_update_it_is_the_network() -> None:
    _, average = trained([], 0.9)
    assert average.weights()["weight"].item() == 100


def test_in_place_and_back() -> None:
    network, average = trained([2.0, 4.0], 0.5)
    one = torch.ones(1, dtype=torch.float64)
    memory = network.weight.data_ptr()
    with average.in_place():
        assert network(one).item() == pytest.approx(10 / 3)
        assert network.weight.data_ptr() == memory
    assert network(one).item() == 4
    with pytest.raises(ValueError, match="stop"), average.in_place():
        raise ValueError("stop")
    assert network(one).item() == 4
    assert average.weights()["weight"].item() == pytest.approx(10 / 3)


# ---- in a learner -------------------------------------------------------------------------------


def learner_of(**training: object) -> TorchLearner:
    network = {"embedding": 6, "hidden": 8, "dropout": 0.5, "tie_weights": True}
    training = {"optimizer": "adamw", "device": "cpu", "precision": "float64", **training}
    recipe = Recipe.from_dict({"network": network, "training": training})
    shapes = recipe.network.weight_shapes(V)
    return torch_learner(recipe, initial_weights(shapes, 8, np.random.default_rng(3)))


def batch_of(seed: int) -> Batch:
    rng = np.random.default_rng(seed)
    return pad([rng.integers(4, V, n).astype(np.int32) for n in (7, 4, 2)], np.arange(3))


def steps(learner: TorchLearner, seeds: range) -> list[dict[str, np.ndarray]]:
    """The weights after each step."""
    found = []
    for seed in seeds:
        b = batch_of(seed)
        learner.train_batch(b.inputs, b.targets, b.lengths, 0.01)
        state = learner.state()
        weights = {n[8:]: w.copy() for n, w in state.items() if n.startswith("weights.")}
        found.append(weights)
    return found


def test_training_is_what_it_is_without_and_the_model_is_the_average() -> None:
    averaged = learner_of(ema_decay=0.8)
    found = steps(averaged, range(5))
    plain = learner_of()  # seeds the generator anew
    expected = steps(plain, range(5))
    for ours, theirs in zip(found, expected, strict=True):
        for name in theirs:
            np.testing.assert_array_equal(ours[name], theirs[name])
    share = np.array([0.8 ** (4 - s) for s in range(5)])
    share /= share.sum()
    for name, average in averaged.weights().items():
        by_hand = sum(w * after[name] for w, after in zip(share, expected, strict=True))
        np.testing.assert_allclose(average, by_hand, rtol=1e-12, atol=1e-14)
        assert not np.allclose(average, plain.weights()[name], rtol=1e-3)


def test_evaluation_is_by_the_average() -> None:
    averaged, plain = learner_of(ema_decay=0.8), learner_of()
    steps(averaged, range(5))
    plain._load_weights(averaged.weights())
    b = batch_of(9)
    ours, theirs = (
        float(each.evaluate_batch(b.inputs, b.targets, b.lengths)) for each in (averaged, plain)
    )
    assert ours == theirs
    assert steps(averaged, range(5, 6))  # and training goes on with the others
    before = steps(learner_of(ema_decay=0.8), range(6))[-1]
    for name, weight in before.items():
        np.testing.assert_array_equal(averaged.state()[f"weights.{name}"], weight)


def test_state_restores_both_bitwise() -> None:
    first = learner_of(ema_decay=0.8)
    steps(first, range(3))
    saved = {name: array.copy() for name, array in first.state().items()}
    steps(first, range(3, 6))
    second = learner_of(ema_decay=0.8)
    second.load_state(saved)
    steps(second, range(3, 6))
    assert saved.keys() == second.state().keys()
    for name, array in first.state().items():
        np.testing.assert_array_equal(second.state()[name], array, err_msg=name)


def test_without_it_there_is_nothing_of_it() -> None:
    assert not any(name.startswith("average") for name in learner_of().state())
