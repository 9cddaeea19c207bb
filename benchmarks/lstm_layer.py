"""The LSTM layer alone, forward and backward: ours, `nn.LSTM`, the plain loop.

    python benchmarks/lstm_layer.py [--rounds 11]

B = 128, T = 64; writes results/lstm_layer.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from unittest.mock import patch

import torch
from interleaved import Program, Programs, interleave, peak, publish, table
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from yinshi.nets.lstm import LSTM
from yinshi.nets.lstm_reference import ReferenceLSTM
from yinshi.nets.pointwise import TorchPointwise

T, B = 64, 128
SIZES = ((128, 256), (256, 512))  # E, H
LENGTHS = (20, 24, 28, 32, 40, 48, 56, 64)  # quatrains to long regulated verse


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    parts = [
        f"# The layer alone\n\nB = {B}, T = {T}; {rounds} rounds; `benchmarks/lstm_layer.py`\n"
    ]
    parts.append(peak())
    for uneven in (False, True):
        for E, H in SIZES:
            title = f"E = {E}, H = {H}" + (", uneven lengths, 61 % of the positions real" * uneven)
            parts.append(table(title, interleave((programs, (E, H, uneven)), rounds)))
    publish("lstm_layer", parts)


def programs(E: int, H: int, uneven: bool) -> Programs:
    lengths = sorted(LENGTHS * (B // len(LENGTHS)), reverse=True) if uneven else [T] * B

    def build(
        kind: type[nn.Module],
        call: Callable[..., Tensor],
        bf16: bool = False,
        keep_gates: bool = False,  # as in the poem network
    ) -> Program:
        torch.manual_seed(0)
        layer = kind(E, H)
        if isinstance(layer, LSTM):
            layer.keep_gates = keep_gates
        inputs = torch.randn(T, B, E, requires_grad=True)
        real = torch.arange(T)[:, None] < torch.tensor(lengths)
        doutputs = torch.randn(T, B, H) * real[:, :, None]

        def program() -> None:
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                outputs = call(layer, inputs)
            part = doutputs if outputs.dim() == 3 else doutputs[real]  # packed
            torch.autograd.grad(outputs, [inputs, *layer.parameters()], part.to(outputs.dtype))

        return program

    def padded(layer: nn.Module, inputs: Tensor) -> Tensor:
        outputs: Tensor = layer(inputs)[0]
        return outputs

    def packed(layer: nn.Module, inputs: Tensor) -> Tensor:
        outputs: Tensor = layer(pack_padded_sequence(inputs, lengths))[0].data
        return outputs

    def exact(layer: nn.Module, inputs: Tensor) -> Tensor:
        outputs: Tensor = layer(inputs, lengths=lengths if uneven else None)[0]
        return outputs

    def pure(program: Program) -> Program:
        """Without the native kernels."""

        def patched() -> None:
            with ExitStack() as stack:
                stack.enter_context(
                    patch("yinshi.nets.lstm.choose_pointwise", lambda *_: TorchPointwise())
                )
                program()

        return patched

    arms: dict[str, Callable[[], Program]] = {"`nn.LSTM`": lambda: build(nn.LSTM, padded)}
    if uneven:
        arms["`nn.LSTM`, packed"] = lambda: build(nn.LSTM, packed)
    arms |= {
        "plain loop under autograd": lambda: build(ReferenceLSTM, padded),
        "ours, PyTorch's operations": lambda: pure(build(LSTM, exact)),
        "ours": lambda: build(LSTM, exact),
        "ours, keeping the gates (`retain_graph`)": lambda: build(LSTM, exact, keep_gates=True),
        "`nn.LSTM`, bf16 autocast": lambda: build(nn.LSTM, padded, True),
        "ours, PyTorch's operations, bf16": lambda: pure(build(LSTM, exact, True)),
        "ours, bf16": lambda: build(LSTM, exact, True),
    }
    return arms


if __name__ == "__main__":
    main()
