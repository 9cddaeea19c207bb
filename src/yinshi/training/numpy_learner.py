"""The NumPy engine under the training loop: one step, one evaluation, the whole state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yinshi.engine import optimizers
from yinshi.engine.language_model import LanguageModel
from yinshi.engine.layers import dropout_mask
from yinshi.engine.optimizers import Optimizer, clip_by_global_norm
from yinshi.errors import UsageError
from yinshi.recipe import Recipe, TrainingRecipe

Arrays = dict[str, NDArray[Any]]


class NumpyLearner:
    """Implements `training.loop.Learner` (see there) with the hand-written backward.

    Dropout draws from a generator of its own, seeded by the recipe and part of `state()`.
    Raises UsageError for what this engine doesn't do.
    """

    def __init__(self, recipe: Recipe, weights: Mapping[str, NDArray[Any]]) -> None:
        training = recipe.training
        _refuse_others(recipe)
        self.precision = choose_precision(training)
        copies = {name: np.array(w, dtype=self.precision) for name, w in weights.items()}
        self.network = LanguageModel(copies, self.precision, recipe.network.cell)
        frozen = {"embedding.weight"} if training.freeze_embedding else set()
        learning = {name: weight for name, weight in copies.items() if name not in frozen}
        self.optimizer = make_optimizer(learning, training)
        self.clip_norm = training.clip_norm
        self.recipe = recipe.network
        self.rng = np.random.default_rng(training.seed)

    def train_batch(
        self,
        inputs: NDArray[np.int32],
        targets: NDArray[np.int32],
        lengths: NDArray[np.int64],
        learning_rate: float,
        divisor: float | None = None,
    ) -> float:
        """One update; returns the batch's summed nats. Overflow is left to the loop, which looks
        for numbers that are not finite."""
        with np.errstate(all="ignore"):
            nats, gradients = self.network.nats_and_gradients(
                inputs, targets, lengths, self._dropout_masks(*inputs.shape)
            )
            gradients = {name: gradients[name] for name in self.optimizer.weights}
            for gradient in gradients.values():
                gradient /= divisor or int(lengths.sum()) - np.count_nonzero(targets < 0)
            if self.clip_norm is not None:
                clip_by_global_norm(gradients, self.clip_norm)
            self.optimizer.step(gradients, learning_rate)
        return nats

    def evaluate_batch(
        self, inputs: NDArray[np.int32], targets: NDArray[np.int32], lengths: NDArray[np.int64]
    ) -> float:
        """The batch's summed nats without dropout."""
        with np.errstate(all="ignore"):
            return float(self.network.token_nats(inputs, targets, lengths).sum())

    def _dropout_masks(self, T: int, B: int) -> list[NDArray[Any]]:
        """(T, B, H) for each layer; none without dropout."""
        if not self.recipe.dropout:
            return []
        shape = (T, B, self.recipe.hidden)
        return [
            dropout_mask(shape, self.recipe.dropout, self.rng, self.network.dtype)
            for _ in range(self.recipe.layers)
        ]

    def weights(self) -> Arrays:
        """Name → weight, as a model file holds them (a tied weight once)."""
        return dict(self.network.weights)

    def state(self) -> Arrays:
        """Everything that the next step depends on, as arrays."""
        arrays = {f"weights.{name}": array for name, array in self.network.weights.items()}
        arrays |= {f"optimizer.{name}": array for name, array in self.optimizer.state().items()}
        generator = json.dumps(self.rng.bit_generator.state)  # its integers have 128 bits
        arrays["rng.dropout"] = np.frombuffer(generator.encode(), np.uint8)
        return arrays

    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from `state()`."""
        for name, weight in self.network.weights.items():
            weight[...] = arrays[f"weights.{name}"]
        self.optimizer.load_state(
            {
                name.removeprefix("optimizer."): array
                for name, array in arrays.items()
                if name.startswith("optimizer.")
            }
        )
        self.rng.bit_generator.state = json.loads(arrays["rng.dropout"].tobytes())


def _refuse_others(recipe: Recipe) -> None:
    """Raises UsageError for what only PyTorch's engine has."""
    for section, name in (
        ("network", "input_dropout"),
        ("network", "output_dropout"),
        ("network", "weight_dropout"),
        ("training", "ema_decay"),
    ):
        value = getattr(getattr(recipe, section), name)
        if value:
            raise UsageError(
                f"{section}.{name} {value:g}: the numpy engine has none; leave it out, or take "
                "--engine torch"
            )


def choose_precision(training: TrainingRecipe) -> str:
    """`auto` is float32."""
    if training.precision == "bfloat16":
        raise UsageError(
            "precision bfloat16: the numpy engine computes in float32 or float64; "
            "choose one of them, or --engine torch"
        )
    if training.device == "cuda":
        raise UsageError("device cuda: the numpy engine has no GPU; use auto, or --engine torch")
    return "float32" if training.precision == "auto" else training.precision


def make_optimizer(weights: Mapping[str, NDArray[Any]], training: TrainingRecipe) -> Optimizer:
    """The recipe's optimizer, with its momentum and weight decay."""
    decay, momentum = training.weight_decay, training.momentum
    match training.optimizer:
        case "sgd" if not momentum:
            return optimizers.SGD(weights, decay)
        case "sgd":
            return optimizers.Momentum(weights, momentum, decay)
        case "nesterov":
            return optimizers.Nesterov(weights, momentum, decay)
        case "adagrad":
            return optimizers.Adagrad(weights, decay)
        case "adadelta":
            return optimizers.Adadelta(weights, decay)
        case "rmsprop":
            return optimizers.RMSprop(weights, momentum, decay)
        case "adam":
            return optimizers.Adam(weights, decay)
        case "adamw":
            return optimizers.AdamW(weights, decay)
