"""glibc's allocator keeps what it is told to keep."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from yinshi.training.allocator import tune_allocator

#: Page faults of touching 40 MB twice, the array being given back in between.
PROGRAM = """
import resource, sys
import numpy as np
from yinshi.training.allocator import tune_allocator

if sys.argv[1] == "tuned":
    assert tune_allocator()
np.ones(5_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(5_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(allocator: str) -> int:
    command = [sys.executable, "-c", PROGRAM, allocator]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="needs glibc")
def test_memory_is_kept() -> None:
    assert page_faults("tuned") < 10
    assert page_faults("as it comes") > 10


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert not tune_allocator()
