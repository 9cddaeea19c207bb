"""Several ranks train as one: shares by hand, and whole runs of two processes over gloo."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from learners import torch_learner
from safetensors.numpy import load_file
from small_poems import LINES

from yinshi.apps.cli.main import main
from yinshi.corpus.batches import Batch, pad, training_batches
from yinshi.corpus.dataset import Dataset, write_dataset
from yinshi.corpus.poem import Poem
from yinshi.corpus.vocabulary import Vocabulary
from yinshi.engine.initializers import initial_weights
from yinshi.engine.language_model import LanguageModel
from yinshi.nets.learner import TorchLearner
from yinshi.recipe import CorpusRecipe, Recipe, load_recipe
from yinshi.training import loop
from yinshi.training.distributed import ALONE, Ranks, join, split_evenly
from yinshi.training.loop import Stopped
from yinshi.training.metrics import read_metrics
from yinshi.training.run import Run

#: Seconds after which a run of this size must be hanging.
LIMIT = 300

RECIPE = """
name = "small"
[network]
embedding = 8
hidden = 12
layers = 2
dropout = 0.0
tie_weights = true
[training]
optimizer = "adamw"
learning_rate = 0.02
weight_decay = 0.01
clip_norm = 0.3
epochs = 4
batch_size = 8
checkpoint_every = 5
precision = "float64"
device = "cpu"
"""

#: Goes on with a run, each step a line of metrics, and stops after so many of them.
GO_ON = """
import sys
from pathlib import Path
from yinshi.training import loop
from yinshi.training.distributed import join
from yinshi.training.run import Run

loop.LOG_EVERY = 1
asked = iter(range(int(sys.argv[2])))
with join() as ranks:
    try:
        Run.resume(Path(sys.argv[1]), ranks).train(should_stop=lambda: next(asked, None) is None)
    except loop.Stopped:
        pass
"""

#: `yinshi`, but rank 1 meets its end at step 7.
ILL_FATED = """
import os, sys
from yinshi.apps.cli.main import main
from yinshi.errors import TrainingError
from yinshi.training.loop import Loop

count = Loop._count
def count_to_seven(self, batch):
    count(self, batch)
    if self.ranks.rank == 1 and self.progress.step == 7:
        {end}
Loop._count = count_to_seven
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "small.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """41 poems of 1 to 8 lines to train on: five batches of 8, and one of a single poem."""
    rng = np.random.default_rng(0)
    poems = [
        Poem(f"其{n}", "無名", "，".join(rng.choice(LINES, rng.integers(1, 9))) + "。", "test")
        for n in range(60)
    ]
    splits = {"train": poems[:41], "validation": poems[41:52], "test": poems[52:]}
    folder = tmp_path_factory.mktemp("data") / "uneven"
    vocabulary = Vocabulary.count(poem.text for poem in splits["train"])
    write_dataset(folder, splits, vocabulary, CorpusRecipe())
    return folder


@pytest.fixture(scope="module")
def alone(recipe: Path, uneven: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of one process that several have to equal; a line of metrics at every step."""
    folder = tmp_path_factory.mktemp("runs") / "alone"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "LOG_EVERY", 1)
        Run.start(load_recipe(recipe), uneven, folder).train()
    return folder


def start(*arguments: object, ranks: int = 2) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "500"}
    if sys.platform == "linux":
        environment["GLOO_SOCKET_IFNAME"] = "lo"
    torchrun = ["torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1"]
    return subprocess.Popen(
        [sys.executable, "-m", *torchrun, "--nproc-per-node", str(ranks), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment,
    )


def finish(torchrun: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, stdout, stderr; what hangs is ended, with its workers, and fails."""
    try:
        out, err = torchrun.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        torchrun.terminate()
        pytest.fail(f"hanging: {torchrun.communicate(timeout=60)}")
    return torchrun.returncode, out, err


def assert_same_run(found: Path, expected: Path) -> None:
    """Weights and optimizer to 1e-9, and every loss that both runs noted."""
    ours, theirs = (load_file(f / "last.safetensors") for f in (found, expected))
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        if not name.startswith("rng."):
            np.testing.assert_allclose(ours[name], array, rtol=0, atol=1e-9, err_msg=name)
    (nats, steps), (expected_nats, expected_steps) = losses(found), losses(expected)
    assert steps == expected_steps
    np.testing.assert_allclose(nats, expected_nats, rtol=0, atol=1e-9)


def losses(folder: Path) -> tuple[list[float], list[tuple[str, int]]]:
    records = read_metrics(folder)
    return [r["nats"] for r in records], [(r["kind"], r["step"]) for r in records]


def batch_of(*lengths: int, seed: int = 0) -> Batch:
    rng = np.random.default_rng(seed)
    return pad([rng.integers(4, 30, n).astype(np.int32) for n in lengths], np.arange(len(lengths)))


# Shares


def test_the_longest_goes_to_the_rank_with_the_fewest_tokens() -> None:
    """9 | 7, then 6 to 7 (13), 4 to 9 (13), 3 to the first of equals (16), 1 to the other (14)."""
    assert split_evenly(np.array([9, 7, 6, 4, 3, 1]), 2) == [[0, 3, 4], [1, 2, 5]]


@given(st.lists(st.integers(1, 130), min_size=1, max_size=60), st.integers(1, 9))
def test_every_column_is_someones(lengths: list[int], size: int) -> None:
    falling = np.array(sorted(lengths, reverse=True))
    columns = split_evenly(falling, size)
    assert sorted(column for mine in columns for column in mine) == list(range(len(lengths)))
    assert all(mine == sorted(mine) for mine in columns), "no longer the longest first"
    assert min(map(len, columns)) > 0 or len(lengths) < size
    tokens = [falling[mine].sum() for mine in columns]
    assert max(tokens) - min(tokens) <= falling[0]


@pytest.mark.parametrize("size", [2, 4, 8])
def test_ranks_carry_equal_work(size: int) -> None:
    """Over an epoch of poems of 5 to 126 characters, the fullest rank has < 2 % above the mean."""
    rng = np.random.default_rng(0)
    poems = [np.zeros(n, np.int32) for n in np.minimum(5 + rng.geometric(0.02, 3000), 126)]
    fullest = total = 0
    for batch in training_batches(poems, 128, seed=0, epoch=0):
        tokens = [Ranks(rank, size).share(batch).batch.tokens for rank in range(size)]
        assert sum(tokens) == batch.tokens
        fullest, total = fullest + max(tokens), total + batch.tokens
    assert fullest / (total / size) < 1.02


def test_a_share_is_a_batch_of_its_own_poems() -> None:
    batch = batch_of(9, 2, 5, 5, 1, 7, 3)
    for rank in range(3):
        share = Ranks(rank, 3).share(batch)
        part = share.batch
        assert share.counted
        assert len(part.inputs) == part.lengths[0]
        for column, index in enumerate(part.indices):
            n = part.lengths[column]
            whole = list(batch.indices).index(index)
            np.testing.assert_array_equal(part.inputs[:n, column], batch.inputs[:n, whole])
            np.testing.assert_array_equal(part.targets[:n, column], batch.targets[:n, whole])


def test_alone_the_share_is_the_batch() -> None:
    batch = batch_of(4, 2)
    share = ALONE.share(batch)
    assert (share.batch, share.divisor, share.counted) == (batch, 8, True)


@pytest.mark.parametrize("lengths", [(9, 2, 5, 5, 1, 7, 3), (9, 2, 1), (4, 2), (4,)])
def test_the_average_of_the_ranks_gradients_is_the_batchs(lengths: tuple[int, ...]) -> None:
    """Also of fewer poems than ranks. Divided by each rank's own tokens, it is another."""
    batch = batch_of(*lengths)
    recipe = Recipe.from_dict({"network": {"embedding": 5, "hidden": 6}})
    shapes = recipe.network.weight_shapes(30)
    model = LanguageModel(initial_weights(shapes, 6, np.random.default_rng(3)), dtype=np.float64)

    def gradient(part: Batch, divisor: float) -> Any:
        nats, gradients = model.nats_and_gradients(part.inputs, part.targets, part.lengths, [])
        return nats, gradients["lstm.weight_hh_l0"] / divisor

    nats, expected = gradient(batch, batch.tokens)
    shares = [Ranks(rank, 3).share(batch) for rank in range(3)]
    found = [gradient(share.batch, share.divisor) for share in shares]
    np.testing.assert_allclose(np.mean([g for _, g in found], 0), expected, rtol=0, atol=1e-14)
    counted = sum(n for (n, _), share in zip(found, shares, strict=True) if share.counted)
    assert counted == pytest.approx(nats, rel=1e-14)
    if len(lengths) >= 3:
        wrong = [gradient(share.batch, share.batch.tokens)[1] for share in shares]
        assert np.abs(np.mean(wrong, 0) - expected).max() > 1e-5


# Random states


def learner_of(rank: int = 0) -> TorchLearner:
    recipe = Recipe.from_dict({"network": {"embedding": 5, "hidden": 6}})
    shapes = recipe.network.weight_shapes(30)
    return torch_learner(recipe, initial_weights(shapes, 6, np.random.default_rng(3)), rank)


def test_every_rank_draws_its_own_and_goes_on_with_it() -> None:
    states, draws = [], []
    for rank in (0, 1):
        learner = learner_of(rank)
        states.append(learner.state())
        draws.append(torch.rand(4).tolist())
    assert draws[0] != draws[1]
    together = states[0] | {"rng.cpu": np.stack([state["rng.cpu"] for state in states])}
    resumed = []
    for rank in (0, 1, 2, 3):
        learner_of(rank).load_state(together)
        resumed.append(torch.rand(4).tolist())
    assert resumed[:2] == draws
    assert len({tuple(drawn) for drawn in resumed}) == 4, "ranks that are new draw their own"


# One process


def test_without_torchrun_nothing_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    for environment in ({}, {"WORLD_SIZE": "1", "RANK": "0"}, {"WORLD_SIZE": "4"}):
        for name in ("WORLD_SIZE", "RANK"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setitem(sys.modules, "torch.distributed", None)
        with join() as ranks:
            assert ranks == ALONE
            assert ranks.total(0.1) == 0.1
            assert ranks.any(True)
            assert not ranks.any(False)


# Two processes


def test_two_ranks_train_as_one(recipe: Path, uneven: Path, alone: Path, tmp_path: Path) -> None:
    """The command as a user gives it, from the recipe to the poems."""
    folder = tmp_path / "two"
    arguments = (recipe, "--data", uneven, "--out", folder)
    code, out, err = finish(start("-m", "yinshi", "train", *arguments))
    assert (code, err) == (0, "")
    ours, theirs = (load_file(f / "last.safetensors") for f in (folder, alone))
    for name in (name for name in theirs if not name.startswith("rng.")):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=0, atol=1e-9, err_msg=name)
    assert len(ours["rng.cpu"]) == 2

    by_step: dict[int, float] = {}
    tokens = {n: b.tokens for n, b in enumerate(_all_batches(uneven, recipe), start=1)}
    for record in read_metrics(alone):
        if record["kind"] == "train":
            by_step[record["step"]] = record["nats"] * tokens[record["step"]]
    line, *others = (r for r in read_metrics(folder) if r["kind"] == "train")
    assert (line["step"], others) == (20, [])
    expected = sum(by_step[n] for n in range(1, 21)) / sum(tokens[n] for n in range(1, 21))
    assert line["nats"] == pytest.approx(expected, abs=1e-9)

    validation = [
        [r for r in read_metrics(f) if r["kind"] == "validation"] for f in (folder, alone)
    ]
    told = re.findall(r"epoch (\d)/4: validation perplexity ([\d.]+)", out)
    assert told == [(str(r["epoch"]), f"{r['perplexity']:.2f}") for r in validation[0]]
    for found, wanted in zip(*validation, strict=True):
        assert found["nats"] == pytest.approx(wanted["nats"], abs=1e-9)
    assert len(re.findall("test perplexity", out)) == 1
    assert {path.name for path in folder.iterdir()} == {
        "run.json", "metrics.jsonl", "last.safetensors", "best.safetensors", "curves.svg",
    }  # fmt: skip


def _all_batches(data: Path, recipe: Path) -> list[Batch]:
    dataset, training = Dataset.load(data), load_recipe(recipe).training
    poems = [dataset.vocabulary.encode(text) for text in dataset.texts("train")]
    epochs = range(training.epochs)
    return [
        batch
        for epoch in epochs
        for batch in training_batches(poems, training.batch_size, training.seed, epoch)
    ]


def test_one_then_two_then_one_is_the_same_run(
    recipe: Path, uneven: Path, alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step's loss, where the number of ranks changes twice in the midst of an epoch."""
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    folder = tmp_path / "run"
    asked = iter(range(100))
    with pytest.raises(Stopped):
        Run.start(load_recipe(recipe), uneven, folder).train(should_stop=lambda: next(asked) == 3)
    script = tmp_path / "go_on.py"
    script.write_text(GO_ON, encoding="utf-8")
    assert finish(start(script, folder, 12)) == (0, "", "")
    done = losses(folder)[1]
    assert ("train", 17) in done
    assert ("train", 18) not in done
    Run.resume(folder).train()
    assert_same_run(folder, alone)


def test_ctrl_c_stops_all_ranks_after_the_same_step(
    recipe: Path, uneven: Path, tmp_path: Path
) -> None:
    """Ranks that stopped apart would wait for each other for ever."""
    folder = tmp_path / "run"
    arguments = (recipe, "--data", uneven, "--out", folder, "--set", "training.epochs=5000")
    torchrun = start("-m", "yinshi", "train", *arguments)
    metrics = folder / "metrics.jsonl"
    while not (metrics.exists() and metrics.stat().st_size):
        assert torchrun.poll() is None, torchrun.communicate()
        time.sleep(0.01)
    torchrun.send_signal(signal.SIGINT)
    _, out, _ = finish(torchrun)
    assert out.splitlines()[-1] == f"stopped; go on with: yinshi train --resume {folder}"
    assert len(re.findall("stopped", out)) == 1
    step = int(load_file(folder / "last.safetensors")["optimizer.0.step"].item())
    assert step % loop.LOG_EVERY == 0


def test_the_numpy_engine_says_that_it_is_alone(recipe: Path, uneven: Path, tmp_path: Path) -> None:
    arguments = (recipe, "--data", uneven, "--out", tmp_path / "run", "--engine", "numpy")
    code, _, err = finish(start("-m", "yinshi", "train", *arguments))
    assert code != 0
    assert len(re.findall("^error: ", err, re.MULTILINE)) == 1, err
    assert "error: --engine numpy under torchrun with 2 processes: it trains in one" in err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("raise TrainingError('the ink is dry')", "error: the ink is dry"),
        ("os.kill(os.getpid(), 9)", "error: rank 0 has lost another, which was killed"),
    ],
)
def test_a_rank_that_fails_ends_the_run_with_one_line(
    end: str, told: str, recipe: Path, uneven: Path, tmp_path: Path
) -> None:
    script = tmp_path / "ill_fated.py"
    script.write_text(ILL_FATED.format(end=end), encoding="utf-8")
    arguments = (recipe, "--data", uneven, "--out", tmp_path / "run")
    code, _, err = finish(start(script, "train", *arguments))
    assert code != 0
    assert re.findall("^error: .*", err, re.MULTILINE)[0].startswith(told)
    assert len(re.findall("^error: ", err, re.MULTILINE)) == 1
    assert "yinshi/training" not in err, "a traceback of ours"


@pytest.mark.slow
def test_three_ranks_with_dropout_in_bfloat16(recipe: Path, uneven: Path, tmp_path: Path) -> None:
    """What a real run uses; resumed in one process, which has seen it all before."""
    folder = tmp_path / "run"
    chosen = ("training.precision=bfloat16", "network.dropout=0.3", "training.epochs=20")
    overrides = [part for setting in chosen for part in ("--set", setting)]
    arguments = (recipe, "--data", uneven, "--out", folder, *overrides)
    code, _, err = finish(start("-m", "yinshi", "train", *arguments, ranks=3))
    assert (code, err) == (0, "")
    validation = [r["perplexity"] for r in read_metrics(folder) if r["kind"] == "validation"]
    assert validation[-1] < validation[0] / 3
    states = load_file(folder / "last.safetensors")["rng.cpu"]
    assert len({row.tobytes() for row in states}) == 3
    with pytest.raises(SystemExit) as ended:
        main(["train", "--resume", str(folder)])
    assert not ended.value.code
