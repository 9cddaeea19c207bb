"""An LSTM layer, forward and backward, in float32: ours in NumPy beside PyTorch's `nn.LSTM`.

    python benchmarks/engine.py [--runs 15] [--threads N]

Every gradient is made: of the weights, the input, h0 and c0. The arms alternate within one run, so
that a busy machine slows all alike; what counts are the medians and their ratios. The aim is at
most 1.5 times `nn.LSTM`. The last tables have poems of uneven lengths, which `nn.LSTM` either pads
or packs, and of which ours computes what is real.

NumPy is as fast as its BLAS. OpenBLAS up to 0.3.31 takes an AMD Zen 5 for a Haswell (its issue
6029) and then runs at half speed; OPENBLAS_CORETYPE=SkylakeX in the environment puts that right.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping

THREADS = sys.argv[sys.argv.index("--threads") + 1] if "--threads" in sys.argv else None
if THREADS:  # read by NumPy's BLAS when it is loaded
    os.environ.update(OMP_NUM_THREADS=THREADS, OPENBLAS_NUM_THREADS=THREADS)

import numpy as np  # noqa: E402
import torch  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from torch.nn.utils.rnn import pack_padded_sequence  # noqa: E402

from yinshi.engine import sequence  # noqa: E402
from yinshi.nets.lstm_reference import ReferenceLSTM  # noqa: E402

Array = NDArray[np.float32]
Arm = Callable[[], object]

T, B = 64, 128
SIZES = ((128, 256), (256, 512))  # E, H
LENGTHS = (20, 24, 28, 32, 40, 48, 56, 64)  # quatrains to long regulated verse


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    kernels = os.environ.get("OPENBLAS_CORETYPE", "as OpenBLAS detects them")
    print(f"B={B}, T={T}, float32, {arguments.threads} threads, {arguments.runs} runs")
    print(f"BLAS kernels: {kernels}\n")
    for E, H in SIZES:
        _table(f"E={E}, H={H}", _arms(E, H), arguments.runs)
    lengths = np.sort(np.resize(LENGTHS, B))[::-1].copy()
    real = lengths.sum() / (T * B)
    for E, H in SIZES:
        title = f"E={E}, H={H}, uneven lengths, {real:.0%} of the positions real"
        _table(title, _arms(E, H, lengths), arguments.runs)


def _arms(E: int, H: int, lengths: NDArray[np.int64] | None = None) -> Mapping[str, Arm]:
    layer, plain = torch.nn.LSTM(E, H), ReferenceLSTM(E, H)
    weights = {n.removesuffix("_l0"): p.detach().numpy() for n, p in layer.named_parameters()}
    rng = np.random.default_rng(0)
    x, doutputs = (rng.standard_normal((T, B, n), dtype=np.float32) for n in (E, H))
    if lengths is not None:
        doutputs *= (np.arange(T)[:, None] < lengths)[:, :, None]
    state = tuple(rng.standard_normal((1, B, H), dtype=np.float32) for _ in range(2))
    leaves = [torch.tensor(array, requires_grad=True) for array in (x, *state)]
    dx = torch.tensor(doutputs)

    def ours() -> object:
        return sequence.backward(sequence.forward("lstm", [weights], x, state, lengths), doutputs)

    def library() -> object:
        outputs, _ = layer(leaves[0], tuple(leaves[1:]))
        return torch.autograd.grad(outputs, [*layer.parameters(), *leaves], dx)

    def packed() -> object:
        assert lengths is not None
        outputs, _ = layer(pack_padded_sequence(leaves[0], lengths), tuple(leaves[1:]))
        real = pack_padded_sequence(dx, lengths).data
        return torch.autograd.grad(outputs.data, [*layer.parameters(), *leaves], real)

    def naive() -> object:
        outputs, _ = plain(leaves[0], tuple(leaves[1:]))
        return torch.autograd.grad(outputs, [*plain.parameters(), *leaves], dx)

    if lengths is None:
        return {"`nn.LSTM`": library, "ours": ours, "plain loop under autograd": naive}
    return {"`nn.LSTM`, padded": library, "`nn.LSTM`, packed": packed, "ours": ours}


def _table(title: str, arms: Mapping[str, Arm], runs: int) -> None:
    times: dict[str, list[float]] = {name: [] for name in arms}
    for run in range(runs + 2):  # two to warm up
        for name, arm in arms.items():
            start = time.perf_counter()
            arm()
            if run > 1:
                times[name].append(time.perf_counter() - start)
    library = statistics.median(next(iter(times.values())))
    print(f"{title}\n\n| | median ms | fastest ms | × the first |\n|---|---|---|---|")
    for name, seconds in times.items():
        median, least = statistics.median(seconds), min(seconds)
        print(f"| {name} | {1e3 * median:.0f} | {1e3 * least:.0f} | {median / library:.2f} |")
    print()


if __name__ == "__main__":
    main()
