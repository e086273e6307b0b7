"""The input tensors of a run by name: "0", "1", "mask"; nested ones as "0.1" or "0.image"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

Change = Callable[[str, torch.Tensor], torch.Tensor]


def map_inputs(
    args: tuple[Any, ...], kwargs: Mapping[str, Any], change: Change
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with every tensor replaced by `change(name, tensor)`, containers rebuilt and all else kept."""
    return (
        tuple(_map(str(position), value, change) for position, value in enumerate(args)),
        {key: _map(key, value, change) for key, value in kwargs.items()},
    )


def _map(name: str, value: Any, change: Change) -> Any:
    if isinstance(value, torch.Tensor):
        return change(name, value)
    if isinstance(value, Mapping):
        return {key: _map(f"{name}.{key}", item, change) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        items = [_map(f"{name}.{index}", item, change) for index, item in enumerate(value)]
        return items if isinstance(value, list) else type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return value
