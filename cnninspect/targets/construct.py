"""Call a constructor or factory so that its tensors end up on the right device and nothing else changes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.utils.weak import WeakIdKeyDictionary

from cnninspect.errors import said
from cnninspect.targets.devices import placed
from cnninspect.targets.loading import blamed, undisturbed
from cnninspect.trace.private_torch import TorchDispatchMode

Attempt = Callable[[], AbstractContextManager[Any]]


class ConstructionError(Exception):
    """The constructor raised `cause`."""

    def __init__(self, cause: BaseException):
        super().__init__(str(cause))
        self.cause = cause


def construct(make: Callable[[], Any], device: str, dtype: str | None) -> tuple[Any, list[str]]:
    """(what `make()` returns, notes for the report); a module is on the device and has the dtype.

    What `make` prints goes to stderr. The random numbers it draws are the same each time and are given back.
    Raises ConstructionError.
    """
    with undisturbed(device):
        torch.default_generator.manual_seed(0)
        made, failure = _first_success(make, device)
        if isinstance(made, nn.Module):
            return placed(made, device, dtype), [] if failure is None else [_note(device, failure)]
        if dtype is not None:
            # The tensors that a plain function keeps to itself cannot be converted afterwards.
            with _default_dtype(dtype):
                made, failure = _first_success(make, device)
        return made, [] if failure is None else [_note(device, failure)]


def _first_success(make: Callable[[], Any], device: str) -> tuple[Any, BaseException | None]:
    """(what the first way of building that works returns, why the one before it failed)."""
    failure: BaseException | None = None
    for attempt in _attempts(device):
        try:
            with blamed(ConstructionError), attempt():
                return make(), failure
        except ConstructionError as error:
            failure = error.cause
    assert failure is not None
    raise ConstructionError(failure) from failure


def _attempts(device: str) -> list[Attempt]:
    """Ways to build, cheapest first: a constructor that reads the values of its tensors cannot run on meta."""
    on_device: Attempt = lambda: torch.device(device)  # noqa: E731
    on_cpu: Attempt = lambda: torch.device("cpu")  # noqa: E731
    if device == "cpu":
        return [_filled_on_cpu]
    return [on_device, _parameters_on_meta, on_cpu] if device == "meta" else [on_device, on_cpu]


@contextlib.contextmanager
def _filled_on_cpu() -> Iterator[None]:
    """Build on the CPU with every number defined."""
    with torch.device("cpu"), ZeroedMemory():  # type: ignore[no-untyped-call]
        yield


@contextlib.contextmanager
def _parameters_on_meta() -> Iterator[None]:
    """Build on the CPU, but let each parameter become a meta tensor the moment a module takes it.

    `torch.empty` touches no memory, so that even a large model allocates next to nothing.
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
    return f"the constructor ran on the CPU, because it cannot run on {device} ({said(failure)})."


_UNFILLED = (
    torch.ops.aten.empty.memory_format,
    torch.ops.aten.empty_like.default,
    torch.ops.aten.empty_strided.default,
    torch.ops.aten.new_empty.default,
    torch.ops.aten.new_empty_strided.default,
)


class ZeroedMemory(TorchDispatchMode):
    """Fills new memory with zeros: `nn.Parameter(torch.empty(3))` would hold what was there before, NaN included."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        return made.zero_() if func in _UNFILLED and made.layout is torch.strided else made
