"""Which parts of a model had nothing to do in a run."""

from __future__ import annotations

from collections.abc import Coroutine, Generator, Sequence
from typing import Any

import torch
from torch import nn

from cnninspect.trace.records import Call


def never_ran(model: nn.Module | None, calls: Sequence[Call]) -> list[str]:
    """The paths of the outermost modules of which no part ran.

    Modules inside a layer that was recorded whole, or inside a scripted module, whose parts cannot be watched, count
    as run; containers that are never called themselves
    (ModuleList, ModuleDict) count if something in them ran or if they are empty.
    """
    if model is None:
        return []
    ran = {prefix for call in calls for prefix in _prefixes(call.path)}
    whole = {call.path for call in calls if call.layer is not None}
    whole |= {path for path, module in model.named_modules() if isinstance(module, torch.jit.ScriptModule)}
    idle: set[str] = set()
    for path, module in model.named_modules():
        above = _prefixes(path)[:-1]
        if path in ran or whole.intersection(above) or idle.intersection(above) or _is_empty(module):
            continue
        idle.add(path)
    return [path for path, _ in model.named_modules() if path in idle]


def _prefixes(path: str) -> list[str]:
    """The path's ancestors from the root on, and itself: "a.b" gives "", "a", "a.b"."""
    parts = path.split(".") if path else []
    return [".".join(parts[:length]) for length in range(len(parts) + 1)]


def _is_empty(module: nn.Module) -> bool:
    """A container without anything in it."""
    return isinstance(module, (nn.ModuleList, nn.ModuleDict, nn.Sequential)) and not list(module.children())


def check_has_run(output: Any) -> None:
    """TypeError for what a function returns before its body runs: with no work seen, every number would be 0."""
    if isinstance(output, (Coroutine, Generator)):
        output.close()
        raise TypeError(f"it returns a {type(output).__name__}, whose body has not run; return tensors instead")
