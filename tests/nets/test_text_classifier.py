"""The classifier beside a naive one on padded texts, the NumPy engine, and central differences."""

from __future__ import annotations

from itertools import chain, pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from yinshi.engine.text_classifier import TextClassifier as EngineClassifier
from yinshi.nets import pooling
from yinshi.nets.kernels.cuda_graphs import GraphedLSTM
from yinshi.nets.lstm import LSTM
from yinshi.nets.pooling import Packing
from yinshi.nets.text_classifier import TextClassifier, runs
from yinshi.recipe import ClassifierRecipe

V, C = 12, 3
TEXTS = [[4, 7, 5, 7, 4, 7, 11], [6, 5, 6, 9], [7, 4, 10, 8], [5]]
LABELS = torch.tensor([2, 0, 1, 1])
CPU = torch.device("cpu")

NETWORKS = [
    ClassifierRecipe(model, 4, 3, layers, pool, ngrams=2, buckets=17)
    for model in ("rnn", "lstm", "bilstm")
    for pool in ("last", "max", "mean", "attention")
    for layers in (1, 2)
] + [ClassifierRecipe("bilstm-attention", 4, 3, layers, ngrams=3, buckets=17) for layers in (1, 2)]


def named(recipe: ClassifierRecipe) -> str:
    return f"{recipe.model}-{recipe.pool}-{recipe.layers}"


def model_of(recipe: ClassifierRecipe, backend: str = "own") -> TextClassifier:
    torch.manual_seed(5)
    return TextClassifier(recipe, V, C, backend).double().eval()


def alive_of(texts: list[list[int]]) -> list[int]:
    return [sum(len(text) > t for text in texts) for t in range(len(texts[0]))]


def packed(texts: list[list[int]]) -> tuple[Tensor, list[int]]:
    """Tokens step after step, and how many texts reach each step; the longest text first."""
    tokens = [text[t] for t in range(len(texts[0])) for text in texts if t < len(text)]
    return torch.tensor(tokens), alive_of(texts)


def padded(texts: list[list[int]], filler: int = 0) -> tuple[Any, Any]:
    lengths = np.array([len(text) for text in texts])
    columns = [text + [filler] * (lengths.max() - len(text)) for text in texts]
    return np.array(columns).T, lengths


def bucket(run: list[int], buckets: int) -> int:
    h = len(run)
    for token in run:
        h = (h * 1_000_003 + token) % buckets
    return h


def text_runs(text: list[int], n: int) -> list[list[int]]:
    return [text[i : i + k] for k in range(1, n + 1) for i in range(len(text) - k + 1)]


class Naive(nn.Module):
    """The same network as one reads of it: PyTorch's layers in both directions, text by text."""

    def __init__(self, recipe: ClassifierRecipe, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.recipe = recipe
        self.weights = nn.ParameterDict({n.replace(".", ":"): w for n, w in weights.items()})
        both = recipe.model.startswith("bi")
        kind = nn.RNN if recipe.model == "rnn" else nn.LSTM
        layer = kind(recipe.embedding, recipe.hidden, recipe.layers, bidirectional=both).double()
        self.layer = [layer]  # in a list: its parameters are given at each call
        self.both = both

    def w(self, name: str) -> Tensor:
        return self.weights[name.replace(".", ":")]

    def recurrent(self) -> dict[str, Tensor]:
        found = {}
        for name in (n.replace(":", ".") for n in self.weights):
            if name.startswith(("forwards", "backwards")):
                direction, depth, own = name.split(".")
                back = "_reverse" if direction == "backwards" else ""
                found[own.replace("_l0", f"_l{depth}") + back] = self.w(name)
        return found

    def logits(self, texts: list[list[int]]) -> Tensor:
        tokens, lengths = padded(texts)
        vectors = self.w("embedding.weight")[torch.tensor(tokens)]
        sequence = pack_padded_sequence(vectors, torch.tensor(lengths))
        outputs = functional_call(self.layer[0], self.recurrent(), (sequence,))[0]
        hidden = pad_packed_sequence(outputs)[0]
        pooled = [self.pooled(hidden[: len(text), b]) for b, text in enumerate(texts)]
        logits = torch.stack(pooled) @ self.w("output.weight").T + self.w("output.bias")
        return logits + torch.stack([self.votes(text) for text in texts])

    def pooled(self, h: Tensor) -> Tensor:
        """(L, D) of one text → (D,)."""
        match self.recipe.pooling:
            case "last":
                H = self.recipe.hidden
                return torch.cat([h[-1, :H], h[0, H:]])
            case "max":
                return h.max(0).values
            case "mean":
                return h.mean(0)
        u = torch.tanh(h @ self.w("attention.weight").T + self.w("attention.bias"))
        return torch.softmax(u @ self.w("context"), 0) @ h

    def votes(self, text: list[int]) -> Tensor:
        found = [bucket(run, self.recipe.buckets) for run in text_runs(text, self.recipe.ngrams)]
        return sum(self.w("ngrams.weight")[h] for h in found) / len(found) ** 0.5


@pytest.mark.parametrize("recipe", NETWORKS, ids=named)
@pytest.mark.parametrize("backend", ["own", "library"])
def test_parameters_are_those_of_the_recipe(recipe: ClassifierRecipe, backend: str) -> None:
    shapes = {name: tuple(w.shape) for name, w in model_of(recipe, backend).state_dict().items()}
    assert shapes == recipe.weight_shapes(V, C)


def test_without_ngrams_there_are_no_buckets() -> None:
    recipe = ClassifierRecipe(embedding=4, hidden=3)
    model = model_of(recipe)
    assert set(model.state_dict()) == set(recipe.weight_shapes(V, C))
    assert model.logits(*packed(TEXTS)).shape == (4, C)


def test_an_rnn_is_pytorchs_and_an_lstm_ours() -> None:
    kinds = {
        (model, backend): type(model_of(ClassifierRecipe(model, 4, 3), backend).forwards[0])
        for model in ("rnn", "lstm")
        for backend in ("own", "library")
    }
    assert kinds == {
        ("rnn", "own"): nn.RNN,
        ("rnn", "library"): nn.RNN,
        ("lstm", "own"): LSTM,
        ("lstm", "library"): nn.LSTM,
    }


@pytest.mark.parametrize("recipe", NETWORKS, ids=named)
def test_logits_equal_the_naive_ones_and_the_engines(recipe: ClassifierRecipe) -> None:
    own, library = model_of(recipe), model_of(recipe, "library")
    library.load_state_dict(own.state_dict())
    engine = EngineClassifier(
        {name: w.numpy() for name, w in own.state_dict().items()},
        recipe.pooling,
        recipe.ngrams,
        np.float64,
    )
    with torch.no_grad():
        expected = Naive(recipe, own.state_dict()).logits(TEXTS).numpy()
        for model in (own, library):
            found = model.logits(*packed(TEXTS)).numpy()
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    order = [2, 3, 0, 1]  # the engine takes texts in any order
    found = engine.logits(*padded([TEXTS[i] for i in order], filler=3))
    np.testing.assert_allclose(found, expected[order], rtol=0, atol=1e-12)
    assert np.abs(expected[0] - expected[1]).max() > 1e-3


@pytest.mark.parametrize("recipe", NETWORKS, ids=named)
@pytest.mark.parametrize("backend", ["own", "library"])
def test_gradients_equal_the_naive_ones(recipe: ClassifierRecipe, backend: str) -> None:
    model = model_of(recipe, backend)
    naive = Naive(recipe, {name: p.detach().clone() for name, p in model.named_parameters()})
    nats = model(packed(TEXTS)[0], LABELS, alive_of(TEXTS))
    nats.backward()
    expected = nn.functional.cross_entropy(naive.logits(TEXTS), LABELS, reduction="sum")
    expected.backward()
    assert nats.item() == pytest.approx(expected.item(), rel=1e-13)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, naive.w(name).grad, rtol=1e-10, atol=1e-13)
        assert parameter.grad.abs().max() > 1e-6, name


@pytest.mark.parametrize("pool", ["last", "max", "mean", "attention"])
def test_gradients_are_central_differences(pool: Any) -> None:
    recipe = ClassifierRecipe("bilstm", 2, 2, 2, pool, ngrams=2, buckets=5)
    model = model_of(recipe)
    for layer in [*model.forwards, *model.backwards]:
        layer.keep_gates = True  # the check takes the backward twice
    names, parameters = zip(*model.named_parameters(), strict=True)
    inputs, alive = packed([[4, 5, 4], [5, 6], [6]])

    def nats(*values: Tensor) -> Tensor:
        weights = dict(zip(names, values, strict=True))
        return functional_call(model, weights, (inputs, LABELS[:3], alive))

    assert torch.autograd.gradcheck(nats, parameters)


@pytest.mark.parametrize("recipe", NETWORKS, ids=named)
def test_a_text_beside_others_is_the_text_alone(recipe: ClassifierRecipe) -> None:
    model = model_of(recipe)
    with torch.no_grad():
        together = model.logits(*packed(TEXTS))
        apart = torch.cat([model.logits(*packed([text])) for text in TEXTS])
        nats = model(packed(TEXTS)[0], LABELS, alive_of(TEXTS))
    torch.testing.assert_close(together, apart, rtol=0, atol=1e-13)
    chosen = torch.log_softmax(apart, 1)[torch.arange(4), LABELS]
    assert nats.item() == pytest.approx(-chosen.sum().item(), rel=1e-13)


def test_where_the_rows_stand() -> None:
    """Texts of 3, 2 and 1 tokens: a0 b0 c0 a1 b1 a2."""
    packing = Packing([3, 2, 1], CPU)
    assert packing.steps.tolist() == [0, 0, 0, 1, 1, 2]
    assert packing.texts.tolist() == [0, 1, 2, 0, 1, 0]
    assert packing.starts.tolist() == [0, 3, 5]
    assert packing.lengths.tolist() == [3, 2, 1]
    assert packing.ends.tolist() == [5, 4, 2]
    assert packing.mirrored.tolist() == [5, 4, 2, 3, 1, 0]  # a2 b1 c0 a1 b0 a0
    rows = torch.arange(6.0)[:, None]
    assert packing.pad(rows)[..., 0].tolist() == [[0, 1, 2], [3, 4, 0], [5, 0, 0]]
    assert torch.equal(packing.pack(packing.pad(rows)), rows)
    assert torch.equal(packing.mirror(packing.mirror(rows)), rows)


def test_pools_by_hand() -> None:
    """Two texts, (1, 5, 3) and (−4, −2); the second unit reads backwards."""
    packing = Packing([2, 2, 1], CPU)
    rows = torch.tensor([1.0, -4, 5, -2, 3], dtype=torch.float64)[:, None]
    hidden = torch.cat([rows, 10 * rows], 1)
    assert pooling.last(hidden, packing, 2).tolist() == [[3, 10], [-2, -40]]
    assert pooling.last(hidden, packing, 1).tolist() == [[3, 30], [-2, -20]]
    assert pooling.maximum(hidden, packing).tolist() == [[5, 50], [-2, -20]]
    assert pooling.mean(hidden, packing).tolist() == [[3, 30], [-3, -30]]
    # e^score is as 2 : 1 : 1 in the first text, as 1 : 1 in the second; none overflows
    scores = torch.tensor([1000 + np.log(2), -7, 1000, -7, 1000], dtype=torch.float64)
    expected = torch.tensor([[2.5, 25], [-3, -30]], dtype=torch.float64)
    torch.testing.assert_close(pooling.attention(hidden, scores, packing), expected)


def test_attention_that_prefers_nothing_is_the_mean() -> None:
    packing = Packing(alive_of(TEXTS), CPU)
    torch.manual_seed(0)
    hidden = torch.randn(16, 4, dtype=torch.float64)
    found = pooling.attention(hidden, hidden.new_zeros(16), packing)
    torch.testing.assert_close(found, pooling.mean(hidden, packing))


def test_padding_would_be_seen() -> None:
    """Negative controls: a mean over all T, a maximum over padding, a batch read back to front."""
    packing = Packing(alive_of(TEXTS), CPU)
    torch.manual_seed(0)
    hidden = torch.randn(16, 4, dtype=torch.float64) - 2
    full = packing.pad(hidden)
    assert not torch.allclose(full.mean(0), pooling.mean(hidden, packing))
    assert not torch.allclose(full.amax(0), pooling.maximum(hidden, packing))
    assert not torch.allclose(packing.pack(full.flip(0)), packing.mirror(hidden))
    shortest = packing.pack(full.flip(0))[packing.texts == 3]
    assert not shortest.any()  # its only token has gone to the end, where nobody reads


def test_the_padded_way_of_a_gpu_is_the_packed_one() -> None:
    layer = model_of(ClassifierRecipe("lstm", 4, 3)).forwards[0]
    assert isinstance(layer, LSTM)
    packing = Packing(alive_of(TEXTS), CPU)
    rows = torch.randn(16, 4, dtype=torch.float64)
    with torch.no_grad():
        expected = layer.packed(rows, packing.alive, layer.zero_state(rows, 4))[0]
        found = packing.pack(GraphedLSTM(layer)(packing.pad(rows)))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13)


def test_buckets_by_hand() -> None:
    """Of 7 8: (1·1000003 + 7) mod 1000 = 10, 11; (2·1000003 + 7) → 13, (13·1000003 + 8) → 47."""
    inputs, alive = packed([[7, 8]])
    found, texts = runs(inputs, Packing(alive, CPU), 3, 1000)
    assert found.tolist() == [10, 11, 47]
    assert texts.tolist() == [0, 0, 0]


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("buckets", [1, 17, 2**18, 2**22])
def test_runs_are_the_naive_ones(n: int, buckets: int) -> None:
    inputs, alive = packed(TEXTS)
    hashes, texts = runs(inputs, Packing(alive, CPU), n, buckets)
    found = zip(hashes.tolist(), texts.tolist(), strict=True)
    expected = [(bucket(r, buckets), b) for b, t in enumerate(TEXTS) for r in text_runs(t, n)]
    assert sorted(found) == sorted(expected)


def test_large_ids_do_not_overflow() -> None:
    text = [2**31 - 1] * 5
    inputs, alive = packed([text])
    found, _ = runs(inputs, Packing(alive, CPU), 5, 2**22)
    assert found[-1].item() == bucket(text, 2**22)


def test_runs_across_texts_would_be_seen() -> None:
    """Negative control: neither the rows as they stand nor the texts put together give the runs."""
    inputs, alive = packed(TEXTS)
    found = set(runs(inputs, Packing(alive, CPU), 2, 2**22)[0].tolist())
    inside = {bucket(list(pair), 2**22) for text in TEXTS for pair in pairwise(text)}
    assert inside < found
    joined = {bucket(list(pair), 2**22) for pair in pairwise(chain(*TEXTS))}
    assert joined - found == {bucket([11, 6], 2**22), bucket([9, 7], 2**22), bucket([8, 5], 2**22)}
    rows = {bucket(list(pair), 2**22) for pair in pairwise(inputs.tolist())}
    assert rows - found


def test_a_unigram_is_not_a_bigram() -> None:
    inputs, alive = packed([list(range(4, 104))])
    found, _ = runs(inputs, Packing(alive, CPU), 2, 2**22)
    assert len(set(found.tolist())) == 100 + 99


def test_embedding_dropout_drops_whole_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = ClassifierRecipe(embedding=4, hidden=3, embedding_dropout=0.25, dropout=0.0)
    model = model_of(recipe)
    seen: list[Tensor] = []
    recurrence = model._recurrence
    monkeypatch.setattr(
        model, "_recurrence", lambda rows, p: (seen.append(rows), recurrence(rows, p))[1]
    )
    inputs = torch.randint(4, V, (4000,))
    with torch.no_grad():
        model.logits(inputs, [1000] * 4)
        model.train()
        model.logits(inputs, [1000] * 4)
    plain, dropped = seen
    assert torch.equal(plain, model.embedding(inputs))
    gone = (dropped == 0).all(1)
    torch.testing.assert_close(dropped[~gone], plain[~gone] / 0.75)
    assert gone.double().mean().item() == pytest.approx(0.25, abs=0.03)


def test_dropped_runs_leave_the_votes_the_same_in_the_mean() -> None:
    recipe = ClassifierRecipe(embedding=4, hidden=3, ngrams=2, buckets=17, embedding_dropout=0.5)
    model = model_of(recipe)
    inputs, alive = packed([[4, 7, 5, 7]] * 4000)
    packing = Packing(alive, CPU)
    with torch.no_grad():
        expected = model._votes(inputs, packing)[0]
        drawn = model.train()._votes(inputs, packing)
    torch.testing.assert_close(drawn.mean(0), expected, rtol=0, atol=0.1)
    assert len(drawn.unique(dim=0)) > 32  # runs are dropped one by one


def test_each_text_counts_by_its_class() -> None:
    model = model_of(ClassifierRecipe(embedding=4, hidden=3))
    inputs, alive = packed(TEXTS)
    weights = torch.arange(1, C + 1, dtype=torch.float64) ** 2
    model.class_weights = weights
    each = -model.logits(inputs, alive).log_softmax(1)[range(len(TEXTS)), LABELS]
    torch.testing.assert_close(model(inputs, LABELS, alive), (each * weights[LABELS]).sum())


def test_where_dropout_acts(monkeypatch: pytest.MonkeyPatch) -> None:
    """On tokens, between the layers, on what is pooled, on runs."""
    seen = []

    def recorded(x: Tensor, probability: float, training: bool) -> Tensor:
        seen.append((tuple(x.shape), probability, training))
        return x

    for module in ("text_reader", "text_classifier"):
        monkeypatch.setattr(f"yinshi.nets.{module}.dropout", recorded)
    recipe = ClassifierRecipe(
        "bilstm", 4, 3, 2, dropout=0.4, embedding_dropout=0.3, ngrams=1, buckets=17
    )
    model_of(recipe).train().logits(*packed(TEXTS))
    assert seen == [
        ((16, 1), 0.3, True),
        ((16, 6), 0.4, True),
        ((4, 6), 0.4, True),
        ((16, 1), 0.3, True),
    ]


def test_dropout_changes_training_only() -> None:
    model = model_of(ClassifierRecipe(embedding=4, hidden=3, layers=2, embedding_dropout=0.0))
    with torch.no_grad():
        first, second = (model.logits(*packed(TEXTS)) for _ in range(2))
        assert torch.equal(first, second)
        assert not torch.equal(first, model.train().logits(*packed(TEXTS)))


@pytest.mark.parametrize("model_name", ["bilstm", "bilstm-attention"])
@pytest.mark.parametrize("pool", ["max", "mean", "last"])
def test_bfloat16_is_near_float32(model_name: Any, pool: Any) -> None:
    model = model_of(ClassifierRecipe(model_name, 32, 32, 2, pool)).float()
    with torch.no_grad():
        exact = model.logits(*packed(TEXTS))
        with torch.autocast("cpu", torch.bfloat16):
            rounded = model.logits(*packed(TEXTS))
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact, rtol=0, atol=0.02)
    assert not torch.equal(rounded, exact)
    assert not torch.equal(rounded, rounded.bfloat16().float())  # the logits have all their digits
