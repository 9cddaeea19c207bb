"""Writing poems: the NumPy engine beside PyTorch, warm and from a cold start.

    python benchmarks/writing.py [--model PATH] [--runs 7] [--threads N] [--poems 0]

Warm, each arm writes 24 characters a poem with the same weights, drawing each at temperature 0.8:
ours; ours with everything `Poet.write` does (prefix, rules, cut, text); PyTorch's step loop
(`nn.LSTM` for one step, then `multinomial`); and PyTorch reading the whole poem again for each
character, as programs without a state do. Cold, `yinshi write 月` is a new process, beside the same
with `import torch` before it, the least that a program written with PyTorch needs. The arms
alternate within one run, so that a busy machine slows all alike; what counts are the medians.
The aims: one poem no slower than PyTorch's step loop, and a cold start at least 5 times as fast.

With `--poems N` it measures instead what wishes cost: N poems of each form, the seeds 0 to N − 1,
each the best of 64 drafts. "Free" has the form alone, neither tones nor rhyme; the price is what
keeping them costs in likelihood. The time of a poem stands beside that of 64 poems without any
wish. The aims: a strict 七律 at most 4 times that time, and about a second.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

THREADS = sys.argv[sys.argv.index("--threads") + 1] if "--threads" in sys.argv else None
if THREADS:  # read by NumPy's BLAS when it is loaded
    os.environ.update(OMP_NUM_THREADS=THREADS, OPENBLAS_NUM_THREADS=THREADS)

import numpy as np  # noqa: E402
import torch  # noqa: E402

from yinshi.corpus.vocabulary import SOS  # noqa: E402
from yinshi.engine.language_model import LanguageModel  # noqa: E402
from yinshi.model_file import ModelFile, resolve_model  # noqa: E402
from yinshi.nets.language_model import LanguageModel as TorchModel  # noqa: E402
from yinshi.writing.poet import Poet  # noqa: E402
from yinshi.writing.sampling import Sampling, log_softmax  # noqa: E402

Arm = Callable[[], int]  # writes, and returns how many characters

CHARACTERS = 24
TEMPERATURE = 0.8
BATCHES = (1, 64, 1024)
WRITE = "from yinshi.apps.cli.main import main; main({})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="default: the shipped model")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--poems", type=int, default=0, help="measure wishes, by so many poems")
    arguments = parser.parse_args()
    if arguments.poems:
        _wishes_table(Poet.load(arguments.model), arguments.poems)
        return
    torch.set_num_threads(arguments.threads)
    path = resolve_model(arguments.model)
    model = ModelFile.load(path)
    network = model.recipe.network
    print(
        f"E={network.embedding}, H={network.hidden}, V={len(model.vocabulary)}, float32, ", end=""
    )
    print(f"{arguments.threads} threads, {arguments.runs} runs\n")
    with torch.inference_mode():
        speeds = {B: _characters_per_second(_arms(model, B), arguments.runs) for B in BATCHES}
    _warm_table(speeds)
    _cold_table(path, 3 * arguments.runs)


def _arms(model: ModelFile, poems: int) -> Mapping[str, Arm]:
    return {
        "ours": _numpy(model, poems),
        "ours, `Poet.write`": _poet(model, poems),
        "PyTorch, step by step": _torch_steps(model, poems),
        "PyTorch, the whole poem again": _torch_again(model, poems),
    }


def _numpy(model: ModelFile, poems: int) -> Arm:
    network = LanguageModel(model.weights, cell=model.recipe.network.cell)
    sampling, rng = Sampling(TEMPERATURE), np.random.default_rng(0)

    def write() -> int:
        tokens, state = np.full(poems, SOS), network.initial_state(poems)
        for _ in range(CHARACTERS):
            logits, state = network.step(tokens, state)
            tokens = sampling.choose(log_softmax(logits), rng.random(poems))
        return poems * CHARACTERS

    return write


def _poet(model: ModelFile, poems: int) -> Arm:
    poet = Poet(model, "benchmark")

    def write() -> int:
        written = poet.write(count=poems, seed=0, temperature=TEMPERATURE, max_length=CHARACTERS)
        return sum(len(str(poem)) for poem in written)

    return write


def _torch_steps(model: ModelFile, poems: int) -> Arm:
    network = _torch_model(model)

    def write() -> int:
        tokens, state = torch.full((1, poems), SOS), None
        for _ in range(CHARACTERS):
            hidden, state = network.lstm(network.embedding(tokens), state)
            tokens = _draw(network, hidden[-1])
        return poems * CHARACTERS

    return write


def _torch_again(model: ModelFile, poems: int) -> Arm:
    network = _torch_model(model)

    def write() -> int:
        text = torch.full((1, poems), SOS)
        for _ in range(CHARACTERS):
            hidden, _ = network.lstm(network.embedding(text))
            text = torch.cat([text, _draw(network, hidden[-1])])
        return poems * CHARACTERS

    return write


def _torch_model(model: ModelFile) -> TorchModel:
    V = len(model.weights["embedding.weight"])  # the tokens of headers too
    network = TorchModel(model.recipe.network, V).eval()
    weights = {name: torch.tensor(w).float() for name, w in model.weights.items()}
    network.load_state_dict(weights, strict=False)  # a tied weight is there once
    return network


def _draw(network: TorchModel, hidden: torch.Tensor) -> torch.Tensor:
    """(B, H) → (1, B) tokens."""
    if hasattr(network, "projection"):
        hidden = network.projection(hidden)
    probabilities = torch.softmax(network.output(hidden) / TEMPERATURE, dim=1)
    return torch.multinomial(probabilities, 1).T


def _characters_per_second(arms: Mapping[str, Arm], runs: int) -> dict[str, float]:
    """Medians."""
    speeds: dict[str, list[float]] = {name: [] for name in arms}
    for run in range(runs + 1):  # one to warm up
        for name, arm in arms.items():
            start = time.perf_counter()
            characters = arm()
            if run:
                speeds[name].append(characters / (time.perf_counter() - start))
    return {name: statistics.median(found) for name, found in speeds.items()}


def _warm_table(speeds: Mapping[int, Mapping[str, float]]) -> None:
    print("| | one poem, ms a character |", end="")
    print(" |".join(f" {B:,} poem{'s' * (B > 1)}, characters a second" for B in speeds), "|")
    print("|---" * (len(speeds) + 2) + "|")
    for name in speeds[1]:
        cells = [f"{found[name]:,.0f}" for found in speeds.values()]
        print(f"| {name} | {1e3 / speeds[1][name]:.2f} | {' | '.join(cells)} |")
    print()


def _cold_table(model: Path, runs: int) -> None:
    write = WRITE.format(["write", "月", "--seed", "0", "--model", str(model)])
    programs = {
        "`yinshi write 月`": write,
        "the same after `import torch`": f"import torch; {write}",
    }
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(runs):
        for name, program in programs.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
            times[name].append(time.perf_counter() - start)
    ours = statistics.median(next(iter(times.values())))
    print("| cold start | median ms | fastest ms | × ours |\n|---|---|---|---|")
    for name, seconds in times.items():
        median, least = statistics.median(seconds), min(seconds)
        print(f"| {name} | {1e3 * median:.0f} | {1e3 * least:.0f} | {median / ours:.1f} |")


def _wishes_table(poet: Poet, poems: int) -> None:
    """Arms alternate from poem to poem; the times are medians of processor time."""
    arms: dict[str, dict[str, str]] = {
        "free": {"tones": "off", "rhyme": "off"},
        "loose": {"tones": "loose"},
        "strict": {},
    }
    print(f"{poems} poems an arm; nats a token (± standard error of the mean), seconds a poem\n")
    print("| form | free | loose | strict | price of strict | seconds | × 64 without wishes |")
    print("|---|---|---|---|---|---|---|")
    for form in ("五绝", "七绝", "五律", "七律"):
        nats: dict[str, list[float]] = {name: [] for name in arms}
        strict, plain = [], []
        for seed in range(poems):
            for name, wishes in arms.items():
                start = time.process_time()
                (poem,) = poet.write(form=form, seed=seed, **wishes)  # type: ignore[arg-type]
                nats[name].append(poem.nats_per_character)
            strict.append(time.process_time() - start)
            start = time.process_time()
            poet.write(count=64, seed=64 * seed)
            plain.append(time.process_time() - start)
        cells = [f"{np.mean(n):.2f} ± {np.std(n) / poems**0.5:.2f}" for n in nats.values()]
        price = np.subtract(nats["strict"], nats["free"])
        cells += [f"{price.mean():+.2f} ± {price.std() / poems**0.5:.2f}"]
        seconds, times = statistics.median(strict), statistics.median(plain)
        print(f"| {form} | {' | '.join(cells)} | {seconds:.2f} | {seconds / times:.1f} |")


if __name__ == "__main__":
    main()
