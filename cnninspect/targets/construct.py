"""Call a constructor or factory so that its tensors end up on the right device and nothing else changes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import torch
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.utils.weak import WeakIdKeyDictionary

from cnninspect.errors import CnninspectError
from cnninspect.targets.placing import is_on, moved
from cnninspect.targets.providers.base import Model

Make = Callable[[], object]


class ConstructionFailed(Exception):
    """The constructor raised `cause`."""

    def __init__(self, cause: BaseException):
        super().__init__(str(cause))
        self.cause = cause


def construct(make: Make, device: str, dtype: str | None) -> tuple[object, list[str]]:
    """(what `make()` returns, notes); a module is on the device and has the dtype.

    What `make` prints goes to stderr, and the random numbers it draws are the same each time and are given back.
    Raises ConstructionFailed.
    """
    with _isolated(device):
        made, failure = _first_success(make, device)
        if isinstance(made, nn.Module):
            notes = [_moved_note(failure)] if failure is not None and not is_on(made, device, None) else []
            return moved(made, device, dtype), notes
        if dtype is not None:
            with _default_dtype(dtype):
                made, _ = _first_success(make, device)
        return made, []


def _first_success(make: Make, device: str) -> tuple[object, BaseException | None]:
    """What the first way of building that works gives, and why the one before it did not."""
    failure: BaseException | None = None
    for attempt in _attempts(device):
        try:
            with attempt():
                return make(), failure
        except CnninspectError:
            raise
        except (Exception, SystemExit) as error:
            failure = error
    assert failure is not None
    raise ConstructionFailed(failure) from failure


def _attempts(device: str) -> list[Callable[[], AbstractContextManager[object]]]:
    """Ways to build, cheapest first: a constructor that reads the values of its tensors cannot run on meta."""
    attempts: list[Callable[[], AbstractContextManager[object]]] = [lambda: torch.device(device)]
    if device == "meta":
        attempts.append(_parameters_on_meta)
    if device != "cpu":
        attempts.append(lambda: torch.device("cpu"))
    return attempts


@contextlib.contextmanager
def _parameters_on_meta() -> Iterator[None]:
    """Build on the CPU, but let each parameter become a meta tensor the moment a module takes it.

    `torch.empty` touches no memory, so even a large model allocates next to nothing.
    """
    known: WeakIdKeyDictionary = WeakIdKeyDictionary()

    def to_meta(module: nn.Module, name: str, parameter: nn.Parameter | None) -> nn.Parameter | None:
        if parameter is None or parameter.is_meta:
            return None
        if parameter not in known:
            known[parameter] = nn.Parameter(parameter.to("meta"), requires_grad=parameter.requires_grad)
        return known[parameter]  # type: ignore[no-any-return]

    handle = register_module_parameter_registration_hook(to_meta)  # type: ignore[arg-type]
    try:
        with torch.device("cpu"):
            yield
    finally:
        handle.remove()


@contextlib.contextmanager
def _isolated(device: str) -> Iterator[None]:
    devices = [torch.device(device)] if device.startswith("cuda") else []
    with contextlib.redirect_stdout(sys.stderr), torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(0)
        yield


@contextlib.contextmanager
def _default_dtype(dtype: str) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _moved_note(failure: BaseException) -> str:
    reason = str(failure).split("\n")[0].rstrip(".")
    return (
        f"built on the CPU and moved, because the constructor cannot run on meta ({type(failure).__name__}: {reason})."
    )
