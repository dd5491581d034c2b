"""The keyword arguments that all losses have: checked when a loss is made, and what is drawn for a
forward."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Mapping, NamedTuple, Optional

import numpy
import torch
import torch.utils.checkpoint

from .._arguments import _choice, _input, _integer, _type_name
from .._interface import _refusal
from .._losses import _loss
from .._options import Exact, Execution, Regularizer, Relaxed
from . import _processes
from ._tensors import integer_tensor

if TYPE_CHECKING:
    from typing import Literal, Sequence, Union
    from typing_extensions import TypedDict

    _Integers = Union[Sequence[int], "numpy.ndarray[Any, Any]", torch.Tensor]

    class Keywords(TypedDict, total=False):
        """The fields of Settings, as the losses take them."""

        regularizer: Literal["exact", "relaxed"]
        exponent: int
        block_size: int
        permutation: Union[bool, _Integers, None]
        signs: Union[bool, _Integers, Sequence[Optional[_Integers]], None]
        generator: Optional[torch.Generator]
        threads: Optional[int]
        planning: Literal["measure", "patient", "estimate"]
        process_group: Any
        backend: Literal["auto", "torch"]

    class ModuleKeywords(Keywords, total=False):
        """And what modules have beside them."""

        evaluation_seed: Optional[int]

BACKENDS = {"auto": 0, "torch": 1}


class Draw(NamedTuple):
    """Permutation and signs of one forward, on the CPU; None for none."""

    permutation: Optional[torch.Tensor]
    signs: list[Optional[torch.Tensor]]  # of each view


@dataclass(frozen=True)
class Settings:
    """The keyword arguments of all losses, as decorr.torch tells of them."""

    regularizer: str = "exact"
    exponent: int = 2
    block_size: int = 0
    permutation: Any = False
    signs: Any = True
    generator: Optional[torch.Generator] = None
    threads: Optional[int] = None
    planning: str = "measure"
    process_group: Any = None
    backend: str = "auto"

    @classmethod
    def of(cls, owner: str, settings: Mapping[str, Any]) -> Settings:
        """From the keyword arguments of the loss of this name."""
        for name in settings:
            if name not in cls.__dataclass_fields__:
                raise TypeError(f"{owner}() got an unexpected keyword argument {name!r}")
        return cls(**settings)

    def __post_init__(self) -> None:
        exact = _choice("regularizer", self.regularizer, {"exact": 0, "relaxed": 1}) == 0

        def normalize(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)
        normalize("exponent", _integer("exponent", self.exponent, 32))
        normalize("block_size", _integer("block_size", self.block_size))
        # None is "none", which the exact regularizer has in any case.
        for name, none in (("permutation", False), ("signs", exact)):
            value = getattr(self, name)
            if value is None:
                normalize(name, none)
            elif isinstance(value, numpy.bool_):
                normalize(name, bool(value))
            elif not isinstance(value, bool) and (
                    isinstance(value, (str, bytes)) or not hasattr(value, "__len__") or
                    getattr(value, "ndim", 1) == 0):
                expected = "a pair of arrays" if name == "signs" else "d integers"
                raise _refusal(TypeError, name, f" is {value!r}, expected True, False or "
                               f"{expected}")
        if exact:
            changed = [name for name in ("exponent", "block_size", "permutation", "signs")
                       if not self._is_default(name)]
            if changed:
                raise _refusal(ValueError, changed[0], " is for the relaxed regularizer: set "
                               "regularizer='relaxed'")
        if self.generator is not None and not isinstance(self.generator, torch.Generator):
            raise _refusal(TypeError, "generator", f" is a {_type_name(self.generator)}, expected "
                           "a torch.Generator")
        _choice("backend", self.backend, BACKENDS)
        if self.process_group is False:
            normalize("process_group", None)
        if self.process_group is not None:
            _processes.check_process_group(self.process_group)
            _processes.members(self.process_group)
        self.execution()._struct()

    def _is_default(self, name: str) -> bool:
        """By value, of which arrays have none; True is not 1."""
        value, default = getattr(self, name), getattr(Settings, name)
        return type(value) is type(default) and bool(value == default)

    def __str__(self) -> str:
        """The arguments that are not the defaults."""
        # A generator's own text has its address, which differs in a copy.
        return ", ".join(
            f"{name}=" + (f"torch.{type(value).__name__}()"
                          if name in ("generator", "process_group") and value is not True
                          else repr(value))
            for name, value in self._fields().items() if not self._is_default(name))

    def _fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def execution(self) -> Execution:
        threads = torch.get_num_threads() if self.threads is None else self.threads
        return Execution(threads, self.planning, _processes.sum_over(self.process_group))

    @property
    def relaxed(self) -> bool:
        return self.regularizer == "relaxed"

    @property
    def draws_from_own(self) -> bool:
        """Whether a forward draws from a generator of the caller's."""
        return self.generator is not None and self.relaxed and (
            self.permutation is True or self.signs is True)

    def drawn_together(self) -> Settings:
        """The settings for one forward: of several processes with one generator, for one draw.
        The round goes whether this process draws or not, as another one may."""
        if self.draws_from_own:
            _refuse_in_checkpoint()
        if _processes.members(self.process_group) == 0:
            return self
        seed = _processes.shared_seed(self.generator, self.process_group)
        return dataclasses.replace(self, generator=torch.Generator().manual_seed(seed))

    def given(self, views: int) -> Draw:
        """What is given and not drawn, as tensors."""
        permutation = None if isinstance(self.permutation, bool) else self.permutation
        signs = [None] * views if isinstance(self.signs, bool) else self._given_signs(views)
        names = ("signs[0]", "signs[1]") if views == 2 else ("signs",)
        return Draw(integer_tensor("permutation", permutation, torch.int64),
                    [integer_tensor(name, each, torch.int8) for name, each in zip(names, signs)])

    def _given_signs(self, views: int) -> list[Any]:
        if views == 2:
            if len(self.signs) != 2:
                raise _refusal(ValueError, "signs", f" has {len(self.signs)} entries, expected "
                               "True, False or the signs of view a and of view b")
            return list(self.signs)
        if isinstance(self.signs, (list, tuple)) and any(
                getattr(each, "ndim", hasattr(each, "__len__")) for each in self.signs):
            raise _refusal(ValueError, "signs", f" has {len(self.signs)} entries that are no "
                           "integers, expected True, False or the d signs of the one view, no pair")
        return [self.signs]

    def draw(self, given: Draw, d: int) -> Draw:
        """Permutation and signs for a batch of d features: those given, and the others drawn."""
        if not self.relaxed:
            return given
        permutation, signs, generator = given.permutation, given.signs, self.generator
        # None itself is refused in a graph where d is no number yet.
        source: dict[str, Any] = {"device": "cpu"} if generator is None else {
            "device": generator.device, "generator": generator}
        if self.permutation is True:
            permutation = torch.randperm(d, **source)
        if self.signs is True:
            signs = [2 * torch.randint(0, 2, (d,), dtype=torch.int8, **source) - 1 for _ in signs]
        return Draw(permutation, signs)

    def check(self, function: str, options: Any, given: Draw) -> None:
        """Raises what any batch would: asks the library with a tiny one. Only what needs to know
        the number of features is left to the forward, unless a permutation or signs tell."""
        given_arrays = [None if each is None else each.numpy()
                        for each in (given.permutation, *given.signs)]
        d = max([0, *(array.size for array in given_arrays if array is not None)])
        regularizer: Regularizer = Exact()
        if self.relaxed:
            block_size = self.block_size if d > 0 else min(self.block_size, 1)
            regularizer = Relaxed(self.exponent, block_size, *given_arrays)
        # No threads are started and no time is spent on plans.
        execution = Execution(min(self.execution().threads, 1), "estimate")
        z, views = numpy.zeros((2, max(d, 1))), len(given.signs)
        try:
            _loss(function, lambda: [_input("z", z)] * views + [None] * views, options, regularizer,
                  execution)
        except ValueError as error:
            if getattr(error, "argument", "") != "block_size" or d > 0:
                raise
            # The one feature is not the caller's.
            raise _refusal(ValueError, "block_size", f" is {self.block_size}, expected 0 to "
                           "the number of features") from None

    # A torch.Generator can neither be pickled nor copied, its state can.
    def __getstate__(self) -> dict[str, Any]:
        if self.process_group not in (None, True):
            raise TypeError("a loss with a process group can neither be pickled nor copied, one "
                            "with process_group=True can")
        state = dict(self.__dict__)
        if self.generator is not None:
            state["generator"] = self.generator.get_state()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state["generator"] is not None:
            generator = torch.Generator()
            generator.set_state(state["generator"])
            state = {**state, "generator": generator}
        self.__dict__.update(state)


def _refuse_in_checkpoint() -> None:
    """Activation checkpointing repeats a forward, with PyTorch's own generators as they were and
    any other one as it then is: the gradient would be that of other signs."""
    frame, file = sys._getframe(), torch.utils.checkpoint.__file__
    while frame is not None:
        if frame.f_code.co_filename == file:
            raise RuntimeError(
                "torch.utils.checkpoint repeats this forward, and would draw other signs or "
                "another permutation from the loss's generator: leave generator at None, whose "
                "draws checkpoint() repeats, or give signs= and permutation=, or call the loss outside")
        frame = frame.f_back  # type: ignore[assignment]
