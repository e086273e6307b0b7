"""Put a model on a device without changing the model that was handed in."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from cnninspect.errors import DeviceError, said
from cnninspect.trace.private_torch import storage_key

_UNINITIALIZED = (nn.UninitializedParameter, nn.UninitializedBuffer)


def on_meta(model: nn.Module) -> nn.Module:
    """A copy of the model whose tensors are meta tensors; no weight is copied.

    Parameters used in several places stay one parameter, and tensors that share a storage share one afterwards.
    """
    storages: dict[int, Any] = {}
    memo: dict[int, Any] = {id(tensor): _meta_tensor(tensor, storages) for tensor in _tensors(model)}
    return copy.deepcopy(model, memo)


def is_on(model: nn.Module, device: str, dtype: str | None) -> bool:
    """Whether every parameter and buffer is on the device and, if it is floating point, has the dtype."""
    wanted = torch.device(device)
    return all(
        tensor.device.type == wanted.type
        and wanted.index in (None, tensor.device.index)
        and (dtype is None or not tensor.is_floating_point() or tensor.dtype is getattr(torch, dtype))
        for tensor in _state(model)
    )


def placed(model: nn.Module, device: str, dtype: str | None) -> nn.Module:
    """The model on the device with the dtype: itself if it is there already, or else a copy. Raises DeviceError."""
    if is_on(model, device, dtype):
        return model
    try:
        with warnings.catch_warnings():
            # Copying looks at gradients of tensors that have none, which torch remarks on.
            warnings.simplefilter("ignore")
            copied = on_meta(model) if device == "meta" else copy.deepcopy(model)
            return copied.to(device=device, dtype=None if dtype is None else getattr(torch, dtype))
    except Exception as error:
        raise DeviceError(f"{type(model).__name__} cannot be copied to {device} ({said(error)}).") from error


def is_lazy(model: nn.Module) -> bool:
    """Whether the model has parameters that get their shape in the first forward."""
    return any(isinstance(tensor, _UNINITIALIZED) for tensor in _state(model))


def state_bytes(model: object) -> int:
    """Bytes of the storages of a module's parameters and buffers; 0 for a plain function."""
    known = _state(model) if isinstance(model, nn.Module) else iter(())
    storages: list[Any] = [tensor.untyped_storage() for tensor in known if _has_storage(tensor)]
    return sum({storage_key(storage): storage.nbytes() for storage in storages}.values())


def _has_storage(tensor: torch.Tensor) -> bool:
    return not isinstance(tensor, _UNINITIALIZED) and tensor.layout is torch.strided


def _state(model: nn.Module) -> Iterator[torch.Tensor]:
    yield from model.parameters()
    yield from model.buffers()


def _tensors(model: nn.Module) -> Iterator[torch.Tensor]:
    """Parameters, buffers, and the tensors that modules keep as plain attributes.

    Plain scalars stay where they are: they mix with every device, and a forward may read their value.
    """
    yield from _state(model)
    for module in model.modules():
        for value in vars(module).values():
            if isinstance(value, torch.Tensor) and value.dim():
                yield value


def _meta_tensor(tensor: torch.Tensor, storages: dict[int, Any]) -> torch.Tensor:
    """A meta tensor with the layout of `tensor`, on the meta storage that stands for its storage."""
    if isinstance(tensor, _UNINITIALIZED):
        unshaped: Any = type(tensor)
        return unshaped(requires_grad=tensor.requires_grad, device="meta", dtype=tensor.dtype)  # type: ignore[no-any-return]
    if tensor.layout is not torch.strided:
        return tensor.to("meta")
    real: Any = tensor.untyped_storage()
    new_storage: Any = torch.UntypedStorage
    key = storage_key(real)
    if key not in storages:
        storages[key] = new_storage(real.nbytes(), device="meta")
    meta = torch.empty(0, dtype=tensor.dtype, device="meta")
    meta.set_(storages[key], tensor.storage_offset(), tensor.size(), tensor.stride())
    if isinstance(tensor, nn.Parameter):
        meta = nn.Parameter(meta, requires_grad=tensor.requires_grad)
    meta.__dict__.update(tensor.__dict__)
    return meta
