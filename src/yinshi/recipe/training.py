"""How to train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from yinshi.recipe.sections import MAX_SEED, number


@dataclass(frozen=True)
class TrainingRecipe:
    """How to train. Perplexity is watched on the validation split after each epoch.

    `backend` is the LSTM of the PyTorch engine: nets/lstm.py or nn.LSTM. `allocator` "tuned" lets
    `yinshi train` keep memory between steps, where the C library can. `freeze_embedding` leaves the
    embedding as it begins. `keep_epochs` keeps the model of every epoch, named by its nats. With
    `network.conditions` a poem is without its header with probability `condition_dropout` in each
    epoch, and else without each part of it. With `ema_decay` the model that is validated and saved
    is an exponential moving average of the weights: see nets/averaging.py.
    """

    optimizer: Literal["sgd", "nesterov", "adagrad", "adadelta", "rmsprop", "adam", "adamw"] = (
        "adamw"
    )
    learning_rate: float = number(1e-3, 0)
    momentum: float = number(0.0, 0, 1)
    weight_decay: float = number(0.0, 0)
    schedule: Literal["constant", "one-cycle", "cosine"] = "constant"
    warmup: float = number(0.1, 0, 1)
    clip_norm: float | None = number(None, 0)
    freeze_embedding: bool = False
    condition_dropout: float = number(0.3, 0, 1)
    ema_decay: float | None = number(None, 0, 0.99999)
    epochs: int = number(10, 1)
    patience: int | None = number(None, 1)
    batch_size: int = number(64, 1)
    backend: Literal["own", "library"] = "own"
    precision: Literal["auto", "float64", "float32", "bfloat16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    allocator: Literal["tuned", "system"] = "tuned"
    checkpoint_every: int = number(500, 1)
    keep_epochs: bool = False
    seed: int = number(0, 0, MAX_SEED)

    def faults(self) -> list[str]:
        found = []
        if self.learning_rate == 0:
            found.append("learning_rate 0: expected a number above 0")
        if self.clip_norm == 0:
            found.append("clip_norm 0: expected a number above 0; leave it out for no clipping")
        if self.momentum and self.optimizer not in ("sgd", "nesterov", "rmsprop"):
            found.append(
                f"momentum is not used by {self.optimizer}, only by sgd, nesterov and rmsprop"
            )
        if self.optimizer == "nesterov" and not self.momentum:
            found.append("momentum 0: nesterov needs a number above 0, usually 0.9")
        return found
