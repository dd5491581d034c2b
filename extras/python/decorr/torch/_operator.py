"""A loss as one operation on tensors, whose gradients are computed with its value, since that is
cheapest together, for the views that require one.

In the graphs of torch.compile, where PyTorch has torch.library.custom_op (2.4), it is an operator
of PyTorch's, decorr::loss, and an autograd.Function elsewhere, both of the same parts. A loss of
several views is a Function alone. What is random has been drawn before, so that the same arguments
give the same results.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple, Optional, Sequence

import torch

from .._arguments import _matrices_of_views
from .._interface import _COMBINATIONS, _COVARIANCE_SCALINGS, _Input, _Output
from .._losses import _loss
from .._options import BarlowTwinsOptions, Exact, Execution, Relaxed, VicregOptions
from . import _formulas, _processes, _terms
from ._tensors import ELEMENT_TYPES, scalar_type

class Call(NamedTuple):
    """The arguments beside the views, in the order of the operator's. Options are as
    option_numbers() makes them."""

    needs_a: bool
    needs_b: bool
    function: str
    options: list[float]
    relaxed: bool
    exponent: int
    block_size: int
    permutation: Optional[torch.Tensor]
    signs_a: Optional[torch.Tensor]
    signs_b: Optional[torch.Tensor]
    threads: int  # 0: as many as PyTorch has when it computes
    planning: str
    in_torch: bool
    group: int
    record: int  # of the terms, 0 for none
    slice_position: int
    slices: int

    @property
    def needs(self) -> tuple[bool, bool]:
        return self.needs_a, self.needs_b


_SCHEMA = ("(Tensor z_a, Tensor? z_b, bool needs_a, bool needs_b, str function, float[] options, "
           "bool relaxed, int exponent, int block_size, Tensor? permutation, Tensor? signs_a, "
           "Tensor? signs_b, int threads, str planning, bool in_torch, int group, "
           "int record, int slice_position, int slices) -> (Tensor, Tensor, Tensor, Tensor)")


# Of each loss.
OPTIONS: dict[str, Any] = {
    "barlow_twins_loss": BarlowTwinsOptions, "vicreg_loss": VicregOptions,
    "variance_covariance_loss": VicregOptions}
_DEFAULTS = {function: [(field.name, field.default) for field in dataclasses.fields(options)]
             for function, options in OPTIONS.items()}


def option_numbers(function: str, options: dict[str, Any]) -> list[float]:
    """The options of a loss by their names, the others at their defaults, as numbers."""
    values = [options.get(name, default) for name, default in _DEFAULTS[function]]
    return [float(_COVARIANCE_SCALINGS[each] if isinstance(each, str) else each)
            for each in values]


def options_of(function: str, numbers: list[float]) -> Any:
    if function == "barlow_twins_loss":
        lambda_, scale, epsilon, standardize = numbers
        return BarlowTwinsOptions(lambda_, scale, epsilon, bool(standardize))
    invariance, variance, covariance, gamma, epsilon, scale, sum_variance, scaling = numbers
    scaling_name, = (name for name, number in _COVARIANCE_SCALINGS.items() if number == scaling)
    return VicregOptions(invariance, variance, covariance, gamma, epsilon, scale,
                         bool(sum_variance), scaling_name)


# ---- The processes of a call, which an operator's arguments can only have a number for

_groups: dict[int, Any] = {}


def group_number(group: Any) -> int:
    """0 for None."""
    if group is None:
        return 0
    number = id(group)
    _groups[number] = group
    return number


# ---- Computing

def _in_torch(z: torch.Tensor, call: Call) -> bool:
    return call.in_torch or z.device.type != "cpu"


def _compute(z_a: torch.Tensor, z_b: Optional[torch.Tensor], *arguments: Any) -> tuple:
    """The loss, a copy that stands for it in the graph of a gradient, as the loss itself may be
    changed in place; both gradients, with no element where none is needed."""
    call = Call(*arguments)
    views = [z for z in (z_a, z_b) if z is not None]
    loss, copy, *gradients = _compute_views(views, call.needs, None, call)
    if len(views) == 1:
        gradients.append(_empty_gradient(z_a, False))
    return loss, copy, *gradients


def _compute_views(views: Sequence[torch.Tensor], needs: Sequence[bool],
                   combination: Optional[str], call: Call) -> tuple:
    """The same of any number of views, combined as the losses of several views are; None: of the
    functions of one view and of two."""
    # A lazy minus sign is not in memory.
    views = [z.resolve_neg() for z in views]
    # Of 16-bit inputs, too, in float32: the factor of the backward pass, which lifts small
    # gradients into the 16-bit range, comes before the rounding.
    gradients = [_empty_gradient(z, need) for z, need in zip(views, needs)]
    if _in_torch(views[0], call):
        options = options_of(call.function, call.options)
        terms = _formulas.loss(call, options, views, needs, gradients, combination)
    else:
        terms = _by_library(call, views, needs, gradients, combination)
    loss = terms[0].to(scalar_type(views[0].dtype), copy=True)
    _terms.write(call.record, terms, call.slice_position, call.slices)
    return loss, loss.clone(), *gradients


def _empty_gradient(z: torch.Tensor, needed: bool) -> torch.Tensor:
    dtype = scalar_type(z.dtype)
    return torch.empty_like(z, dtype=dtype) if needed else z.new_empty((0,), dtype=dtype)


def _matrix(struct: type, z: torch.Tensor) -> Any:
    return struct(z.data_ptr(), ELEMENT_TYPES[z.dtype], 0, *z.shape, *z.stride())


def _by_library(call: Call, views: list[torch.Tensor], needs: Sequence[bool],
                gradients: list[torch.Tensor], combination: Optional[str]) -> torch.Tensor:
    """Writes the gradients; the terms, in float64."""
    def matrices() -> list:
        inputs = [_matrix(_Input, z) for z in views]
        outputs = [_matrix(_Output, gradient) if need else None
                   for gradient, need in zip(gradients, needs)]
        if combination is None:
            return inputs + outputs
        return _matrices_of_views(inputs, outputs, _COMBINATIONS[combination])

    drawn = [None if each is None else each.cpu().numpy()
             for each in (call.permutation, call.signs_a, call.signs_b)]
    regularizer = Relaxed(call.exponent, call.block_size, *drawn) if call.relaxed else Exact()
    group = _groups[call.group] if call.group else None
    execution = Execution(call.threads or torch.get_num_threads(), call.planning,
                          _processes.sum_over(group))
    function_name = call.function + ("" if combination is None else "_of_views")
    terms = _loss(function_name, matrices, options_of(call.function, call.options), regularizer,
                  execution)
    # On the inputs' device, which need not be the default one.
    return torch.tensor(terms, dtype=torch.float64, device=views[0].device)


def _shapes(z_a: torch.Tensor, z_b: Optional[torch.Tensor], *arguments: Any) -> tuple:
    """What _compute() returns, without its numbers."""
    call, scalar = Call(*arguments), scalar_type(z_a.dtype)
    gradients = [z_a.new_empty((0,), dtype=scalar) if z is None else _empty_gradient(z, need)
                 for z, need in zip((z_a, z_b), call.needs)]
    return z_a.new_empty((), dtype=scalar), z_a.new_empty((), dtype=scalar), *gradients


# ---- Differentiating

# Before PyTorch 2 a Function's forward does what setup_context does since.
_HAS_SETUP_CONTEXT = hasattr(torch.autograd.Function, "setup_context")


def _times(dtypes: list, copy: torch.Tensor, grad_loss: torch.Tensor,
           *gradients: torch.Tensor) -> tuple:
    return tuple(None if dtype is None else (gradient * grad_loss).to(dtype)
                 for gradient, dtype in zip(gradients, dtypes))


class _Gradient(torch.autograd.Function):
    """The gradients times that of the loss, each in its dtype; None where that is None.

    With create_graph=True they hang on the loss, and so on the views: to differentiate them again
    is an error, also in a sum with terms that have second derivatives.
    """

    if _HAS_SETUP_CONTEXT:
        forward: Any = staticmethod(_times)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple, output: tuple) -> None:
            pass
    else:
        forward = staticmethod(lambda ctx, *arguments: _times(*arguments))

    @staticmethod
    def backward(ctx: Any, *_: Any) -> None:
        raise RuntimeError("decorr's losses have no second derivatives: their gradient, made with "
                           "create_graph=True, was differentiated")


def _save(ctx: Any, views: Sequence, needs: Sequence[bool], call: Call, outputs: tuple) -> None:
    if not any(needs):
        ctx.mark_non_differentiable(*outputs)
        return
    _, copy, *gradients = outputs
    ctx.mark_non_differentiable(*gradients)
    ctx.save_for_backward(copy, *gradients)
    ctx.dtypes = [z.dtype if need and z is not None else None for z, need in zip(views, needs)]
    # DistributedDataParallel takes the average over the processes.
    ctx.factor = max(_processes.members(_groups[call.group]), 1) if call.group else 1


def _view_gradients(ctx: Any, grad_loss: torch.Tensor, grad_copy: torch.Tensor) -> tuple:
    copy, *gradients = ctx.saved_tensors
    factor = ctx.factor * (grad_loss + grad_copy)
    return _Gradient.apply(ctx.dtypes, copy, factor, *gradients)


def _gradients(ctx: Any, grad_loss: torch.Tensor, grad_copy: torch.Tensor, *_: Any) -> tuple:
    """By the views, and None for all other arguments."""
    return (*_view_gradients(ctx, grad_loss, grad_copy), *[None] * len(Call._fields))


_NO_VMAP = ("decorr's losses cannot be vectorized by torch.func.vmap: call them once for each "
            "slice")


def _save_call(ctx: Any, inputs: tuple, output: tuple) -> None:
    """Of one view or two."""
    call = Call(*inputs[2:])
    _save(ctx, inputs[:2], call.needs, call, output)


def _compute_and_save(ctx: Any, *arguments: Any) -> tuple:
    outputs = _compute(*arguments)
    _save_call(ctx, arguments, outputs)
    return outputs


class _Function(torch.autograd.Function):
    """What computes without a graph: a call costs less than the operator's."""

    if _HAS_SETUP_CONTEXT:
        forward: Any = staticmethod(_compute)

        setup_context = staticmethod(_save_call)

        @staticmethod
        def vmap(*_: Any) -> Any:
            raise RuntimeError(_NO_VMAP)
    else:
        forward = staticmethod(_compute_and_save)

    backward = staticmethod(_gradients)


def _compute_many(needs: Sequence[bool], combination: str, call: Call,
                  *views: torch.Tensor) -> tuple:
    return _compute_views(views, needs, combination, call)


def _save_many(ctx: Any, inputs: tuple, output: tuple) -> None:
    needs, _, call, *views = inputs
    _save(ctx, views, needs, call, output)


def _compute_and_save_many(ctx: Any, *inputs: Any) -> tuple:
    outputs = _compute_many(*inputs)
    _save_many(ctx, inputs, outputs)
    return outputs


class _FunctionOfViews(torch.autograd.Function):
    """Of needs, combination, call, and any number of views."""

    if _HAS_SETUP_CONTEXT:
        forward: Any = staticmethod(_compute_many)
        setup_context = staticmethod(_save_many)

        @staticmethod
        def vmap(*_: Any) -> Any:
            raise RuntimeError(_NO_VMAP)
    else:
        forward = staticmethod(_compute_and_save_many)

    @staticmethod
    def backward(ctx: Any, grad_loss: torch.Tensor, grad_copy: torch.Tensor, *_: Any) -> tuple:
        return (None, None, None, *_view_gradients(ctx, grad_loss, grad_copy))


function = _Function.apply
function_of_views = _FunctionOfViews.apply
operator: Any = None
if hasattr(torch.library, "custom_op"):
    operator = torch.library.custom_op("decorr::loss", _compute, mutates_args=(), schema=_SCHEMA)
    operator.register_fake(_shapes)
    operator.register_autograd(_gradients, setup_context=_save_call)

    if hasattr(operator, "register_vmap"):
        @operator.register_vmap
        def _refuse_vmap(*_: Any) -> None:
            raise RuntimeError(_NO_VMAP)
