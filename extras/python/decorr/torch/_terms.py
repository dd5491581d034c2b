"""The terms of each loss's last forward.

An operator in a compiled graph has tensors for results, and what computes in it may write down
nothing but in the operator itself: it does so here, under a number that stands for the loss.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from typing import Any, Optional

import torch

_numbers = itertools.count(1)
_records: weakref.WeakValueDictionary[int, TermsRecord] = weakref.WeakValueDictionary()


class _OfThread(threading.local):
    slices: Optional[list[torch.Tensor]] = None


class TermsRecord:
    """Of one loss, in every thread its own. A copy or a pickle has none yet."""

    def __init__(self) -> None:
        self.number = next(_numbers)
        self._of_thread = _OfThread()
        _records[self.number] = self

    def __reduce__(self) -> tuple[Any, ...]:
        return TermsRecord, ()

    def write(self, terms: torch.Tensor, position: int, slices: int) -> None:
        """Of one of the slices of the batch, of which there is mostly one."""
        of_thread, before = self._of_thread, self._of_thread.slices
        if before is None or len(before) != slices:
            of_thread.slices = [terms] * slices
        else:
            before[position] = terms

    def read(self) -> Optional[list[float]]:
        """The mean over the slices; None before the first forward."""
        slices = self._of_thread.slices
        return None if slices is None else torch.stack(slices).mean(dim=0).tolist()


def write(number: int, terms: torch.Tensor, position: int, slices: int) -> None:
    """To the record of this number; nowhere where there is none."""
    record = _records.get(number)
    if record is not None:
        record.write(terms, position, slices)
