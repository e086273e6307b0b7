"""Memory that a constructor asks for without filling it, such as `nn.Parameter(torch.empty(3))`, as zeros.

It would hold what was there before, NaN included, and a run with it would say something else each time.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

_UNFILLED = (
    torch.ops.aten.empty.memory_format,
    torch.ops.aten.empty_like.default,
    torch.ops.aten.empty_strided.default,
    torch.ops.aten.new_empty.default,
    torch.ops.aten.new_empty_strided.default,
)


class ZeroedMemory(TorchDispatchMode):
    """While it is active, new tensors hold zeros where nothing else fills them."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        return made.zero_() if func in _UNFILLED and made.layout is torch.strided else made
