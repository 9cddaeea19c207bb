"""Tokens a second on real poems: ours beside what others do.

    python benchmarks/epoch.py --data data/tang [--share 0.1]

The training poems of prepared data, cut at 79 characters, in batches of 128: in random order padded
to 80, or of like lengths. The programs train on the same poems and take turns after every ten
batches; writes results/epoch.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import torch
from interleaved import ALLOCATORS, Program, Programs, interleave, peak, publish
from training_step import PADDED, SIZES, USUAL, Batch, Ours, Usual

from yinshi.corpus.batches import Batch as Poems
from yinshi.corpus.batches import pad, training_batches
from yinshi.corpus.dataset import Dataset

B, TURN = 128, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.1, help="of an epoch's poems")
    arguments = parser.parse_args()
    poems, V = load(arguments.data, arguments.share)
    tokens = sum(len(poem) + 1 for poem in poems)
    turns = -(-len(poems) // (B * TURN))
    head = (
        f"# Tokens a second\n\n{len(poems):,} poems, {arguments.share:.0%} of an epoch, {tokens:,} "
    )
    head += f"tokens, V = {V:,}; batches of {B}; `benchmarks/epoch.py`\n"
    parts = [head, peak()]
    for E, H in SIZES:
        times = interleave((programs, (E, H, arguments.data, arguments.share)), turns)
        lines = [f"### E = {E}, H = {H}\n", "| | tokens/s | allocator tuned |", "|---|---:|---:|"]
        for name in times[ALLOCATORS[0]]:
            rates = (f"{tokens / sum(times[a][name]):,.0f}" for a in ALLOCATORS)
            lines.append(f"| {name} | {' | '.join(rates)} |")
        parts.append("\n".join(lines) + "\n")
    publish("epoch", parts)


def load(data: Path, share: float) -> tuple[list[np.ndarray], int]:
    dataset = Dataset.load(data)
    texts = dataset.texts("train")
    chosen = np.random.default_rng(0).permutation(len(texts))[: round(share * len(texts))]
    encode = dataset.vocabulary.encode
    return [encode(texts[i])[: PADDED - 1] for i in chosen], len(dataset.vocabulary)


def programs(E: int, H: int, data: Path, share: float) -> Programs:
    poems, V = load(data, share)

    def turns(trainer: Usual, buckets: bool) -> Program:
        """Each call trains on the next ten batches; the first one, to warm up, on ten of them."""
        parts = [like(b) for b in training_batches(poems, B, 0, 0)] if buckets else mixed(poems)
        calls = count(-1)

        def program() -> None:
            start = max(0, next(calls)) * TURN
            trainer.train(parts[start : start + TURN])

        return program

    def arm(make: Callable[[], Usual], buckets: bool) -> Callable[[], Program]:
        return lambda: turns(make(), buckets)

    return {
        USUAL: arm(lambda: Usual(E, H, V=V), False),
        f"{USUAL}, bf16 autocast": arm(lambda: Usual(E, H, bf16=True, V=V), False),
        "`nn.LSTM`, batches of like lengths, all logits": arm(lambda: Usual(E, H, V=V), True),
        "the same, bf16 autocast": arm(lambda: Usual(E, H, bf16=True, V=V), True),
        "ours": arm(lambda: Ours(E, H, V=V), True),
        "ours, bf16": arm(lambda: Ours(E, H, bf16=True, V=V), True),
    }


def mixed(poems: list[np.ndarray]) -> list[Batch]:
    """In the order in which they come, padded to 80."""
    places = np.arange(len(poems))
    return [like(pad(poems, places[i : i + B]), PADDED) for i in range(0, len(poems), B)]


def like(batch: Poems, height: int = 0) -> Batch:
    """As tensors, padded to `height` steps."""
    below = max(0, height - len(batch.inputs))
    inputs, targets = (
        torch.from_numpy(np.pad(a, ((0, below), (0, 0)))).long()
        for a in (batch.inputs, batch.targets)
    )
    return inputs, targets, batch.lengths.tolist()


if __name__ == "__main__":
    main()
