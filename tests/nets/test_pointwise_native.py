"""The native kernels: their exponential and tanh, their rounding, their build and its failures."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import pytest
import torch
from torch import Tensor

from yinshi.nets.kernels import native
from yinshi.nets.kernels.native import NativePointwise, native_pointwise
from yinshi.nets.lstm import LSTM
from yinshi.nets.pointwise import Pointwise, TorchPointwise, choose_pointwise

COMPILER = shutil.which("g++") or shutil.which("clang++")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="needs a C++ compiler")

#: One unit in the last place, relative.
EPSILON = {torch.float32: 2**-23, torch.bfloat16: 2**-7}
DTYPES = pytest.mark.parametrize("dtype", EPSILON, ids=str)
#: Rows and units: one, no multiple of 16, and enough to wake several threads.
SIZES = pytest.mark.parametrize(("N", "H"), [(1, 1), (3, 5), (2, 33), (70, 128)])

inf, nan = float("inf"), float("nan")


@pytest.fixture
def kernels(dtype: torch.dtype) -> Pointwise:
    return native_pointwise(dtype) or pytest.skip("needs a C++ compiler")


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def wide_range() -> Tensor:
    """Every size of a float32 and both signs, ±0 and subnormal numbers among them."""
    sizes = torch.logspace(-44, 38, 4001, dtype=torch.float64)
    dense = torch.linspace(0, 100, 20001, dtype=torch.float64)
    x = torch.cat([sizes, dense, torch.tensor([1e-45, 88.0, 88.8, 103.9, 3.4e38])])
    return torch.cat([x, -x]).float()


def activations(kernels: Pointwise, x: Tensor) -> tuple[Tensor, Tensor]:
    """σ(x) and tanh(x), both (N,), as the forward makes them of pre-activations."""
    gates, zeros = x[:, None].repeat(1, 4), x.new_zeros(len(x), 4)
    cell = torch.zeros(len(x), 1)
    kernels.lstm_forward(gates, zeros, cell, cell.clone(), torch.empty_like(gates[:, :1]))
    i, f, g, o = gates.unbind(1)
    for other in (f, o):
        torch.testing.assert_close(other, i, rtol=0, atol=0, equal_nan=True)
    return i, g


# --- Functions -----------------------------------------------------------------------------------


@DTYPES
def test_sigmoid_and_tanh_over_all_sizes(kernels: Pointwise, dtype: torch.dtype) -> None:
    x = wide_range().to(dtype)
    x = x[x.isfinite()]
    sigmoid, tanh = (part.double() for part in activations(kernels, x))
    true_sigmoid, true_tanh = x.double().sigmoid(), x.double().tanh()
    # Below e^-87 the sigmoid stays at e^-88; between 0.1 and 1 tanh is a difference.
    ordinary = x > -87
    off = ((sigmoid - true_sigmoid) / true_sigmoid)[ordinary].abs().max().item()
    assert off <= {torch.float32: 4, torch.bfloat16: 0.51}[dtype] * EPSILON[dtype]
    assert sigmoid[~ordinary].max() <= 2e-38
    off = ((tanh - true_tanh).abs() / true_tanh.abs().clamp(min=1e-44)).max().item()
    assert off <= {torch.float32: 12, torch.bfloat16: 0.51}[dtype] * EPSILON[dtype]
    assert tanh.abs().max() <= 1
    assert sigmoid.max() <= 1
    assert (sigmoid > 0).all()


@DTYPES
def test_sigmoid_and_tanh_where_they_are_exact(kernels: Pointwise, dtype: torch.dtype) -> None:
    x = torch.tensor([0.0, -0.0, inf, -inf, nan, 3e38, -3e38], dtype=dtype)
    sigmoid, tanh = activations(kernels, x)
    torch.testing.assert_close(
        sigmoid.float(),
        torch.tensor([0.5, 0.5, 1, 0, nan, 1, 0]),
        rtol=0,
        atol=1e-38,
        equal_nan=True,
    )
    expected = torch.tensor([0.0, 0, 1, -1, nan, 1, -1])
    torch.testing.assert_close(tanh.float(), expected, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.float32])
def test_functions_rise(kernels: Pointwise) -> None:
    """No step down by more than the last place, where a series takes over from a quotient."""
    x = torch.linspace(-0.2, 0.2, 100_001)
    for values in activations(kernels, x):
        assert values.diff().min() >= -2 * EPSILON[torch.float32]


@pytest.mark.parametrize("dtype", [torch.float32])
def test_exponential(kernels: Pointwise) -> None:
    """Of two logits 0 and x: nats log(1 + e^x), gradient e^x / (1 + e^x)."""
    x = torch.linspace(-87, 0, 50_001)
    logits = torch.stack([torch.zeros_like(x), x], dim=1)
    nats = kernels.cross_entropy(logits, torch.zeros(len(x), dtype=torch.int64))
    truth = x.double().sigmoid()
    assert ((logits[:, 1] - truth) / truth).abs().max() <= 4 * EPSILON[torch.float32]
    assert (nats - x.double().exp().log1p()).abs().max() <= 2 * EPSILON[torch.float32]


@pytest.mark.parametrize("dtype", [torch.bfloat16])
def test_bfloat16_is_rounded_to_nearest_even(kernels: Pointwise) -> None:
    """With i = 0, f = 1 and o = 1/2, h is tanh(c) / 2: the float32 kernel says what to round."""
    single = native_pointwise(torch.float32)
    assert single is not None
    c_prev = torch.linspace(-3, 3, 5000)[:, None]
    rounded, exact = (torch.zeros(5000, 1, dtype=dtype) for dtype in (torch.bfloat16, torch.float))
    for kernel, h in ((kernels, rounded), (single, exact)):
        gates = torch.tensor([-100.0, 100, 0, 0], dtype=h.dtype).repeat(5000, 1)
        cell = torch.empty(5000, 1)
        kernel.lstm_forward(gates, torch.zeros_like(gates), c_prev, cell, h)
    assert torch.equal(rounded, exact.to(torch.bfloat16))
    assert not torch.equal(
        rounded, (exact.view(torch.int32) & ~0xFFFF).view(torch.float).bfloat16()
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16])
def test_bfloat16_ties_go_to_even(kernels: Pointwise) -> None:
    """p − 1 of logits that are alike: −(1 − 1/V) for V = 512 lies halfway between two bfloat16s.

    1/512 − 1 = −0.998046875 = −(1 − 2⁻⁹), between −1 and −(1 − 2⁻⁸): the even one is −1.
    """
    logits = torch.zeros(1, 512, dtype=torch.bfloat16)
    kernels.cross_entropy(logits, torch.tensor([3]))
    assert torch.tensor(1 / 512 - 1).bfloat16().item() == -1
    assert logits[0, 3].item() == -1
    assert logits[0, 4].item() == 1 / 512


# --- Kernels beside their definition in PyTorch --------------------------------------------------


def assert_near(found: Tensor, expected: Tensor) -> None:
    """float32 to a few units in the last place; bfloat16 is that, rounded once."""
    rounding = {torch.float32: 0.0, torch.bfloat16: EPSILON[torch.bfloat16] / 2}[found.dtype]
    few = 8 * EPSILON[torch.float32]
    torch.testing.assert_close(found.double(), expected, rtol=rounding + few, atol=few)


@DTYPES
@SIZES
def test_forward(kernels: Pointwise, dtype: torch.dtype, N: int, H: int) -> None:
    gates, recurrent = draw(N, 4 * H).to(dtype), draw(N, 4 * H, seed=1).to(dtype)
    c_prev = draw(N, H, seed=2).float()
    before = recurrent.clone(), c_prev.clone()
    c, h = torch.empty(N, H), torch.empty(N, H, dtype=dtype)
    truth = [gates.double(), torch.empty(N, H).double(), torch.empty(N, H).double()]
    TorchPointwise().lstm_forward(truth[0], recurrent.double(), c_prev.double(), *truth[1:])
    kernels.lstm_forward(gates, recurrent, c_prev, c, h)
    for found, expected in zip((gates, c, h), truth, strict=True):
        assert_near(found, expected)
    assert torch.equal(recurrent, before[0])
    assert torch.equal(c_prev, before[1])


@DTYPES
@SIZES
@pytest.mark.parametrize("in_place", [False, True])
def test_backward(kernels: Pointwise, dtype: torch.dtype, N: int, H: int, in_place: bool) -> None:
    gates = draw(N, 4 * H).sigmoid().to(dtype)
    c_prev, c = draw(N, H, seed=1).float(), draw(N, H, seed=2).float()
    dh, dc = draw(N, H, seed=3).to(dtype), draw(N, H, seed=4).float()
    true_dc, true_dgates = dc.double(), torch.empty(N, 4 * H).double()
    inputs = (gates.double(), c_prev.double(), c.double(), dh.double())
    TorchPointwise().lstm_backward(*inputs, true_dc, true_dgates)
    dgates = gates if in_place else torch.empty_like(gates)
    kernels.lstm_backward(gates, c_prev, c, dh, dc, dgates)
    assert_near(dgates, true_dgates)
    assert_near(dc, true_dc)


@DTYPES
@pytest.mark.parametrize(("N", "V"), [(1, 1), (3, 7), (5, 33), (4, 7001)])
def test_cross_entropy(kernels: Pointwise, dtype: torch.dtype, N: int, V: int) -> None:
    logits = (4 * draw(N, V)).to(dtype)
    targets = torch.arange(N) % V
    gradient = logits.double()
    nats = TorchPointwise().cross_entropy(gradient, targets)
    found = kernels.cross_entropy(logits, targets)
    assert_near(logits, gradient)
    torch.testing.assert_close(found.double(), nats, rtol=2e-6, atol=1e-6)


@DTYPES
@pytest.mark.parametrize("place", [0, 1, 16, 40])
def test_nan_stays(kernels: Pointwise, dtype: torch.dtype, place: int) -> None:
    """In a row of logits wherever it stands; in the cell at its own unit only."""
    logits = draw(2, 41).to(dtype)
    logits[1, place] = nan
    nats = kernels.cross_entropy(logits, torch.tensor([5, 6]))
    assert nats.isnan().tolist() == [False, True]
    gates, c_prev = draw(2, 4 * 41).to(dtype), draw(2, 41).float()
    c_prev[1, place] = nan
    c, h = torch.empty(2, 41), torch.empty(2, 41, dtype=dtype)
    kernels.lstm_forward(gates, torch.zeros_like(gates), c_prev, c, h)
    assert c.isnan().nonzero().tolist() == h.isnan().nonzero().tolist() == [[1, place]]


@DTYPES
def test_threads_change_nothing(kernels: Pointwise, dtype: torch.dtype) -> None:
    def run(threads: int) -> list[Tensor]:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        gates, c_prev = draw(70, 4 * 128).to(dtype), draw(70, 128).float()
        c, h, dgates = torch.empty_like(c_prev), c_prev.to(dtype), torch.empty_like(gates)
        kernels.lstm_forward(gates, gates.clone(), c_prev, c, h)
        dc = c.clone()
        kernels.lstm_backward(gates, c_prev, c, h, dc, dgates)
        logits = draw(70, 300).to(dtype)
        nats = kernels.cross_entropy(logits, torch.arange(70))
        torch.set_num_threads(before)
        return [gates, c, h, dc, dgates, logits, nats]

    assert all(torch.equal(a, b) for a, b in zip(run(1), run(2), strict=True))


@DTYPES
def test_no_rows(kernels: Pointwise, dtype: torch.dtype) -> None:
    assert kernels.cross_entropy(torch.empty(0, 5, dtype=dtype), torch.empty(0).long()).numel() == 0


# --- Controls ------------------------------------------------------------------------------------

MUTATIONS = [
    ("forget * before[k] + in * candidate", "forget * before[k] + candidate"),
    ("dsum * in * (1 - candidate * candidate)", "dsum * in * (1 - candidate)"),
    ("load(z[targets[row]]) - 1", "load(z[targets[row]])"),
    ("dcell[k] = dsum * forget;", ""),
    ("dcell[k] + d * out * (1 - t * t)", "d * out * (1 - t * t)"),
    ("dsum * before[k] * forget * (1 - forget)", "dsum * cell[k] * forget * (1 - forget)"),
    ("std::log(sum) + (largest - wanted)", "std::log(sum) - wanted"),
    ("(bits + 0x7fff + ((bits >> 16) & 1)) >> 16", "bits >> 16"),
    ("1.0f / 24", "1.0f / 23"),
    ("s < 0.01f ? series", "s < 1.0f ? series"),
]


@needs_compiler
def test_a_wrong_term_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of these alone fails a test above. Without optimisation they are quickly built."""
    flags = [flag for flag in native.FLAGS if flag not in ("-O3", "-march=native")]
    monkeypatch.setattr(native, "FLAGS", (*flags, "-O0"))
    source = resources.files("yinshi.nets.kernels").joinpath("pointwise.cpp").read_text("utf-8")
    unseen = []
    for number, (original, replacement) in enumerate([("", ""), *MUTATIONS]):
        assert not original or source.count(original) == 1, f"{original}: change the control"
        code = source.replace(original, replacement) if original else source
        library = native.ctypes.CDLL(str(_built(code, tmp_path / f"{number}.so")))
        if not _fails(library):
            unseen.append(original)
    assert unseen == [""], "the right source passes, and it alone"


def _built(code: str, to: Path) -> Path:
    assert COMPILER is not None
    native._build(COMPILER, code.encode(), to)
    return to


def _fails(library: native.ctypes.CDLL) -> bool:
    try:
        for dtype in EPSILON:
            kernels = NativePointwise(library, str(dtype).removeprefix("torch."))
            test_forward(kernels, dtype, 3, 5)
            test_backward(kernels, dtype, 3, 5, in_place=False)
            test_cross_entropy(kernels, dtype, 3, 7)
            test_sigmoid_and_tanh_over_all_sizes(kernels, dtype)
    except AssertionError:
        return True
    return False


# --- Building ------------------------------------------------------------------------------------


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache of kernels, on disk and in this process."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _forget()
    yield tmp_path / "cache" / "yinshi" / "kernels"
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    native._library.cache_clear()
    choose_pointwise.cache_clear()


def numbers() -> Tensor:
    """Outputs and a gradient of a small layer, by whatever kernels are chosen."""
    torch.manual_seed(3)
    layer = LSTM(4, 9, 2)
    outputs, _ = layer(torch.randn(6, 3, 4), lengths=[6, 4, 1])
    outputs.square().sum().backward()
    assert layer.weight_hh_l0.grad is not None
    return torch.cat([outputs.detach().flatten(), layer.weight_hh_l0.grad.flatten()])


@pytest.fixture(scope="module")
def with_kernels() -> Tensor:
    return numbers()


@needs_compiler
def test_built_once_and_kept(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(choose_pointwise("cpu", torch.float32), NativePointwise)
    assert isinstance(choose_pointwise("cpu", torch.bfloat16), NativePointwise)
    assert isinstance(choose_pointwise("cpu", torch.float64), TorchPointwise)
    (library,) = fresh.iterdir()
    built = library.stat().st_mtime_ns
    _forget()
    monkeypatch.setattr(native, "_build", lambda *_: pytest.fail("built again"))
    assert isinstance(choose_pointwise("cpu", torch.float32), NativePointwise)
    assert library.stat().st_mtime_ns == built


@needs_compiler
def test_other_flags_are_another_library(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    native._library()
    _forget()
    monkeypatch.setattr(native, "FLAGS", (*native.FLAGS, "-O1"))
    native._library()
    assert len(list(fresh.iterdir())) == 2


def _no_compiler(fresh: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(shutil, "which", lambda name: None)


def _compile_error(fresh: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(native, "FLAGS", (*native.FLAGS, "-Dfloat=int*"))


def _no_target(fresh: Path, patch: pytest.MonkeyPatch) -> None:
    """As of a compiler that does not know this processor."""
    patch.setattr(shutil, "which", lambda name: "/usr/bin/false")


def _vanished(fresh: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(shutil, "which", lambda name: "/nonexistent/g++")


def _folder_is_a_file(fresh: Path, patch: pytest.MonkeyPatch) -> None:
    fresh.parents[1].write_text("not a folder")


def _read_only(fresh: Path, patch: pytest.MonkeyPatch) -> None:
    """Also for root, whom no permission stops."""

    def mkdir(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    patch.setattr(Path, "mkdir", mkdir)


def _full_disk(fresh: Path, patch: pytest.MonkeyPatch) -> None:
    def write_bytes(*_: object) -> None:
        raise OSError(28, "No space left on device")

    patch.setattr(Path, "write_bytes", write_bytes)


def _damaged(fresh: Path, patch: pytest.MonkeyPatch) -> None:
    def build(compiler: str, source: bytes, to: Path) -> None:
        to.parent.mkdir(parents=True)
        to.write_bytes(b"not a library")

    patch.setattr(native, "_build", build)


def _nobody_is_at_home(fresh: Path, patch: pytest.MonkeyPatch) -> None:
    """As in a container whose user has no entry."""

    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    patch.delenv("XDG_CACHE_HOME")
    patch.setattr(Path, "home", home)


@pytest.mark.parametrize(
    "trouble",
    [
        _no_compiler,
        _compile_error,
        _no_target,
        _vanished,
        _folder_is_a_file,
        _read_only,
        _full_disk,
        _damaged,
        _nobody_is_at_home,
    ],
)
def test_without_them_pytorch_does_the_work(
    trouble: Callable[[Path, pytest.MonkeyPatch], None],
    with_kernels: Tensor,
    fresh: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    trouble(fresh, monkeypatch)
    assert isinstance(choose_pointwise("cpu", torch.float32), TorchPointwise)
    torch.testing.assert_close(numbers(), with_kernels, rtol=1e-5, atol=1e-6)
    assert capfd.readouterr() == ("", "")


@needs_compiler
def test_processes_may_build_at_once(tmp_path: Path) -> None:
    """Started together on an empty cache: each gets the kernels, and one library is left."""
    code = "from yinshi.nets.kernels.native import *; print(native_pointwise(torch.float32))"
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    processes = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120)[0].decode() for process in processes]
    assert all("NativePointwise" in output for output in outputs)
    assert len(list((tmp_path / "yinshi" / "kernels").iterdir())) == 1
