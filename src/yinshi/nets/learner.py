"""The PyTorch engine under the training loop: one step, one evaluation, the whole state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from yinshi.errors import TrainingError
from yinshi.nets.averaging import WeightAverage
from yinshi.nets.optimizers import make_optimizer
from yinshi.recipe import TrainingRecipe

if TYPE_CHECKING:
    from yinshi.nets.language_model import LanguageModel
    from yinshi.nets.text_classifier import TextClassifier
    from yinshi.nets.text_language_model import TextLanguageModel
    from yinshi.nets.transformer import Transformer

Arrays = dict[str, NDArray[Any]]


class TorchLearner:
    """Implements `training.loop.Learner` (see there) with autograd, for the network of `build`.

    Dropout draws from PyTorch's global generator, which is seeded here and is part of `state()`.
    One of several `ranks` draws its own, on the GPU `local_rank`, and every update takes the
    average of the ranks' gradients: each trains on another part of a batch, all take the same step.
    """

    def __init__(
        self,
        build: Callable[[], LanguageModel | TextClassifier | TextLanguageModel | Transformer],
        training: TrainingRecipe,
        weights: Mapping[str, NDArray[Any]],
        rank: int = 0,
        ranks: int = 1,
        local_rank: int = 0,
    ) -> None:
        self.device = choose_device(training.device, local_rank)
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)  # where kernels of our own are started
        self.precision = choose_precision(training.precision, self.device)
        self.rank = rank
        torch.manual_seed(training.seed + rank)
        self.network = build()
        self.network.to(self.device, torch.float64 if self.precision == "float64" else None)
        self._load_weights(weights)
        self.network.embedding.requires_grad_(not training.freeze_embedding)
        learning = [p for p in self.network.parameters() if p.requires_grad]
        self.optimizer = make_optimizer(learning, training)
        self.clip_norm = training.clip_norm
        decay = training.ema_decay
        self.average = None if decay is None else WeightAverage(self.network, decay)
        self.trained: nn.Module = self.network
        if ranks > 1:
            self.trained = DistributedDataParallel(self.network, gradient_as_bucket_view=True)

    def train_batch(
        self,
        inputs: NDArray[np.int32],
        targets: NDArray[np.int32],
        lengths: NDArray[np.int64],
        learning_rate: float,
        divisor: float | None = None,
    ) -> Tensor:
        """One update; returns the batch's summed nats, left on the device."""
        self.network.train()
        nats = self._nats(self.trained, inputs, targets, lengths)
        self.optimizer.zero_grad()
        tokens = np.count_nonzero(_asked(targets, lengths))
        (nats / (divisor or int(tokens))).backward()  # type: ignore[no-untyped-call]
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.clip_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()
        if self.average:
            self.average.update()
        return nats.detach().double()

    @torch.no_grad()
    def evaluate_batch(
        self, inputs: NDArray[np.int32], targets: NDArray[np.int32], lengths: NDArray[np.int64]
    ) -> Tensor:
        """The batch's summed nats without dropout, by the averaged weights if there are any."""
        self.network.eval()
        with self.average.in_place() if self.average else nullcontext():
            return self._nats(self.network, inputs, targets, lengths).double()

    def _nats(
        self,
        network: nn.Module,
        inputs: NDArray[np.int32],
        targets: NDArray[np.int32],
        lengths: NDArray[np.int64],
    ) -> Tensor:
        real = np.arange(len(inputs))[:, None] < lengths
        asked = _asked(targets, lengths)
        packed = self._tokens(inputs[real]), self._tokens(targets[asked])
        places = []
        if targets.ndim == 2 and not asked[real].all():
            places = [self._tokens(np.flatnonzero(asked[real]))]
        bfloat16 = self.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bfloat16):
            nats: Tensor = network(*packed, real.sum(axis=1).tolist(), *places)
        return nats

    def _tokens(self, tokens: NDArray[np.integer]) -> Tensor:
        """On the device, as int64, without waiting for it."""
        found = torch.from_numpy(tokens).long()
        if self.device.type == "cuda":
            found = found.pin_memory()
        return found.to(self.device, non_blocking=True)

    def weights(self) -> Arrays:
        """Name → weight, as a model file holds them (a tied weight once): the averages, if there
        are any."""
        return self.average.weights() if self.average else self._trained_weights()

    def _trained_weights(self) -> Arrays:
        return {name: p.detach().cpu().numpy() for name, p in self.network.named_parameters()}

    def state(self) -> Arrays:
        """Everything that the next step depends on, as arrays."""
        arrays = {f"weights.{name}": weight for name, weight in self._trained_weights().items()}
        if self.average:
            arrays |= {f"average.{name}": a for name, a in self.average.state().items()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            for name, value in moments.items():
                if value is not None:
                    arrays[f"optimizer.{index}.{name}"] = torch.as_tensor(value).cpu().numpy()
        arrays["rng.cpu"] = torch.get_rng_state().numpy()
        if self.device.type == "cuda":
            arrays["rng.cuda"] = torch.cuda.get_rng_state(self.device).numpy()
        return arrays

    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on from `state()`, or from several ranks' with a random state of each as a row.

        A rank beyond theirs draws a seed of its own where rank 0's random numbers go on.
        """
        parts: dict[str, Arrays] = {"weights": {}, "average": {}, "optimizer": {}, "rng": {}}
        for key, array in arrays.items():
            part, _, name = key.partition(".")
            parts[part][name] = array
        self._load_weights(parts["weights"])
        if self.average:
            self.average.load_state(parts["average"])
        moments: dict[int, dict[str, Tensor]] = {}
        for key, array in parts["optimizer"].items():
            index, _, name = key.partition(".")
            moments.setdefault(int(index), {})[name] = torch.from_numpy(array)
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        states = {name: torch.from_numpy(np.atleast_2d(a)) for name, a in parts["rng"].items()}
        known = self.rank < len(states["cpu"])
        row = self.rank if known else 0
        torch.set_rng_state(states["cpu"][row].clone())  # PyTorch reads past a mere view
        if "cuda" in states and self.device.type == "cuda":
            torch.cuda.set_rng_state(states["cuda"][row].clone(), self.device)
        if not known:
            torch.manual_seed(int(torch.randint(2**62, ())) + self.rank)

    def _load_weights(self, weights: Mapping[str, NDArray[Any]]) -> None:
        with torch.no_grad():
            for name, parameter in self.network.named_parameters():
                parameter.copy_(torch.from_numpy(np.ascontiguousarray(weights[name])))


def _asked(targets: NDArray[np.int32], lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of `targets` count: not padding, nor, below 0, what is only read."""
    asked: NDArray[np.bool_] = targets >= 0
    if targets.ndim == 2:
        asked &= np.arange(len(targets))[:, None] < lengths
    return asked


def choose_device(wish: str, local_rank: int = 0) -> torch.device:
    """`auto` is CUDA where there is a GPU; each process of a machine has its own."""
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wish == "cuda" and not gpus:
        raise TrainingError("device cuda: no GPU is visible to PyTorch; use auto or cpu")
    if wish == "cpu" or not gpus:
        return torch.device("cpu")
    if local_rank >= gpus:
        raise TrainingError(
            f"process {local_rank + 1} on this machine finds {gpus} GPUs; start one process for "
            "each, or train on the processor with --set training.device=cpu"
        )
    return torch.device("cuda", local_rank)


def choose_precision(wish: str, device: torch.device) -> str:
    """`auto` is bfloat16 where the processor multiplies it natively, else float32."""
    if wish != "auto":
        return wish
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    native = torch.cpu.get_capabilities()
    return "bfloat16" if native.get("avx512_bf16") or native.get("amx_bf16") else "float32"
