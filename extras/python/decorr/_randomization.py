"""Generators, permutations and signs, and the presets that draw them."""

from __future__ import annotations

import ctypes
import threading
import weakref
from typing import Any, NamedTuple, Optional

import numpy

from ._interface import (
    _BARLOW_TWINS_PRESETS, _BarlowTwinsOptions, _COVARIANCE_SCALINGS, _EXACT, _Regularizer,
    _Struct, _VICREG_PRESETS, _VicregOptions, _call, _library, _refusal)
from ._arguments import _choice, _integer, _type_name
from ._options import BarlowTwinsOptions, Exact, Regularizer, Relaxed, VicregOptions


class Generator:
    """A random generator, the 64-bit Mersenne Twister of the C and C++ interfaces: a seed, 0 to
    2^64 - 1, gives the same numbers there and on every platform."""

    def __init__(self, seed: int):
        pointer = ctypes.c_void_p()
        _call("generator_create", _integer("seed", seed, 64, signed=False), pointer)
        self._pointer = pointer.value
        self._lock = threading.Lock()
        weakref.finalize(self, _library.decorr_generator_destroy, pointer.value)

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a decorr.Generator cannot be copied or pickled")

    def _draw(self, function: str, *arguments: Any) -> None:
        with self._lock:
            _call(function, *arguments)


def _pointer(generator: Any) -> Any:
    if not isinstance(generator, Generator):
        raise _refusal(TypeError, "generator", f" is a {_type_name(generator)}, expected a "
                                               "decorr.Generator")
    return generator._pointer


def _random_array(function: str, d: int, generator: Generator, dtype: Any) -> numpy.ndarray:
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
    types: tuple[Any, ...] = numpy.int64, numpy.int8, numpy.int8
    drawn = [numpy.empty(size, dtype) for dtype in types]
    regularizer = _Regularizer()
    pointer = None if generator is None else _pointer(generator)
    call = _call if generator is None else generator._draw
    try:
        call(function, number, d, block_size, pointer, *(array.ctypes.data for array in drawn),
             options, regularizer)
    except ValueError as error:
        if getattr(error, "argument", None) != "generator":
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
    "random_signs", for any d.

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
    "exact_solo_learn", "relaxed_2048", "relaxed_8192", or "random_signs", for any d.

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


def recommended(n: int, d: int, generator: Generator) -> Regularizer:
    """The form that decorr recommends for a batch of n samples with d features, for every loss with
    its default options: Exact() where it costs no more, else Relaxed with signs drawn from the
    generator, in blocks that cost little more than one, on average the exact loss. Call it anew for
    every batch. presets.hpp has the rule.
    """
    pointer = _pointer(generator)
    n, d = _integer("n", n), _integer("d", d)
    signs_a, signs_b = (numpy.empty(d if 1 <= d < 2**31 else 1, numpy.int8) for _ in range(2))
    regularizer = _Regularizer()
    generator._draw("recommended", n, d, pointer, signs_a.ctypes.data, signs_b.ctypes.data,
                    regularizer)
    if regularizer.form == _EXACT:
        return Exact()
    return Relaxed(regularizer.exponent, regularizer.block_size, None, signs_a, signs_b)
