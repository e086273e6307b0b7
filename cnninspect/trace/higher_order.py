"""Operators that take functions, such as flex attention and cond: they are seen through the ops that they run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch._ops import HigherOrderOperator

_DENSE = torch._C.DispatchKey.CompositeExplicitAutograd


def _cond(condition: Any, if_true: Callable[..., Any], if_false: Callable[..., Any], operands: Any = ()) -> Any:
    """The branch that is taken; torch's own kernel refuses to run while anything watches."""
    return (if_true if condition else if_false)(*operands)


def kernel_of(op: Any) -> Callable[..., Any] | None:
    """What runs a higher-order operator op by op; None for any other op, and for one that has no such kernel."""
    if not isinstance(op, HigherOrderOperator):
        return None
    if op.name() == "cond":
        return _cond
    kernel: Callable[..., Any] | None = op.py_kernels.get(_DENSE)
    return kernel
