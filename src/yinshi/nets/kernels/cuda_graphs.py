"""An LSTM's forward and backward, each replayed as one CUDA graph for every shape of batch.

Not yet measured on hardware: here are tested the bookkeeping, and that padding changes nothing.

A recurrent layer on a GPU is hundreds of small kernels, and launching them takes longer than
running them; a graph launches all of them at once. But it always does the same work in the same
memory, so that it can't follow exact packing, where the rows alive differ from batch to batch:
here every row goes through every step. What is computed beyond a sequence's end is never read and
gets no gradient, which makes it as if it weren't there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from yinshi.nets.lstm import LSTM

#: T is rounded up to a multiple of it: few graphs, few steps in vain.
MULTIPLE = 8

Run = Callable[[Tensor], Tensor]  # inputs (T, B, I) → outputs (T, B, H)
Key = tuple[Any, ...]


class GraphedLSTM:
    """Calls `layer` by graphs; for layers and inputs on a CUDA device.

        outputs = GraphedLSTM(layer)(inputs)

    A shape is captured when it comes for the second time (once is not worth it, as with the last
    batch of an epoch) and is run without a graph before. At most `capacity` graphs are kept, each
    with memory of its own; the one unused for longest leaves. Beside T and B, graphs are told apart
    by everything else they can't change: dtypes, training or evaluation, what needs a gradient.

    Graphs work in place, and this is what a caller must know of it. Outputs, and the parameters'
    gradients, are overwritten by the next batch of the same shape: a forward is followed by its
    own backward before the next, gradients are not accumulated over batches, but dropped
    (`zero_grad(set_to_none=True)`, the default) before every backward. Parameters may change their
    values, not their memory. Dropout goes on from PyTorch's generator at every replay.

    The states after each sequence's end are not offered: c is not among the outputs.
    """

    def __init__(
        self, layer: LSTM, capacity: int = 32, capture: Callable[[LSTM, Tensor], Run] | None = None
    ) -> None:
        self.layer, self.capacity = layer, capacity
        self._capture = capture or capture_graph
        self._eager = Padded(layer)
        self._graphs: OrderedDict[Key, Run] = OrderedDict()  # the most recently used last
        self._seen: set[Key] = set()

    def __call__(self, inputs: Tensor) -> Tensor:
        """inputs (T, B, I) → outputs (T, B, H), from a state of zeros.

        What stands in `inputs` beyond a sequence's end may be anything finite; of the outputs
        there, no use may be made.
        """
        T = len(inputs)
        inputs = functional.pad(inputs, (0, 0, 0, 0, 0, -T % MULTIPLE))
        run = self._graph(inputs) or self._eager
        return run(inputs)[:T]

    def _graph(self, inputs: Tensor) -> Run | None:
        key = _key(self.layer, inputs)
        if key in self._graphs:
            self._graphs.move_to_end(key)
        elif key in self._seen:
            # Capturing waits for the device: the graph that leaves afterwards has done its work.
            self._graphs[key] = self._capture(self.layer, inputs)
            if len(self._graphs) > self.capacity:
                oldest, _ = self._graphs.popitem(last=False)
                self._seen.remove(oldest)
        else:
            self._seen.add(key)
        return self._graphs.get(key)


class Padded(nn.Module):
    """`layer` with all B rows at all T steps, from a state of zeros: (T, B, I) → (T, B, H)."""

    def __init__(self, layer: LSTM) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, inputs: Tensor) -> Tensor:
        T, B, _ = inputs.shape
        rows, _ = self.layer.packed(inputs.flatten(0, 1), [B] * T, self.layer.zero_state(inputs, B))
        return rows.view(T, B, -1)


def capture_graph(layer: LSTM, inputs: Tensor) -> Run:
    """The forward and backward of inputs like these as CUDA graphs.

    The random numbers that dropout draws meanwhile are given back to the generator.
    """
    sample = torch.zeros_like(inputs, requires_grad=inputs.requires_grad)
    autocast = _autocast_dtype("cuda")
    with (
        torch.random.fork_rng([inputs.device]),
        torch.autocast("cuda", autocast, autocast is not None, cache_enabled=False),
    ):
        # A module of its own for each graph: it is its `forward` that is replaced.
        return torch.cuda.make_graphed_callables(Padded(layer), (sample,))  # type: ignore[return-value]


def _autocast_dtype(device: str) -> torch.dtype | None:
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None


def _key(layer: LSTM, inputs: Tensor) -> Key:
    dtypes = (inputs.dtype, _autocast_dtype(inputs.device.type))
    gradients = (torch.is_grad_enabled(), inputs.requires_grad)
    return (*inputs.shape[:2], *dtypes, layer.training, *gradients)
