"""The losses and the regularizers alone, of a whole batch."""

from __future__ import annotations

import ctypes
from typing import Any, Callable, NamedTuple, Optional, Sequence

import numpy

from ._interface import (
    _BarlowTwinsTerms, _Execution, _Output, _Struct, _VarianceCovarianceTerms, _VicregTerms,
    _call, _library, _refusal)
from ._arguments import (
    _check_array, _check_one_scalar, _check_writable, _gradient, _input, _many_views, _strides)
from ._options import (
    BarlowTwinsOptions, Exact, Execution, Regularizer, Relaxed, VicregOptions, _optional)


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
_LOSSES: dict[str, tuple[Any, Any, Any]] = {
    "barlow_twins_loss": (BarlowTwinsOptions, BarlowTwinsTerms, _BarlowTwinsTerms),
    "vicreg_loss": (VicregOptions, VicregTerms, _VicregTerms),
    "variance_covariance_loss": (VicregOptions, VarianceCovarianceTerms, _VarianceCovarianceTerms),
    "barlow_twins_loss_of_views": (BarlowTwinsOptions, BarlowTwinsTerms, _BarlowTwinsTerms),
    "vicreg_loss_of_views": (VicregOptions, VicregTerms, _VicregTerms),
}


def _loss(name: str, matrices: Callable[[], list[Any]], options: Any, regularizer: Any,
          execution: Any) -> Any:
    """A loss of these inputs and outputs."""
    options_type, terms_type, terms_struct = _LOSSES[name]
    terms = terms_struct()
    _call(name, *_arguments(execution, lambda: [
        *matrices(), _optional("options", options, options_type),
        _optional("regularizer", regularizer, Exact, Relaxed),
        _optional("execution", execution, Execution)]), terms)
    return _terms(terms_type, terms)


def _terms(terms_type: Any, terms: _Struct) -> Any:
    return terms_type(*(getattr(terms, field) for field in terms_type._fields))


def _arguments(execution: Any, make: Callable[[], Any]) -> Any:
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


def _matrices(names: str, *arrays: Any) -> list[Any]:
    """Inputs, then as many gradients, of which any may be None, by their names."""
    each, count = names.split(), len(arrays) // 2
    matrices = [_input(name, array) if position < count else _gradient(name, array)
                for position, (name, array) in enumerate(zip(each, arrays))]
    _check_one_scalar(each, matrices)
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
    written to grad_a and grad_b, each where it is given: a third array is no view, but overwritten;
    barlow_twins_loss_of_views takes more. The regularizer R is Exact() by default.
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
    grad_a and grad_b, each where it is given: a third array is no view, but overwritten;
    vicreg_loss_of_views takes more. The regularizer R is Exact() by default.
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


# ---- Several views

def barlow_twins_loss_of_views(views: Sequence[numpy.ndarray], combination: str,
                               gradients: Optional[Sequence[Optional[numpy.ndarray]]] = None,
                               options: Optional[BarlowTwinsOptions] = None,
                               regularizer: Optional[Regularizer] = None,
                               execution: Optional[Execution] = None) -> BarlowTwinsTerms:
    """Barlow Twins of two views and more, n x d each, as multi-crop training has them.

    combination is "pairs", the sum over u < v of barlow_twins_loss(views[u], views[v]), or
    "centroid", the sum over v of barlow_twins_loss(views[v], m), m the mean of the views. Neither
    is divided by the number of its terms. Of a pair views[u] has signs_a and views[v] signs_b;
    against the centroid views[v] has signs_a. The gradients are written to `gradients`, as many as
    views, of which any may be None. Over pairs V views cost V (V - 1) / 2 calls of
    barlow_twins_loss, but with a relaxed regularizer of one block two transforms for each view
    instead of V - 1; V calls with the centroid.
    Raises ValueError, TypeError, MemoryError and RuntimeError as the module says.
    """
    return _loss("barlow_twins_loss_of_views",
                 lambda: _many_views(views, combination, gradients), options, regularizer,
                 execution)


def vicreg_loss_of_views(views: Sequence[numpy.ndarray], combination: str,
                         gradients: Optional[Sequence[Optional[numpy.ndarray]]] = None,
                         options: Optional[VicregOptions] = None,
                         regularizer: Optional[Regularizer] = None,
                         execution: Optional[Execution] = None) -> VicregTerms:
    """VICReg of two views and more, n x d each.

    combination is "pairs", the sum over u < v of vicreg_loss(views[u], views[v]), or "centroid":
    scale * ( invariance * sum_v mean((views[v] - m)^2) + variance * V + covariance * sum_v R(K_v)
    / d ), m the mean of the views, V the average over the views, or with sum_variance their sum.
    Of a relaxed regularizer views 0, 2, ... have signs_a, the others signs_b. The gradients are
    written to `gradients`, as many as views, of which any may be None. Either costs as much as
    variance_covariance_loss of each view.
    Raises ValueError, TypeError, MemoryError and RuntimeError as the module says.
    """
    return _loss("vicreg_loss_of_views", lambda: _many_views(views, combination, gradients),
                 options, regularizer, execution)


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
    def arguments() -> tuple[list[Any], numpy.ndarray]:
        matrices = [_input("a", a), _input("b", b)]
        written = out
        if written is None:
            written = numpy.empty(a.shape[1], "float64" if a.dtype == numpy.float64 else "float32")
        element_type = _check_array("out", written)
        if written.ndim != 1:
            raise _refusal(ValueError, "out", f" has {written.ndim} dimensions, expected 1")
        _check_writable("out", written)
        lags = _Output(written.ctypes.data, element_type, 0, written.size, 1,
                       *_strides("out", written), 1)
        _check_one_scalar(["a", "b", "out"], [*matrices, lags])
        return [*matrices, _optional("execution", execution, Execution), lags], written

    given, written = _arguments(execution, arguments)
    _call("sumvec", *given)
    return written
