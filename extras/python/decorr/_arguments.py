"""Scalars and matrices of a call, as the C interface takes them."""

from __future__ import annotations

import ctypes
import numbers
import operator
from typing import Any, Optional, Sequence

import numpy

from ._interface import (
    _BFLOAT16, _COMBINATIONS, _FLOAT16, _FLOAT32, _FLOAT64, _Input, _Output, _refusal)


def _type_name(value: Any) -> str:
    """With its module, as several have a Generator."""
    kind = type(value)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return module + kind.__qualname__


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
        shown = repr(value) if value is None or numpy.isscalar(value) else f"a {_type_name(value)}"
        raise _refusal(TypeError, name, f" is {shown}, expected a string")
    if value not in choices:
        raise _refusal(ValueError, name, f" is {value!r}, expected " +
                       " or ".join(repr(choice) for choice in choices))
    return choices[value]


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


_ELEMENT_TYPES = {"float32": _FLOAT32, "float64": _FLOAT64, "float16": _FLOAT16,
                  "bfloat16": _BFLOAT16}
_TYPE_NAMES = {number: name for name, number in _ELEMENT_TYPES.items()}


def _check_array(name: str, array: Any) -> int:
    """The array's element type; raises if it is no array of floating-point numbers."""
    if not isinstance(array, numpy.ndarray):
        raise _refusal(TypeError, name, f" is a {_type_name(array)}, expected a numpy.ndarray")
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
            raise _refusal(ValueError, name, f" is of type {_TYPE_NAMES[matrix.type]}, {names[0]} "
                           f"is of type {_TYPE_NAMES[matrices[0].type]}, expected float64 for both "
                           "or for neither")


def _pointers(struct: Any, matrices: Sequence[Any]) -> Any:
    """An array of pointers to structs, null for None."""
    return (ctypes.POINTER(struct) * len(matrices))(
        *(None if each is None else ctypes.pointer(each) for each in matrices))


def _matrices_of_views(views: Sequence[_Input], gradients: Optional[Sequence[Optional[_Output]]],
                       combination: int) -> list[Any]:
    return [_pointers(_Input, views), None if gradients is None else _pointers(_Output, gradients),
            len(views), combination]


def _many_views(views: Any, combination: Any, gradients: Any) -> list[Any]:
    """The matrices of a call of several views."""
    # First, as in C++ the gradients stand in its place.
    chosen = _choice("combination", combination, _COMBINATIONS)
    arrays = {}
    for name, value in (("views", views), ("gradients", gradients)):
        if value is not None or name == "views":
            # One matrix is a sequence, too: of its rows.
            is_one = isinstance(value, str) or getattr(value, "ndim", 3) < 3
            if is_one or not hasattr(value, "__len__") or not hasattr(value, "__getitem__"):
                raise _refusal(TypeError, name, f" is a {_type_name(value)}, expected a sequence "
                                                "of arrays")
            arrays[name] = list(value)
    count = len(arrays["views"])
    if count < 2:
        entries = "entry" if count == 1 else "entries"
        raise _refusal(ValueError, "views", f" has {count} {entries}, expected at least 2")
    names = {name: [f"{name}[{position}]" for position in range(len(each))]
             for name, each in arrays.items()}
    inputs = [_input(*each) for each in zip(names["views"], arrays["views"])]
    outputs = None
    if gradients is not None:
        given = len(arrays["gradients"])
        if given != count:
            entries = "entry" if given == 1 else "entries"
            raise _refusal(ValueError, "gradients", f" has {given} {entries}, views has {count}")
        outputs = [_gradient(*each) for each in zip(names["gradients"], arrays["gradients"])]
    _check_one_scalar(sum(names.values(), []), [*inputs, *(outputs or [])])
    return _matrices_of_views(inputs, outputs, chosen)
