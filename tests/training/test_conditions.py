"""Training with headers: read, never asked for; and a network that learns what they mean."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from learners import torch_learner
from safetensors.numpy import load_file

from yinshi.corpus.batches import (
    NO_HEADER,
    Batch,
    HeadedPoem,
    pad,
    pad_headed,
    training_batches,
)
from yinshi.corpus.dataset import Dataset, write_dataset
from yinshi.corpus.header import LEAST
from yinshi.corpus.poem import Poem
from yinshi.corpus.vocabulary import EOS, SOS, Vocabulary
from yinshi.engine.initializers import initial_weights
from yinshi.engine.language_model import LanguageModel
from yinshi.errors import UsageError
from yinshi.evaluation.evaluate import Evaluation, evaluate
from yinshi.model_file import ModelFile
from yinshi.recipe import CorpusRecipe, Recipe
from yinshi.training.distributed import Ranks
from yinshi.training.loop import Loop, Stopped
from yinshi.training.metrics import read_metrics
from yinshi.training.numpy_learner import NumpyLearner
from yinshi.training.run import Engine, Run
from yinshi.training.starting_weights import starting_weights
from yinshi.writing.poet import Poet

V = 30
NETWORKS: list[dict[str, Any]] = [
    {"embedding": 6, "hidden": 8},
    {"embedding": 6, "hidden": 8, "layers": 2, "tie_weights": True},
    {"cell": "rnn-tanh", "embedding": 6, "hidden": 8},
]


def recipe_of(network: dict[str, Any], **training: Any) -> Recipe:
    training = {"precision": "float64", "device": "cpu", "learning_rate": 0.01, **training}
    return Recipe.from_dict({"network": {"dropout": 0.0, **network}, "training": training})


def weights_of(recipe: Recipe) -> dict[str, Any]:
    shapes = recipe.network.weight_shapes(V)
    return initial_weights(shapes, recipe.network.hidden, np.random.default_rng(3))


def headed_poems(count: int = 7, seed: int = 0) -> list[HeadedPoem]:
    """Some with headers of up to five tokens, some without."""
    rng = np.random.default_rng(seed)
    return [
        HeadedPoem(
            rng.integers(20, V, n % 6).astype(np.int32),
            rng.integers(4, 20, rng.integers(1, 12)).astype(np.int32),
        )
        for n in range(count)
    ]


def batch_of(poems: list[HeadedPoem]) -> Batch:
    return pad_headed(poems, np.arange(len(poems)))


def nats_one_by_one(model: LanguageModel, poems: list[HeadedPoem]) -> float:
    """Each sequence alone, a step at a time: −log p of what follows `<sos>`, summed."""
    total = 0.0
    for each in poems:
        state = model.initial_state(1)
        poem = each.poem.tolist()
        for token in each.header.tolist():
            _, state = model.step(np.array([token]), state)
        for token, target in zip([SOS, *poem], [*poem, EOS], strict=True):
            logits, state = model.step(np.array([token]), state)
            p = np.exp(logits[0]) / np.exp(logits[0]).sum()
            total -= math.log(p[target])
    return total


@pytest.mark.parametrize("network", NETWORKS)
def test_the_loss_is_that_of_each_sequence_alone(network: dict[str, Any]) -> None:
    poems = headed_poems()
    recipe, batch = recipe_of(network), batch_of(poems)
    weights = weights_of(recipe)
    engine = LanguageModel(weights, np.float64, recipe.network.cell)
    expected = nats_one_by_one(engine, poems)
    arguments = batch.inputs, batch.targets, batch.lengths
    assert batch.tokens == sum(len(each.poem) + 1 for each in poems)
    assert engine.token_nats(*arguments).sum() == pytest.approx(expected, rel=1e-12)
    assert engine.nats_and_gradients(*arguments)[0] == pytest.approx(expected, rel=1e-12)
    for learner in (torch_learner(recipe, weights), NumpyLearner(recipe, weights)):
        assert float(learner.evaluate_batch(*arguments)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("network", NETWORKS)
def test_both_engines_take_the_same_step(network: dict[str, Any]) -> None:
    """Divided by what is asked for, whether the divisor is told or not."""
    recipe = recipe_of(network, optimizer="sgd", learning_rate=1.0)
    batch, weights = batch_of(headed_poems()), weights_of(recipe)
    found = []
    for make in (torch_learner, NumpyLearner):
        for divisor in (None, batch.tokens):
            learner = make(recipe, weights)
            learner.train_batch(batch.inputs, batch.targets, batch.lengths, 1.0, divisor)
            found.append(learner.weights())
    for name, weight in found[0].items():
        assert (weight != weights[name]).any()
        for other in found[1:]:
            np.testing.assert_allclose(other[name], weight, rtol=0, atol=1e-12, err_msg=name)


def test_a_header_alone_takes_no_gradient_from_the_output() -> None:
    """Its rows of the output layer learn only not to be written; those of the embedding learn."""
    recipe = recipe_of({"embedding": 6, "hidden": 8})
    weights = weights_of(recipe)
    model = LanguageModel(weights, np.float64)
    batch = batch_of([HeadedPoem(np.array([29], np.int32), np.array([5], np.int32))])
    _, gradients = model.nats_and_gradients(batch.inputs, batch.targets, batch.lengths)
    assert gradients["embedding.weight"][29].any()
    assert gradients["output.bias"][29] > 0
    assert not gradients["embedding.weight"][28].any()


def test_without_headers_nothing_is_another() -> None:
    """The very bits, in every precision."""
    poems = headed_poems()
    plain = pad([each.poem for each in poems], np.arange(len(poems)))
    empty = batch_of([HeadedPoem(NO_HEADER, each.poem) for each in poems])
    for precision in ("float64", "float32", "bfloat16"):
        recipe = recipe_of({**NETWORKS[1], "dropout": 0.4}, precision=precision)
        weights = weights_of(recipe)
        found = []
        for batch in (plain, empty):
            learner = torch_learner(recipe, weights)
            nats = learner.train_batch(batch.inputs, batch.targets, batch.lengths, 0.1)
            found.append((float(nats), learner.weights()))
        assert found[0][0] == found[1][0]
        for name, weight in found[0][1].items():
            np.testing.assert_array_equal(found[1][1][name], weight)


def test_bfloat16_is_near_float64() -> None:
    poems, network = headed_poems(), {"embedding": 16, "hidden": 32, "tie_weights": True}
    batch = batch_of(poems)
    exact, rounded = (
        float(
            torch_learner(recipe, weights_of(recipe)).evaluate_batch(
                batch.inputs, batch.targets, batch.lengths
            )
        )
        for recipe in (recipe_of(network, precision=p) for p in ("float64", "bfloat16"))
    )
    assert rounded == pytest.approx(exact, rel=5e-3)
    assert rounded != exact


@pytest.mark.parametrize("count", [2, 3, 11])
def test_the_average_of_the_ranks_gradients_is_the_batchs(count: int) -> None:
    batch = batch_of(headed_poems(count))
    model = LanguageModel(weights_of(recipe_of(NETWORKS[1])), np.float64)

    def gradient(part: Batch, divisor: float) -> Any:
        nats, gradients = model.nats_and_gradients(part.inputs, part.targets, part.lengths)
        return nats, gradients["embedding.weight"] / divisor

    nats, expected = gradient(batch, batch.tokens)
    shares = [Ranks(rank, 3).share(batch) for rank in range(3)]
    found = [gradient(share.batch, share.divisor) for share in shares]
    np.testing.assert_allclose(np.mean([g for _, g in found], 0), expected, rtol=0, atol=1e-14)
    counted = sum(n for (n, _), share in zip(found, shares, strict=True) if share.counted)
    assert counted == pytest.approx(nats, rel=1e-13)


# ---- whole runs, on poems that their author alone decides --------------------------------------

LINES = {"李白": "日日，日日。", "杜甫": "月月，月月。"}
CONDITIONS = "form+author+title"
RUN: dict[str, Any] = {
    "name": "told",
    "network": {"embedding": 8, "hidden": 32, "dropout": 0.0, "conditions": CONDITIONS},
    "training": {
        "learning_rate": 0.02,
        "epochs": 20,
        "batch_size": 8,
        "checkpoint_every": 7,
        "device": "cpu",
        "precision": "float32",
    },
}


def told_recipe(**training: Any) -> Recipe:
    return Recipe.from_dict({**RUN, "training": {**RUN["training"], **training}})


def poems_of(author: str, count: int) -> list[Poem]:
    """Two couplets, or three; 日 and 月 are titles too, and say nothing."""
    return [
        Poem("日月"[n % 2], author, LINES[author] * (2 + n % 2), "poet.tang.0.json")
        for n in range(count)
    ]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    poems = [poem for pair in zip(*(poems_of(a, 40) for a in LINES), strict=True) for poem in pair]
    splits = {"train": poems[:64], "validation": poems[64:72], "test": poems[72:]}
    folder = tmp_path_factory.mktemp("data") / "told"
    vocabulary = Vocabulary.count(poem.text for poem in splits["train"])
    write_dataset(folder, splits, vocabulary, CorpusRecipe())
    return folder


@pytest.fixture(scope="module", params=["torch", "numpy"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def finished(engine: Engine, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run.start(told_recipe(), data, tmp_path_factory.mktemp("runs") / "run", engine)
    run.train()
    return run


def test_the_tokens_are_named_in_the_model(finished: Run, data: Path) -> None:
    model = ModelFile.load(finished.best)
    assert model.header_names == finished.header_names == (
        "length:2", "lines:4", "lines:6", "author:李白:唐", "author:杜甫:唐", "title",
    )  # fmt: skip
    assert model.vocabulary.characters == Dataset.load(data).vocabulary.characters
    assert len(model.weights["embedding.weight"]) == len(model.vocabulary) + 6


def test_each_author_is_written_as_he_writes(finished: Run) -> None:
    poet = Poet(ModelFile.load(finished.best), "told")
    for author, lines in LINES.items():
        for poem in poet.write(style=author, count=5, seed=0):
            assert set(poem.text) == set(lines)
    first = {poem.text[0] for poem in poet.write(count=20, seed=0)}
    assert first == {"日", "月"}  # nobody asked for: either


def test_what_a_part_is_worth_in_perplexity(finished: Run, data: Path) -> None:
    """The author decides the first character, which is worth ln 2 a poem; and the same tokens are
    counted, whatever is told."""
    model, dataset = ModelFile.load(finished.best), Dataset.load(data)

    def nats_a_poem(*given: str) -> float:
        found: Evaluation = evaluate(model, dataset, baseline=False, given=given)
        assert (found.tokens, found.poems) == (8 * (15 + 1), 8)
        assert found.vocabulary_size == len(dataset.vocabulary)
        return math.log(found.perplexity) * found.tokens / found.poems

    none, told = nats_a_poem(), nats_a_poem("author")
    assert none - told == pytest.approx(math.log(2), abs=0.15)
    assert nats_a_poem("form", "author", "title") < told + 0.1


def test_a_run_goes_on_where_it_stopped(
    engine: Engine, finished: Run, data: Path, tmp_path: Path
) -> None:
    """In the midst of two epochs: the headers that are left are dropped as they would have been."""
    for stop in (3, 10):
        asked = iter(range(1000))
        folder = tmp_path / "run"
        new = not folder.exists()
        run = Run.start(told_recipe(), data, folder, engine) if new else Run.resume(folder)
        with pytest.raises(Stopped):
            run.train(should_stop=lambda asked=asked, stop=stop: next(asked) == stop)
    Run.resume(folder).train()
    ours, theirs = (load_file(f / "last.safetensors") for f in (folder, finished.folder))
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        np.testing.assert_array_equal(ours[name], array, err_msg=name)
    nats = [[r["nats"] for r in read_metrics(f)] for f in (folder, finished.folder)]
    assert nats[0] == nats[1]


def test_validation_tells_nothing(finished: Run, data: Path) -> None:
    """So that it compares with a network that was never told anything."""
    model = ModelFile.load(finished.best)
    found = evaluate(model, Dataset.load(data), "validation", baseline=False)
    assert model.facts["validation_perplexity"] == pytest.approx(found.perplexity, rel=1e-4)


def loop_of(run: Run) -> Loop:
    loop = run._loop(lambda loop, record: None, lambda: False, False)
    assert loop.metrics
    loop.metrics.close()
    return loop


def test_each_epoch_drops_others(finished: Run) -> None:
    lengths: list[list[int]] = []
    loop = loop_of(finished)
    assert loop.examples_of
    for epoch in (0, 1, 0):
        examples = loop.examples_of(epoch)
        batches = training_batches(examples, 8, 0, epoch, collate=pad_headed)
        tokens = sum(batch.tokens for batch in batches)
        assert tokens == sum(len(poem) + 1 for poem in loop.train)
        lengths.append([len(each.header) for each in examples])
    assert lengths[0] == lengths[2] != lengths[1]
    assert set(lengths[0]) <= {0, 1, 2, 3, 4, 5}


def test_without_conditions_a_run_knows_no_headers(data: Path, tmp_path: Path) -> None:
    recipe = Recipe.from_dict({**RUN, "network": {"embedding": 8, "hidden": 16}})
    run = Run.start(recipe, data, tmp_path / "run")
    loop = loop_of(run)
    assert (run.header_names, loop.examples_of, loop.collate) == ((), None, pad)
    assert "header_names" not in (tmp_path / "run" / "run.json").read_text(encoding="utf-8")


def test_conditions_that_the_poems_do_not_tell(data: Path, tmp_path: Path) -> None:
    poems = [Poem("", "無名氏", "日日。", "mine.txt")] * LEAST
    splits = {"train": poems, "validation": poems[:1]}
    write_dataset(tmp_path / "data", splits, Vocabulary("日。"), CorpusRecipe(ratio=(9, 1)))
    with pytest.raises(UsageError, match=r"network\.conditions author: no author is told of 20"):
        Run.start(told_recipe(), tmp_path / "data", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_model_hands_over_the_rows_of_its_names(finished: Run, data: Path) -> None:
    model, dataset = ModelFile.load(finished.best), Dataset.load(data)
    V = len(dataset.vocabulary)
    names = ("author:杜甫:唐", "author:王維:唐", "length:2")
    recipe = told_recipe()
    drawn, _ = starting_weights(recipe, dataset, header_names=names)
    found, notes = starting_weights(recipe, dataset, model, names)
    for name in ("embedding.weight", "output.weight", "output.bias"):
        ours, theirs = found[name], model.weights[name]
        np.testing.assert_array_equal(ours[:V], theirs[:V])
        np.testing.assert_array_equal(ours[V], theirs[V + 4])
        np.testing.assert_array_equal(ours[V + 1], drawn[name][V + 1])
        np.testing.assert_array_equal(ours[V + 2], theirs[V])
    assert notes == [f"kept the rows of {V - 4} characters; 0 are new, and 0 of the model's are "
                     "not in the data"]  # fmt: skip


def test_nothing_is_drawn_from_torchs_generator(finished: Run) -> None:
    """Which is dropout's: a network that is told the same would else drop other units."""
    loop = loop_of(finished)
    before = torch.get_rng_state()
    assert loop.examples_of
    loop.examples_of(0)
    assert torch.equal(torch.get_rng_state(), before)
