"""The fused output layer beside `F.cross_entropy`: nats, gradients, chunks and memory."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from yinshi.nets import output
from yinshi.nets.kernels.native import native_pointwise
from yinshi.nets.output import CHUNK, linear_cross_entropy
from yinshi.nets.pointwise import TorchPointwise

D, V = 6, 11
NAMES = ("x", "weight", "bias")

Arguments = tuple[Tensor, Tensor, Tensor, Tensor]


def arguments(
    N: int, dtype: torch.dtype = torch.float64, D: int = D, V: int = V, seed: int = 0
) -> Arguments:
    generator = torch.Generator().manual_seed(seed)
    x, weight, bias = (
        torch.randn(shape, generator=generator, dtype=torch.float64).float().to(dtype)
        for shape in ((N, D), (V, D), (V,))
    )
    return x, weight / D**0.5, bias, torch.randint(0, V, (N,), generator=generator)


def library(x: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    logits = functional.linear(x, weight, bias)
    return functional.cross_entropy(logits, targets, reduction="sum")


def results(function: Any, given: Arguments, scale: float = 1.0) -> dict[str, Tensor]:
    """Nats, and the gradients by x, weight and bias of `scale` times the nats."""
    *free, targets = given
    leaves = [part.clone().requires_grad_() for part in free]
    nats = function(*leaves, targets)
    (nats * scale).backward()
    return {"nats": nats.detach(), **{n: x.grad for n, x in zip(NAMES, leaves, strict=True)}}


def error(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """max |found − expected| / max |expected|, of the worst of the four."""
    worst = 0.0
    for name, truth in expected.items():
        assert found[name].shape == truth.shape
        if truth.numel():
            difference = (found[name].double() - truth.double()).abs().nan_to_num(torch.inf)
            worst = max(worst, (difference.max() / truth.abs().max().clamp(min=1e-300)).item())
    return worst


@pytest.fixture(params=["torch", "native"])
def kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whose elementwise operations: PyTorch's, or the native kernels (which know no float64)."""

    def choose(device: str, dtype: torch.dtype) -> Any:
        if request.param == "torch" or dtype == torch.float64:
            return TorchPointwise()
        return native_pointwise(dtype) or pytest.skip("needs a C++ compiler")

    monkeypatch.setattr(output, "choose_pointwise", choose)
    return str(request.param)


@pytest.mark.parametrize("N", [1, 5, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 3])
def test_float64_equals_pytorch(N: int) -> None:
    given = arguments(N)
    assert error(results(linear_cross_entropy, given), results(library, given)) <= 1e-12


@pytest.mark.parametrize("N", [1, CHUNK, CHUNK + 1])
def test_float32_equals_pytorch(N: int, kernels: str) -> None:
    given = arguments(N, torch.float32)
    assert error(results(linear_cross_entropy, given), results(library, given)) <= 1e-5


def test_float32_equals_pytorch_with_a_whole_vocabulary(kernels: str) -> None:
    given = arguments(60, torch.float32, D=32, V=7001)
    found, truth = results(linear_cross_entropy, given), results(library, given)
    assert error(found, truth) <= 1e-5
    assert found["nats"].item() == pytest.approx(truth["nats"].item(), rel=1e-6)


@pytest.mark.parametrize("N", [50, CHUNK + 1])
def test_bfloat16_loses_no_more_than_pytorch(N: int, kernels: str) -> None:
    given = arguments(N, torch.float32, D=32, V=500)
    x, weight, bias, targets = given
    truth = results(library, (x.double(), weight.double(), bias.double(), targets))
    with torch.autocast("cpu", torch.bfloat16):
        theirs, ours = results(library, given), results(linear_cross_entropy, given)
    for name in truth:
        losses = [(f[name].double() - truth[name]).norm().item() for f in (ours, theirs)]
        assert losses[0] <= 1.5 * losses[1] + 1e-4 * truth[name].norm().item(), name
    assert 1e-4 < error(theirs, truth) < 0.05, "nothing was lost: no comparison"
    assert {name: part.dtype for name, part in ours.items()} == dict.fromkeys(ours, torch.float32)


def test_no_tokens() -> None:
    found = results(linear_cross_entropy, arguments(0))
    assert not any(part.any() for part in found.values())


@pytest.mark.parametrize("scale", [0.0, -2.5, 1 / 4096])
def test_the_gradient_from_above_is_a_factor(scale: float) -> None:
    given = arguments(9)
    expected = results(library, given, scale)
    assert error(results(linear_cross_entropy, given, scale), expected) <= 1e-12


def test_gradients_may_be_taken_twice() -> None:
    x, weight, bias, targets = arguments(9)
    weight.requires_grad_()
    nats = linear_cross_entropy(x, weight, bias, targets)
    first, second = (torch.autograd.grad(nats, weight, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)


def test_gradcheck() -> None:
    x, weight, bias, targets = arguments(4)
    free = tuple(part.requires_grad_() for part in (x, weight, bias))
    assert torch.autograd.gradcheck(lambda *p: linear_cross_entropy(*p, targets), free)


def test_a_weight_that_is_the_embedding_too() -> None:
    """Tied: the gradient is the sum of both uses."""
    _, weight, bias, targets = arguments(9)

    def gradient(function: Any) -> Tensor:
        tied = weight.clone().requires_grad_()
        function(tied[targets.flip(0)], tied, bias, targets).backward()
        assert tied.grad is not None
        return tied.grad

    expected = gradient(library)
    torch.testing.assert_close(gradient(linear_cross_entropy), expected, rtol=1e-12, atol=1e-12)


def test_without_gradients_none_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """One product a chunk, where learning takes three."""
    products = 0

    def product(*arguments: Any) -> Tensor:
        nonlocal products
        products += 1
        found: Tensor = original(*arguments)
        return found

    original = output.product
    monkeypatch.setattr(output, "product", product)
    x, weight, bias, targets = arguments(CHUNK + 1)
    weight.requires_grad_()
    learning = linear_cross_entropy(x, weight, bias, targets)
    assert products == 6
    with torch.no_grad():
        nats = linear_cross_entropy(x, weight, bias, targets)
    assert products == 8
    assert linear_cross_entropy(x, weight.detach(), bias, targets) == nats == learning
    assert products == 10


# --- Memory --------------------------------------------------------------------------------------


class LargestTensor(TorchDispatchMode):
    """Notes the most elements in what any operation returns, forward and backward."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = operation(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.elements = max(self.elements, leaf.numel())
        return result


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_logits_never_exist_together(dtype: torch.dtype) -> None:
    """Of N·V logits never more than a chunk's, whatever N; where the usual program holds all."""
    N, V = 3 * CHUNK + 5, 200
    given = arguments(N, dtype, V=V)
    with LargestTensor() as ours:
        results(linear_cross_entropy, given)
    with LargestTensor() as theirs:
        results(library, given)
    assert ours.elements == CHUNK * V
    assert theirs.elements == N * V


# --- What is not a number, and what is very large ------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", [0, 1, 2])
@pytest.mark.parametrize("row", [0, 5, V - 1])
def test_nan_is_never_a_number(
    dtype: torch.dtype, value: float, where: int, row: int, kernels: str
) -> None:
    """Of one weight or bias at any place, or one token; ∞ − ∞ is none either."""
    given = arguments(7, dtype)
    given[where].view(-1)[min(row, given[where].numel() - 1)] = value
    found = results(linear_cross_entropy, given)
    assert found["nats"].isnan()
    assert found["x"].isnan().any()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
def test_large_logits_do_not_overflow(dtype: torch.dtype, size: float, kernels: str) -> None:
    x, weight, bias, targets = arguments(7, dtype)
    found = results(linear_cross_entropy, (x * size, weight, bias, targets))
    doubles = ((x * size).double(), weight.double(), bias.double(), targets)
    expected = results(library, doubles)
    digits = {torch.float64: 1e-12, torch.float32: 1e-6, torch.bfloat16: 2**-7}[dtype]
    assert found["nats"].item() == pytest.approx(expected["nats"].item(), rel=digits)
    assert all(part.isfinite().all() for part in found.values())
    assert (found["x"].abs() <= 2 * weight.abs().max()).all()


def test_a_certain_prediction_has_no_nats(kernels: str) -> None:
    x, weight = torch.eye(3), 1000 * torch.eye(3)
    given = x, weight, torch.zeros(3), torch.arange(3)
    found = results(linear_cross_entropy, given)
    assert found["nats"].item() == 0
    assert not found["bias"].abs().max() > 1e-30


# --- Controls ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("original", "replacement"),
    [
        ("dx[part] = product(logits, weight)", "dx[part] = 0"),
        ("dweight += product(x[part].T, logits)", "dweight = product(x[part].T, logits)"),
        ("dbias += logits.new_ones", "dbias = logits.new_ones"),
        ("(gradient * scale for", "(gradient for"),
        ("range(0, len(x), CHUNK)", "range(0, len(x), CHUNK + 1)"),
        ("total += pointwise", "total = pointwise"),
    ],
)
def test_a_wrong_term_is_seen(original: str, replacement: str) -> None:
    source = inspect.getsource(output)
    assert source.count(original) == 1, f"{original}: the code has changed; change the control"
    names: dict[str, Any] = {"__name__": "mutated"}
    exec(compile(source.replace(original, replacement), "mutated", "exec"), names)
    given = arguments(2 * CHUNK + 3)
    found = results(names["linear_cross_entropy"], given, scale=0.5)
    assert error(found, results(library, given, scale=0.5)) > 1e-6
