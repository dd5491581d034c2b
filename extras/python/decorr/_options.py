"""Options, regularizers and execution: what callers make, and as the C interface's structs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Optional, Union

import numpy

from ._interface import (
    _BarlowTwinsOptions, _COVARIANCE_SCALINGS, _EXACT, _Execution, _PLANNINGS, _RELAXED,
    _Regularizer, _VicregOptions, _refusal)
from ._arguments import _boolean, _choice, _integer, _integers, _real, _type_name


@dataclass(frozen=True)
class BarlowTwinsOptions:
    """loss = scale * ( sum_i (1 - C_ii)^2 + lambda_ * R(C) ).

    The defaults are those of facebookresearch/barlowtwins. `epsilon` is added to the biased
    variance under the root; `standardize=False` takes the inputs as they are.
    """

    lambda_: float = 0.0051
    scale: float = 1.0
    epsilon: float = 1e-5
    standardize: bool = True

    def _struct(self) -> _BarlowTwinsOptions:
        return _BarlowTwinsOptions(_real("lambda_", self.lambda_), _real("scale", self.scale),
                                   _real("epsilon", self.epsilon),
                                   _boolean("standardize", self.standardize), 0)


@dataclass(frozen=True)
class VicregOptions:
    """loss = scale * ( invariance * mean((A - B)^2) + variance * V
    + covariance * (R(K_A) + R(K_B)) / d ).

    The defaults are those of facebookresearch/vicreg. V is the average over the views of
    mean_j max(0, gamma - sqrt(var_j + epsilon)), var unbiased; their sum with `sum_variance`.
    `covariance_scaling` is "per_dimension" or "block_mean", see options.hpp.
    """

    invariance: float = 25.0
    variance: float = 25.0
    covariance: float = 1.0
    gamma: float = 1.0
    epsilon: float = 1e-4
    scale: float = 1.0
    sum_variance: bool = False
    covariance_scaling: str = "per_dimension"

    def _struct(self) -> _VicregOptions:
        names = "invariance", "variance", "covariance", "gamma", "epsilon", "scale"
        return _VicregOptions(
            *(_real(name, getattr(self, name)) for name in names),
            _boolean("sum_variance", self.sum_variance),
            _choice("covariance_scaling", self.covariance_scaling, _COVARIANCE_SCALINGS))


@dataclass(frozen=True)
class Exact:
    """The exact regularizer R_off(C) = sum over i != j of C_ij^2, in O(n d min(n, d))."""

    def _struct(self) -> _Regularizer:
        return _Regularizer(form=_EXACT, exponent=2)


@dataclass(frozen=True, eq=False)
class Relaxed:
    """The relaxed regularizer, sum over lags i of |sumvec(C)_i|^exponent, in O(n d log d).

    `exponent` is 1 or 2; `block_size` is the number of features in a block, 0 for a single block.
    `permutation` and the signs of both views are None, or d integers that are copied for the call
    unless they are int64 and int8 arrays: the permutation has 0 to d-1 once each, signs are +1 and
    -1. Weights do not carry over between the forms; with signs that are drawn anew for every batch
    and exponent 2 those of the exact regularizer do.
    """

    exponent: int = 2
    block_size: int = 0
    permutation: Any = None
    signs_a: Any = None
    signs_b: Any = None

    def _struct(self) -> _Regularizer:
        struct = _Regularizer(form=_RELAXED, exponent=_integer("exponent", self.exponent, 32),
                              block_size=_integer("block_size", self.block_size))
        kept = []
        for name, dtype in (("permutation", numpy.int64), ("signs_a", numpy.int8),
                            ("signs_b", numpy.int8)):
            if getattr(self, name) is None:
                continue
            array = _integers(name, getattr(self, name), dtype)
            kept.append(array)
            setattr(struct, name, array.ctypes.data)
            setattr(struct, f"{name}_size", array.size)
        struct.kept = kept  # the arrays live as long as the struct that points to them
        return struct


Regularizer = Union[Exact, Relaxed]


@dataclass(frozen=True)
class Execution:
    """How a call is carried out, and with whom.

    `threads` is at least 1, and results are the same for any number. `planning` is how long FFTW
    searches for its plans at the first call for a length: "estimate", whose results alone repeat
    bit for bit from run to run, "measure" or "patient".

    With `sum` several processes hold the batch together: it replaces the numbers of a float64
    array, in place, by their sums over all of them, the same on each bit for bit. All processes
    make the call, with the same settings and each with its own rows, perhaps none. Values are then
    those of the whole batch, gradients those of its loss by this process's rows: a trainer that
    averages gradients over P processes multiplies them by P. With mpi4py:

        def sum_over_processes(numbers):
            MPI.COMM_WORLD.Allreduce(MPI.IN_PLACE, numbers)

    What a process raises before the first sum ends the call on all of them, and so does another
    process's failure, with a CollectiveError; what `sum` raises, the call raises.
    """

    threads: int = 1
    planning: str = "measure"
    sum: Optional[Callable[[numpy.ndarray], None]] = None

    def _struct(self) -> _Execution:
        struct = _Execution(_integer("threads", self.threads, 32),
                            _choice("planning", self.planning, _PLANNINGS))
        if self.sum is not None:
            if not callable(self.sum):
                raise _refusal(TypeError, "sum", f" is {self.sum!r}, expected a function")
            struct.sum_by(self.sum)
        return struct


def _optional(name: str, value: Any, *types: type[Any]) -> Any:
    """The struct of options; None, which means the defaults, for None."""
    if value is None:
        return None
    if not isinstance(value, types):
        raise _refusal(TypeError, name, f" is a {_type_name(value)}, expected " +
                       " or ".join(f"decorr.{each.__name__}" for each in types))
    return value._struct()
