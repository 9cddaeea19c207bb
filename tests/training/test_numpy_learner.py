"""The NumPy learner beside the PyTorch learner: same weights, same batches, same losses."""

from __future__ import annotations

import math
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learners import torch_learner

from yinshi.corpus.batches import Batch, pad, training_batches
from yinshi.corpus.dataset import Dataset
from yinshi.engine.initializers import initial_weights
from yinshi.engine.optimizers import Nesterov, RMSprop
from yinshi.errors import UsageError
from yinshi.evaluation.evaluate import evaluate
from yinshi.model_file import ModelFile
from yinshi.nets.language_model import LanguageModel as TorchModel
from yinshi.recipe import Recipe
from yinshi.training.metrics import read_metrics
from yinshi.training.numpy_learner import NumpyLearner
from yinshi.training.run import Run
from yinshi.writing.poet import Poet

V = 30
TIED: dict[str, Any] = {"embedding": 6, "hidden": 8, "layers": 2, "tie_weights": True}
NETWORKS: list[dict[str, Any]] = [
    {"embedding": 6, "hidden": 8},
    TIED,
    {"embedding": 8, "hidden": 8, "layers": 3, "tie_weights": True},
    {"cell": "rnn-tanh", "embedding": 6, "hidden": 8, "layers": 2},
    {"cell": "rnn-relu", "embedding": 6, "hidden": 8, "tie_weights": True},
]


def recipe_of(network: dict[str, Any], **training: Any) -> Recipe:
    training = {"precision": "float64", "device": "cpu", "learning_rate": 0.01, **training}
    return Recipe.from_dict({"network": {"dropout": 0.0, **network}, "training": training})


def weights_of(recipe: Recipe, vocabulary_size: int = V) -> dict[str, Any]:
    network = recipe.network
    shapes = network.weight_shapes(vocabulary_size)
    return initial_weights(shapes, network.hidden, np.random.default_rng(3))


def batch_of(seed: int) -> Batch:
    rng = np.random.default_rng(seed)
    poems = [rng.integers(4, V, n).astype(np.int32) for n in rng.integers(1, 12, 5)]
    return pad(poems, np.arange(5))


def train(learner: Any, batches: list[Batch], rate: float = 0.01) -> list[float]:
    """Nats per token of each batch."""
    return [
        float(learner.train_batch(b.inputs, b.targets, b.lengths, rate)) / b.tokens for b in batches
    ]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_20_steps_have_the_losses_of_pytorch(network: dict[str, Any], clip_norm: Any) -> None:
    recipe = recipe_of(network, optimizer="adamw", weight_decay=0.01, clip_norm=clip_norm)
    batches = [batch_of(seed) for seed in range(20)]
    weights = weights_of(recipe)
    ours, theirs = NumpyLearner(recipe, weights), torch_learner(recipe, weights)
    found, expected = train(ours, batches), train(theirs, batches)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    assert np.mean(found[-5:]) < np.mean(found[:5]), "nothing was learnt"
    for name, weight in theirs.weights().items():
        np.testing.assert_allclose(ours.weights()[name], weight, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("optimizer", "momentum"),
    [
        ("sgd", 0),
        ("sgd", 0.9),
        ("nesterov", 0.9),
        ("adagrad", 0),
        ("adadelta", 0),
        ("rmsprop", 0),
        ("rmsprop", 0.9),
        ("adam", 0),
    ],
)
def test_every_optimizer_is_the_one_of_pytorch(optimizer: str, momentum: float) -> None:
    recipe = recipe_of(TIED, optimizer=optimizer, momentum=momentum, weight_decay=0.1)
    batches = [batch_of(seed) for seed in range(20)]
    learners = [kind(recipe, weights_of(recipe)) for kind in (NumpyLearner, torch_learner)]
    found, expected = (train(learner, batches) for learner in learners)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_momentum_and_nesterov_are_told_apart() -> None:
    """Negative control of the test above: they differ by far more than its tolerance."""
    batches = [batch_of(seed) for seed in range(20)]
    losses = []
    for name in ("sgd", "nesterov"):
        recipe = recipe_of(TIED, optimizer=name, momentum=0.9)
        losses.append(train(NumpyLearner(recipe, weights_of(recipe)), batches))
    assert max(abs(a - b) for a, b in zip(*losses, strict=True)) > 1e-4


def test_an_epoch_in_float32_overlaps(small_dataset: Path) -> None:
    """The losses of an epoch of real batches agree to 1e-4 nats per token: float32 rounds a loss
    of 4 nats to 2e-7, and the steps of AdamW multiply that."""
    dataset = Dataset.load(small_dataset)
    poems = [dataset.vocabulary.encode(text) for text in dataset.texts("train")]
    recipe = recipe_of({**TIED, "hidden": 32}, precision="float32", clip_norm=1.0)
    batches = list(training_batches(poems, 4, seed=0, epoch=0))
    weights = weights_of(recipe, len(dataset.vocabulary))
    found, expected = (
        train(kind(recipe, weights), batches) for kind in (NumpyLearner, torch_learner)
    )
    assert len(found) == 20
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert np.mean(found[-5:]) < np.mean(found[:5]) - 0.1


def test_evaluation_is_without_dropout_and_without_an_update() -> None:
    recipe = recipe_of({**TIED, "dropout": 0.5})
    ours, theirs = (k(recipe, weights_of(recipe)) for k in (NumpyLearner, torch_learner))
    b = batch_of(0)
    first, again, expected = (
        float(learner.evaluate_batch(b.inputs, b.targets, b.lengths))
        for learner in (ours, ours, theirs)
    )
    assert first == again == pytest.approx(expected, rel=1e-12)
    assert train(ours, [b])[0] != pytest.approx(first / b.tokens, rel=1e-3)


def test_dropout_is_the_seeds() -> None:
    def losses(seed: int) -> list[float]:
        recipe = recipe_of({**TIED, "dropout": 0.5}, seed=seed)
        return train(NumpyLearner(recipe, weights_of(recipe)), [batch_of(s) for s in range(3)])

    assert losses(1) == losses(1) != losses(2)


@pytest.mark.parametrize("optimizer", ["sgd", "adadelta", "adamw"])
def test_state_restores_the_next_steps_bitwise(optimizer: str) -> None:
    recipe = recipe_of({**TIED, "dropout": 0.5}, optimizer=optimizer, precision="float32")
    first, second = (NumpyLearner(recipe, weights_of(recipe)) for _ in range(2))
    batches = [batch_of(seed) for seed in range(6)]
    train(first, batches[:3])
    second.load_state({name: array.copy() for name, array in first.state().items()})
    assert train(first, batches[3:]) == train(second, batches[3:])
    for name, array in first.state().items():
        np.testing.assert_array_equal(second.state()[name], array, err_msg=name)


def test_the_given_weights_are_copied() -> None:
    recipe = recipe_of(TIED, precision="float32")
    weights = weights_of(recipe)
    before = {name: w.copy() for name, w in weights.items()}
    train(NumpyLearner(recipe, weights), [batch_of(0)])
    assert all((weights[name] == w).all() for name, w in before.items())


def test_precision() -> None:
    for wish, dtype in (("auto", np.float32), ("float32", np.float32), ("float64", np.float64)):
        recipe = recipe_of(TIED, precision=wish)
        learner = NumpyLearner(recipe, weights_of(recipe))
        train(learner, [batch_of(0)])
        assert learner.precision == np.dtype(dtype).name
        assert {w.dtype for w in learner.weights().values()} == {np.dtype(dtype)}


@pytest.mark.parametrize(
    ("training", "told"),
    [
        ({"precision": "bfloat16"}, "precision bfloat16: the numpy engine computes in float32"),
        ({"device": "cuda"}, "device cuda: the numpy engine has no GPU"),
    ],
)
def test_what_numpy_can_not_do_is_told_before_a_folder_is_made(
    training: dict[str, Any], told: str, small_dataset: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=told):
        Run.start(recipe_of(TIED, **training), small_dataset, tmp_path / "run", "numpy")
    assert not (tmp_path / "run").exists()


def test_a_sigmoid_network_is_numpys_alone(small_dataset: Path, tmp_path: Path) -> None:
    recipe = recipe_of({**TIED, "cell": "rnn-sigmoid"})
    with pytest.raises(UsageError, match="rnn-sigmoid: PyTorch has none; train it with --engine"):
        Run.start(recipe, small_dataset, tmp_path / "run", "torch")
    assert not (tmp_path / "run").exists()
    losses = train(NumpyLearner(recipe, weights_of(recipe)), [batch_of(0)] * 20)
    assert losses[-1] < losses[0]


def test_recipes_name_their_optimizer() -> None:
    for name, kind in (("nesterov", Nesterov), ("rmsprop", RMSprop)):
        recipe = recipe_of(TIED, optimizer=name, momentum=0.7, weight_decay=0.2)
        optimizer: Any = NumpyLearner(recipe, weights_of(recipe)).optimizer
        assert type(optimizer) is kind
        assert (optimizer.momentum, optimizer.weight_decay) == (0.7, 0.2)


def test_a_step_never_holds_all_logits() -> None:
    """64 poems of 60 tokens over 4,000 characters: all logits would be 61 MB in float32, and
    their gradients as much; a chunk of 512 is 8 MB."""
    recipe = recipe_of({"embedding": 8, "hidden": 8}, precision="float32", optimizer="sgd")
    learner = NumpyLearner(recipe, weights_of(recipe, 4000))
    poems = [np.full(59, 5, np.int32)] * 64
    b = pad(poems, np.arange(64))
    tracemalloc.start()
    train(learner, [b])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40e6


@pytest.mark.parametrize("cell", ["lstm", "rnn-tanh"])
@pytest.mark.parametrize("engine", ["torch", "numpy"])
def test_a_model_of_either_engine_runs_in_the_other(
    engine: Any, cell: str, small_dataset: Path, tmp_path: Path
) -> None:
    """Trained by one; its file gives the other the same perplexity, and poems."""
    recipe = recipe_of({**TIED, "cell": cell}, precision="float32", epochs=2, batch_size=8)
    run = Run.start(recipe, small_dataset, tmp_path / "run", engine)
    run.train()
    model, dataset = ModelFile.load(run.best), Dataset.load(small_dataset)
    assert model.facts["engine"] == engine
    perplexity = read_metrics(run.folder)[-1]["perplexity"]
    by_numpy = evaluate(model, dataset, "validation", baseline=False).perplexity
    by_pytorch = torch_learner(recipe, model.weights)
    assert type(by_pytorch.network) is TorchModel
    poems = [dataset.vocabulary.encode(text) for text in dataset.texts("validation")]
    b = pad(poems, np.arange(len(poems)))
    by_torch = math.exp(float(by_pytorch.evaluate_batch(b.inputs, b.targets, b.lengths)) / b.tokens)
    assert by_numpy == pytest.approx(perplexity, rel=1e-5)
    assert by_torch == pytest.approx(perplexity, rel=1e-5)
    assert Poet.load(run.folder).write("月" if "月" in dataset.vocabulary else "", seed=0)


def test_training_by_numpy_needs_no_pytorch(small_dataset: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"  # the import fails
        "from pathlib import Path\n"
        "from yinshi.recipe import Recipe\n"
        "from yinshi.training.run import Run\n"
        "recipe = Recipe.from_dict({'network': {'embedding': 4, 'hidden': 4},"
        " 'training': {'epochs': 1}})\n"
        "data, out = map(Path, sys.argv[1:])\n"
        "Run.start(recipe, data, out, 'numpy').train()\n"
    )
    arguments = [str(small_dataset), str(tmp_path / "run")]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert Run.resume(tmp_path / "run").engine == "numpy"


@pytest.mark.parametrize(
    ("section", "name"),
    [
        ("network", "input_dropout"),
        ("network", "output_dropout"),
        ("network", "weight_dropout"),
        ("training", "ema_decay"),
    ],
)
def test_what_only_pytorch_has_is_refused(section: str, name: str) -> None:
    recipe = Recipe.from_dict({section: {name: 0.5}})
    with pytest.raises(UsageError, match=rf"{section}\.{name} 0\.5: the numpy engine has none"):
        NumpyLearner(recipe, weights_of(recipe))
    nothing = Recipe.from_dict({section: {name: 0}})
    assert NumpyLearner(nothing, weights_of(nothing))
