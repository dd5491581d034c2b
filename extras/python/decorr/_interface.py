"""libdecorr by ctypes: the C interface as c_api.h declares it, where the library is found, and
what its status becomes."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import pathlib
import sys
from typing import Any, Callable, Optional

import numpy

_OK, _INVALID_ARGUMENT, _OUT_OF_MEMORY, _FAILED, _INTERNAL, _COLLECTIVE = range(6)
_FLOAT32, _FLOAT64, _FLOAT16, _BFLOAT16 = range(1, 5)
_EXACT, _RELAXED = range(2)
_COVARIANCE_SCALINGS = {"per_dimension": 0, "block_mean": 1}
_PLANNINGS = {"estimate": 0, "measure": 1, "patient": 2}
_COMBINATIONS = {"pairs": 0, "centroid": 1}
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

    def __init__(self, *fields: Any, **named_fields: Any):
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

    def sum_by(self, function: Callable[[numpy.ndarray], Any]) -> None:
        """No exception may go through C: it is kept until the call has ended."""
        def summed(_: Any, numbers: Any, count: int) -> int:
            try:
                # Not by way of ctypeslib, whose arrays have a format that mpi4py does not know.
                address = ctypes.addressof(numbers.contents)
                memory: Any = (ctypes.c_double * count).from_address(address)
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


def _two_view_arguments(*rest: Any) -> list[Any]:
    return [*[ctypes.POINTER(_Input)] * 2, *[ctypes.POINTER(_Output)] * 2, *rest]


def _arguments_of_views(options: Any, terms: Any) -> list[Any]:
    return [ctypes.POINTER(ctypes.POINTER(_Input)), ctypes.POINTER(ctypes.POINTER(_Output)),
            ctypes.c_int64, ctypes.c_int32, ctypes.POINTER(options), ctypes.POINTER(_Regularizer),
            ctypes.POINTER(_Execution), ctypes.POINTER(terms)]


def _batch_arguments(*settings: Any) -> list[Any]:
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
    "barlow_twins_loss_of_views": (
        _Status, _arguments_of_views(_BarlowTwinsOptions, _BarlowTwinsTerms)),
    "vicreg_loss_of_views": (_Status, _arguments_of_views(_VicregOptions, _VicregTerms)),
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
    "recommended": (_Status, [
        ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p,
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
`pip install path-to-decorr/extras/python` builds and brings it. Or build it in a clone of decorr,
whose extras/python then finds it. Either way first (Debian, Ubuntu): apt-get install g++ cmake
libeigen3-dev libfftw3-dev.
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
    folders = [here, here.parent]
    if here.parent.parts[-3:] == ("share", "decorr", "python"):
        prefix = here.parents[3]
        folders += [prefix / "lib64", prefix / "lib", *sorted(prefix.glob("lib/*-*-*"))]
    if len(here.parents) > 2 and (here.parents[2] / "include/decorr/c_api.h").is_file():
        build = here.parents[2] / "build"
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
            raise ImportError(f"{file} is no libdecorr for this package: it has no function "
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


def _refusal(kind: type[Exception], argument: str, text: str, function: str = "") -> Exception:
    """An exception about an argument, whose name and what is said of it are also apart, for callers
    that have other names for their arguments."""
    error: Any = kind((f"{function}: " if function else "") + argument + text)
    error.argument, error.text = argument, text
    return error


def _call(function: str, *arguments: Any, execution: Optional[_Execution] = None) -> None:
    """Calls decorr_<function>; anything but DECORR_OK becomes an exception. What the execution's
    sum has raised, which stands among the arguments where it is not given apart, is raised
    again."""
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
