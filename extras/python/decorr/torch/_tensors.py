"""What tensors the losses take, and integers that are given as tensors."""

from __future__ import annotations

from typing import Any, Optional

import numpy
import torch

from .._arguments import _integers, _type_name
from .._interface import _BFLOAT16, _FLOAT16, _FLOAT32, _FLOAT64, _refusal

ELEMENT_TYPES = {torch.float32: _FLOAT32, torch.float64: _FLOAT64, torch.float16: _FLOAT16,
                 torch.bfloat16: _BFLOAT16}
INTEGER_TYPES = torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64


def scalar_type(dtype: torch.dtype) -> torch.dtype:
    """In which a loss of such inputs is computed."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def autocasts(device_type: str) -> bool:
    """Whether products on such a device are taken in 16 bits."""
    if device_type == "meta":  # PyTorch knows of none there
        return False
    if hasattr(torch.library, "custom_op"):  # PyTorch 2.4
        return torch.is_autocast_enabled(device_type)
    return torch.is_autocast_cpu_enabled() if device_type == "cpu" else torch.is_autocast_enabled()


def check_views(views: dict[str, Any], may_have_slices: bool) -> None:
    """Raises for what no loss can be asked. With slices between samples and features where the loss
    takes their mean."""
    for name, z in views.items():
        if not isinstance(z, torch.Tensor):
            raise _refusal(TypeError, name, f" is a {_type_name(z)}, expected a torch.Tensor")
        if z.layout != torch.strided:
            raise _refusal(TypeError, name, f" has the layout {z.layout}, expected a dense tensor")
        if z.dtype not in ELEMENT_TYPES:
            raise _refusal(TypeError, name, f" is of type {z.dtype}, expected torch.float32, "
                           "float64, float16 or bfloat16")
        if z.dim() != 2 and not (z.dim() > 2 and may_have_slices):
            plural = "" if z.dim() == 1 else "s"
            raise _refusal(ValueError, name, f" has {z.dim()} dimension{plural}, expected 2: "
                           "samples and features")
        if 0 in z.shape[1:-1]:
            raise _refusal(ValueError, name, f" is {_size(z)}, expected at least one slice")
    (first_name, first), *others = views.items()
    for name, z in others:
        if z.shape != first.shape:
            raise _refusal(ValueError, first_name, f" is {_size(first)}, {name} is {_size(z)}, "
                           "expected the same shape")
        if z.device != first.device:
            raise _refusal(ValueError, first_name, f" is on the device {first.device}, {name} is on "
                           f"the device {z.device}, expected the same")
        if (z.dtype == torch.float64) != (first.dtype == torch.float64):
            raise _refusal(TypeError, first_name, f" is of type {first.dtype}, {name} is of type "
                           f"{z.dtype}, expected torch.float64 for both or for neither")


def _size(z: torch.Tensor) -> str:
    return " x ".join(str(extent) for extent in z.shape)


def integer_tensor(name: str, values: Any, dtype: torch.dtype) -> Optional[torch.Tensor]:
    """What is given as integers, as a tensor of this type; None for None."""
    if values is None:
        return None
    if isinstance(values, torch.Tensor):
        if values.layout != torch.strided:
            raise _refusal(TypeError, name, f" has the layout {values.layout}, expected a dense "
                           "tensor")
        if values.dtype not in INTEGER_TYPES:
            raise _refusal(TypeError, name, f" is of type {values.dtype}, expected integers")
        if values.device.type != "cpu":
            raise _refusal(ValueError, name, f" is on the device {values.device}, expected the "
                           f"CPU: pass {name}.cpu()")
        values = values.detach().numpy()
    kind = numpy.int64 if dtype == torch.int64 else numpy.int8
    # A copy, so that a compiled step and a repeated forward see what was given.
    return torch.from_numpy(numpy.array(_integers(name, values, kind)))
