"""Processes of torch.distributed that hold a batch together."""

from __future__ import annotations

from typing import Any, Callable, Optional

import numpy
import torch


def check_process_group(group: Any) -> None:
    types = bool, *filter(None, [getattr(torch.distributed, "ProcessGroup", None)])
    if not isinstance(group, types):
        raise TypeError(f"process_group is {group!r}, expected None, True or a group of "
                        "torch.distributed")


def members(group: Any) -> int:
    """How many processes hold the batch together; 0 where this one has it alone."""
    distributed = torch.distributed
    # Of a PyTorch without it there is no is_initialized.
    if group is None or not getattr(distributed, "is_initialized", bool)():
        return 0
    if distributed.get_backend(_group(group)) == "nccl":
        raise ValueError("process_group has the backend nccl, and decorr computes on the CPU: pass "
                         "torch.distributed.new_group(backend='gloo')")
    return distributed.get_world_size(_group(group))


def _group(group: Any) -> Any:
    return None if group is True else group  # None is torch.distributed's own name for all


def sum_over(group: Any) -> Optional[Callable[[numpy.ndarray], None]]:
    """The sum for decorr.Execution; None where this process has the batch alone."""
    if members(group) == 0:
        return None

    def sum_over_processes(numbers: numpy.ndarray) -> None:
        torch.distributed.all_reduce(torch.from_numpy(numbers), group=_group(group))
    return sum_over_processes


def shared_seed(generator: Optional[torch.Generator], group: Any) -> int:
    """Drawn by the first process. Nothing of a call may fail before this."""
    seed = torch.randint(0, 2**48, (1,), generator=generator, device="cpu")
    if torch.distributed.get_rank(_group(group)) != 0:
        seed.zero_()
    torch.distributed.all_reduce(seed, group=_group(group))
    return int(seed)
