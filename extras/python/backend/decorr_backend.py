"""scikit-build-core, and for source distributions a copy of the sources of libdecorr, which are
outside of this folder in a checkout and belong into a distribution."""

from __future__ import annotations

import contextlib
import pathlib
import shutil

from scikit_build_core import build as _build
from scikit_build_core.build import *  # noqa: F401,F403

_PACKAGE = pathlib.Path(__file__).resolve().parents[1]
_COPY = _PACKAGE / "libdecorr"
_ROOT = _PACKAGE.parents[1]
# What the ordinary build of libdecorr and decorr-inspect reads.
_SOURCES = ("CMakeLists.txt", "LICENSE", "cmake", "include", "extras/CMakeLists.txt", "extras/c",
            "extras/inspect", "extras/support")
_LEFT_OUT = shutil.ignore_patterns("tests", "packaging", "__pycache__")


@contextlib.contextmanager
def _copied_sources():
    if _COPY.exists():  # this is an unpacked distribution
        yield
        return
    try:
        for source in _SOURCES:
            target = _COPY / source
            target.parent.mkdir(parents=True, exist_ok=True)
            if (_ROOT / source).is_dir():
                shutil.copytree(_ROOT / source, target, ignore=_LEFT_OUT)
            else:
                shutil.copy(_ROOT / source, target)
        yield
    finally:
        shutil.rmtree(_COPY, ignore_errors=True)


def build_sdist(sdist_directory, config_settings=None):
    """As scikit-build-core's, with the copy."""
    with _copied_sources():
        return _build.build_sdist(sdist_directory, config_settings)
