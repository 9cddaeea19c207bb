"""A whole training step of the reports' network: ours beside what others do.

    python benchmarks/training_step.py [--rounds 5]

Four batches of 128 poems of many lengths, V = 7,600; Adam; writes results/training_step.md. All
programs compute the same mathematics, and the first thing done is to check it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from contextlib import ExitStack, nullcontext
from unittest.mock import patch

import numpy as np
import torch
from interleaved import Program, Programs, interleave, peak, publish, table
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from yinshi.nets.language_model import LanguageModel
from yinshi.nets.lstm_reference import ReferenceLSTM
from yinshi.nets.pointwise import TorchPointwise
from yinshi.recipe import NetworkRecipe

V, B, PADDED, BATCHES = 7600, 128, 80, 4
SIZES = ((128, 256), (256, 512))  # E, H
LENGTHS = (25, 33, 33, 49, 49, 65, 65, 80)  # with their ends: of quatrains, regulated verse, longer
USUAL = "the usual program: `nn.LSTM`, padded to 80, all logits"

Batch = tuple[Tensor, Tensor, list[int]]  # inputs, targets (T, B), padded with 0; falling lengths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    real = np.mean(LENGTHS) / PADDED
    head = (
        f"# A whole training step\n\n{BATCHES} batches of {B} poems, {real:.0%} of the positions "
    )
    head += f"of 80 real, V = {V:,}; ms a step; {rounds} rounds; `benchmarks/training_step.py`\n"
    parts = [head, peak()]
    for E, H in SIZES:
        check(E, H)
        parts.append(
            table(f"E = {E}, H = {H}", interleave((programs, (E, H)), rounds), per=BATCHES)
        )
    publish("training_step", parts)


def check(E: int, H: int) -> None:
    """Ours and the usual program's nats on the same weights are the same."""
    usual, ours = Usual(E, H), Ours(E, H)
    ours.network.load_state_dict(usual.network.state_dict())
    batch = batches(False)[0]
    ratio = float(usual.nats(batch).detach()) / float(ours.nats(batch).detach())
    assert abs(ratio - 1) < 1e-5, ratio


def programs(E: int, H: int) -> Programs:
    return {
        USUAL: lambda: Usual(E, H).epoch(),
        "the same with the plain loop": lambda: Usual(E, H, layer=ReferenceLSTM).epoch(),
        "the same, packed (`pack_padded_sequence`)": lambda: Usual(E, H, packed=True).epoch(),
        "the same, only real tokens to the output": lambda: Usual(E, H, masked=True).epoch(),
        "the same, batches of like lengths": lambda: Usual(E, H).epoch(buckets=True),
        "ours, PyTorch's operations and products": lambda: Ours(E, H, plain=True).epoch(),
        "ours": lambda: Ours(E, H).epoch(),
        "ours, batches of like lengths": lambda: Ours(E, H).epoch(buckets=True),
        f"{USUAL}, bf16 autocast": lambda: Usual(E, H, bf16=True).epoch(),
        "the same, batches of like lengths, bf16": lambda: Usual(E, H, bf16=True).epoch(True),
        "ours, PyTorch's operations, bf16": lambda: Ours(E, H, plain=True, bf16=True).epoch(),
        "ours, bf16": lambda: Ours(E, H, bf16=True).epoch(),
        "ours, bf16, batches of like lengths": lambda: Ours(E, H, bf16=True).epoch(buckets=True),
    }


def batches(buckets: bool) -> list[Batch]:
    """The same poems, mixed or sorted by length."""
    rng = np.random.default_rng(0)
    lengths = np.resize(LENGTHS, BATCHES * B)
    lengths = np.sort(lengths) if buckets else rng.permutation(lengths)
    found = []
    for part in np.split(lengths, BATCHES):
        falling = np.sort(part)[::-1].copy()
        real = np.arange(falling[0] if buckets else PADDED)[:, None] < falling
        inputs, targets = (torch.from_numpy(rng.integers(4, V, real.shape) * real) for _ in "io")
        found.append((inputs, targets, falling.tolist()))
    return found


class Usual:
    """What one finds in most repositories; `masked`, `packed` and `bf16` as the better of them."""

    def __init__(
        self,
        E: int,
        H: int,
        layer: type[nn.Module] = nn.LSTM,
        packed: bool = False,
        masked: bool = False,
        bf16: bool = False,
        V: int = V,
    ) -> None:
        self.network = nn.ModuleDict(
            {"embedding": nn.Embedding(V, E), "lstm": layer(E, H), "output": nn.Linear(H, V)}
        )
        self.optimizer = torch.optim.Adam(self.network.parameters())
        self.packed, self.masked, self.bf16 = packed, masked, bf16

    def nats(self, batch: Batch) -> Tensor:
        inputs, targets, lengths = batch
        hidden = self.network["embedding"](inputs)
        if self.packed:
            outputs = self.network["lstm"](pack_padded_sequence(hidden, lengths))[0]
            hidden = pad_packed_sequence(outputs, total_length=len(inputs))[0]
        else:
            hidden = self.network["lstm"](hidden)[0]
        if self.masked:
            hidden, targets = hidden[targets > 0], targets[targets > 0]
        logits = self.network["output"](hidden)
        return cross_entropy(logits.flatten(0, -2), targets.flatten(), ignore_index=0)

    def epoch(self, buckets: bool = False) -> Program:
        parts = batches(buckets)
        return lambda: self.train(parts)

    def train(self, parts: Iterable[Batch]) -> None:
        for batch in parts:
            self.optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
                nats = self.nats(batch)
            nats.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()


class Ours(Usual):
    """`yinshi train`'s step, without its dropout; `plain` without kernels and oneDNN's products."""

    def __init__(self, E: int, H: int, plain: bool = False, bf16: bool = False, V: int = V) -> None:
        super().__init__(E, H, bf16=bf16)
        self.network = LanguageModel(NetworkRecipe(embedding=E, hidden=H, dropout=0.0), V)
        self.optimizer = torch.optim.Adam(self.network.parameters(), fused=True)
        self.plain = plain

    def nats(self, batch: Batch) -> Tensor:
        inputs, targets, lengths = batch
        real = targets > 0
        packed = (inputs[real], targets[real], real.sum(1).tolist())
        with plain_pytorch() if self.plain else nullcontext():
            total: Tensor = self.network(*packed[:2], [n for n in packed[2] if n])
            return total / sum(lengths)


def plain_pytorch() -> ExitStack:
    """Without our kernels, and with the products that PyTorch itself would choose."""
    stack = ExitStack()
    for module in ("lstm", "output"):
        stack.enter_context(
            patch(f"yinshi.nets.{module}.choose_pointwise", lambda *_: TorchPointwise())
        )
    stack.enter_context(patch("yinshi.nets.products._onednn_linear", lambda: None))
    return stack


if __name__ == "__main__":
    main()
