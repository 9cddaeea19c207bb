"""pointwise.cpp, compiled where there is a compiler, for the processor that it runs on.

Without one, on a system where it fails, or for float64, PyTorch's operations do the work.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from importlib import resources
from pathlib import Path

import torch
from torch import Tensor

from yinshi.nets.pointwise import Pointwise

#: `-fno-…`: what else would keep `exp` and `max` from becoming vector code. NaN and infinity keep
#: their meaning, as -ffast-math would not have it.
FLAGS = (
    *("-O3", "-march=native", "-fopenmp", "-shared", "-fPIC"),
    *("-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros"),
)


class NativePointwise:
    """Implements `Pointwise` for contiguous CPU tensors of one dtype."""

    def __init__(self, library: ctypes.CDLL, dtype: str) -> None:
        self._forward = getattr(library, f"lstm_forward_{dtype}")
        self._backward = getattr(library, f"lstm_backward_{dtype}")
        self._cross_entropy = getattr(library, f"cross_entropy_{dtype}")

    def lstm_forward(
        self, gates: Tensor, recurrent: Tensor, c_prev: Tensor, c: Tensor, h: Tensor
    ) -> None:
        self._forward(*_shape(h), *_pointers(gates, recurrent, c_prev, c, h), _threads())

    def lstm_backward(
        self, gates: Tensor, c_prev: Tensor, c: Tensor, dh: Tensor, dc: Tensor, dgates: Tensor
    ) -> None:
        self._backward(*_shape(dh), *_pointers(gates, c_prev, c, dh, dc, dgates), _threads())

    def cross_entropy(self, logits: Tensor, targets: Tensor) -> Tensor:
        assert targets.dtype == torch.int64
        nats = torch.empty(len(targets))
        self._cross_entropy(*_shape(logits), *_pointers(logits, targets, nats), _threads())
        return nats


def native_pointwise(dtype: torch.dtype) -> Pointwise | None:
    """The kernels for `dtype`, None where they can't be had."""
    name = {torch.float32: "float32", torch.bfloat16: "bfloat16"}.get(dtype)
    library = _library() if name else None
    return NativePointwise(library, name) if library and name else None


@cache
def _library() -> ctypes.CDLL | None:
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        return None
    source = resources.files("yinshi.nets.kernels").joinpath("pointwise.cpp").read_bytes()
    try:
        target = _run(compiler, "-march=native", "-dM", "-E", "-x", "c++", os.devnull)
        key = hashlib.sha256(source + target + " ".join(FLAGS).encode()).hexdigest()[:16]
        built = _cache_folder() / f"pointwise-{key}.so"
        if not built.exists():
            _build(compiler, source, built)
        return ctypes.CDLL(str(built))
    except (OSError, RuntimeError, subprocess.CalledProcessError):  # RuntimeError: no home folder
        return None


def _build(compiler: str, source: bytes, to: Path) -> None:
    """Compile into a temporary folder, then move: two processes may build at once."""
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=to.parent) as folder:
        code, result = Path(folder) / "pointwise.cpp", Path(folder) / "pointwise.so"
        code.write_bytes(source)
        _run(compiler, *FLAGS, str(code), *_openmp(), "-o", str(result))
        result.replace(to)


def _openmp() -> list[str]:
    """PyTorch's own OpenMP: a second one would wake a second set of threads."""
    return [str(path) for path in (Path(torch.__file__).parent / "lib").glob("libgomp*.so*")]


def _run(*command: str) -> bytes:
    return subprocess.run(command, check=True, capture_output=True).stdout


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "yinshi" / "kernels"


def _shape(rows: Tensor) -> tuple[ctypes.c_int64, ctypes.c_int64]:
    return ctypes.c_int64(rows.shape[0]), ctypes.c_int64(rows.shape[1])


def _pointers(*tensors: Tensor) -> list[ctypes.c_void_p]:
    assert all(tensor.is_contiguous() for tensor in tensors)
    return [ctypes.c_void_p(tensor.data_ptr()) for tensor in tensors]


def _threads() -> int:
    return torch.get_num_threads()
