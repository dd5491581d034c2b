"""decorr's losses for PyTorch, with the names and defaults that its users know.

    from decorr_torch import BarlowTwinsLoss

    criterion = BarlowTwinsLoss()                        # lightly's, exact
    criterion = BarlowTwinsLoss(regularizer="relaxed")   # in O(n d log d), on average the same
    loss = criterion(z_a, z_b)                           # raw embeddings, n x d
    loss.backward()

BarlowTwinsLoss and VICRegLoss give the values and gradients of lightly's classes of these names,
barlow_loss_func and vicreg_loss_func those of solo-learn's functions. VarianceCovarianceLoss has
VICReg's terms for a single view, of any layer.

Tensors are on the CPU, of two dimensions, a row a sample: float32, float64, float16 or bfloat16, of
which the last two are computed in float32. They are read in place, whatever their strides. The loss
has no dimension and the inputs' type; gradients go back in the inputs' types. A view that requires
no gradient, as a teacher's, gets none, and it is not computed. A 16-bit loss holds three digits at
best, and a gradient scaler's factor may be beyond it: `criterion(z_a.float(), z_b.float())` gives a
float32 loss. There are first derivatives only: `create_graph=True` gives a gradient, which cannot
be differentiated.

All losses take these keyword arguments, which do not change what is asked for unless
`regularizer="relaxed"` does:

  regularizer  "exact", the default, or "relaxed"
  exponent     of the relaxed one: 2, the default, or 1
  block_size   of the relaxed one: features in a block; 0, the default, is a single block
  permutation  of the relaxed one: False, the default; True: drawn anew for each forward; or d
               integers
  signs        of the relaxed one: True, the default: drawn anew for each forward, with which and
               exponent 2 the relaxed loss is on average the exact one, so that its weights carry
               over; False; or a pair, the signs of view a and of view b (for a single view these
               alone), d integers each
  generator    the torch.Generator to draw from, the permutation first, then signs a, then signs b;
               None, the default, is PyTorch's own, which torch.manual_seed seeds
  threads      None, the default, is torch.get_num_threads(); results are the same for any number
  planning     "measure", the default, "patient", or "estimate", with which alone results repeat bit
               for bit from run to run
  process_group  None, the default; or the processes that hold the batch together: True for all of
               torch.distributed's, where that is initialized, or a group of them

Integers are sequences, NumPy arrays or tensors of an integer type on the CPU; None is False.

A draw of signs is an estimate of the exact loss, with a single block a noisy one where d is small
or not large beside n. Smaller blocks cut the noise, whose standard deviation falls about like
sqrt(block_size / d): for example block_size=512 at d = 8192, with a quarter of a single block's.

Weights do not carry over from the exact regularizer to a relaxed one without signs, nor to exponent
1: decorr.barlow_twins_preset and decorr.vicreg_preset have published ones. A warning tells of
signs=False with the exact regularizer's weight.

Several processes. With `process_group` each process gives its own rows, as many as it has, perhaps
none, and the loss is that of all rows together, the same on all of them. Gradients are those of this
loss by the process's own rows, times the number of processes: DistributedDataParallel averages the
parameters' gradients over the processes, and the average is then the gradient of the loss. What
draws a permutation or signs draws the same on all, by a generator with a seed that the first
process draws from its own. Sums go over
the CPU, so with the backend gloo, or several ("cpu:gloo,cuda:nccl"); they are O(d) numbers but for
the exact loss, d^2 (docs/distributed.md). What is wrong on one process raises on all of them, there
a decorr.CollectiveError, which says how many have failed. gather_distributed=True, an argument of
lightly's losses, is process_group=True.

Errors are those of decorr.py: TypeError for what is no dense tensor of floating-point numbers,
ValueError for what does not fit, RuntimeError for second derivatives. Settings are checked when a
loss is made, but for what depends on the number of features.

Not supported: torch.jit, torch.compile, forward-mode derivatives, torch.func.vmap.

Processes. A child that is forked while another thread plans (the first call for a length does), or
after a call with several threads, may hang in a call of its own, as in PyTorch itself: start
processes with the method "spawn", or before the fork call with threads=1 alone and make the first
calls. Workers of a DataLoader that do not call decorr may be forked.

Copies of this module and of decorr.py elsewhere need libdecorr beside them, or DECORR_LIBRARY.
"""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from dataclasses import dataclass
from typing import Any, Optional

import numpy
import torch

import decorr

__all__ = ["BarlowTwinsLoss", "VICRegLoss", "VarianceCovarianceLoss", "barlow_loss_func",
           "vicreg_loss_func"]

_ELEMENT_TYPES = {torch.float32: decorr._FLOAT32, torch.float64: decorr._FLOAT64,
                  torch.float16: decorr._FLOAT16, torch.bfloat16: decorr._BFLOAT16}
_INTEGER_TYPES = torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64


# ---- Tensors

def _check_views(views: dict[str, Any]) -> None:
    """Raises for what the library cannot be asked."""
    for name, z in views.items():
        if not isinstance(z, torch.Tensor):
            raise TypeError(f"{name} is a {type(z).__name__}, expected a torch.Tensor")
        if z.layout != torch.strided:
            raise TypeError(f"{name} has the layout {z.layout}, expected a dense tensor")
        if z.dtype not in _ELEMENT_TYPES:
            raise TypeError(f"{name} is of type {z.dtype}, expected torch.float32, float64, "
                            "float16 or bfloat16")
        if z.device.type != "cpu":
            raise ValueError(f"{name} is on the device {z.device}, and decorr computes on the CPU: "
                             f"pass {name}.cpu()")
        if z.dim() != 2:
            raise ValueError(f"{name} has {z.dim()} dimensions, expected 2: samples and features")
    (first_name, first), *others = views.items()
    for name, z in others:
        if z.shape != first.shape:
            raise ValueError(f"{first_name} is {first.shape[0]} x {first.shape[1]}, {name} is "
                             f"{z.shape[0]} x {z.shape[1]}, expected the same shape")
        if (z.dtype == torch.float64) != (first.dtype == torch.float64):
            raise TypeError(f"{first_name} is of type {first.dtype}, {name} is of type {z.dtype}, "
                            "expected torch.float64 for both or for neither")


def _integers(name: str, values: Any):
    """What is given as integers, of which a tensor becomes an array."""
    if not isinstance(values, torch.Tensor):
        return values
    if values.layout != torch.strided:
        raise TypeError(f"{name} has the layout {values.layout}, expected a dense tensor")
    if values.dtype not in _INTEGER_TYPES:
        raise TypeError(f"{name} is of type {values.dtype}, expected integers")
    if values.device.type != "cpu":
        raise ValueError(f"{name} is on the device {values.device}, and decorr computes on the "
                         f"CPU: pass {name}.cpu()")
    return values.numpy()


# ---- Processes

def _check_process_group(group: Any) -> None:
    types = bool, *filter(None, [getattr(torch.distributed, "ProcessGroup", None)])
    if not isinstance(group, types):
        raise TypeError(f"process_group is {group!r}, expected None, True or a group of "
                        "torch.distributed")


def _members(group: Any) -> int:
    """How many processes hold the batch together; 0 where this one has it alone."""
    distributed = torch.distributed
    if group is None or not distributed.is_available() or not distributed.is_initialized():
        return 0
    if distributed.get_backend(_group(group)) == "nccl":
        raise ValueError("process_group has the backend nccl, and decorr computes on the CPU: pass "
                         "torch.distributed.new_group(backend='gloo')")
    return distributed.get_world_size(_group(group))


def _group(group: Any):
    return None if group is True else group  # None is torch.distributed's own name for all


def _sum_over(group: Any):
    def sum_over_processes(numbers: numpy.ndarray) -> None:
        torch.distributed.all_reduce(torch.from_numpy(numbers), group=_group(group))
    return sum_over_processes


def _shared_seed(generator: Optional[torch.Generator], group: Any) -> int:
    """Drawn by the first process. Nothing of a call may fail before this."""
    seed = torch.randint(0, 2**48, (1,), generator=generator, device="cpu")
    if torch.distributed.get_rank(_group(group)) != 0:
        seed.zero_()
    torch.distributed.all_reduce(seed, group=_group(group))
    return int(seed)


def _matrix(struct: type, z: torch.Tensor) -> Any:
    return struct(z.data_ptr(), _ELEMENT_TYPES[z.dtype], 0, *z.shape, *z.stride())


def _evaluate(compute, needed, views):
    """The loss, and the gradients of the views that need one, None for the others."""
    gradients = []

    def matrices():
        # A lazy minus sign is not in memory.
        inputs = [z.resolve_neg() for z in views]
        # Of 16-bit inputs, too, in float32: the factor of the backward pass, which lifts small
        # gradients into the 16-bit range, comes before the rounding.
        gradients[:] = [
            torch.empty_like(z, dtype=z.dtype if z.dtype == torch.float64 else torch.float32)
            if need else None for z, need in zip(inputs, needed)]
        # The inputs live as long as their description.
        described = [_matrix(decorr._Input, z) for z in inputs]
        for each, z in zip(described, inputs):
            each.kept = z
        return described + [None if z is None else _matrix(decorr._Output, z) for z in gradients]

    value = compute(matrices).value
    dtype = views[0].dtype
    for z in views[1:]:
        dtype = torch.promote_types(dtype, z.dtype)
    # By way of float64: a value beyond the 16-bit range is an infinity and no error. On the inputs'
    # device, which need not be the default one.
    return torch.tensor(value, dtype=torch.float64, device=views[0].device).to(dtype), gradients


class _Function(torch.autograd.Function):
    """A loss whose gradients are computed with its value, since that is cheapest together, for the
    views that require one.

    Its second output, a copy, stands for the loss in the graph of a gradient, as the loss itself
    may be changed in place.
    """

    @staticmethod
    def forward(ctx, compute, factor, *views: torch.Tensor):
        loss, gradients = _evaluate(compute, ctx.needs_input_grad[2:], views)
        copy = loss.clone()
        ctx.factor = factor  # of the gradients
        ctx.dtypes = [z.dtype for z in views]
        ctx.save_for_backward(copy, *gradients)
        return loss, copy

    @staticmethod
    def backward(ctx, grad_loss: torch.Tensor, _):
        copy, *gradients = ctx.saved_tensors
        dtypes = [dtype if needed else None
                  for dtype, needed in zip(ctx.dtypes, ctx.needs_input_grad[2:])]
        return (None, None, *_Gradient.apply(dtypes, copy, ctx.factor * grad_loss, *gradients))


class _Gradient(torch.autograd.Function):
    """The gradients times that of the loss, each in its dtype; None where that is None.

    With create_graph=True they hang on the loss, and so on the views: to differentiate them again
    is an error, also in a sum with terms that have second derivatives.
    """

    @staticmethod
    def forward(ctx, dtypes, copy, grad_loss, *gradients):
        return tuple(None if dtype is None else (gradient * grad_loss).to(dtype)
                     for gradient, dtype in zip(gradients, dtypes))

    @staticmethod
    def backward(ctx, *_):
        raise RuntimeError("decorr's losses have no second derivatives: their gradient, made with "
                           "create_graph=True, was differentiated")


# ---- Settings

@dataclass(frozen=True)
class _Settings:
    """The keyword arguments of all losses."""

    regularizer: str = "exact"
    exponent: int = 2
    block_size: int = 0
    permutation: Any = False
    signs: Any = True
    generator: Optional[torch.Generator] = None
    threads: Optional[int] = None
    planning: str = "measure"
    process_group: Any = None

    @classmethod
    def of(cls, owner: str, settings: dict[str, Any]) -> _Settings:
        """From the keyword arguments of the loss of this name."""
        for name in settings:
            if name not in cls.__dataclass_fields__:
                raise TypeError(f"{owner}() got an unexpected keyword argument {name!r}")
        return cls(**settings)

    def __post_init__(self):
        exact = decorr._choice("regularizer", self.regularizer, {"exact": 0, "relaxed": 1}) == 0

        def normalize(name, value):
            object.__setattr__(self, name, value)
        normalize("exponent", decorr._integer("exponent", self.exponent, 32))
        normalize("block_size", decorr._integer("block_size", self.block_size))
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
                raise TypeError(f"{name} is {value!r}, expected True, False or {expected}")
        if exact:
            changed = [name for name in ("exponent", "block_size", "permutation", "signs")
                       if not self._is_default(name)]
            if changed:
                raise ValueError(f"{changed[0]} is for the relaxed regularizer: set regularizer="
                                 "'relaxed'")
        if self.generator is not None and not isinstance(self.generator, torch.Generator):
            raise TypeError(f"generator is a {type(self.generator).__name__}, expected a "
                            "torch.Generator")
        if self.process_group is False:
            normalize("process_group", None)
        if self.process_group is not None:
            _check_process_group(self.process_group)
            _members(self.process_group)
        self.execution()._struct()

    def _is_default(self, name: str) -> bool:
        """By value, of which arrays have none; True is not 1."""
        value, default = getattr(self, name), getattr(_Settings, name)
        return type(value) is type(default) and value == default

    def __str__(self) -> str:
        """The arguments that are not the defaults."""
        # A generator's own text has its address, which differs in a copy.
        return ", ".join(
            f"{name}=" + (f"torch.{type(value).__name__}()"
                          if name in ("generator", "process_group") and value is not True
                          else repr(value))
            for name, value in vars(self).items() if not self._is_default(name))

    def execution(self) -> decorr.Execution:
        threads = torch.get_num_threads() if self.threads is None else self.threads
        together = _members(self.process_group) > 0
        return decorr.Execution(threads, self.planning,
                                _sum_over(self.process_group) if together else None)

    def drawn_together(self) -> _Settings:
        """The settings for one forward: of several processes with one generator, for one draw.
        The round goes whether this process draws or not, as another one may."""
        if _members(self.process_group) == 0:
            return self
        seed = _shared_seed(self.generator, self.process_group)
        return dataclasses.replace(self, generator=torch.Generator().manual_seed(seed))

    def regularizer_for(self, views: int, d: int) -> decorr.Regularizer:
        """The regularizer for a batch of d features; draws what is to be drawn."""
        if self.regularizer == "exact":
            return decorr.Exact()
        permutation = self.permutation
        if permutation is True:
            permutation = torch.randperm(d, generator=self.generator, device="cpu")
        elif permutation is False:
            permutation = None
        signs = self.signs
        if signs is True:
            signs = [2 * torch.randint(0, 2, (d,), dtype=torch.int8, device="cpu",
                                       generator=self.generator) - 1 for _ in range(views)]
        elif signs is False:
            signs = [None] * views
        else:
            signs = self._given_signs(views)
        return decorr.Relaxed(self.exponent, self.block_size,
                              _integers("permutation", permutation), *signs)

    def _given_signs(self, views: int) -> list:
        if views == 2:
            if len(self.signs) != 2:
                raise ValueError(f"signs has {len(self.signs)} entries, expected True, False or "
                                 "the signs of view a and of view b")
            return [_integers(name, each) for name, each in zip(("signs_a", "signs_b"), self.signs)]
        if isinstance(self.signs, (list, tuple)) and any(
                getattr(each, "ndim", hasattr(each, "__len__")) for each in self.signs):
            raise ValueError(f"signs has {len(self.signs)} entries that are no integers, expected "
                             "True, False or the d signs of the one view, no pair")
        return [_integers("signs", self.signs)]

    def check(self, function: str, options) -> None:
        """Raises what any batch would: asks the library with a tiny one. Only what needs to know
        the number of features is left to the forward, unless a permutation or signs tell."""
        views = 1 if function == "variance_covariance_loss" else 2
        relaxed = self.regularizer == "relaxed"
        # Nothing is drawn, no threads are started and no time is spent on plans.
        drawn = [name for name in ("permutation", "signs") if getattr(self, name) is True]
        tiny = dataclasses.replace(self, threads=min(self.execution().threads, 1),
                                   planning="estimate", process_group=None,
                                   **dict.fromkeys(drawn if relaxed else (), False))
        regularizer, d = tiny.regularizer_for(views, 1), 0
        if relaxed:
            struct = regularizer._struct()
            d = max(struct.permutation_size, struct.signs_a_size)
            if d == 0:
                regularizer = dataclasses.replace(regularizer, block_size=min(self.block_size, 1))
        z = numpy.zeros((2, max(d, 1)))
        try:
            decorr._loss(function, lambda: [decorr._input("z", z)] * views + [None] * views, options,
                         regularizer, tiny.execution())
        except ValueError as error:
            if error.argument != "block_size" or d > 0:
                raise
            # The one feature is not the caller's.
            raise decorr._refusal(ValueError, "block_size", f" is {self.block_size}, expected 0 to "
                                  "the number of features") from None

    # A torch.Generator can neither be pickled nor copied, its state can.
    def __getstate__(self):
        if self.process_group not in (None, True):
            raise TypeError("a loss with a process group can neither be pickled nor copied, one with "
                            "process_group=True can")
        state = dict(self.__dict__)
        if self.generator is not None:
            state["generator"] = self.generator.get_state()
        return state

    def __setstate__(self, state):
        if state["generator"] is not None:
            generator = torch.Generator()
            generator.set_state(state["generator"])
            state = {**state, "generator": generator}
        self.__dict__.update(state)


@contextlib.contextmanager
def _renamed(names: dict[str, str], function: str = ""):
    """Refusals of this function of decorr.py's with the names of the arguments here."""
    if function == "variance_covariance_loss":
        names = {**names, "signs_a": "signs"}
    try:
        yield
    except (TypeError, ValueError) as error:
        if not hasattr(error, "argument"):
            raise
        name = names.get(error.argument, error.argument)
        raise decorr._refusal(type(error), name, error.text) from None


def _options_of(options_type: type, names: dict[str, str], values: dict[str, Any], **fixed):
    """Options from arguments by their names here, which `names` gives for those of the options."""
    options = options_type(**{name: values[argument] for name, argument in names.items()}, **fixed)
    with _renamed(names):
        options._struct()
    return options


def _apply(name: str, options, settings: _Settings, views: dict[str, Any], names: dict[str, str]):
    """A loss of decorr.py's as a tensor, and its terms. The names are those of the options."""
    settings = settings.drawn_together()
    execution = settings.execution()
    tensors, regularizer = decorr._arguments(execution, lambda: _prepare(settings, views))
    if len(views) == 2:
        names = {**names, **dict(zip(("z_a", "z_b"), views))}
    terms = None

    def compute(matrices):
        nonlocal terms
        with _renamed(names, name):
            terms = decorr._loss(name, matrices, options, regularizer, execution)
        return terms

    if torch.is_grad_enabled() and not torch.is_inference_mode_enabled() and \
            any(z.requires_grad for z in tensors):
        factor = max(_members(settings.process_group), 1)
        loss, _ = _Function.apply(compute, factor, *tensors)
    else:
        loss, _ = _evaluate(compute, [False] * len(tensors), tensors)
    return loss, terms


def _prepare(settings: _Settings, views: dict[str, Any]):
    _check_views(views)
    tensors = list(views.values())
    return tensors, settings.regularizer_for(len(tensors), tensors[0].shape[1])


# ---- Modules

class _Loss(torch.nn.Module):
    """What the modules share. `terms` are those of the last forward, None before the first."""

    _function: str  # of decorr
    _options_type: type
    _names: dict[str, str]  # the argument for each of the options
    _exact_weight: tuple[str, float]  # the regularizer's argument, and its default
    _presets = "vicreg_preset"

    def __init__(self, gather_distributed: bool, settings: dict[str, Any], **options):
        super().__init__()
        if gather_distributed:
            settings = {"process_group": True, **settings}
        for name, value in options.items():
            setattr(self, name, value)
        self.settings = _Settings.of(type(self).__name__, settings)
        self.terms = None
        options = self._options()
        with _renamed(self._names, self._function):
            self.settings.check(self._function, options)
        name, default = self._exact_weight
        if self.settings.regularizer == "relaxed" and self.settings.signs is False and \
                getattr(self, name) == default and \
                getattr(self, "covariance_scaling", "per_dimension") == "per_dimension":
            # For the line that makes the loss, which Python warns of once.
            warnings.warn(f"{name}={default} is for the exact regularizer, and signs=False needs "
                          f"another weight: decorr.{self._presets} has published "
                          "ones", stacklevel=3)

    def _options(self):
        values = {name: getattr(self, name) for name in self._names.values()}
        return _options_of(self._options_type, self._names, values)

    def extra_repr(self) -> str:
        options = [f"{name}={getattr(self, name)!r}" for name in self._names.values()]
        return ", ".join([*options, *filter(None, [str(self.settings)])])

    def _forward(self, **views: torch.Tensor) -> torch.Tensor:
        loss, self.terms = _apply(self._function, self._options(), self.settings, views,
                                  self._names)
        return loss


class BarlowTwinsLoss(_Loss):
    """Barlow Twins: scale * ( sum_i (1 - C_ii)^2 + lambda_param * R(C) ), C = A^T B / n of the
    standardized views.

    lightly's BarlowTwinsLoss(lambda_param=5e-3, gather_distributed=False), of its pull request 1806
    and later, where each view has its own statistics. `eps` is added to the biased variance.
    `terms` has value, diagonal and off_diagonal of the last forward. For the other keyword
    arguments see the module.
    """

    _function = "barlow_twins_loss"
    _options_type = decorr.BarlowTwinsOptions
    _names = {"lambda_": "lambda_param", "scale": "scale", "epsilon": "eps"}
    _exact_weight = "lambda_param", 5e-3
    _presets = "barlow_twins_preset"

    def __init__(self, lambda_param: float = 5e-3, gather_distributed: bool = False, *,
                 scale: float = 1.0, eps: float = 1e-5, **settings):
        super().__init__(gather_distributed, settings, lambda_param=lambda_param, scale=scale,
                         eps=eps)

    def forward(self, z_a: torch.Tensor, z_b: torch.Tensor) -> torch.Tensor:
        """The loss of two views, n x d raw embeddings each, n at least 2."""
        return self._forward(z_a=z_a, z_b=z_b)


class VICRegLoss(_Loss):
    """VICReg: scale * ( lambda_param * mean((A - B)^2) + mu_param * V
    + nu_param * (R(K_A) + R(K_B)) / d ).

    lightly's VICRegLoss(lambda_param=25.0, mu_param=25.0, nu_param=1.0, gather_distributed=False,
    eps=0.0001), for inputs of two dimensions. V is the average over the views, their sum with
    `sum_variance`; `gamma` and `covariance_scaling` are those of decorr.VicregOptions. `terms` has
    value, invariance, variance and covariance of the last forward. For the other keyword arguments
    see the module.
    """

    _function = "vicreg_loss"
    _options_type = decorr.VicregOptions
    _names = {"invariance": "lambda_param", "variance": "mu_param", "covariance": "nu_param",
              "gamma": "gamma", "epsilon": "eps", "scale": "scale",
              "sum_variance": "sum_variance", "covariance_scaling": "covariance_scaling"}
    _exact_weight = "nu_param", 1.0

    def __init__(self, lambda_param: float = 25.0, mu_param: float = 25.0, nu_param: float = 1.0,
                 gather_distributed: bool = False, eps: float = 0.0001, *, scale: float = 1.0,
                 gamma: float = 1.0, sum_variance: bool = False,
                 covariance_scaling: str = "per_dimension", **settings):
        super().__init__(gather_distributed, settings, lambda_param=lambda_param,
                         mu_param=mu_param, nu_param=nu_param, eps=eps, scale=scale, gamma=gamma,
                         sum_variance=sum_variance, covariance_scaling=covariance_scaling)

    def forward(self, z_a: torch.Tensor, z_b: torch.Tensor) -> torch.Tensor:
        """The loss of two views, n x d raw embeddings each, n at least 2."""
        return self._forward(z_a=z_a, z_b=z_b)


class VarianceCovarianceLoss(_Loss):
    """VICReg's terms for one view (VCReg): scale * ( mu_param * V + nu_param * R(K) / d ).

    `terms` has value, variance and covariance of the last forward. For the other arguments see
    VICRegLoss and the module.
    """

    _function = "variance_covariance_loss"
    _options_type = decorr.VicregOptions
    _names = {"variance": "mu_param", "covariance": "nu_param", "gamma": "gamma",
              "epsilon": "eps", "scale": "scale", "covariance_scaling": "covariance_scaling"}
    _exact_weight = "nu_param", 1.0

    def __init__(self, mu_param: float = 25.0, nu_param: float = 1.0, eps: float = 0.0001, *,
                 scale: float = 1.0, gamma: float = 1.0,
                 covariance_scaling: str = "per_dimension", **settings):
        super().__init__(False, settings, mu_param=mu_param, nu_param=nu_param, eps=eps,
                         scale=scale, gamma=gamma, covariance_scaling=covariance_scaling)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """The loss of one view, n x d, n at least 2."""
        return self._forward(z=z)


# ---- Functions

def barlow_loss_func(z1: torch.Tensor, z2: torch.Tensor, lamb: float = 5e-3,
                     scale_loss: float = 0.025, **settings) -> torch.Tensor:
    """solo-learn's Barlow Twins, scale_loss * ( sum_i (1 - C_ii)^2 + lamb * R(C) ).

    The defaults are those of its function; its configurations set 0.0051 and 0.024. For the other
    keyword arguments see the module.
    """
    names = {"lambda_": "lamb", "scale": "scale_loss"}
    options = _options_of(decorr.BarlowTwinsOptions, names, locals())
    return _apply("barlow_twins_loss", options, _Settings.of("barlow_loss_func", settings),
                  {"z1": z1, "z2": z2}, names)[0]


def vicreg_loss_func(z1: torch.Tensor, z2: torch.Tensor, sim_loss_weight: float = 25.0,
                     var_loss_weight: float = 25.0, cov_loss_weight: float = 1.0,
                     **settings) -> torch.Tensor:
    """solo-learn's VICReg, with the variance terms summed over the views.

    For the other keyword arguments see the module.
    """
    names = {"invariance": "sim_loss_weight", "variance": "var_loss_weight",
             "covariance": "cov_loss_weight"}
    options = _options_of(decorr.VicregOptions, names, locals(), sum_variance=True)
    return _apply("vicreg_loss", options, _Settings.of("vicreg_loss_func", settings),
                  {"z1": z1, "z2": z2}, names)[0]
