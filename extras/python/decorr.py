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

A batch whose rows come in parts has classes of its own, BarlowTwinsBatch for one, and one that several
processes hold together Execution(sum=...).

Errors. ValueError for arguments that do not fit, with the function, the argument and what is
expected; TypeError for what is no matrix of floating-point numbers; MemoryError; RuntimeError where
FFTW makes no plan or a file cannot be read or written, and CollectiveError, which is one, where
another process has failed. Outputs are then untouched. The name of the argument alone is the
ValueError's or TypeError's `argument`.

Threads. All functions may be called from several threads at once, and leave Python's other threads
running while they compute.

The library is looked for, in this order: the file that the environment variable DECORR_LIBRARY
names, and no other if it is set; beside this file; in the folders build/python, build/release and
build of the clone of decorr that this file is in; where the system keeps its libraries.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import numbers
import operator
import os
import pathlib
import re
import sys
import threading
import weakref
from dataclasses import dataclass
from typing import Any, Callable, NamedTuple, Optional, Union

import numpy

__all__ = [
    "BarlowTwinsBatch", "BarlowTwinsOptions", "BarlowTwinsPreset", "BarlowTwinsTerms",
    "CollectiveError", "Exact", "Execution", "Generator", "RegularizerBatch", "Relaxed",
    "SumvecBatch", "VarianceCovarianceBatch", "VarianceCovarianceTerms", "VicregBatch",
    "VicregOptions", "VicregPreset", "VicregTerms", "barlow_twins_loss", "barlow_twins_preset",
    "cached_plans", "clear_plans", "clear_workspaces", "cpu", "has_threads", "load_wisdom",
    "planner_lock", "r_off", "r_sum", "random_permutation", "random_signs", "save_wisdom",
    "set_workspace_limit", "sumvec", "variance_covariance_loss", "version", "vicreg_loss",
    "vicreg_preset",
]

# ---- The C interface: include/decorr/c_api.h, in its order.

_OK, _INVALID_ARGUMENT, _OUT_OF_MEMORY, _FAILED, _INTERNAL, _COLLECTIVE = range(6)
_FLOAT32, _FLOAT64, _FLOAT16, _BFLOAT16 = range(1, 5)
_EXACT, _RELAXED = range(2)
_COVARIANCE_SCALINGS = {"per_dimension": 0, "block_mean": 1}
_PLANNINGS = {"estimate": 0, "measure": 1, "patient": 2}
_GRADIENTS = {"none": 0, "a": 1, "b": 2, "both": 3}
_PRESETS = {"exact": 0, "exact_solo_learn": 1, "exact_solo_learn_2048": 2,
            "exact_solo_learn_8192": 3, "relaxed_2048": 4, "relaxed_8192": 5, "random_signs": 6}
_BARLOW_TWINS_PRESETS = {name: number for name, number in _PRESETS.items()
                         if name != "exact_solo_learn"}
_VICREG_PRESETS = {name: number for name, number in _PRESETS.items()
                   if name not in ("exact_solo_learn_2048", "exact_solo_learn_8192")}

_Status = ctypes.c_int32
_Sum = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_double),
                        ctypes.c_size_t)


class _Struct(ctypes.Structure):
    """A struct whose first field is its size."""

    def __init__(self, *fields, **named_fields):
        super().__init__(ctypes.sizeof(self), *fields, **named_fields)


class _Input(_Struct):
    _fields_ = [("size", ctypes.c_size_t), ("data", ctypes.c_void_p), ("type", ctypes.c_int32),
                ("reserved", ctypes.c_int32), ("rows", ctypes.c_int64), ("cols", ctypes.c_int64),
                ("row_stride", ctypes.c_int64), ("col_stride", ctypes.c_int64)]


class _Output(_Struct):
    _fields_ = _Input._fields_


class _BarlowTwinsOptions(_Struct):
    _fields_ = [("size", ctypes.c_size_t), ("lambda", ctypes.c_double), ("scale", ctypes.c_double),
                ("epsilon", ctypes.c_double), ("standardize", ctypes.c_int32),
                ("reserved", ctypes.c_int32)]


class _VicregOptions(_Struct):
    _fields_ = [("size", ctypes.c_size_t), ("invariance", ctypes.c_double),
                ("variance", ctypes.c_double), ("covariance", ctypes.c_double),
                ("gamma", ctypes.c_double), ("epsilon", ctypes.c_double),
                ("scale", ctypes.c_double), ("sum_variance", ctypes.c_int32),
                ("covariance_scaling", ctypes.c_int32)]


class _Regularizer(_Struct):
    _fields_ = [("size", ctypes.c_size_t), ("form", ctypes.c_int32), ("exponent", ctypes.c_int32),
                ("block_size", ctypes.c_int64), ("permutation", ctypes.c_void_p),
                ("permutation_size", ctypes.c_int64), ("signs_a", ctypes.c_void_p),
                ("signs_a_size", ctypes.c_int64), ("signs_b", ctypes.c_void_p),
                ("signs_b_size", ctypes.c_int64)]


class _Execution(_Struct):
    _fields_ = [("size", ctypes.c_size_t), ("threads", ctypes.c_int32),
                ("planning", ctypes.c_int32), ("sum", _Sum), ("context", ctypes.c_void_p)]

    failure: Optional[BaseException] = None

    def sum_by(self, function: Callable[[numpy.ndarray], None]) -> None:
        """No exception may go through C: it is kept until the call has ended."""
        def summed(_, numbers, count):
            try:
                # Not by way of ctypeslib, whose arrays have a format that mpi4py does not know.
                memory = (ctypes.c_double * count).from_address(ctypes.addressof(numbers.contents))
                result = function(numpy.frombuffer(memory, numpy.float64))
                if result is not None:
                    raise TypeError(f"sum returned a {type(result).__name__}, expected None: it "
                                    "replaces the numbers in place")
            except BaseException as error:  # pylint: disable=broad-except
                self.failure = error
                return 1
            return 0
        self.sum = _Sum(summed)

    def take_failure(self) -> Optional[BaseException]:
        failure, self.failure = self.failure, None
        return failure


class _BarlowTwinsTerms(_Struct):
    _fields_ = [("size", ctypes.c_size_t), ("value", ctypes.c_double),
                ("diagonal", ctypes.c_double), ("off_diagonal", ctypes.c_double)]


class _VicregTerms(_Struct):
    _fields_ = [("size", ctypes.c_size_t), ("value", ctypes.c_double),
                ("invariance", ctypes.c_double), ("variance", ctypes.c_double),
                ("covariance", ctypes.c_double)]


class _VarianceCovarianceTerms(_Struct):
    _fields_ = [("size", ctypes.c_size_t), ("value", ctypes.c_double),
                ("variance", ctypes.c_double), ("covariance", ctypes.c_double)]


def _two_view_arguments(*rest):
    matrices = [ctypes.POINTER(_Input)] * 2 + [ctypes.POINTER(_Output)] * 2
    return [*matrices, *rest]


def _batch_arguments(*settings):
    """Of the functions that make a batch in parts."""
    return [ctypes.c_int32, ctypes.c_int64, *settings, ctypes.POINTER(_Execution),
            ctypes.POINTER(ctypes.c_void_p)]


# Every function: what it returns and takes.
_PROTOTYPES = {
    "error_message": (ctypes.c_char_p, []),
    "error_argument": (ctypes.c_char_p, []),
    "status_name": (ctypes.c_char_p, [_Status]),
    "version": (ctypes.c_char_p, []),
    "cpu": (ctypes.c_char_p, []),
    "has_threads": (ctypes.c_int32, []),
    "barlow_twins_options_defaults": (
        _Status, [ctypes.POINTER(_BarlowTwinsOptions), ctypes.c_size_t]),
    "vicreg_options_defaults": (_Status, [ctypes.POINTER(_VicregOptions), ctypes.c_size_t]),
    "regularizer_defaults": (_Status, [ctypes.POINTER(_Regularizer), ctypes.c_size_t]),
    "execution_defaults": (_Status, [ctypes.POINTER(_Execution), ctypes.c_size_t]),
    "barlow_twins_loss": (_Status, _two_view_arguments(
        ctypes.POINTER(_BarlowTwinsOptions), ctypes.POINTER(_Regularizer),
        ctypes.POINTER(_Execution), ctypes.POINTER(_BarlowTwinsTerms))),
    "vicreg_loss": (_Status, _two_view_arguments(
        ctypes.POINTER(_VicregOptions), ctypes.POINTER(_Regularizer),
        ctypes.POINTER(_Execution), ctypes.POINTER(_VicregTerms))),
    "variance_covariance_loss": (_Status, [
        ctypes.POINTER(_Input), ctypes.POINTER(_Output), ctypes.POINTER(_VicregOptions),
        ctypes.POINTER(_Regularizer), ctypes.POINTER(_Execution),
        ctypes.POINTER(_VarianceCovarianceTerms)]),
    "r_off": (_Status, _two_view_arguments(
        ctypes.POINTER(_Execution), ctypes.POINTER(ctypes.c_double))),
    "r_sum": (_Status, _two_view_arguments(
        ctypes.POINTER(_Regularizer), ctypes.POINTER(_Execution),
        ctypes.POINTER(ctypes.c_double))),
    "sumvec": (_Status, [ctypes.POINTER(_Input), ctypes.POINTER(_Input),
                         ctypes.POINTER(_Execution), ctypes.POINTER(_Output)]),
    "barlow_twins_batch_create": (_Status, _batch_arguments(
        ctypes.c_int32, ctypes.POINTER(_BarlowTwinsOptions), ctypes.POINTER(_Regularizer))),
    "vicreg_batch_create": (_Status, _batch_arguments(
        ctypes.c_int32, ctypes.POINTER(_VicregOptions), ctypes.POINTER(_Regularizer))),
    "variance_covariance_batch_create": (_Status, _batch_arguments(
        ctypes.c_int32, ctypes.POINTER(_VicregOptions), ctypes.POINTER(_Regularizer))),
    "r_off_batch_create": (_Status, _batch_arguments(ctypes.c_int32)),
    "r_sum_batch_create": (_Status, _batch_arguments(
        ctypes.c_int32, ctypes.POINTER(_Regularizer))),
    "sumvec_batch_create": (_Status, _batch_arguments()),
    "batch_destroy": (None, [ctypes.c_void_p]),
    "batch_has_pass": (ctypes.c_int32, [ctypes.c_void_p]),
    "batch_add": (_Status, [ctypes.c_void_p, ctypes.POINTER(_Input), ctypes.POINTER(_Input)]),
    "batch_end_pass": (_Status, [ctypes.c_void_p]),
    "batch_count": (_Status, [ctypes.c_void_p, ctypes.POINTER(ctypes.c_int64)]),
    "barlow_twins_batch_loss": (_Status, [ctypes.c_void_p, ctypes.POINTER(_BarlowTwinsTerms)]),
    "vicreg_batch_loss": (_Status, [ctypes.c_void_p, ctypes.POINTER(_VicregTerms)]),
    "variance_covariance_batch_loss": (
        _Status, [ctypes.c_void_p, ctypes.POINTER(_VarianceCovarianceTerms)]),
    "regularizer_batch_value": (_Status, [ctypes.c_void_p, ctypes.POINTER(ctypes.c_double)]),
    "sumvec_batch_lags": (_Status, [ctypes.c_void_p, ctypes.POINTER(_Output)]),
    "batch_gradient": (_Status, [ctypes.c_void_p, *_two_view_arguments()]),
    "generator_create": (_Status, [ctypes.c_uint64, ctypes.POINTER(ctypes.c_void_p)]),
    "generator_destroy": (None, [ctypes.c_void_p]),
    "random_permutation": (_Status, [ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p]),
    "random_signs": (_Status, [ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p]),
    "barlow_twins_preset": (_Status, [
        ctypes.c_int32, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p,
        ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(_BarlowTwinsOptions),
        ctypes.POINTER(_Regularizer)]),
    "vicreg_preset": (_Status, [
        ctypes.c_int32, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p,
        ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(_VicregOptions),
        ctypes.POINTER(_Regularizer)]),
    "lock_planner": (_Status, []),
    "unlock_planner": (_Status, []),
    "clear_plans": (_Status, []),
    "cached_plans": (_Status, [ctypes.POINTER(ctypes.c_int64)]),
    "clear_workspaces": (_Status, []),
    "set_workspace_limit": (_Status, [ctypes.c_uint64, ctypes.POINTER(ctypes.c_uint64)]),
    "save_wisdom": (_Status, [ctypes.c_int32, ctypes.c_char_p]),
    "load_wisdom": (_Status, [ctypes.c_int32, ctypes.c_char_p]),
}

_OLDEST_VERSION = 0, 2
_HOW_TO_BUILD = """
Build it in a clone of decorr, where this module then finds it (Debian, Ubuntu: apt-get install g++
cmake libeigen3-dev libfftw3-dev):
  cmake -B build/python -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS=-march=native \\
    -DDECORR_BUILD_C=ON -DDECORR_BUILD_INSPECT=OFF -DDECORR_BUILD_TESTS=OFF \\
    -DDECORR_BUILD_BENCHMARKS=OFF -DDECORR_BUILD_EXAMPLES=OFF
  cmake --build build/python
or set DECORR_LIBRARY to the file of the library."""


def _library_files() -> list[str]:
    """Where the library may be, in the order in which the places are tried."""
    named = os.environ.get("DECORR_LIBRARY")
    if named:
        return [named]
    names = {"darwin": ["libdecorr.dylib", "libdecorr.0.dylib"],
             "win32": ["decorr.dll"]}.get(sys.platform, ["libdecorr.so", "libdecorr.so.0"])
    here = pathlib.Path(__file__).resolve().parent
    folders = [here]
    if len(here.parents) > 1 and (here.parents[1] / "include/decorr/c_api.h").is_file():
        build = here.parents[1] / "build"
        folders += [folder / "extras/c" for folder in (build / "python", build / "release", build)]
    files = [str(folder / name) for folder in folders for name in names]
    found = [file for file in files if os.path.exists(file)]
    return found + [name for name in (ctypes.util.find_library("decorr"), names[-1]) if name]


def _declare(library: ctypes.CDLL, file: str) -> None:
    """Declares the functions, and checks that they are there and agree on the structs."""
    for name, (result, arguments) in _PROTOTYPES.items():
        try:
            function = getattr(library, f"decorr_{name}")
        except AttributeError:
            raise ImportError(f"{file} is no libdecorr for this module: it has no function "
                              f"decorr_{name}") from None
        function.restype, function.argtypes = result, arguments
    found = library.decorr_version().decode()
    if tuple(int(part) for part in found.split(".")[:2]) < _OLDEST_VERSION:
        raise ImportError(f"{file} is libdecorr {found}, expected "
                          f"{'.'.join(map(str, _OLDEST_VERSION))} or newer")
    for name, struct in (("barlow_twins_options", _BarlowTwinsOptions),
                         ("vicreg_options", _VicregOptions), ("regularizer", _Regularizer),
                         ("execution", _Execution)):
        defaults = getattr(library, f"decorr_{name}_defaults")
        if defaults(ctypes.byref(struct()), ctypes.sizeof(struct)) != _OK:
            raise ImportError(f"{file}, libdecorr {found}: "
                              f"{library.decorr_error_message().decode()}")


def _load() -> ctypes.CDLL:
    failures = []
    for file in _library_files():
        try:
            library = ctypes.CDLL(file)
        except OSError as error:
            failures.append(str(error))
            continue
        _declare(library, file)
        return library
    raise ImportError("decorr: the library libdecorr could not be loaded: " + "; ".join(failures)
                      + "." + _HOW_TO_BUILD)


_library = _load()


class CollectiveError(RuntimeError):
    """Of a call that several processes make together: another one has failed, or their settings
    differ."""


_EXCEPTIONS = {_OUT_OF_MEMORY: MemoryError, _FAILED: RuntimeError, _COLLECTIVE: CollectiveError}


# Arguments that have another name here than in the library.
_NAMES = {"lambda": "lambda_", "lags": "out"}


def _refusal(kind: type, argument: str, text: str, function: str = "") -> Exception:
    """An exception about an argument, whose name and what is said of it are also apart, for callers
    that have other names for their arguments."""
    error = kind((f"{function}: " if function else "") + argument + text)
    error.argument, error.text = argument, text
    return error


def _call(function: str, *arguments, execution: Optional[_Execution] = None) -> None:
    """Calls decorr_<function>; anything but DECORR_OK becomes an exception. What the execution's sum
    has raised, which stands among the arguments where it is not given apart, is raised again."""
    status = getattr(_library, f"decorr_{function}")(*arguments)
    if status == _OK:
        return
    message = _library.decorr_error_message().decode(errors="replace")
    for each in (execution, *arguments):
        failure = each.take_failure() if isinstance(each, _Execution) else None
        if failure is not None:
            raise failure
    if status == _INVALID_ARGUMENT:
        argument = _library.decorr_error_argument().decode()
        # The function that it names made the batch, if there is one.
        named, separator, text = message.partition(f": {argument}")
        if not argument or not separator:
            raise ValueError(message)
        raise _refusal(ValueError, _NAMES.get(argument, argument), text, named)
    if status not in _EXCEPTIONS:
        message = f"{_library.decorr_status_name(status).decode()}, a bug of decorr: {message}"
    raise _EXCEPTIONS.get(status, RuntimeError)(message)


# ---- Scalar arguments. ctypes cuts integers to size without a word, so ranges are checked here.

def _integer(name: str, value: Any, bits: int = 64, signed: bool = True) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise _refusal(TypeError, name, f" is {value!r}, expected an integer") from None
    low, high = (-2**(bits - 1), 2**(bits - 1) - 1) if signed else (0, 2**bits - 1)
    if not low <= number <= high:
        raise _refusal(ValueError, name, f" is {number}, expected {low} to {high}")
    return number


def _real(name: str, value: Any) -> float:
    if not isinstance(value, numbers.Real):
        raise _refusal(TypeError, name, f" is {value!r}, expected a real number")
    try:
        return float(value)
    except OverflowError:
        raise _refusal(ValueError, name, f" is {value!r}, beyond the range of float64") from None


def _boolean(name: str, value: Any) -> bool:
    if not isinstance(value, (bool, numpy.bool_)):
        raise _refusal(TypeError, name, f" is {value!r}, expected True or False")
    return bool(value)


def _choice(name: str, value: Any, choices: dict[str, int]) -> int:
    if not isinstance(value, str):
        raise _refusal(TypeError, name, f" is {value!r}, expected a string")
    if value not in choices:
        raise _refusal(ValueError, name, f" is {value!r}, expected " +
                       " or ".join(repr(choice) for choice in choices))
    return choices[value]


# ---- Matrices

_ELEMENT_TYPES = {"float32": _FLOAT32, "float64": _FLOAT64, "float16": _FLOAT16,
                  "bfloat16": _BFLOAT16}


def _check_array(name: str, array: Any) -> int:
    """The array's element type; raises if it is no array of floating-point numbers."""
    if not isinstance(array, numpy.ndarray):
        raise _refusal(TypeError, name, f" is a {type(array).__name__}, expected a numpy.ndarray")
    if isinstance(array, numpy.ma.MaskedArray):
        raise _refusal(TypeError, name, " is a masked array, whose mask would not count")
    element_type = _ELEMENT_TYPES.get(array.dtype.name)
    if element_type is None:
        raise _refusal(TypeError, name, f" is of type {array.dtype}, expected float32, float64, "
                                        "float16 or bfloat16")
    if not array.dtype.isnative:
        raise _refusal(TypeError, name, f" is of type {array.dtype.str!r}, which is not in this "
                                        "machine's byte order")
    return element_type


def _strides(name: str, array: numpy.ndarray) -> list[int]:
    """The strides in elements; that of an extent of 1 does not count."""
    size = array.itemsize
    if any(stride % size for extent, stride in zip(array.shape, array.strides) if extent > 1):
        raise _refusal(ValueError, name, f" has strides of {array.strides} bytes, which are not "
                                         f"multiples of its elements' {size}")
    return [stride // size for stride in array.strides]


def _check_writable(name: str, array: numpy.ndarray) -> None:
    if not array.flags.writeable:
        raise _refusal(ValueError, name, " is read-only, expected an array that can be written")


def _input(name: str, array: Any) -> _Input:
    element_type = _check_array(name, array)
    if array.ndim != 2:
        raise _refusal(ValueError, name, f" has {array.ndim} dimensions, expected 2: samples and "
                                         "features")
    return _Input(array.ctypes.data, element_type, 0, *array.shape, *_strides(name, array))


def _gradient(name: str, array: Any) -> Optional[_Output]:
    """None for None, in the place of a gradient that nobody wants."""
    if array is None:
        return None
    matrix = _input(name, array)
    _check_writable(name, array)
    return _Output(matrix.data, matrix.type, 0, matrix.rows, matrix.cols, matrix.row_stride,
                   matrix.col_stride)


def _check_one_scalar(names: list[str], matrices: list) -> None:
    """All are computed in the scalar of the first."""
    for name, matrix in zip(names[1:], matrices[1:]):
        if matrix is not None and (matrix.type == _FLOAT64) != (matrices[0].type == _FLOAT64):
            raise _refusal(ValueError, name, f" and {names[0]} differ in type, expected float64 "
                                             "for both or for neither")


# ---- Options

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


def _integers(name: str, values: Any, dtype: type) -> numpy.ndarray:
    """Integers as a contiguous array of this type, of which the library checks the values."""
    try:
        array = numpy.asarray(values)
    except ValueError:  # rows of unequal lengths, of which older versions make an array of objects
        raise _refusal(TypeError, name, " is no array of integers") from None
    if array.dtype.kind not in "iu" and array.size > 0:
        raise _refusal(TypeError, name, f" is of type {array.dtype}, expected integers")
    if array.ndim != 1:
        raise _refusal(ValueError, name, f" has {array.ndim} dimensions, expected 1")
    if array.dtype != dtype:
        limits = numpy.iinfo(dtype)
        wrong = [number for number in (int(array.min(initial=0)), int(array.max(initial=0)))
                 if not limits.min <= number <= limits.max]
        if wrong:
            raise _refusal(ValueError, name, f" has an entry {wrong[0]}")
    return numpy.ascontiguousarray(array, dtype)


Regularizer = Union[Exact, Relaxed]


@dataclass(frozen=True)
class Execution:
    """How a call is carried out, and with whom.

    `threads` is at least 1, and results are the same for any number. `planning` is how long FFTW
    searches for its plans at the first call for a length: "estimate", whose results alone repeat
    bit for bit from run to run, "measure" or "patient".

    With `sum` several processes hold the batch together: it replaces the numbers of a float64 array,
    in place, by their sums over all of them, the same on each bit for bit. All processes make the
    call, with the same settings and each with its own rows, perhaps none. Values are then those of
    the whole batch, gradients those of its loss by this process's rows: a trainer that averages
    gradients over P processes multiplies them by P. With mpi4py:

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


def _optional(name: str, value: Any, *types: type):
    """The struct of options; None, which means the defaults, for None."""
    if value is None:
        return None
    if not isinstance(value, types):
        raise _refusal(TypeError, name, f" is a {type(value).__name__}, expected " +
                       " or ".join(each.__name__ for each in types))
    return value._struct()


# ---- Losses

class BarlowTwinsTerms(NamedTuple):
    """The weighted terms of a loss; value is their sum."""

    value: float
    diagonal: float
    off_diagonal: float


class VicregTerms(NamedTuple):
    """The weighted terms of a loss; value is their sum."""

    value: float
    invariance: float
    variance: float
    covariance: float


class VarianceCovarianceTerms(NamedTuple):
    """The weighted terms of a loss; value is their sum."""

    value: float
    variance: float
    covariance: float


# By the name of the loss: its options, its terms, and these as a struct.
_LOSSES = {
    "barlow_twins_loss": (BarlowTwinsOptions, BarlowTwinsTerms, _BarlowTwinsTerms),
    "vicreg_loss": (VicregOptions, VicregTerms, _VicregTerms),
    "variance_covariance_loss": (VicregOptions, VarianceCovarianceTerms, _VarianceCovarianceTerms),
}


def _loss(name: str, matrices: Callable[[], list], options, regularizer, execution):
    """A loss of these inputs and outputs."""
    options_type, terms_type, terms_struct = _LOSSES[name]
    terms = terms_struct()
    _call(name, *_arguments(execution, lambda: [
        *matrices(), _optional("options", options, options_type),
        _optional("regularizer", regularizer, Exact, Relaxed),
        _optional("execution", execution, Execution)]), terms)
    return _terms(terms_type, terms)


def _terms(terms_type: type, terms: _Struct):
    return terms_type(*(getattr(terms, field) for field in terms_type._fields))


def _arguments(execution: Any, make: Callable[[], list]) -> list:
    """The arguments of a call. Of several processes none fails alone: the others are told, in the
    first sum, by a call that is bound to fail before it."""
    try:
        return make()
    except Exception:
        struct = _only_sum(execution)
        if struct is not None:
            _library.decorr_r_off(None, None, None, None, struct, None)
        raise


def _only_sum(execution: Any) -> Optional[_Execution]:
    """Whatever else is wrong with it; None where there is a single process."""
    if not isinstance(execution, Execution) or not callable(execution.sum):
        return None
    return Execution(sum=execution.sum)._struct()


def _matrices(names: str, *arrays) -> list:
    """Inputs, then as many gradients, of which any may be None, by their names."""
    names, count = names.split(), len(arrays) // 2
    matrices = [_input(name, array) if position < count else _gradient(name, array)
                for position, (name, array) in enumerate(zip(names, arrays))]
    _check_one_scalar(names, matrices)
    return matrices


def barlow_twins_loss(z_a: numpy.ndarray, z_b: numpy.ndarray,
                      grad_a: Optional[numpy.ndarray] = None,
                      grad_b: Optional[numpy.ndarray] = None,
                      options: Optional[BarlowTwinsOptions] = None,
                      regularizer: Optional[Regularizer] = None,
                      execution: Optional[Execution] = None) -> BarlowTwinsTerms:
    """Barlow Twins: scale * ( sum_i (1 - C_ii)^2 + lambda_ * R(C) ).

    C = A^T B / n of the views z_a and z_b, n x d, standardized per feature with the biased variance
    and epsilon under the root; n is at least 2. The gradients with respect to the raw views are
    written to grad_a and grad_b, each where it is given. The regularizer R is Exact() by default.
    Raises ValueError, TypeError, MemoryError and RuntimeError as the module says.
    """
    return _loss("barlow_twins_loss",
                 lambda: _matrices("z_a z_b grad_a grad_b", z_a, z_b, grad_a, grad_b), options,
                 regularizer, execution)


def vicreg_loss(z_a: numpy.ndarray, z_b: numpy.ndarray,
                grad_a: Optional[numpy.ndarray] = None,
                grad_b: Optional[numpy.ndarray] = None,
                options: Optional[VicregOptions] = None,
                regularizer: Optional[Regularizer] = None,
                execution: Optional[Execution] = None) -> VicregTerms:
    """VICReg: scale * ( invariance * mean((A - B)^2) + variance * V
    + covariance * (R(K_A) + R(K_B)) / d ).

    V is the average over the views of mean_j max(0, gamma - sqrt(var_j + epsilon)), K the
    covariance, both unbiased, of z_a and z_b, n x d; n is at least 2. The gradients are written to
    grad_a and grad_b, each where it is given. The regularizer R is Exact() by default.
    Raises ValueError, TypeError, MemoryError and RuntimeError as the module says.
    """
    return _loss("vicreg_loss",
                 lambda: _matrices("z_a z_b grad_a grad_b", z_a, z_b, grad_a, grad_b), options,
                 regularizer, execution)


def variance_covariance_loss(z: numpy.ndarray, options: Optional[VicregOptions] = None,
                             regularizer: Optional[Regularizer] = None,
                             execution: Optional[Execution] = None, *,
                             grad: Optional[numpy.ndarray] = None) -> VarianceCovarianceTerms:
    """Variance and covariance of one view, for any layer (VCReg):
    scale * ( variance * V + covariance * R(K) / d ).

    z is n x d, n at least 2. The options' invariance and sum_variance are not used; of a relaxed
    regularizer, signs_a are the view's. The gradient is written to grad, where it is given, by its
    name alone: a second view would be overwritten.
    Raises ValueError, TypeError, MemoryError and RuntimeError as the module says.
    """
    return _loss("variance_covariance_loss", lambda: _matrices("z grad", z, grad), options,
                 regularizer, execution)


# ---- The regularizers alone

def r_off(a: numpy.ndarray, b: numpy.ndarray, grad_a: Optional[numpy.ndarray] = None,
          grad_b: Optional[numpy.ndarray] = None, execution: Optional[Execution] = None) -> float:
    """R_off(C) = sum over i != j of C_ij^2, C = a^T b / n as it stands; a and b are n x d.

    The gradients are written to grad_a and grad_b, each where it is given.
    """
    value = ctypes.c_double()
    _call("r_off", *_arguments(execution, lambda: [
        *_matrices("a b grad_a grad_b", a, b, grad_a, grad_b),
        _optional("execution", execution, Execution)]), value)
    return value.value


def r_sum(a: numpy.ndarray, b: numpy.ndarray, grad_a: Optional[numpy.ndarray] = None,
          grad_b: Optional[numpy.ndarray] = None, relaxed: Optional[Relaxed] = None,
          execution: Optional[Execution] = None) -> float:
    """R_sum(C) = sum over lags i = 1 .. d-1 of |sumvec(C)_i|^exponent, or its grouped form;
    C = a^T b / n as it stands; a and b are n x d.

    The gradients are written to grad_a and grad_b, each where it is given. The default of `relaxed`
    is Relaxed().
    """
    value = ctypes.c_double()
    _call("r_sum", *_arguments(execution, lambda: [
        *_matrices("a b grad_a grad_b", a, b, grad_a, grad_b),
        _optional("relaxed", relaxed, Relaxed), _optional("execution", execution, Execution)]),
          value)
    return value.value


def sumvec(a: numpy.ndarray, b: numpy.ndarray, out: Optional[numpy.ndarray] = None,
           execution: Optional[Execution] = None) -> numpy.ndarray:
    """sumvec(C)_i = sum over j of C_{j, (j+i) mod d}, C = a^T b / n: an array of length d.

    It is written to `out` where that is given; else it is float64 where a and b are, else float32.
    """
    def arguments():
        nonlocal out
        matrices = [_input("a", a), _input("b", b)]
        if out is None:
            out = numpy.empty(a.shape[1], "float64" if a.dtype == numpy.float64 else "float32")
        element_type = _check_array("out", out)
        if out.ndim != 1:
            raise _refusal(ValueError, "out", f" has {out.ndim} dimensions, expected 1")
        _check_writable("out", out)
        lags = _Output(out.ctypes.data, element_type, 0, out.size, 1, *_strides("out", out), 1)
        _check_one_scalar(["a", "b", "out"], [*matrices, lags])
        return [*matrices, _optional("execution", execution, Execution), lags]

    _call("sumvec", *_arguments(execution, arguments))
    return out


# ---- Batches in parts

class _Batch:
    """A batch whose rows arrive in parts, any number of rows at a time and in any order:

        batch = decorr.BarlowTwinsBatch(d)
        while batch.has_pass():
            for z_a, z_b in parts:
                batch.add(z_a, z_b)
            batch.end_pass()
        print(batch.loss())
        for z_a, z_b in parts:
            batch.gradient(z_a, z_b, grad_a, grad_b)

    The rows of all passes together are the same ones. Values and gradients are those of the whole
    batch, up to rounding; docs/distributed.md says how many passes there are. `dtype` is that of the
    parts; 16-bit ones are as float32. `gradients` is which ones will be asked for: "both",
    "a", "b" or "none"; without any of them there are fewer passes.

    With Execution(sum=...), and so several processes, add() raises nothing for what is wrong with
    its rows, and nor does what makes the batch: end_pass() does, on all processes. One thread at a
    time.
    """

    _function: str  # without _batch
    _names = "z_a z_b grad_a grad_b"
    _gradients = _GRADIENTS

    def __init__(self, d: int, dtype, gradients: Optional[str], execution: Optional[Execution],
                 settings: Callable[[], list]):
        pointer = ctypes.c_void_p()
        self._failure = None  # with several processes, for end_pass()
        self._execution = together = _only_sum(execution)
        try:
            try:
                self._dtype = numpy.dtype(dtype)
            except TypeError:
                raise _refusal(TypeError, "dtype", f" is a {type(dtype).__name__}, expected a "
                                                   "NumPy type") from None
            if self._dtype.name not in _ELEMENT_TYPES:
                raise _refusal(ValueError, "dtype", f" is {self._dtype}, expected float32, "
                                                    "float64, float16 or bfloat16")
            arguments = [_ELEMENT_TYPES[self._dtype.name], _integer("d", d)]
            if self._gradients:
                arguments.append(_choice("gradients", gradients, self._gradients))
            arguments += settings()
            # One with the same sum, that lives as long as the batch does.
            self._execution = _optional("execution", execution, Execution)
            _call(f"{self._function}_batch_create", *arguments, self._execution, pointer)
        except Exception as error:
            if together is None:
                raise
            self._failure = error
            _library.decorr_sumvec_batch_create(0, 0, self._execution, pointer)
        self._pointer, self._d = pointer.value, d
        weakref.finalize(self, _library.decorr_batch_destroy, pointer.value)

    def __reduce__(self):
        raise TypeError("a batch in parts cannot be copied or pickled")

    def _views(self, *arrays) -> list:
        """With None in the place of what a batch of one view has not."""
        matrices = _matrices(self._names, *arrays)
        if (matrices[0].type == _FLOAT64) != (self._dtype == numpy.float64):
            raise _refusal(ValueError, self._names.split()[0],
                           f" is of type {arrays[0].dtype}, and the batch is of {self._dtype}: "
                           "dtype= makes it another")
        return matrices if len(arrays) == 4 else [matrices[0], None, matrices[1], None]

    def _add(self, *arrays) -> None:
        try:
            views = self._views(*arrays)[:2]
        except Exception as error:
            if self._execution is None or not self._execution.sum:
                raise
            self._failure, views = self._failure or error, [None, None]
        _call("batch_add", self._pointer, *views)

    def has_pass(self) -> bool:
        """Whether all rows are to be added (once more)."""
        return bool(_library.decorr_batch_has_pass(self._pointer))

    def end_pass(self) -> None:
        """After the last rows of a pass; with several processes all of them call it. Where it raises,
        the batch is of no use any more."""
        try:
            _call("batch_end_pass", self._pointer, execution=self._execution)
        except (CollectiveError, ValueError):
            raise self._failure or sys.exc_info()[1]  # pylint: disable=raise-missing-from

    def count(self) -> int:
        """The rows of the batch, of all processes; after the first pass."""
        count = ctypes.c_int64()
        _call("batch_count", self._pointer, count)
        return count.value


class _BatchOfTwoViews(_Batch):
    def add(self, z_a: numpy.ndarray, z_b: numpy.ndarray) -> None:
        """Adds rows of the pass."""
        self._add(z_a, z_b, None, None)

    def gradient(self, z_a: numpy.ndarray, z_b: numpy.ndarray,
                 grad_a: Optional[numpy.ndarray] = None,
                 grad_b: Optional[numpy.ndarray] = None) -> None:
        """After all passes: of some rows, the whole batch's loss by them."""
        _call("batch_gradient", self._pointer, *self._views(z_a, z_b, grad_a, grad_b))


class _BatchOfLoss(_Batch):
    """With the options, the regularizer and the terms of a loss."""

    def __init__(self, d: int, dtype=numpy.float32, options=None,
                 regularizer: Optional[Regularizer] = None, execution: Optional[Execution] = None,
                 gradients: str = "both"):
        options_type = _LOSSES[f"{self._function}_loss"][0]
        super().__init__(d, dtype, gradients, execution, lambda: [
            _optional("options", options, options_type),
            _optional("regularizer", regularizer, Exact, Relaxed)])

    def loss(self):
        """The terms of the whole batch's, after the passes that it needs, any number of times."""
        _, terms_type, terms_struct = _LOSSES[f"{self._function}_loss"]
        terms = terms_struct()
        _call(f"{self._function}_batch_loss", self._pointer, terms)
        return _terms(terms_type, terms)


class BarlowTwinsBatch(_BatchOfLoss, _BatchOfTwoViews):
    __doc__ = "barlow_twins_loss in parts. " + _Batch.__doc__
    _function = "barlow_twins"


class VicregBatch(_BatchOfLoss, _BatchOfTwoViews):
    __doc__ = "vicreg_loss in parts. " + _Batch.__doc__
    _function = "vicreg"


class VarianceCovarianceBatch(_BatchOfLoss):
    __doc__ = ("variance_covariance_loss in parts; add(z), gradient(z, grad), and gradients is \"a\" "
               "or \"none\". " + _Batch.__doc__)
    _function = "variance_covariance"
    _names = "z grad"
    _gradients = {name: _GRADIENTS[name] for name in ("a", "none")}

    def __init__(self, d: int, dtype=numpy.float32, options: Optional[VicregOptions] = None,
                 regularizer: Optional[Regularizer] = None, execution: Optional[Execution] = None,
                 gradients: str = "a"):
        super().__init__(d, dtype, options, regularizer, execution, gradients)

    def add(self, z: numpy.ndarray) -> None:
        """Adds rows of the pass."""
        self._add(z, None)

    def gradient(self, z: numpy.ndarray, grad: numpy.ndarray) -> None:
        """After all passes: of some rows, the whole batch's loss by them."""
        _call("batch_gradient", self._pointer, *self._views(z, grad))


class RegularizerBatch(_BatchOfTwoViews):
    __doc__ = ("r_sum, or for Exact(), the default, r_off, in parts; value() in the place of "
               "loss(). " + _Batch.__doc__)
    _function = "r_off"
    _names = "a b grad_a grad_b"

    def __init__(self, d: int, dtype=numpy.float32, regularizer: Optional[Regularizer] = None,
                 execution: Optional[Execution] = None, gradients: str = "both"):
        if isinstance(regularizer, Relaxed):
            self._function = "r_sum"

        def settings():
            struct = _optional("regularizer", regularizer, Exact, Relaxed)
            return [struct] if self._function == "r_sum" else []
        super().__init__(d, dtype, gradients, execution, settings)

    def value(self) -> float:
        """The whole batch's, after the pass, any number of times."""
        value = ctypes.c_double()
        _call("regularizer_batch_value", self._pointer, value)
        return value.value


class SumvecBatch(_Batch):
    __doc__ = "sumvec in parts; lags() in the place of loss(), and no gradient. " + _Batch.__doc__
    _function = "sumvec"
    _names = "a b grad_a grad_b"
    _gradients = {}

    def __init__(self, d: int, dtype=numpy.float32, execution: Optional[Execution] = None):
        super().__init__(d, dtype, None, execution, list)

    def add(self, a: numpy.ndarray, b: numpy.ndarray) -> None:
        """Adds rows of the pass."""
        self._add(a, b, None, None)

    def lags(self) -> numpy.ndarray:
        """The whole batch's, d numbers, after the pass, any number of times."""
        lags = numpy.empty(self._d, "float64" if self._dtype == numpy.float64 else "float32")
        _call("sumvec_batch_lags", self._pointer,
              _Output(lags.ctypes.data, _ELEMENT_TYPES[lags.dtype.name], 0, self._d, 1, 1, 1))
        return lags


# ---- Randomization

class Generator:
    """A random generator, the 64-bit Mersenne Twister of the C and C++ interfaces: a seed, 0 to
    2^64 - 1, gives the same numbers there and on every platform."""

    def __init__(self, seed: int):
        pointer = ctypes.c_void_p()
        _call("generator_create", _integer("seed", seed, 64, signed=False), pointer)
        self._pointer = pointer.value
        self._lock = threading.Lock()
        weakref.finalize(self, _library.decorr_generator_destroy, pointer.value)

    def __reduce__(self):
        raise TypeError("a decorr.Generator cannot be copied or pickled")

    def _draw(self, function: str, *arguments) -> None:
        with self._lock:
            _call(function, *arguments)


def _pointer(generator: Any) -> int:
    if not isinstance(generator, Generator):
        raise _refusal(TypeError, "generator", f" is a {type(generator).__name__}, expected a "
                                               "decorr.Generator")
    return generator._pointer


def _random_array(function: str, d: int, generator: Generator, dtype: type) -> numpy.ndarray:
    pointer, d = _pointer(generator), _integer("d", d)
    # What the library refuses is not allocated either.
    array = numpy.empty(d if 1 <= d < 2**31 else 1, dtype)
    generator._draw(function, pointer, d, array.ctypes.data)
    return array


def random_permutation(d: int, generator: Generator) -> numpy.ndarray:
    """A uniformly random permutation of 0 .. d-1, int64. Draw one for every batch."""
    return _random_array("random_permutation", d, generator, numpy.int64)


def random_signs(d: int, generator: Generator) -> numpy.ndarray:
    """d independent signs, +1 or -1 with equal probability, int8. Draw both views' signs anew, one
    after the other, for every batch."""
    return _random_array("random_signs", d, generator, numpy.int8)


# ---- Presets

class BarlowTwinsPreset(NamedTuple):
    """Options and regularizer for barlow_twins_loss."""

    options: BarlowTwinsOptions
    regularizer: Regularizer


class VicregPreset(NamedTuple):
    """Options and regularizer for vicreg_loss."""

    options: VicregOptions
    regularizer: Regularizer


def _preset(function: str, presets: dict[str, int], options: _Struct, preset: str, d: int,
            generator: Optional[Generator], block_size: int) -> tuple[_Struct, Regularizer]:
    number = _choice("preset", preset, presets)
    d, block_size = _integer("d", d), _integer("block_size", block_size)
    size = d if 1 <= d < 2**31 else 1
    drawn = [numpy.empty(size, dtype) for dtype in (numpy.int64, numpy.int8, numpy.int8)]
    regularizer = _Regularizer()
    arguments = [function, number, d, block_size, None if generator is None else
                 _pointer(generator), *(array.ctypes.data for array in drawn), options, regularizer]
    try:
        _call(*arguments) if generator is None else generator._draw(*arguments)
    except ValueError as error:
        if error.argument != "generator":
            raise
        raise _refusal(ValueError, "generator",
                       f" is None, and {preset!r} draws from one") from None
    if regularizer.form == _EXACT:
        return options, Exact()
    arrays = [array if pointer else None for array, pointer in
              zip(drawn, (regularizer.permutation, regularizer.signs_a, regularizer.signs_b))]
    return options, Relaxed(regularizer.exponent, regularizer.block_size, *arrays)


def barlow_twins_preset(preset: str, d: int, generator: Optional[Generator] = None,
                        block_size: int = 0) -> BarlowTwinsPreset:
    """Published settings for d features, see presets.hpp for the source of each: "exact",
    "exact_solo_learn_2048", "exact_solo_learn_8192", "relaxed_2048", "relaxed_8192", or
    "random_signs", decorr's recommendation for any d.

    The last three draw from the generator: call it anew for every batch. `block_size` is not used
    by exact ones.
    """
    options, regularizer = _preset("barlow_twins_preset", _BARLOW_TWINS_PRESETS,
                                   _BarlowTwinsOptions(), preset, d, generator, block_size)
    return BarlowTwinsPreset(BarlowTwinsOptions(
        getattr(options, "lambda"), options.scale, options.epsilon, bool(options.standardize)),
        regularizer)


def vicreg_preset(preset: str, d: int, generator: Optional[Generator] = None,
                  block_size: int = 0) -> VicregPreset:
    """Published settings for d features, see presets.hpp for the source of each: "exact",
    "exact_solo_learn", "relaxed_2048", "relaxed_8192", or "random_signs", decorr's recommendation
    for any d.

    The last three draw from the generator: call it anew for every batch. `block_size` is not used
    by exact ones.
    """
    options, regularizer = _preset("vicreg_preset", _VICREG_PRESETS, _VicregOptions(), preset, d,
                                   generator, block_size)
    scaling = [name for name, number in _COVARIANCE_SCALINGS.items()
               if number == options.covariance_scaling][0]
    return VicregPreset(VicregOptions(
        options.invariance, options.variance, options.covariance, options.gamma, options.epsilon,
        options.scale, bool(options.sum_variance), scaling), regularizer)


# ---- Plans and memory

@contextlib.contextmanager
def planner_lock():
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


def _wisdom(function: str, path, dtype) -> None:
    element_type = _ELEMENT_TYPES.get(numpy.dtype(dtype).name)
    if element_type not in (_FLOAT32, _FLOAT64):
        raise _refusal(ValueError, "dtype", f" is {numpy.dtype(dtype)}, expected float32 or "
                                            "float64")
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise _refusal(ValueError, "path", f" is {path!r}, which has a null character")
    _call(function, element_type, encoded)


def save_wisdom(path, dtype=numpy.float32) -> None:
    """Writes FFTW's wisdom for float32 or float64 to a file; RuntimeError where it cannot."""
    _wisdom("save_wisdom", path, dtype)


def load_wisdom(path, dtype=numpy.float32) -> None:
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
