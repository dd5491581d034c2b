"""decorr for Python: the losses and gradients of libdecorr on NumPy arrays, through ctypes.

    import decorr
    import numpy

    z_a, z_b = numpy.random.default_rng(0).standard_normal((2, 256, 2048), dtype=numpy.float32)
    grad_a, grad_b = numpy.empty_like(z_a), numpy.empty_like(z_b)
    loss = decorr.barlow_twins_loss(z_a, z_b, grad_a, grad_b)
    loss.value == loss.diagonal + loss.off_diagonal
    decorr.barlow_twins_loss(z_a, z_b, grad_a)  # z_b is a teacher's: no gradient, nor its cost

Matrices are NumPy arrays of two dimensions, n x d, a row a sample: float32, float64, float16, or
the bfloat16 of ml_dtypes; 16-bit types are computed in float32. Any strides are read and written in
place, without a copy: transposed, sliced and reversed views, and for inputs broadcast ones. Inputs
may be read-only. Gradients have the shape of their inputs, are float64 where these are, else
float32 or a 16-bit type, are overwritten, and may overlap neither the inputs nor each other. None,
the default, in a gradient's place leaves that view without one, and what is computed for it alone
is not paid for.

Several views of the same samples, as of multi-crop training: barlow_twins_loss_of_views and
vicreg_loss_of_views. A batch whose rows come in parts has classes of its own, BarlowTwinsBatch for one, and one that
several processes hold together Execution(sum=...).

Errors. ValueError for arguments that do not fit, with the argument and what is expected, and the
function where libdecorr finds it out; TypeError for what is no matrix of floating-point numbers; MemoryError; RuntimeError where
FFTW makes no plan or a file cannot be read or written, and CollectiveError, which is one, where
another process has failed. Outputs are then untouched, but where several processes compute a
standardized Barlow Twins and its last sum fails. The name of the argument alone is the
ValueError's or TypeError's `argument`.

Threads. All functions may be called from several threads at once, and leave Python's other threads
running while they compute.

The library is looked for, in this order: the file that the environment variable DECORR_LIBRARY
names, and no other if it is set; in this package's folder, where pip puts it, and beside that
folder; in lib/ of the prefix where share/decorr/python/ has this package, as cmake --install leaves
them; in the folders build/python, build/release and build of the clone of decorr that this file is
in; where the system keeps its libraries.

decorr.torch has the losses for PyTorch. `python -m decorr.inspect file.npy` tells of saved
embeddings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING as _TYPE_CHECKING

from ._interface import CollectiveError
from ._options import BarlowTwinsOptions, Exact, Execution, Regularizer, Relaxed, VicregOptions
from ._losses import (
    BarlowTwinsTerms, VarianceCovarianceTerms, VicregTerms, barlow_twins_loss,
    barlow_twins_loss_of_views, r_off, r_sum, sumvec, variance_covariance_loss, vicreg_loss,
    vicreg_loss_of_views)
from ._batches import (
    BarlowTwinsBatch, RegularizerBatch, SumvecBatch, VarianceCovarianceBatch, VicregBatch)
from ._randomization import (
    BarlowTwinsPreset, Generator, VicregPreset, barlow_twins_preset, random_permutation,
    random_signs, recommended, vicreg_preset)
from ._plans import (
    cached_plans, clear_plans, clear_workspaces, cpu, has_threads, load_wisdom, planner_lock,
    save_wisdom, set_workspace_limit, version)

__all__ = [
    "BarlowTwinsBatch", "BarlowTwinsOptions", "BarlowTwinsPreset", "BarlowTwinsTerms",
    "CollectiveError", "Exact", "Execution", "Generator", "Regularizer", "RegularizerBatch",
    "Relaxed", "SumvecBatch", "VarianceCovarianceBatch", "VarianceCovarianceTerms", "VicregBatch",
    "VicregOptions", "VicregPreset", "VicregTerms", "barlow_twins_loss",
    "barlow_twins_loss_of_views", "barlow_twins_preset",
    "cached_plans", "clear_plans", "clear_workspaces", "cpu", "has_threads", "load_wisdom",
    "planner_lock", "r_off", "r_sum", "random_permutation", "random_signs", "recommended",
    "save_wisdom", "set_workspace_limit", "sumvec", "variance_covariance_loss", "version",
    "vicreg_loss", "vicreg_loss_of_views", "vicreg_preset",
]

# What callers see in messages, pickles and help() is where they have it from.
for _name in __all__:
    if _name != "Regularizer":
        globals()[_name].__module__ = __name__
del _name

if _TYPE_CHECKING:
    __version__: str


def __getattr__(name: str) -> str:
    # Asks the library, which is loaded with the first call of any function.
    if name == "__version__":
        return version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
