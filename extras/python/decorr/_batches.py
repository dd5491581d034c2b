"""Batches whose rows arrive in parts."""

from __future__ import annotations

import ctypes
import weakref
from typing import TYPE_CHECKING, Any, Callable, Optional

import numpy

from ._interface import CollectiveError, _FLOAT64, _GRADIENTS, _Output, _call, _library, _refusal
from ._arguments import _ELEMENT_TYPES, _choice, _integer
from ._options import (
    BarlowTwinsOptions, Exact, Execution, Regularizer, Relaxed, VicregOptions, _optional)
from ._losses import (
    _LOSSES, BarlowTwinsTerms, VarianceCovarianceTerms, VicregTerms, _matrices, _only_sum, _terms)

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


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
    batch, up to rounding; docs/distributed.md says how many passes there are. `dtype` is that of
    the parts; 16-bit ones are as float32. `gradients` is which ones will be asked for: "both", "a",
    "b" or "none"; without any of them there are fewer passes.

    With Execution(sum=...), and so several processes, add() raises nothing for what is wrong with
    its rows, and nor does what makes the batch: end_pass() does, on all processes. One thread at a
    time.
    """

    _function: str  # without _batch
    _names = "z_a z_b grad_a grad_b"
    _gradients = _GRADIENTS

    def __init__(self, d: int, dtype: DTypeLike, gradients: Optional[str],
                 execution: Optional[Execution], settings: Callable[[], list[Any]]):
        pointer = ctypes.c_void_p()
        self._failure: Optional[BaseException] = None  # with several processes, for end_pass()
        self._execution = together = _only_sum(execution)
        try:
            try:
                self._dtype = numpy.dtype(dtype)
            except TypeError:
                raise _refusal(TypeError, "dtype", f" is a {type(dtype).__name__}, expected a "
                                                   "NumPy type") from None
            if self._dtype.name not in _ELEMENT_TYPES or not self._dtype.isnative:
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

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a batch in parts cannot be copied or pickled")

    def _views(self, *arrays: Any) -> list[Any]:
        """With None in the place of what a batch of one view has not."""
        matrices = _matrices(self._names, *arrays)
        if (matrices[0].type == _FLOAT64) != (self._dtype == numpy.float64):
            raise _refusal(ValueError, self._names.split()[0],
                           f" is of type {arrays[0].dtype}, and the batch is of {self._dtype}: "
                           "dtype= makes it another")
        return matrices if len(arrays) == 4 else [matrices[0], None, matrices[1], None]

    def _add(self, *arrays: Any) -> None:
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
        """After the last rows of a pass; with several processes all of them call it. Where it
        raises, the batch is of no use any more."""
        try:
            _call("batch_end_pass", self._pointer, execution=self._execution)
        except (CollectiveError, ValueError) as error:
            raise self._failure or error  # pylint: disable=raise-missing-from

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

    def __init__(self, d: int, dtype: DTypeLike, options: Any,
                 regularizer: Optional[Regularizer], execution: Optional[Execution],
                 gradients: str):
        options_type = _LOSSES[f"{self._function}_loss"][0]
        super().__init__(d, dtype, gradients, execution, lambda: [
            _optional("options", options, options_type),
            _optional("regularizer", regularizer, Exact, Relaxed)])

    def _loss(self) -> Any:
        _, terms_type, terms_struct = _LOSSES[f"{self._function}_loss"]
        terms = terms_struct()
        _call(f"{self._function}_batch_loss", self._pointer, terms)
        return _terms(terms_type, terms)


class BarlowTwinsBatch(_BatchOfLoss, _BatchOfTwoViews):
    __doc__ = f"barlow_twins_loss in parts. {_Batch.__doc__}"
    _function = "barlow_twins"

    def __init__(self, d: int, dtype: DTypeLike = numpy.float32,
                 options: Optional[BarlowTwinsOptions] = None,
                 regularizer: Optional[Regularizer] = None, execution: Optional[Execution] = None,
                 gradients: str = "both"):
        super().__init__(d, dtype, options, regularizer, execution, gradients)

    def loss(self) -> BarlowTwinsTerms:
        """The terms of the whole batch's, after the passes that it needs, any number of times."""
        return self._loss()


class VicregBatch(_BatchOfLoss, _BatchOfTwoViews):
    __doc__ = f"vicreg_loss in parts. {_Batch.__doc__}"
    _function = "vicreg"

    def __init__(self, d: int, dtype: DTypeLike = numpy.float32,
                 options: Optional[VicregOptions] = None,
                 regularizer: Optional[Regularizer] = None, execution: Optional[Execution] = None,
                 gradients: str = "both"):
        super().__init__(d, dtype, options, regularizer, execution, gradients)

    def loss(self) -> VicregTerms:
        """The terms of the whole batch's, after the passes that it needs, any number of times."""
        return self._loss()


class VarianceCovarianceBatch(_BatchOfLoss):
    __doc__ = ("variance_covariance_loss in parts; add(z), gradient(z, grad), and gradients is "
               f"\"a\" or \"none\". {_Batch.__doc__}")
    _function = "variance_covariance"
    _names = "z grad"
    _gradients = {name: _GRADIENTS[name] for name in ("a", "none")}

    def __init__(self, d: int, dtype: DTypeLike = numpy.float32,
                 options: Optional[VicregOptions] = None,
                 regularizer: Optional[Regularizer] = None, execution: Optional[Execution] = None,
                 gradients: str = "a"):
        super().__init__(d, dtype, options, regularizer, execution, gradients)

    def loss(self) -> VarianceCovarianceTerms:
        """The terms of the whole batch's, after the passes that it needs, any number of times."""
        return self._loss()

    def add(self, z: numpy.ndarray) -> None:
        """Adds rows of the pass."""
        self._add(z, None)

    def gradient(self, z: numpy.ndarray, grad: numpy.ndarray) -> None:
        """After all passes: of some rows, the whole batch's loss by them."""
        _call("batch_gradient", self._pointer, *self._views(z, grad))


class RegularizerBatch(_BatchOfTwoViews):
    __doc__ = ("r_sum, or for Exact(), the default, r_off, in parts; value() in the place of "
               f"loss(). {_Batch.__doc__}")
    _function = "r_off"
    _names = "a b grad_a grad_b"

    def __init__(self, d: int, dtype: DTypeLike = numpy.float32,
                 regularizer: Optional[Regularizer] = None,
                 execution: Optional[Execution] = None, gradients: str = "both"):
        if isinstance(regularizer, Relaxed):
            self._function = "r_sum"

        def settings() -> list[Any]:
            struct = _optional("regularizer", regularizer, Exact, Relaxed)
            return [struct] if self._function == "r_sum" else []
        super().__init__(d, dtype, gradients, execution, settings)

    def value(self) -> float:
        """The whole batch's, after the pass, any number of times."""
        value = ctypes.c_double()
        _call("regularizer_batch_value", self._pointer, value)
        return value.value


class SumvecBatch(_Batch):
    __doc__ = f"sumvec in parts; lags() in the place of loss(), and no gradient. {_Batch.__doc__}"
    _function = "sumvec"
    _names = "a b grad_a grad_b"
    _gradients: dict[str, int] = {}

    def __init__(self, d: int, dtype: DTypeLike = numpy.float32,
                 execution: Optional[Execution] = None):
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
