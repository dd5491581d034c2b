"""Plans, workspaces, and what the library says of itself."""

from __future__ import annotations

import contextlib
import ctypes
import os
from typing import TYPE_CHECKING, Iterator, Union

import numpy

from ._interface import _FLOAT32, _FLOAT64, _call, _library, _refusal
from ._arguments import _ELEMENT_TYPES, _integer

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]


@contextlib.contextmanager
def planner_lock() -> Iterator[None]:
    """The lock that the library holds around FFTW's planner, which is not thread-safe:

        with decorr.planner_lock():
            ...  # planner calls of your own

    Meanwhile this thread calls nothing else here: what would wait for the lock raises ValueError.
    """
    _call("lock_planner")
    try:
        yield
    finally:
        _call("unlock_planner")


def clear_plans() -> None:
    """Empties the library's cache of FFT plans."""
    _call("clear_plans")


def cached_plans() -> int:
    """The number of FFT plans in the cache, 0 to 64."""
    count = ctypes.c_int64()
    _call("cached_plans", count)
    return count.value


def clear_workspaces() -> None:
    """Frees the workspaces that the library keeps between calls."""
    _call("clear_workspaces")


def set_workspace_limit(bytes: int) -> int:  # pylint: disable=redefined-builtin
    """How many bytes of workspace the library keeps between calls at most, 64 MiB unless told
    otherwise; returns what it was."""
    before = ctypes.c_uint64()
    _call("set_workspace_limit", _integer("bytes", bytes, signed=False), before)
    return before.value


def _wisdom(function: str, path: Path, dtype: DTypeLike) -> None:
    element_type = _ELEMENT_TYPES.get(numpy.dtype(dtype).name)
    if element_type not in (_FLOAT32, _FLOAT64):
        raise _refusal(ValueError, "dtype", f" is {numpy.dtype(dtype)}, expected float32 or "
                                            "float64")
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise _refusal(ValueError, "path", f" is {path!r}, which has a null character")
    _call(function, element_type, encoded)


def save_wisdom(path: Path, dtype: DTypeLike = numpy.float32) -> None:
    """Writes FFTW's wisdom for float32 or float64 to a file; RuntimeError where it cannot."""
    _wisdom("save_wisdom", path, dtype)


def load_wisdom(path: Path, dtype: DTypeLike = numpy.float32) -> None:
    """Adds FFTW's wisdom for float32 or float64 from a file; RuntimeError where it cannot."""
    _wisdom("load_wisdom", path, dtype)


# ---- The library

def version() -> str:
    """The library's version, "major.minor.patch"."""
    return _library.decorr_version().decode()


def cpu() -> str:
    """Which loops the library runs on this processor: "baseline", "avx2" or "avx512"."""
    return _library.decorr_cpu().decode()


def has_threads() -> bool:
    """Whether Execution.threads has an effect: the library was compiled with OpenMP."""
    return bool(_library.decorr_has_threads())
