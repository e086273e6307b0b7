"""Arguments and results of any shape as plain data, with a TensorRef where a tensor was."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from cnninspect.trace.records import TensorRef

_LITERALS = (int, float, bool, str, complex, type(None), slice, type(Ellipsis))
_NAMED = (torch.dtype, torch.layout, torch.memory_format)


def encode(value: Any, refer: Callable[[torch.Tensor], TensorRef]) -> Any:
    """`value` with tensors as TensorRefs, containers kept, dtypes and devices by name, anything else by its type.

    A dtype becomes "torch.float32", a device "device:cuda:0", a slice stays a slice; an object that holds no plain
    data becomes "<ClassName>".
    """
    if isinstance(value, torch.Tensor):
        return refer(value)
    if type(value) in _LITERALS:
        return value
    if isinstance(value, (tuple, list)):
        items = [encode(item, refer) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, Mapping):
        return {str(key): encode(item, refer) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name), refer) for field in dataclasses.fields(value)}
    if isinstance(value, _NAMED):
        return str(value)
    if isinstance(value, torch.device):
        return f"device:{value}"
    if isinstance(value, (torch.SymInt, torch.SymFloat, torch.SymBool)):
        return value.node.maybe_as_int() if isinstance(value, torch.SymInt) else str(value)
    if isinstance(value, (int, float, str)):
        return value
    return f"<{type(value).__name__}>"


def live_tensors(value: Any) -> Iterator[torch.Tensor]:
    """Every tensor in nested tuples, lists, mappings and dataclasses, depth first."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from live_tensors(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from live_tensors(item)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from live_tensors(getattr(value, field.name))


def storages(value: Any) -> Iterator[torch.UntypedStorage]:
    """The memory behind every tensor in nested containers; sparse tensors show none."""
    for tensor in live_tensors(value):
        try:
            yield tensor.untyped_storage()
        except (NotImplementedError, RuntimeError):
            continue


def unwrapped(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor inside all wrappers of function transforms: of `torch.vmap` the whole batch."""
    while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        tensor = torch._C._functorch.get_unwrapped(tensor)
    return tensor
