"""Our LSTM and the reference beside `nn.LSTM`: outputs, state and every gradient."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from yinshi.errors import UsageError
from yinshi.nets import lstm, lstm_function, pointwise
from yinshi.nets.kernels.native import native_pointwise
from yinshi.nets.lstm import LSTM
from yinshi.nets.lstm_reference import ReferenceLSTM
from yinshi.nets.pointwise import Pointwise, TorchPointwise

#: Largest difference within a tensor, relative to its largest element.
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5}

Results = dict[str, Tensor]


@dataclass(frozen=True)
class Example:
    """A layer's weights, what goes in, and the objective Σ cotangents · (outputs, h_n, c_n)."""

    weights: dict[str, Tensor]
    inputs: Tensor
    state: tuple[Tensor, Tensor]
    lengths: list[int]
    cotangents: tuple[Tensor, Tensor, Tensor]
    sizes: tuple[int, int, int]  # I, H, L

    @classmethod
    def random(
        cls,
        T: int,
        B: int,
        I: int,  # noqa: E741
        H: int,
        L: int = 1,
        lengths: Sequence[int] | None = None,
        dtype: torch.dtype = torch.float64,
        seed: int = 0,
    ) -> Example:
        generator = torch.Generator().manual_seed(seed)

        def draw(*shape: int) -> Tensor:
            # Through float32, so that every dtype but bfloat16 sees the same numbers.
            return torch.randn(shape, generator=generator).to(dtype)

        shapes = {name: p.shape for name, p in nn.LSTM(I, H, L, device="meta").named_parameters()}
        weights = {name: draw(*shape) / H**0.5 for name, shape in shapes.items()}
        state = draw(L, B, H), draw(L, B, H)
        cotangents = draw(T, B, H), draw(L, B, H), draw(L, B, H)
        lengths = [T] * B if lengths is None else list(lengths)
        return cls(weights, draw(T, B, I), state, lengths, cotangents, (I, H, L))

    def to(self, dtype: torch.dtype) -> Example:
        return replace(
            self,
            weights={name: weight.to(dtype) for name, weight in self.weights.items()},
            inputs=self.inputs.to(dtype),
            state=tuple(part.to(dtype) for part in self.state),
            cotangents=tuple(part.to(dtype) for part in self.cotangents),
        )

    def layer(self, kind: type[nn.Module]) -> Any:
        layer = kind(*self.sizes).to(self.inputs.dtype)
        layer.load_state_dict(self.weights)
        return layer

    def objective(self, outputs: Tensor, state: Sequence[Tensor]) -> Tensor:
        parts = zip(self.cotangents, (outputs, *state), strict=True)
        return sum((cotangent * part).sum() for cotangent, part in parts)  # type: ignore[return-value]


def call(
    layer: nn.Module, inputs: Tensor, state: Sequence[Tensor], lengths: list[int]
) -> tuple[Tensor, Sequence[Tensor]]:
    """Our signature, also for `nn.LSTM`; which takes no empty sequences, so it gets the others."""
    if not isinstance(layer, nn.LSTM):
        found: tuple[Tensor, Sequence[Tensor]] = layer(inputs, state, lengths)
        return found
    n = sum(length > 0 for length in lengths)
    packed = pack_padded_sequence(inputs[:, :n], torch.tensor(lengths[:n]))
    packed, ends = layer(packed, tuple(part[:, :n].contiguous() for part in state))
    outputs, _ = pad_packed_sequence(packed, total_length=len(inputs))
    outputs = nn.functional.pad(outputs, (0, 0, 0, len(lengths) - n))
    both = zip(ends, state, strict=True)
    return outputs, [torch.cat([end, part[:, n:]], dim=1) for end, part in both]


def results(
    kind: type[nn.Module], example: Example, autocast: torch.dtype | None = None
) -> Results:
    """outputs, h_n, c_n, and the gradients of the objective by all that it depends on."""
    layer = example.layer(kind)
    inputs = example.inputs.clone().requires_grad_()
    h_0, c_0 = (part.clone().requires_grad_() for part in example.state)
    with torch.autocast("cpu", autocast) if autocast else nullcontext():
        outputs, (h_n, c_n) = call(layer, inputs, (h_0, c_0), example.lengths)
    example.objective(outputs, (h_n, c_n)).backward()
    gradients = {"inputs": inputs, "h_0": h_0, "c_0": c_0, **dict(layer.named_parameters())}
    found = {f"gradient by {name}": x.grad for name, x in gradients.items()}
    return {"outputs": outputs.detach(), "h_n": h_n.detach(), "c_n": c_n.detach(), **found}


def error(found: Results, expected: Results, floor: float = 0.0) -> dict[str, float]:
    """Name → max |found − expected| / max |expected|, or / `floor` if larger; infinite for NaN."""
    assert found.keys() == expected.keys()
    errors = {}
    for name, truth in expected.items():
        assert found[name].shape == truth.shape, name
        difference = (found[name].double() - truth.double()).abs().nan_to_num(torch.inf)
        largest = difference.max().item() if truth.numel() else 0.0
        errors[name] = largest and largest / (max(floor, truth.abs().max().item()) or 1.0)
    return errors


def assert_equal(found: Results, expected: Results, floor: float = 0.0) -> None:
    tolerance = TOLERANCE[expected["outputs"].dtype]
    wrong = {name: e for name, e in error(found, expected, floor).items() if e > tolerance}
    assert not wrong


@contextmanager
def elementwise_by(kernels: Pointwise | None) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if kernels is not None:
            patch.setattr(lstm, "choose_pointwise", lambda device, dtype: kernels)
        yield


def native(dtype: torch.dtype) -> Pointwise:
    kernels = native_pointwise(dtype)
    if kernels is None:
        pytest.skip("needs a C++ compiler")
    return kernels


@pytest.fixture(params=["reference", "torch", "native"])
def arm(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def results_of_arm(arm: str, example: Example, autocast: torch.dtype | None = None) -> Results:
    if arm == "reference":
        return results(ReferenceLSTM, example, autocast)
    dtype = autocast or example.inputs.dtype
    with elementwise_by(TorchPointwise() if arm == "torch" else native(dtype)):
        return results(LSTM, example, autocast)


CASES = {
    "even": Example.random(T=6, B=3, I=4, H=5),
    "uneven": Example.random(T=7, B=4, I=3, H=5, lengths=[7, 5, 5, 2]),
    "none reaches T": Example.random(T=7, B=3, I=3, H=5, lengths=[4, 4, 1]),
    "empty ones": Example.random(T=5, B=4, I=3, H=5, lengths=[5, 2, 0, 0]),
    "two layers": Example.random(T=6, B=4, I=3, H=5, L=2, lengths=[6, 6, 3, 1]),
    "three layers": Example.random(T=6, B=4, I=3, H=17, L=3, lengths=[5, 4, 4, 0]),
    "one step": Example.random(T=1, B=3, I=4, H=5, L=2),
    "one sequence": Example.random(T=6, B=1, I=4, H=5, L=2),
    "one of everything": Example.random(T=1, B=1, I=1, H=1),
}


@pytest.mark.parametrize("case", CASES)
def test_float64_equals_pytorch(case: str, arm: str) -> None:
    if arm == "native":
        assert native_pointwise(torch.float64) is None
        return
    assert_equal(results_of_arm(arm, CASES[case]), results(nn.LSTM, CASES[case]))


@pytest.mark.parametrize("case", CASES)
def test_float32_equals_pytorch(case: str, arm: str) -> None:
    example = CASES[case].to(torch.float32)
    assert_equal(results_of_arm(arm, example), results(nn.LSTM, example))


def test_float32_equals_pytorch_at_the_size_of_a_recipe(arm: str) -> None:
    lengths = [40] * 4 + [32] * 6 + [24] * 5 + [3]
    example = Example.random(T=40, B=16, I=128, H=256, lengths=lengths, dtype=torch.float32)
    assert_equal(results_of_arm(arm, example), results(nn.LSTM, example))


@st.composite
def examples(draw: st.DrawFn) -> Example:
    T, B = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    lengths = draw(st.lists(st.integers(0, T), min_size=B, max_size=B))
    lengths = sorted([*lengths[1:], draw(st.integers(1, T))], reverse=True)
    width, H, L = draw(st.integers(1, 5)), draw(st.integers(1, 18)), draw(st.integers(1, 3))
    return Example.random(T, B, width, H, L, lengths, seed=draw(st.integers(0, 99)))


@settings(max_examples=100, deadline=None)
@given(examples())
def test_any_shape_and_lengths(example: Example) -> None:
    """The floor: of one unit, a gradient may be a small difference of large terms."""
    expected = results(nn.LSTM, example)
    assert_equal(results(LSTM, example), expected, floor=1.0)
    assert_equal(results(ReferenceLSTM, example), expected, floor=1.0)
    single = example.to(torch.float32)
    assert_equal(results(LSTM, single), results(nn.LSTM, single), floor=1.0)


def test_all_sequences_empty(arm: str) -> None:
    """h_n = h_0, c_n = c_0; no other gradient."""
    example = Example.random(T=3, B=2, I=3, H=5, L=2, lengths=[0, 0], dtype=torch.float32)
    found = results_of_arm(arm, example)
    assert_equal({"outputs": found["h_n"]}, {"outputs": example.state[0]})
    assert_equal({"outputs": found["gradient by c_0"]}, {"outputs": example.cotangents[2]})
    assert not found["outputs"].any()
    assert not found["gradient by weight_hh_l1"].any()


@pytest.mark.parametrize(
    "example",
    [
        Example.random(24, 8, 24, 48, L=2, lengths=[24, 24, 20, 20, 9, 5, 5, 1]),
        Example.random(40, 16, 128, 256, lengths=[40] * 8 + [24] * 8),
    ],
    ids=["small", "size of a recipe"],
)
def test_bfloat16_loses_no_more_than_pytorch(example: Example, arm: str) -> None:
    """Root mean square error against float64, of `nn.LSTM` under autocast and of ours."""
    single = example.to(torch.float32)
    truth = results(nn.LSTM, example)

    def loss(found: Results) -> dict[str, float]:
        return {
            name: ((x.double() - truth[name]).norm() / truth[name].norm()).item()
            for name, x in found.items()
        }

    theirs = loss(results(nn.LSTM, single, autocast=torch.bfloat16))
    ours = loss(results_of_arm(arm, single, autocast=torch.bfloat16))
    assert all(1e-4 < e < 0.05 for e in theirs.values()), "nothing was lost: no comparison"
    ratios = {name: e / theirs[name] for name, e in ours.items()}  # measured: 0.2 to 1.3
    assert {name: ratio for name, ratio in ratios.items() if not ratio <= 1.5} == {}
    assert sum(ratios.values()) / len(ratios) <= 1.1


def test_parameters_in_bfloat16(arm: str) -> None:
    """Without autocast: a whole network in bfloat16."""
    example = CASES["two layers"].to(torch.bfloat16)
    found, truth = results_of_arm(arm, example), results(nn.LSTM, example.to(torch.float64))
    assert {x.dtype for x in found.values()} == {torch.bfloat16}
    assert max(error(found, truth).values()) < 0.05


def test_gradcheck() -> None:
    example = Example.random(T=4, B=3, I=2, H=3, L=2, lengths=[4, 2, 0])
    layer = example.layer(LSTM)
    names = list(example.weights)

    def apply(inputs: Tensor, h_0: Tensor, c_0: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        named = dict(zip(names, weights, strict=True))
        call = (inputs, (h_0, c_0), example.lengths)
        outputs, state = torch.func.functional_call(layer, named, call)
        return outputs, *state

    free = (example.inputs, *example.state, *example.weights.values())
    assert torch.autograd.gradcheck(apply, tuple(x.clone().requires_grad_() for x in free))


# --- Controls: each wrong term is seen -----------------------------------------------------------


MUTATIONS = [
    (pointwise, "dc.add_(dh * o * (1 - tanh_c * tanh_c))", "dc.copy_(dh * o * (1 - tanh_c**2))"),
    (pointwise, "dc.add_(dh * o * (1 - tanh_c * tanh_c))", "dc.add_(dh * o)"),
    (pointwise, "dc.add_(dh * o * (1 - tanh_c * tanh_c))", "pass"),
    (pointwise, "do = dh * tanh_c * o * (1 - o)", "do = dh * c * o * (1 - o)"),
    (pointwise, "dg = dc * i * (1 - g * g)", "dg = dc * i * (1 - g)"),
    (pointwise, "df = dc * c_prev * f * (1 - f)", "df = dc * c * f * (1 - f)"),
    (pointwise, "di = dc * g * i * (1 - i)", "di = dc * g * i"),
    (pointwise, "dc.mul_(f)  # (2.29)", "pass"),
    (pointwise, "[di, df, dg, do]", "[di, df, do, dg]"),
    (lstm_function, "dh_next[:n] += dh[packed]", "dh_next[:n] = dh[packed]"),
    (lstm_function, "dh_next[:n] += dh[packed]", "pass"),
    (lstm_function, "dh_next[:n] = product(dgates[packed], weight_hh)", "dh_next[:n] = 0"),
    (lstm_function, "for d in (dh_n, dc_n))", "for d in (dh_n, torch.zeros_like(dc_n)))"),
    (lstm_function, "for d in (dh_n, dc_n))", "for d in (torch.zeros_like(dh_n), dc_n))"),
    (lstm_function, "h[_previous_rows(ctx.alive, B, x.device)]", "h[B:]"),
    (lstm_function, "h[_previous_rows(ctx.alive, B, x.device)]", "h[: len(x)]"),
    (lstm_function, "gates[packed], c[previous], c[own], dh", "gates[packed], c[own], c[own], dh"),
    (lstm_function, "return h[B:], h[last], c[last]", "return h[B:], h[-B:], c[-B:]"),
    (lstm_function, "dx, dh_next, dc, dweight_ih", "dx, dh_next, 0 * dc, dweight_ih"),
]


def mutated(module: ModuleType, original: str, replacement: str) -> dict[str, Any]:
    source = inspect.getsource(module)
    assert source.count(original) == 1, f"{original}: the code has changed; change the control"
    names = {"__name__": "mutated"}
    exec(compile(source.replace(original, replacement), "mutated", "exec"), names)
    return names


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize(("module", "original", "replacement"), MUTATIONS)
def test_a_wrong_term_is_seen(
    module: ModuleType,
    original: str,
    replacement: str,
    dtype: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    example = CASES["uneven"].to(dtype)
    names = mutated(module, original, replacement)
    kernels = names.get("TorchPointwise", TorchPointwise)()
    monkeypatch.setattr(lstm, "LSTMFunction", names.get("LSTMFunction", lstm.LSTMFunction))
    with elementwise_by(kernels):
        found = results(LSTM, example)
    expected = results(nn.LSTM, example)
    assert max(error(found, expected).values()) > 1000 * TOLERANCE[dtype]
    with pytest.raises(AssertionError):
        assert_equal(found, expected)


# --- Autograd's other ways -----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_gradients_may_be_taken_twice(dtype: torch.dtype) -> None:
    example = CASES["two layers"].to(dtype)
    layer = example.layer(LSTM)
    objective = example.objective(*layer(example.inputs, example.state, example.lengths))
    first, second = (
        torch.autograd.grad(objective, list(layer.parameters()), retain_graph=True)
        for _ in range(2)
    )
    for one, two in zip(first, second, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_gates_that_are_not_kept_serve_one_backward(dtype: torch.dtype) -> None:
    example = CASES["two layers"].to(dtype)
    layer = example.layer(LSTM)
    expected = results(LSTM, example)
    layer.keep_gates = False
    objective = example.objective(*layer(example.inputs, example.state, example.lengths))
    parameters = dict(layer.named_parameters())
    found = torch.autograd.grad(objective, list(parameters.values()), retain_graph=True)
    for name, gradient in zip(parameters, found, strict=True):
        torch.testing.assert_close(gradient, expected[f"gradient by {name}"], rtol=0, atol=0)
    with pytest.raises(RuntimeError, match="keep_gates=True"):
        objective.backward()


def test_a_layer_used_twice_in_one_graph() -> None:
    example = Example.random(T=5, B=3, I=4, H=4, L=2, lengths=[5, 3, 1])

    def gradients(kind: type[nn.Module]) -> Results:
        layer = example.layer(kind)
        once, state = call(layer, example.inputs, example.state, example.lengths)
        twice, state = call(layer, once, state, example.lengths)
        example.objective(once + twice, state).backward()
        return {name: p.grad for name, p in layer.named_parameters()} | {"outputs": twice}

    assert_equal(gradients(LSTM), gradients(nn.LSTM))


def test_gradients_of_any_layout() -> None:
    """Transposed on their way in and out, as whoever uses the layer may happen to do."""
    example = CASES["two layers"].to(torch.float32)

    def gradients(kind: type[nn.Module]) -> Results:
        layer = example.layer(kind)
        inputs = example.inputs.permute(2, 1, 0).contiguous().permute(2, 1, 0)
        outputs, (h_n, c_n) = call(layer, inputs, example.state, example.lengths)
        parts = [part.permute(2, 1, 0).contiguous() for part in (outputs, h_n, c_n)]
        sum((part**2 * part.cos()).sum() for part in parts).backward()
        return {name: p.grad for name, p in layer.named_parameters()} | {"outputs": outputs}

    assert_equal(gradients(LSTM), gradients(nn.LSTM))


def test_only_some_gradients_are_wanted() -> None:
    example = CASES["two layers"]
    layer = example.layer(LSTM)
    layer.weight_ih_l0.requires_grad_(False)
    _, (h_n, _) = layer(example.inputs, None, example.lengths)
    h_n[1, 0].sum().backward()
    assert layer.weight_ih_l0.grad is None
    library = example.layer(nn.LSTM)
    zeros = tuple(torch.zeros_like(part) for part in example.state)
    call(library, example.inputs, zeros, example.lengths)[1][0][1, 0].sum().backward()
    torch.testing.assert_close(layer.weight_hh_l0.grad, library.weight_hh_l0.grad)


def test_what_the_backward_needs_is_not_overwritten_unseen() -> None:
    example = CASES["even"]
    layer = example.layer(LSTM)
    T, B, _ = example.inputs.shape
    rows, _ = layer.packed(example.inputs.flatten(0, 1), [B] * T, example.state)
    with pytest.raises(RuntimeError, match="modified inplace"):
        rows.mul_(2)


def test_no_gradients_where_none_are_recorded() -> None:
    example = CASES["uneven"]
    layer = example.layer(LSTM)
    with torch.no_grad():
        outputs, (h_n, _) = layer(example.inputs, example.state, example.lengths)
    assert not outputs.requires_grad
    assert not h_n.requires_grad
    torch.testing.assert_close(outputs, results(LSTM, example)["outputs"], rtol=0, atol=0)


# --- The module ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [LSTM, ReferenceLSTM])
def test_parameters_go_to_pytorch_and_back(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    ours, library = kind(3, 25, 3), nn.LSTM(3, 25, 3)
    shapes = [(name, p.shape) for name, p in ours.named_parameters()]
    assert shapes == [(name, p.shape) for name, p in library.named_parameters()]
    assert all(p.abs().max() <= 1 / 5 for p in ours.parameters())
    assert ours.weight_hh_l2.std().item() == pytest.approx(0.2 / 3**0.5, rel=0.02)
    inputs = torch.randn(4, 2, 3)
    for a, b in ((ours, library), (library, kind(3, 25, 3))):
        b.load_state_dict(a.state_dict())
        torch.testing.assert_close(a(inputs)[0], b(inputs)[0])


@pytest.mark.parametrize("kind", [LSTM, ReferenceLSTM])
def test_two_halves_are_the_whole(kind: type[nn.Module]) -> None:
    example = Example.random(T=8, B=3, I=3, H=5, L=2, lengths=[8, 6, 5])
    layer = example.layer(kind)
    whole, state = layer(example.inputs, example.state, example.lengths)
    first, between = layer(example.inputs[:4], example.state)
    second, end = layer(example.inputs[4:], between, [length - 4 for length in example.lengths])
    torch.testing.assert_close(torch.cat([first, second]), whole, rtol=0, atol=1e-15)
    torch.testing.assert_close(end, state, rtol=0, atol=1e-15)


@pytest.mark.parametrize("kind", [LSTM, ReferenceLSTM])
def test_the_state_is_zero_if_none_is_given(kind: type[nn.Module]) -> None:
    example = CASES["two layers"]
    layer = example.layer(kind)
    zeros = torch.zeros_like(example.state[0])
    torch.testing.assert_close(layer(example.inputs), layer(example.inputs, (zeros, zeros)))


@pytest.mark.parametrize("kind", [LSTM, ReferenceLSTM])
def test_what_is_beyond_a_sequence_does_not_matter(kind: type[nn.Module]) -> None:
    example = CASES["uneven"]
    dirty = example.inputs.clone()
    for row, length in enumerate(example.lengths):
        dirty[length:, row] = torch.nan
    outputs, state = example.layer(kind)(dirty, example.state, example.lengths)
    clean = results(nn.LSTM, example)
    torch.testing.assert_close(outputs, clean["outputs"])
    torch.testing.assert_close(state, (clean["h_n"], clean["c_n"]))


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([2, 3, 1], r"lengths \[2, 3, 1\]: expected 3 numbers from 0 to 4, the longest"),
        ([5, 3, 1], "from 0 to 4"),
        ([3, 1, -1], "from 0 to 4"),
        ([3, 1], "expected 3 numbers"),
    ],
)
def test_lengths_that_do_not_fit(lengths: list[int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LSTM(2, 3)(torch.zeros(4, 3, 2), lengths=lengths)


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 3, 3), (1, 3, 4), (3, 3)])
def test_a_state_that_does_not_fit(shape: tuple[int, ...]) -> None:
    """One row of state for three sequences would give numbers, and wrong ones."""
    state = torch.zeros(shape), torch.zeros(shape)
    with pytest.raises(UsageError, match=r"expected \(h_0, c_0\), each \(1, 3, 3\)"):
        LSTM(2, 3)(torch.zeros(4, 3, 2), state)


# --- Dropout between layers ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", [LSTM, ReferenceLSTM])
def test_no_dropout_in_evaluation_nor_after_the_last_layer(kind: type[nn.Module]) -> None:
    inputs = torch.randn(4, 3, 2)
    deep = kind(2, 5, 2, dropout=0.5)
    torch.testing.assert_close(deep.eval()(inputs), deep(inputs), rtol=0, atol=0)
    assert not torch.equal(deep.train()(inputs)[0], deep(inputs)[0])
    flat = kind(2, 5, 1, dropout=0.5).train()
    torch.testing.assert_close(flat(inputs), flat(inputs), rtol=0, atol=0)
    assert flat(inputs)[0].all()


def test_dropout_between_layers_beside_the_same_mask_by_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Outputs and gradients of two `nn.LSTM` layers with the mask that was drawn between them."""
    example = Example.random(T=9, B=8, I=3, H=40, L=2)
    masks: list[Tensor] = []

    def dropout(x: Tensor, probability: float, training: bool) -> Tensor:
        if not probability:
            return x
        masks.append(original(torch.ones_like(x), probability, training))
        return x * masks[-1]

    original = lstm.dropout
    monkeypatch.setattr(lstm, "dropout", dropout)
    layer = LSTM(3, 40, 2, dropout=0.25).double()
    layer.load_state_dict(example.weights)
    outputs, _ = layer(example.inputs)
    (outputs * example.cotangents[0]).sum().backward()

    (mask,) = masks
    assert (mask == 0).double().mean().item() == pytest.approx(0.25, abs=0.03)  # of 2,880
    assert set(mask.unique().tolist()) == {0.0, 4 / 3}
    first, second = nn.LSTM(3, 40).double(), nn.LSTM(40, 40).double()
    for n, part in enumerate((first, second)):
        part.load_state_dict({f"{w[:-1]}0": example.weights[f"{w[:-1]}{n}"] for w in _names(part)})
    expected, _ = second(first(example.inputs)[0] * mask.view(9, 8, 40))
    (expected * example.cotangents[0]).sum().backward()
    torch.testing.assert_close(outputs, expected)
    for n, part in enumerate((first, second)):
        for name, parameter in part.named_parameters():
            found = getattr(layer, f"{name[:-1]}{n}").grad
            torch.testing.assert_close(found, parameter.grad, rtol=1e-10, atol=1e-12)


def _names(layer: nn.Module) -> list[str]:
    return [name for name, _ in layer.named_parameters()]
