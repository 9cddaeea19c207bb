"""The Triton kernels beside autograd: on a GPU where there is one, else in Triton's interpreter."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu":
    os.environ.setdefault("TRITON_INTERPRET", "1")  # read when a kernel is defined
pytest.importorskip("triton", reason="needs Triton, which exists for Linux only")

from yinshi.nets.kernels import pointwise_triton  # noqa: E402

#: Of one element, relative to its size or, where small, to 1. The interpreter cuts digits off where
#: hardware rounds: one unit of the last place, 2⁻⁷ of bfloat16's 8 and 2⁻¹⁰ of float16's 11.
TOLERANCE = {
    torch.float64: 1e-12,
    torch.float32: 1e-6,
    torch.bfloat16: 2**-7,
    torch.float16: 2**-10,
}
#: Rows and H: one, odd ones, more than a block of columns.
SIZES = [(1, 1), (3, 5), (2, pointwise_triton.BLOCK + 37)]


def cell(gates: Tensor, c_prev: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(activations, c, h) of pre-activations, as docs/lstm.md defines them: (2.2) to (2.7)."""
    i, f, g, o = gates.chunk(4, dim=1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c = f * c_prev + i * g
    return torch.cat([i, f, g, o], dim=1), c, o * c.tanh()


def wide(dtype: torch.dtype) -> torch.dtype:
    """The dtype of the cell state."""
    return torch.promote_types(dtype, torch.float32)


def draw(*shape: int, dtype: torch.dtype, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(shape, generator=generator, dtype=torch.float64)
    return values.to(DEVICE, dtype)


def error(found: Tensor, expected: Tensor) -> float:
    """Largest |found - expected| / max(1, |expected|); NaN counts as wrong."""
    difference = (found.double() - expected).abs() / expected.abs().clamp(min=1)
    return float(difference.nan_to_num(torch.inf).max())


def forward_error(module: ModuleType, N: int, H: int, dtype: torch.dtype) -> float:
    gates, c_prev = draw(N, 4 * H, dtype=dtype, seed=1), draw(N, H, dtype=wide(dtype), seed=2)
    expected = cell(gates.double(), c_prev.double())
    c, h = torch.empty_like(c_prev), gates.new_empty(N, H)
    module.lstm_pointwise(gates, c_prev, c, h)
    activations = error(gates, expected[0]), error(h, expected[2])
    cells = error(c, expected[1]) * TOLERANCE[dtype] / TOLERANCE[wide(dtype)]
    return max(*activations, cells)


def activated(N: int, H: int, dtype: torch.dtype) -> Tensor:
    """Gates (N, 4H), exact in `dtype` and none of them saturated."""
    logits = draw(N, 4 * H, dtype=torch.float64, seed=1).clamp(-2, 2)
    return cell(logits, logits.new_zeros(N, H))[0].to(dtype)


def gradients(gates: Tensor, c_prev: Tensor, dh: Tensor, dc: Tensor) -> tuple[Tensor, ...]:
    """(c, dgates, dc_prev) by autograd in float64, for activated `gates`."""
    i, f, g, o = gates.double().chunk(4, dim=1)
    logits = torch.cat([i.logit(), f.logit(), g.atanh(), o.logit()], dim=1).requires_grad_()
    c_prev = c_prev.double().requires_grad_()
    _, c, h = cell(logits, c_prev)
    found = torch.autograd.grad([h, c], [logits, c_prev], [dh.double(), dc.double()])
    return c.detach(), *found


def backward_error(
    module: ModuleType, N: int, H: int, dtype: torch.dtype, in_place: bool = False
) -> float:
    gates = activated(N, H, dtype)
    c_prev, dc = (draw(N, H, dtype=wide(dtype), seed=seed) for seed in (2, 3))
    dh = draw(N, H, dtype=dtype, seed=4)
    c, expected, expected_dc = gradients(gates, c_prev, dh, dc)
    dgates = gates if in_place else torch.empty_like(gates)
    module.lstm_pointwise_backward(gates, c_prev, c.to(wide(dtype)), dh, dc, dgates)
    cells = error(dc, expected_dc) * TOLERANCE[dtype] / TOLERANCE[wide(dtype)]
    return max(error(dgates, expected), cells)


@pytest.mark.parametrize("dtype", list(TOLERANCE), ids=str)
@pytest.mark.parametrize(("N", "H"), SIZES)
def test_forward(N: int, H: int, dtype: torch.dtype) -> None:
    assert forward_error(pointwise_triton, N, H, dtype) <= TOLERANCE[dtype]


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("dtype", list(TOLERANCE), ids=str)
@pytest.mark.parametrize(("N", "H"), SIZES)
def test_backward(N: int, H: int, dtype: torch.dtype, in_place: bool) -> None:
    assert backward_error(pointwise_triton, N, H, dtype, in_place) <= TOLERANCE[dtype]


def test_step_by_hand() -> None:
    """H = 1, all pre-activations 0: gates ½, ½, 0, ½; from c = 2, c = 1 and h = ½ tanh 1."""
    gates = torch.zeros(1, 4, dtype=torch.float64, device=DEVICE)
    c_prev = torch.full((1, 1), 2.0, dtype=torch.float64, device=DEVICE)
    c, h = torch.empty_like(c_prev), torch.empty_like(c_prev)
    pointwise_triton.lstm_pointwise(gates, c_prev, c, h)
    assert gates.tolist() == [[0.5, 0.5, 0, 0.5]]
    assert c.item() == 1
    assert h.item() == pytest.approx(0.380797077977882, abs=1e-15)
    # dh = 0 and dc = 8: nothing by o; by g 8·½, by f 8·2·¼, by i 8·0; and 8·½ by c_prev.
    dh, dc = torch.zeros_like(c), torch.full_like(c, 8.0)
    pointwise_triton.lstm_pointwise_backward(gates, c_prev, c, dh, dc, gates)
    assert gates.tolist() == [[0, 4, 4, 0]]
    assert dc.item() == 4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_huge_preactivations_saturate(dtype: torch.dtype) -> None:
    huge = torch.tensor([[1e30, -1e30, 800.0, -800.0]], device=DEVICE, dtype=dtype)
    c_prev = torch.full((1, 1), 1e30, dtype=dtype, device=DEVICE)
    c, h = torch.empty_like(c_prev), torch.empty_like(c_prev)
    pointwise_triton.lstm_pointwise(huge, c_prev, c, h)
    assert huge.tolist() == [[1, 0, 1, 0]]
    assert (c.item(), h.item()) == (1, 0)


@pytest.mark.parametrize("extra_columns", [0, 3])
def test_leading_rows_of_larger_arrays(extra_columns: int) -> None:
    """Same numbers as in arrays of their own, and nothing else is touched."""
    N, H, dtype = 3, 5, torch.float64
    gates = draw(N, 4 * H, dtype=dtype, seed=1)
    rows = [draw(N, H, dtype=dtype, seed=seed) for seed in (2, 3, 4)]
    c, h = gates.new_empty(N, H), gates.new_empty(N, H)
    own = [gates, *rows, c, h]
    larger, parts = [], []
    for array in own:
        larger.append(array.new_full((N + 2, array.shape[1] + extra_columns), 7))
        parts.append(larger[-1][:N, : array.shape[1]])
        parts[-1].copy_(array)
    for gates, c_prev, dh, dc, c, h in (own, parts):
        pointwise_triton.lstm_pointwise(gates, c_prev, c, h)
        pointwise_triton.lstm_pointwise_backward(gates, c_prev, c, dh, dc, gates)
    for array, part, whole in zip(own, parts, larger, strict=True):
        assert torch.equal(array, part)
        rest = torch.ones_like(whole, dtype=torch.bool)
        rest[: len(part), : part.shape[1]] = False
        assert (whole[rest] == 7).all()


def test_h_may_be_of_another_dtype() -> None:
    """Gates and cell float32, h and its gradient bfloat16."""
    N, H = 3, 5
    gates, c_prev = (draw(N, n, dtype=torch.float32, seed=n) for n in (4 * H, H))
    _, c_expected, h_expected = cell(gates.double(), c_prev.double())
    c, h = torch.empty_like(c_prev), torch.empty_like(c_prev, dtype=torch.bfloat16)
    pointwise_triton.lstm_pointwise(gates, c_prev, c, h)
    assert error(c, c_expected) <= TOLERANCE[torch.float32]
    assert error(h, h_expected) <= TOLERANCE[torch.bfloat16]
    dc = draw(N, H, dtype=torch.float32, seed=3)
    _, expected, dc_expected = gradients(gates, c_prev, h, dc)
    pointwise_triton.lstm_pointwise_backward(gates, c_prev, c, h, dc, gates)  # dh = h
    assert error(gates, expected) <= TOLERANCE[torch.float32]
    assert error(dc, dc_expected) <= TOLERANCE[torch.float32]


MUTANTS = {
    "sigmoid of the other side": ("tl.where(x < 0, e, 1.0)", "tl.where(x > 0, e, 1.0)"),
    "tanh without its sign": ("tl.where(x < 0, -size, size)", "size"),
    "the cell forgets": ("f * c_before + i * g", "f + i * g"),
    "h without its tanh": ("o * _tanh(c_now)", "o * c_now"),
    "δc without the next step's": (" + dc_next", ""),
    "δc without 1 - tanh²": (" * (1.0 - tanh_c * tanh_c)", ""),
    "δo by dc": ("dh_now * tanh_c * o", "dc_now * tanh_c * o"),
    "δg of a sigmoid": ("(1.0 - g * g)", "g * (1.0 - g)"),
    "δf by c": ("dc_now * c_before * f", "dc_now * tanh_c * f"),
    "δi by f": ("dc_now * g * i", "dc_now * g * f"),
    "dc_prev without its gate": ("dc_now * f, inside)  # (2.29)", "dc_now, inside)"),
    "rows beyond the first": ("row * dgates_stride", "0"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_wrong_term_is_found(mutant: str, tmp_path: Path) -> None:
    """The kernels' source with one term changed must fail the comparisons above."""
    right, wrong = MUTANTS[mutant]
    source = Path(pointwise_triton.__file__).read_text(encoding="utf-8")
    assert source.count(right) == 1
    file = tmp_path / "mutant.py"
    file.write_text(source.replace(right, wrong), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("mutant", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    errors = [test(module, 3, 5, torch.float64) for test in (forward_error, backward_error)]
    assert max(errors) > 1e-3


COMPILE = """
import triton.language as tl
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from yinshi.nets.kernels.pointwise_triton import BLOCK, _backward, _forward

forward = ["*bf16", "*fp32", "*fp32", "*bf16"]
for kernel, arrays in ((_forward, forward), (_backward, [*forward, "*fp32", "*bf16"])):
    types = [*arrays, *["i32"] * (len(arrays) + 1), "constexpr", "constexpr"]
    names = [parameter.name for parameter in kernel.params]
    constants = {"precision": tl.float32, "BLOCK": BLOCK}
    source = ASTSource(kernel, dict(zip(names, types, strict=True)), constants)
    binary = compile(source, target=GPUTarget("cuda", 90, 32))
    assert "cubin" in binary.asm
    assert "bar.sync" not in binary.asm["ptx"], "threads exchange elements: in place is not safe"
"""


def test_compiles_for_hopper(tmp_path: Path) -> None:
    """The compiler may refuse what the interpreter takes; and each thread keeps to its elements."""
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    environment["TRITON_CACHE_DIR"] = str(tmp_path)
    command = [sys.executable, "-c", COMPILE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
