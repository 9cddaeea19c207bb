"""The optimizers of a recipe, by name."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn, optim

from yinshi.recipe import TrainingRecipe


def make_optimizer(
    parameters: Iterable[nn.Parameter], training: TrainingRecipe
) -> torch.optim.Optimizer:
    """PyTorch's optimizer with the recipe's learning rate, momentum and weight decay."""
    lr, decay, momentum = training.learning_rate, training.weight_decay, training.momentum
    match training.optimizer:
        case "sgd":
            return optim.SGD(parameters, lr, momentum=momentum, weight_decay=decay)
        case "nesterov":
            return optim.SGD(parameters, lr, momentum=momentum, nesterov=True, weight_decay=decay)
        case "adagrad":
            return optim.Adagrad(parameters, lr, weight_decay=decay)
        case "adadelta":
            return optim.Adadelta(parameters, lr, weight_decay=decay)
        case "rmsprop":
            return optim.RMSprop(parameters, lr, momentum=momentum, weight_decay=decay)
        case "adam":
            return optim.Adam(parameters, lr, weight_decay=decay, fused=True)
        case "adamw":
            return optim.AdamW(parameters, lr, weight_decay=decay, fused=True)
