"""decorr's losses for JAX, on the CPU: Barlow Twins and VICReg as functions with derivatives.

    import decorr_jax

    def loss(parameters, view_a, view_b, key):
        z_a, z_b = network(parameters, view_a), network(parameters, view_b)
        return decorr_jax.barlow_twins_loss(
            z_a, z_b, regularizer=decorr_jax.random_signs(key, z_a.shape[1], block_size=256))

    gradients = jax.jit(jax.grad(loss))(parameters, view_a, view_b, key)

libdecorr computes, which XLA calls by its foreign function interface. Arrays are n x d, of float32,
float64, float16 or bfloat16 (computed in float32), a row a sample; the loss has the type that
computes. The gradients are computed with the value, in one call, for the arrays that are
differentiated; where nothing is, the value alone. jit, grad, value_and_grad and vmap (one slice
after the other) work; there are first derivatives only, in reverse mode, and to ask for others is
an error of JAX's. The options are Python's numbers, the same in all calls of a compiled function.

What is computed, from which source, at what cost, stands with the function of the same name in
decorr/losses.hpp.
"""

from __future__ import annotations

import ctypes
import functools
import pathlib
from typing import Any, NamedTuple, Optional

import jax
import jax.numpy as jnp
import numpy

_HANDLERS = {"barlow_twins_loss": "decorr_jax_barlow_twins", "vicreg_loss": "decorr_jax_vicreg"}
_TERMS = {"barlow_twins_loss": 3, "vicreg_loss": 4}
_library = ctypes.CDLL(str(pathlib.Path(__file__).with_name("libdecorr_jax.so")))
for _symbol in _HANDLERS.values():
    jax.ffi.register_ffi_target(_symbol, jax.ffi.pycapsule(getattr(_library, _symbol)),
                                platform="cpu")


class Relaxed(NamedTuple):
    """The relaxed regularizer. permutation and signs are integer arrays of length d, None for none,
    and may be drawn within a compiled function, anew for every batch; exponent (1 or 2) and
    block_size (0: a single block) are Python's."""

    exponent: int = 2
    block_size: int = 0
    permutation: Optional[jax.Array] = None
    signs_a: Optional[jax.Array] = None
    signs_b: Optional[jax.Array] = None


def random_signs(key: jax.Array, d: int, block_size: int = 0) -> Relaxed:
    """The relaxed regularizer with random signs, on average the exact one, whose weights carry
    over. A new key for every batch."""
    key_a, key_b = jax.random.split(key)
    return Relaxed(block_size=block_size, signs_a=jax.random.rademacher(key_a, (d,), jnp.int8),
                   signs_b=jax.random.rademacher(key_b, (d,), jnp.int8))


def barlow_twins_loss(z_a: jax.Array, z_b: jax.Array, *, lambda_: float = 0.0051, scale: float = 1,
                      epsilon: float = 1e-5, standardize: bool = True,
                      regularizer: Optional[Relaxed] = None, threads: int = 1,
                      planning: str = "measure") -> jax.Array:
    """scale * ( sum_i (1 - C_ii)^2 + lambda_ * R(C) ), C = A^T B / n of the standardized views;
    exact without a regularizer."""
    return _loss("barlow_twins_loss", z_a, z_b, (lambda_, scale, epsilon, standardize), regularizer,
                 threads, planning)


def vicreg_loss(z_a: jax.Array, z_b: jax.Array, *, invariance: float = 25, variance: float = 25,
                covariance: float = 1, gamma: float = 1, epsilon: float = 1e-4, scale: float = 1,
                sum_variance: bool = False, regularizer: Optional[Relaxed] = None, threads: int = 1,
                planning: str = "measure") -> jax.Array:
    """scale * ( invariance * mean((A-B)^2) + variance * V + covariance * (R(K_A) + R(K_B)) / d );
    exact without a regularizer."""
    return _loss("vicreg_loss", z_a, z_b, (invariance, variance, covariance, gamma, epsilon, scale,
                                           sum_variance), regularizer, threads, planning)


# ---- A call

class _Call(NamedTuple):
    """What is the same in all calls of a compiled function."""

    function: str
    options: tuple
    relaxed: bool
    exponent: int
    block_size: int
    threads: int
    planning: int


def _loss(function: str, z_a: Any, z_b: Any, options: tuple, regularizer: Optional[Relaxed],
          threads: int, planning: str) -> jax.Array:
    z_a, z_b = jnp.asarray(z_a), jnp.asarray(z_b)
    for name, z in (("z_a", z_a), ("z_b", z_b)):
        if z.ndim != 2:
            raise ValueError(f"{function}: {name} has {z.ndim} dimensions, expected 2: samples and "
                             "features")
        if z.dtype not in (jnp.float32, jnp.float64, jnp.float16, jnp.bfloat16):
            raise TypeError(f"{function}: {name} is of type {z.dtype}, expected float32, float64, "
                            "float16 or bfloat16")
    relaxed = regularizer or Relaxed()
    call = _Call(function, tuple(float(each) for each in options), regularizer is not None,
                 int(relaxed.exponent), int(relaxed.block_size), int(threads),
                 ["estimate", "measure", "patient"].index(planning))
    drawn = [jnp.zeros((0,), dtype) if each is None else jnp.asarray(each).astype(dtype)
             for each, dtype in ((relaxed.permutation, jnp.int32), (relaxed.signs_a, jnp.int8),
                                 (relaxed.signs_b, jnp.int8))]
    return _value(call, z_a, z_b, *drawn)


def _scalar(dtype: Any) -> Any:
    return jnp.float64 if dtype == jnp.float64 else jnp.float32


def _terms_and_gradients(call: _Call, views: tuple, drawn: tuple, needs: tuple) -> tuple:
    """By libdecorr; a gradient that is not needed has no rows."""
    scalar = _scalar(views[0].dtype)
    results = [jax.ShapeDtypeStruct((_TERMS[call.function],), scalar)]
    results += [jax.ShapeDtypeStruct((z.shape[0] if need else 0, z.shape[1]), scalar)
                for z, need in zip(views, needs)]
    run = jax.ffi.ffi_call(_HANDLERS[call.function], results, vmap_method="sequential")
    return tuple(run(*views, *drawn, options=numpy.array(call.options), relaxed=int(call.relaxed),
                     exponent=call.exponent, block_size=call.block_size, threads=call.threads,
                     planning=call.planning))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _value(call: _Call, z_a: jax.Array, z_b: jax.Array, *drawn: jax.Array) -> jax.Array:
    return _terms_and_gradients(call, (z_a, z_b), drawn, (False, False))[0][0]


def _forward(call: _Call, *arguments: Any) -> tuple:
    z_a, z_b, *drawn = (each.value for each in arguments)
    terms, *gradients = _terms_and_gradients(call, (z_a, z_b), tuple(drawn),
                                             tuple(each.perturbed for each in arguments[:2]))
    # The views' types, as arrays without elements.
    return terms[0], (gradients, [z[:0] for z in (z_a, z_b)], [len(each) for each in drawn])


def _backward(call: _Call, kept: tuple, cotangent: Any) -> tuple:
    gradients, models, drawn = kept
    if isinstance(cotangent, jax.custom_derivatives.SymbolicZero):
        return (None,) * (2 + len(drawn))
    return tuple((cotangent * gradient).astype(model.dtype) if len(gradient) > 0 else None
                 for gradient, model in zip(gradients, models)) + (None,) * len(drawn)


_value.defvjp(_forward, _backward, symbolic_zeros=True)
