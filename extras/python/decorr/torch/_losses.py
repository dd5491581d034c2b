"""The losses as modules and functions, with the names, arguments and defaults of lightly's and
solo-learn's."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import warnings
from typing import TYPE_CHECKING, Any, Callable, Iterator, Mapping, NamedTuple, Optional

import torch

from .._arguments import _choice, _integer
from .._interface import _COMBINATIONS, _refusal
from .._losses import _LOSSES, _arguments
from ._operator import (
    OPTIONS, Call, function, function_of_views, group_number, operator, option_numbers, options_of)
from ._settings import Draw, Settings
from ._tensors import autocasts, check_views
from ._terms import TermsRecord

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._settings import Keywords, ModuleKeywords

# Of PyTorch 2; what stands for them before is never compiled.
_compiler = getattr(torch, "compiler", None)
_is_compiling = getattr(_compiler, "is_compiling", lambda: False)


def _not_compiled(reason: str) -> Callable[[Any], Any]:
    """Of a function that torch.compile runs as it is, between two graphs, or with fullgraph=True
    refuses for this reason, which PyTorch 2.7 and newer tell."""
    disable = getattr(_compiler, "disable", None)
    if disable is None:
        return lambda function: function
    if "reason" in inspect.signature(disable).parameters:
        return lambda function: disable(function, reason=reason)
    return lambda function: disable(function)


@contextlib.contextmanager
def _renamed(names: dict[str, str], function: str = "") -> Iterator[None]:
    """Refusals of this function of decorr's with the names of the arguments here."""
    one_view = function == "variance_covariance_loss"
    names = {**names, "signs_a": "signs" if one_view else "signs[0]", "signs_b": "signs[1]"}
    try:
        yield
    except (TypeError, ValueError) as error:
        argument, text = getattr(error, "argument", None), getattr(error, "text", "")
        if argument is None:
            raise
        raise _refusal(type(error), names.get(argument, argument), text) from None


def _number(name: str, value: Any) -> Any:
    """An option that is a tensor, as its number."""
    if not isinstance(value, torch.Tensor):
        return value
    if value.requires_grad:
        raise _refusal(TypeError, name, " is a tensor that requires a gradient, which decorr's "
                       f"losses have by the views alone: pass {name}.item()")
    if value.numel() != 1 or value.is_complex():
        raise _refusal(TypeError, name, f" is a tensor of type {value.dtype} and shape "
                       f"{tuple(value.shape)}, expected a number")
    return value.item()


class _Loss(NamedTuple):
    """A loss of decorr's, and the argument here for each of its options."""

    function: str
    names: dict[str, str]


def _option_numbers(kind: _Loss, values: dict[str, Any], **fixed: Any) -> list[float]:
    """The options of a loss as numbers, checked, from arguments by their names here."""
    options = {**fixed, **{name: _number(argument, values[argument])
                           for name, argument in kind.names.items()}}
    if not _is_compiling():
        with _renamed(kind.names):
            OPTIONS[kind.function](**options)._struct()
    return option_numbers(kind.function, options)


def _apply(kind: _Loss, numbers: list[float], settings: Settings, given: Draw,
           views: dict[str, Any], record: int = 0,
           combination: Optional[str] = None) -> torch.Tensor:
    """The loss; its terms go to the record of this number. With a combination it is that of several
    views."""
    settings = settings.drawn_together()
    together = settings.process_group is not None

    def prepare() -> tuple[list, list]:
        check_views(views, kind.function != "barlow_twins_loss")
        tensors = list(views.values())
        if together and (tensors[0].device.type != "cpu" or settings.backend == "torch"):
            raise ValueError("process_group is for tensors on the CPU and libdecorr: gather the "
                             "rows of all processes, then call the loss")
        slices = tensors[0].shape[1:-1].numel()
        return tensors, [settings.draw(given, tensors[0].shape[-1]) for _ in range(slices)]
    tensors, draws = _arguments(settings.execution(), prepare) if together else prepare()
    differentiates = torch.is_grad_enabled() and (
        _is_compiling() or not torch.is_inference_mode_enabled())
    needs = [differentiates and z.requires_grad for z in tensors]
    threads = 0 if settings.threads is None else settings.threads
    group = group_number(settings.process_group) if together else 0
    own_names = [f"views[{position}]" for position in range(len(views))] \
        if combination is not None else ["z_a", "z_b"] if len(views) == 2 else ["z"]
    names = {**kind.names, **dict(zip(own_names, views))}

    def loss_of(slices: list[torch.Tensor], draw: Draw, position: int) -> torch.Tensor:
        call = Call(needs[0], needs[-1] and len(needs) == 2, kind.function, numbers,
                    settings.relaxed, settings.exponent, settings.block_size, draw.permutation,
                    draw.signs[0], draw.signs[1] if len(draw.signs) == 2 else None, threads,
                    settings.planning, settings.backend == "torch", group, record, position,
                    len(draws))
        z_a, z_b = slices[0], slices[1] if len(slices) == 2 else None
        if _is_compiling() or operator is not None and combination is None and not all(
                type(z) in (torch.Tensor, torch.nn.Parameter) for z in slices):
            # Tensors without numbers, too, and others whose operations are their own.
            return operator(z_a, z_b, *call)[0]
        with _renamed(names, kind.function):
            if combination is not None:
                return function_of_views(needs, combination, call, *slices)[0]
            return function(z_a, z_b, *call)[0]

    losses = []
    for position, draw in enumerate(draws):
        slices = [z if z.dim() == 2 else z.flatten(1, -2)[:, position] for z in tensors]
        losses.append(loss_of(slices, draw, position))
    loss = losses[0] if len(losses) == 1 else torch.stack(losses).mean()
    return loss.to(_loss_type(tensors))


def _loss_type(views: list[torch.Tensor]) -> torch.dtype:
    """The views' type; under autocast, which has losses in float32, no 16-bit one."""
    dtype = views[0].dtype
    for z in views[1:]:
        dtype = torch.promote_types(dtype, z.dtype)
    return torch.promote_types(dtype, torch.float32) if autocasts(views[0].device.type) else dtype


# ---- Modules

class _Module(torch.nn.Module):
    """What the modules share. `terms` are those of this thread's last forward, None before the
    first."""

    _kind: _Loss
    _exact_weight: tuple[str, float]  # the regularizer's argument, and its default
    _presets = "vicreg_preset"

    def __init__(self, gather_distributed: bool, keywords: Mapping[str, Any], **options: Any):
        super().__init__()
        settings = dict(keywords)
        evaluation_seed = settings.pop("evaluation_seed", None)
        if gather_distributed:
            if not torch.distributed.is_available():
                raise ValueError("gather_distributed is True, and this PyTorch has no "
                                 "torch.distributed")
            settings = {"process_group": True, **settings}
        for name, value in options.items():
            setattr(self, name, _number(name, value))
        self.settings = Settings.of(type(self).__name__, settings)
        if evaluation_seed is not None:
            _integer("evaluation_seed", evaluation_seed)
        self.evaluation_seed = evaluation_seed
        self._record = TermsRecord()
        numbers = self._option_numbers()
        with _renamed(self._kind.names, self._kind.function):
            self._given = self.settings.given(
                1 if self._kind.function == "variance_covariance_loss" else 2)
            self.settings.check(self._kind.function, options_of(self._kind.function, numbers),
                                self._given)
        self._warn_of_weight()

    def _warn_of_weight(self) -> None:
        settings, (name, default) = self.settings, self._exact_weight
        if not settings.relaxed or getattr(self, name) != default or \
                getattr(self, "covariance_scaling", "per_dimension") != "per_dimension":
            return
        reason = "signs=False" if settings.signs is False else \
            "exponent=1" if settings.exponent == 1 else None
        if reason is not None:
            # For the line that makes the loss, which Python warns of once.
            warnings.warn(f"{name}={default} is for the exact regularizer, and {reason} needs "
                          f"another weight: decorr.{self._presets} has published "
                          "ones", stacklevel=4)

    @property
    def terms(self) -> Any:
        """The weighted terms of this thread's last forward, and their sum; None before it."""
        terms = self._record.read()
        return None if terms is None else _LOSSES[self._kind.function][1](*terms)

    def _option_numbers(self) -> list[float]:
        return _option_numbers(self._kind, {name: getattr(self, name)
                                            for name in self._kind.names.values()})

    def extra_repr(self) -> str:
        options = [f"{name}={getattr(self, name)!r}" for name in self._kind.names.values()]
        if self.evaluation_seed is not None:
            options.append(f"evaluation_seed={self.evaluation_seed}")
        return ", ".join([*options, *filter(None, [str(self.settings)])])

    def _forward(self, views: dict[str, torch.Tensor],
                 combination: Optional[str] = None) -> torch.Tensor:
        settings = self.settings
        if operator is None or settings.process_group is not None or settings.draws_from_own or \
                combination is not None or not self.training and self.evaluation_seed is not None:
            return self._forward_of_python(views, combination)
        return self._forward_with(settings, views, None)

    @_not_compiled("a generator=, a process_group=, an evaluation_seed= or several views are no "
                   "part of a graph")
    def _forward_of_python(self, views: dict[str, torch.Tensor],
                           combination: Optional[str]) -> torch.Tensor:
        """With what no graph of torch.compile can have: a generator, other processes, several
        views; before PyTorch 2.4, all."""
        settings = self.settings
        if not self.training and self.evaluation_seed is not None:
            generator = torch.Generator().manual_seed(self.evaluation_seed)
            settings = dataclasses.replace(settings, generator=generator)
        return self._forward_with(settings, views, combination)

    def _forward_with(self, settings: Settings, views: dict[str, torch.Tensor],
                      combination: Optional[str]) -> torch.Tensor:
        return _apply(self._kind, self._option_numbers(), settings, self._given, views,
                      self._record.number, combination)


class _ModuleOfViews(_Module):
    """Of two views, or more."""

    combination = "pairs"  # of one that was pickled before there were more

    def _combine(self, combination: str) -> None:
        _choice("combination", combination, _COMBINATIONS)
        self.combination = combination

    def extra_repr(self) -> str:
        options = [super().extra_repr()]
        if self.combination != "pairs":
            options.append(f"combination={self.combination!r}")
        return ", ".join(options)

    def forward(self, z_a: torch.Tensor, z_b: torch.Tensor,
                *others: torch.Tensor) -> torch.Tensor:
        """The loss of the views' raw embeddings, all of one shape, with n at least 2."""
        views = {"z_a": z_a, "z_b": z_b,
                 **{f"others[{position}]": z for position, z in enumerate(others)}}
        is_of_two = len(others) == 0 and self.combination == "pairs"
        return self._forward(views, None if is_of_two else self.combination)


class BarlowTwinsLoss(_ModuleOfViews):
    """Barlow Twins: scale * ( sum_i (1 - C_ii)^2 + lambda_param * R(C) ), C = A^T B / n of the
    standardized views.

    lightly's BarlowTwinsLoss(lambda_param=5e-3, gather_distributed=False), of its pull request 1806
    and later, where each view has its own statistics. `eps` is added to the biased variance;
    standardize=False takes the views as they are. `terms` has value, diagonal and off_diagonal of
    the last forward. For more than two views and the other keyword arguments see decorr.torch.
    """

    _kind = _Loss("barlow_twins_loss", {
        "lambda_": "lambda_param", "scale": "scale", "epsilon": "eps",
        "standardize": "standardize"})
    _exact_weight = "lambda_param", 5e-3
    _presets = "barlow_twins_preset"

    def __init__(self, lambda_param: float = 5e-3, gather_distributed: bool = False, *,
                 scale: float = 1.0, eps: float = 1e-5, standardize: bool = True,
                 combination: str = "pairs", **settings: Unpack[ModuleKeywords]):
        super().__init__(gather_distributed, settings, lambda_param=lambda_param, scale=scale,
                         eps=eps, standardize=standardize)
        self._combine(combination)


class VICRegLoss(_ModuleOfViews):
    """VICReg: scale * ( lambda_param * mean((A - B)^2) + mu_param * V
    + nu_param * (R(K_A) + R(K_B)) / d ).

    lightly's VICRegLoss(lambda_param=25.0, mu_param=25.0, nu_param=1.0, gather_distributed=False,
    eps=0.0001), of n x ... x d too the mean over the slices. V is the average over the views, their
    sum with `sum_variance`; `gamma` and `covariance_scaling` are those of decorr.VicregOptions.
    `terms` has value, invariance, variance and covariance of the last forward. For more than two
    views and the other keyword arguments see decorr.torch.
    """

    _kind = _Loss("vicreg_loss", {
        "invariance": "lambda_param", "variance": "mu_param", "covariance": "nu_param",
        "gamma": "gamma", "epsilon": "eps", "scale": "scale", "sum_variance": "sum_variance",
        "covariance_scaling": "covariance_scaling"})
    _exact_weight = "nu_param", 1.0

    def __init__(self, lambda_param: float = 25.0, mu_param: float = 25.0, nu_param: float = 1.0,
                 gather_distributed: bool = False, eps: float = 0.0001, *, scale: float = 1.0,
                 gamma: float = 1.0, sum_variance: bool = False,
                 covariance_scaling: str = "per_dimension", combination: str = "pairs",
                 **settings: Unpack[ModuleKeywords]):
        super().__init__(gather_distributed, settings, lambda_param=lambda_param,
                         mu_param=mu_param, nu_param=nu_param, eps=eps, scale=scale, gamma=gamma,
                         sum_variance=sum_variance, covariance_scaling=covariance_scaling)
        self._combine(combination)


class VarianceCovarianceLoss(_Module):
    """VICReg's terms for one view (VCReg): scale * ( mu_param * V + nu_param * R(K) / d ).

    `terms` has value, variance and covariance of the last forward. For the other arguments see
    VICRegLoss and decorr.torch.
    """

    _kind = _Loss("variance_covariance_loss", {
        "variance": "mu_param", "covariance": "nu_param", "gamma": "gamma", "epsilon": "eps",
        "scale": "scale", "covariance_scaling": "covariance_scaling"})
    _exact_weight = "nu_param", 1.0

    def __init__(self, mu_param: float = 25.0, nu_param: float = 1.0, eps: float = 0.0001, *,
                 scale: float = 1.0, gamma: float = 1.0,
                 covariance_scaling: str = "per_dimension", **settings: Unpack[ModuleKeywords]):
        super().__init__(False, settings, mu_param=mu_param, nu_param=nu_param, eps=eps,
                         scale=scale, gamma=gamma, covariance_scaling=covariance_scaling)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """The loss of one view, n x d or n x ... x d, n at least 2."""
        return self._forward({"z": z})


# ---- Functions

_BARLOW_LOSS_FUNC = _Loss("barlow_twins_loss", {"lambda_": "lamb", "scale": "scale_loss"})
_VICREG_LOSS_FUNC = _Loss("vicreg_loss", {
    "invariance": "sim_loss_weight", "variance": "var_loss_weight",
    "covariance": "cov_loss_weight"})


@_not_compiled("the functions are not for graphs: BarlowTwinsLoss and VICRegLoss are")
def _function(owner: str, kind: _Loss, numbers: list[float], settings: Mapping[str, Any],
              z1: Any, z2: Any) -> torch.Tensor:
    made = Settings.of(owner, settings)
    return _apply(kind, numbers, made, made.given(2), {"z1": z1, "z2": z2})


def barlow_loss_func(z1: torch.Tensor, z2: torch.Tensor, lamb: float = 5e-3,
                     scale_loss: float = 0.025, **settings: Unpack[Keywords]) -> torch.Tensor:
    """solo-learn's Barlow Twins, scale_loss * ( sum_i (1 - C_ii)^2 + lamb * R(C) ).

    The defaults are those of its function; its configurations set 0.0051 and 0.024. For the other
    keyword arguments see decorr.torch.
    """
    return _function("barlow_loss_func", _BARLOW_LOSS_FUNC,
                     _option_numbers(_BARLOW_LOSS_FUNC, locals()), settings, z1, z2)


def vicreg_loss_func(z1: torch.Tensor, z2: torch.Tensor, sim_loss_weight: float = 25.0,
                     var_loss_weight: float = 25.0, cov_loss_weight: float = 1.0,
                     **settings: Unpack[Keywords]) -> torch.Tensor:
    """solo-learn's VICReg, with the variance terms summed over the views.

    For the other keyword arguments see decorr.torch.
    """
    return _function("vicreg_loss_func", _VICREG_LOSS_FUNC,
                     _option_numbers(_VICREG_LOSS_FUNC, locals(), sum_variance=True), settings, z1,
                     z2)
