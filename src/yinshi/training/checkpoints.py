"""The whole state of a training run in one atomic `.safetensors`; nothing is pickled."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yinshi.errors import ModelFileError, TrainingError
from yinshi.model_file import read_tensors, write_tensors

FORMAT = "yinshi-checkpoint-1"


@dataclass
class Progress:
    """Where a run stands. Everything here and the learner's arrays make up a checkpoint.

    step, epoch, batch      updates made; finished epochs; batches done of the current one
    nats, tokens            sums since the last line of metrics
    total_tokens, seconds   sums over the run (validation's time included)
    best, epochs_without_gain   of early stopping
    metrics_bytes           length of metrics.jsonl: what was written after it is done anew
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    nats: float = 0.0
    tokens: int = 0
    total_tokens: int = 0
    seconds: float = 0.0
    best: float | None = None
    epochs_without_gain: int = 0
    metrics_bytes: int = 0


def save_checkpoint(path: Path, progress: Progress, arrays: dict[str, NDArray[Any]]) -> None:
    """Write `path` atomically: the old checkpoint stands until the new one is whole."""
    tensors = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    write_tensors(path, FORMAT, tensors, asdict(progress))


def load_checkpoint(path: Path) -> tuple[Progress, dict[str, NDArray[Any]]]:
    """The progress and the learner's arrays of `path`."""
    try:
        arrays, header = read_tensors(path, FORMAT)
        return Progress(**header), arrays
    except (ModelFileError, TypeError) as error:
        raise TrainingError(f"no usable checkpoint ({error}); start the run anew") from None


def weights_in(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Name → weight, of a checkpoint's arrays."""
    prefix = "weights."
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
