"""Giving freed memory back to the system, which the C library does not do by itself."""

import ctypes
import os
from collections.abc import Callable
from functools import cache

# From malloc.h. A fixed threshold: by default each freed block of up to 32 MiB raises it, and
# from then on the weights of models come out of heaps that a small block keeps alive.
_M_MMAP_THRESHOLD = -3
_MMAP_BYTES = 1024 * 1024
# Each thread would take a heap of its own, up to eight a core.
_M_ARENA_MAX = -8
_ARENAS = 2


def keep_heaps_few() -> None:
    """Tell the C library once, before models are loaded, to keep what is freed returnable.

    Where it is not glibc, this does nothing; what the environment says (MALLOC_ARENA_MAX,
    MALLOC_MMAP_THRESHOLD_) stands.
    """
    mallopt = _of_c_library("mallopt")
    if mallopt is None:
        return
    if "MALLOC_ARENA_MAX" not in os.environ:
        mallopt(_M_ARENA_MAX, _ARENAS)
    if "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)


def return_memory() -> None:
    """Give freed pages back to the system; milliseconds, so never on the event loop."""
    trim = _of_c_library("malloc_trim")
    if trim is not None:
        trim(0)


@cache
def _of_c_library(name: str) -> Callable[..., int] | None:
    try:
        found: Callable[..., int] | None = getattr(ctypes.CDLL(None), name, None)
    except (OSError, TypeError):
        # No C library to ask: musl has neither function, Windows no such handle.
        return None
    return found
