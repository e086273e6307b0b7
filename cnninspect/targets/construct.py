"""Builds or copies a model so that its tensors are on the wanted device, without side effects."""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.utils.weak import WeakIdKeyDictionary

from cnninspect.errors import DeviceError, error_text
from cnninspect.targets.loading import errors_as, without_side_effects
from cnninspect.targets.numbers import MOST, Numbers
from cnninspect.trace.private_torch import (
    INNER,
    NUMBERS,
    DeviceContext,
    OpWatch,
    compiler_not_imported,
    functions_unseen,
    inner_tensors,
    state_of,
    storage_key,
)

Attempt = Callable[[], AbstractContextManager[Any]]


class ConstructionError(Exception):
    """The constructor raised `cause`."""

    def __init__(self, cause: BaseException):
        super().__init__(str(cause))
        self.cause = cause


def construct(make: Callable[[], Any], device: str, dtype: str | None) -> tuple[Any, list[str]]:
    """(result of `make()`, notes for the report); a module is on the device and has the dtype.

    Prints of `make` go to stderr. The random seed is fixed, and the random state is restored. Raises
    ConstructionError.
    """
    with without_side_effects(device), compiler_not_imported():
        torch.default_generator.manual_seed(0)
        made, failure = _first_success(make, device)
        if isinstance(made, nn.Module):
            return placed(made, device, dtype), [] if failure is None else [_note(device, failure)]
        if dtype is not None:
            # Tensors in the closure of a plain function cannot be converted afterwards.
            with _default_dtype(dtype):
                made, failure = _first_success(make, device)
        return made, [] if failure is None else [_note(device, failure)]


def _first_success(make: Callable[[], Any], device: str) -> tuple[Any, BaseException | None]:
    """(result of the first way of building that works, error of the way before it)."""
    failure: BaseException | None = None
    for attempt in _attempts(device):
        try:
            with errors_as(ConstructionError), attempt():
                return make(), failure
        except ConstructionError as error:
            failure = error.cause
    assert failure is not None
    raise ConstructionError(failure) from failure


def _attempts(device: str) -> list[Attempt]:
    """Ways to build, cheapest first. A constructor that reads values of its tensors cannot run on meta."""
    on_device: Attempt = lambda: _OnMeta(torch.device(device)) if device == "meta" else torch.device(device)  # noqa: E731
    on_cpu: Attempt = lambda: torch.device("cpu")  # noqa: E731
    if device == "cpu":
        return [_filled_on_cpu]
    return [on_device, _parameters_on_meta, on_cpu] if device == "meta" else [on_device, on_cpu]


class _OnMeta(DeviceContext):
    """Builds on meta, where numbers that fill a tensor go nowhere: that is left out, since it takes half of the time.

    A fill that torch would refuse is not left out.
    """

    def __init__(self, device: torch.device):
        super().__init__(device)
        self._numbers = Numbers()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _FILLS and _goes_nowhere(func, args[0], args[1:], kwargs or {}):
            self._numbers.follow(func, args, kwargs or {}, args[0])
            return args[0]
        output = super().__torch_function__(func, types, args, kwargs)  # type: ignore[no-untyped-call]
        self._numbers.follow(func, args, kwargs or {}, output)
        return output


def _goes_nowhere(fill: Any, tensor: torch.Tensor, numbers: tuple[Any, ...], options: dict[str, Any]) -> bool:
    """Whether torch would fill this meta tensor; it refuses an expanded one, and a leaf of autograd."""
    wanted = tensor.requires_grad and torch.is_grad_enabled()
    if not tensor.is_meta or not tensor.is_floating_point() or not tensor.is_contiguous() or wanted:
        return False
    plain = all(type(number) in (int, float) for number in numbers)
    return plain and options in ({}, {"generator": None}) and _FILLS[fill](*numbers)


_FILLS: dict[Any, Callable[..., bool]] = {
    torch.Tensor.zero_: lambda *none: not none,
    torch.Tensor.fill_: lambda *values: len(values) == 1,
    torch.Tensor.uniform_: lambda low=0, high=1, *more: low <= high and not more,
    torch.Tensor.normal_: lambda mean=0, std=1, *more: std >= 0 and not more,  # noqa: ARG005 - any mean will do
}
"""Functions that fill a tensor -> whether they take these numbers."""


@contextlib.contextmanager
def _filled_on_cpu() -> Iterator[None]:
    """Builds on the CPU; uninitialised memory is filled with zeros."""
    with torch.device("cpu"), ZeroedMemory():
        yield


@contextlib.contextmanager
def _parameters_on_meta() -> Iterator[None]:
    """Builds on the CPU, but replaces each parameter by a meta tensor when a module registers it.

    `torch.empty` touches no memory, so that even a large model needs almost none.
    """
    known = WeakIdKeyDictionary()

    def to_meta(_module: nn.Module, _name: str, parameter: nn.Parameter | None) -> Any:
        if parameter is None or parameter.is_meta:
            return None
        if parameter not in known:
            known[parameter] = nn.Parameter(parameter.to("meta"), requires_grad=parameter.requires_grad)
        return known[parameter]

    handle = register_module_parameter_registration_hook(to_meta)
    try:
        with torch.device("cpu"):
            yield
    finally:
        handle.remove()


@contextlib.contextmanager
def _default_dtype(dtype: str) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _note(device: str, failure: BaseException) -> str:
    return f"the constructor ran on the CPU, because it cannot run on {device} ({error_text(failure)})."


_UNFILLED = (
    torch.ops.aten.empty.memory_format,
    torch.ops.aten.empty_like.default,
    torch.ops.aten.empty_strided.default,
    torch.ops.aten.new_empty.default,
    torch.ops.aten.new_empty_strided.default,
)


class ZeroedMemory(OpWatch):
    """Fills new memory with zeros: `nn.Parameter(torch.empty(3))` would hold arbitrary values, even NaN."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        return made.zero_() if func in _UNFILLED and made.layout is torch.strided else made


# --- a model that is there ------------------------------------------------------------------------------------------

_UNINITIALIZED = (nn.UninitializedParameter, nn.UninitializedBuffer)


def on_meta(model: nn.Module) -> nn.Module:
    """A copy of the model whose tensors are meta tensors; no weight is copied.

    Shared parameters and shared storages are also shared in the copy.
    """
    storages: dict[int, Any] = {}
    memo: dict[int, Any] = {id(tensor): _meta_tensor(tensor, storages) for tensor in _tensors(model)}
    return copy.deepcopy(model, memo)


def copied(model: nn.Module) -> nn.Module:
    """A deep copy, also of a lazy model: torch cannot copy buffers that have no shape yet."""
    unshaped = (tensor for tensor in _state(model) if isinstance(tensor, _UNINITIALIZED))
    return copy.deepcopy(model, {id(tensor): _unshaped(tensor, tensor.device) for tensor in unshaped})


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
    """The model if it has the device and dtype already, else a copy that has. Raises DeviceError."""
    if is_on(model, device, dtype):
        return model
    try:
        with warnings.catch_warnings():
            # deepcopy reads `.grad` of tensors that are no leaves, for which torch warns.
            warnings.simplefilter("ignore")
            moved = on_meta(model) if device == "meta" else copied(model)
            return moved.to(device=device, dtype=None if dtype is None else getattr(torch, dtype))
    except Exception as error:
        raise DeviceError(f"{type(model).__name__} cannot be copied to {device} ({error_text(error)}).") from error


def is_lazy(model: nn.Module) -> bool:
    """Whether the model has parameters that get their shape in the first forward."""
    return any(isinstance(tensor, _UNINITIALIZED) for tensor in _state(model))


def state_bytes(model: object) -> int:
    """Bytes of the storages of a module's parameters and buffers; 0 for a plain function."""
    known = _state(model) if isinstance(model, nn.Module) else []
    storages: list[Any] = [tensor.untyped_storage() for tensor in known if _has_storage(tensor)]
    return sum({storage_key(storage): storage.nbytes() for storage in storages}.values())


def _has_storage(tensor: torch.Tensor) -> bool:
    return not isinstance(tensor, _UNINITIALIZED) and tensor.layout is torch.strided


def _state(model: nn.Module) -> list[torch.Tensor]:
    parameters, buffers = state_of(model)
    return [*parameters, *buffers]


def _tensors(model: nn.Module) -> Iterator[torch.Tensor]:
    """Parameters, buffers, and the tensors that modules keep as plain attributes.

    Scalars that are plain attributes are left out: they work with every device, and a forward may read their value.
    """
    yield from _state(model)
    for module in model.modules():
        for value in vars(module).values():
            if isinstance(value, torch.Tensor) and value.dim():
                yield value


def _unshaped(tensor: torch.Tensor, device: torch.device | str) -> torch.Tensor:
    """Another parameter or buffer without a shape."""
    kind: Any = type(tensor)
    return kind(requires_grad=tensor.requires_grad, device=device, dtype=tensor.dtype)  # type: ignore[no-any-return]


def _functions_of_its_own(tensor: torch.Tensor) -> bool:
    """Whether its class may change what torch's functions do with it, as CausalBias of torch.nn.attention does.

    A class that replaces the ops as well holds other tensors, and is copied as the plain tensor that it poses as.
    """
    kind: Any = type(tensor)
    plain = kind in (torch.Tensor, nn.Parameter) or isinstance(tensor, _UNINITIALIZED)
    return not plain and kind.__torch_dispatch__ is torch.Tensor.__torch_dispatch__


def _meta_tensor(tensor: torch.Tensor, storages: dict[int, Any]) -> torch.Tensor:
    """A meta tensor with the layout of `tensor`; tensors with one storage get one meta storage."""
    if isinstance(tensor, _UNINITIALIZED):
        return _unshaped(tensor, "meta")
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
    if _functions_of_its_own(tensor):
        with torch.no_grad(), functions_unseen():
            meta = meta.as_subclass(type(tensor)).requires_grad_(tensor.requires_grad)
    meta.__dict__.update(tensor.__dict__)
    if (inner := inner_tensors(tensor)) is not None:
        meta.__dict__[INNER] = inner
    if not isinstance(tensor, nn.Parameter) and tensor.numel() <= MOST and not tensor.is_meta:
        setattr(meta, NUMBERS, tensor)
    return meta
