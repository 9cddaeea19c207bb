"""Telling glibc to keep the memory that a training step gives back.

By default a large array is mapped anew each time it is asked for, and the kernel clears its pages
one fault at a time: a good part of a step's time (docs/lab-notes.md).
"""

from __future__ import annotations

import ctypes

#: From glibc's malloc.h, see mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def tune_allocator() -> bool:
    """Serve every size from the heap, and never shrink it; False where there is no glibc.

    For the rest of the process's life.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library; Windows
        return False
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, 2**31 - 1))
