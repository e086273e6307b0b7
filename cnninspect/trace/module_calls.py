"""Reports every call of every module, also direct calls of `.forward()`, and removes all hooks afterwards."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import get_ident
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from cnninspect.trace.private_torch import modules_of
from cnninspect.trace.records import Call, takes_packed

Args = tuple[Any, ...]
Kwargs = Mapping[str, Any]


class Listener(Protocol):
    """The interface of a listener to module calls."""

    def hidden(self) -> bool:
        """Whether a module call now is inside a known layer or torch function, and so is not recorded."""

    def declare(self, module: nn.Module) -> None:
        """A module is about to be used for the first time."""

    def open_module(self, module: nn.Module, args: Args, kwargs: Kwargs) -> Call:
        """A module's forward begins."""

    def receive(self, call: Call, args: Args, kwargs: Kwargs) -> None:
        """The call's hooks have changed its arguments."""

    def run(self, call: Call, function: Callable[..., Any], args: Args, kwargs: Kwargs) -> Any:
        """Runs the function as the body of an open call, closes the call, and returns the result."""

    def close(self, call: Call, output: Any) -> None:
        """The call ends."""

    def abandon(self, call: Call, error: BaseException) -> None:
        """The call raised."""

    def in_other_thread(self, module: nn.Module) -> None:
        """A module is called in another thread."""


@contextmanager
def watched_modules(listener: Listener, model: nn.Module | None) -> Iterator[None]:
    """Reports every module call of this thread to `listener`; removes every hook and wrapper afterwards.

    A global hook opens a call before the module's own hooks run (the old weight_norm computes the weight in one). A
    wrapper around the instance's `forward` closes it, so that a direct `.forward()` is a call, too. Script modules and
    modules made during the forward have no wrapper: a global hook closes their calls. Global hooks run in all threads
    of the process; in other threads they do nothing.
    """
    watch = _Watch(listener)
    with warnings.catch_warnings():
        # Compiled modules warn about these global hooks.
        warnings.filterwarnings("ignore", r"Using `torch\.compile\(module\)` when there are global hooks")
        handles = [
            register_module_forward_pre_hook(watch.before),
            register_module_forward_hook(watch.after, always_call=True),
        ]
        try:
            for _, module in modules_of(model) if model is not None else ():
                if not isinstance(module, torch.jit.ScriptModule):
                    watch.wrap(module)
            yield
        finally:
            for handle in handles:
                handle.remove()
            watch.unwrap()


class _Seen:
    """The wrapper around one module's forward. A copy of the module gets the forward of its own, and no wrapper."""

    def __init__(self, module: nn.Module, run: Callable[..., Any]):
        self.module, self._run = module, run
        self._own = module.__dict__.get("forward")
        self._inner = module.forward
        self._left: list[nn.Module] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._left:
            return self._left.pop().forward(*args, **kwargs)
        return self._run(self.module, self._inner, args, kwargs)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """How `copy.deepcopy` and pickle make the forward of the copy, which is there by then, but still empty."""
        return (getattr, (self.module, "forward")) if self._own is None else (_itself, (self._own,))

    def leave(self, copied: nn.Module) -> None:
        """Come off a shallow copy, which is about to run: torch has looked up its forward already, and calls this."""
        self.put_back(copied)
        self._left.append(copied)

    def put_back(self, module: nn.Module) -> None:
        """Give `module`, the wrapped one or a copy of it, what it had before."""
        if self._own is None:
            module.__dict__.pop("forward", None)
        else:
            module.__dict__["forward"] = self._own


def _itself(forward: Callable[..., Any]) -> Callable[..., Any]:
    return forward


class _Watch:
    def __init__(self, listener: Listener):
        self.listener = listener
        self._thread = get_ident()
        self._wrapped: dict[int, _Seen] = {}
        self._announced: list[tuple[nn.Module, Call, Args]] = []
        self._open: list[tuple[nn.Module, Call]] = []
        # An exception that is being handled when a call begins was not raised by the call.
        self._handled: dict[int, BaseException | None] = {}
        # Kept alive for the run, so that no other module gets the same id.
        self._made: list[nn.Module] = []

    def wrap(self, module: nn.Module) -> None:
        self.listener.declare(module)
        self._wrapped[id(module)] = module.__dict__["forward"] = _Seen(module, self.run)

    def unwrap(self) -> None:
        for seen in self._wrapped.values():
            seen.put_back(seen.module)

    def before(self, module: nn.Module, args: Args) -> None:
        """A module is about to run."""
        seen = module.__dict__.get("forward")
        if isinstance(seen, _Seen) and seen.module is not module:
            seen.leave(module)
        if get_ident() != self._thread or self.listener.hidden():
            return
        known = id(module) in self._wrapped
        if not known and not isinstance(module, torch.jit.ScriptModule):
            self._made.append(module)
            self.listener.declare(module)
        call = self.listener.open_module(module, args, {})
        self._handled[call.index] = sys.exc_info()[1]
        if known:
            self._announced.append((module, call, args))
        else:
            self._open.append((module, call))

    def after(self, module: nn.Module, _: Any, output: Any) -> None:
        """Closes the call of a module that has ended or raised."""
        if get_ident() != self._thread:
            return
        for waiting in (self._announced, self._open):
            if waiting and waiting[-1][0] is module:
                call, error = waiting.pop()[1], sys.exc_info()[1]
                if error is not None and error is not self._handled[call.index]:
                    self.listener.abandon(call, error)
                else:
                    self.listener.close(call, output)

    def run(self, module: nn.Module, inner: Callable[..., Any], args: Args, kwargs: Kwargs) -> Any:
        """The result of the module's forward; its begin and end are reported to the listener."""
        if get_ident() != self._thread:
            self.listener.in_other_thread(module)
            return inner(*args, **kwargs)
        call = self._begin(module, args, kwargs)
        return inner(*args, **kwargs) if call is None else self.listener.run(call, inner, args, kwargs)

    def _begin(self, module: nn.Module, args: Args, kwargs: Kwargs) -> Call | None:
        """The call that the global hook opened, or a new one; None if it is not recorded."""
        if self._announced and self._announced[-1][0] is module:
            _, call, seen = self._announced.pop()
            if kwargs or len(seen) != len(args) or any(a is not b for a, b in zip(seen, args, strict=True)):
                self.listener.receive(call, args, kwargs)
            return call
        if self.listener.hidden():
            return None
        call = self.listener.open_module(module, args, kwargs)
        call.direct = True
        return call


def never_ran(model: nn.Module | None, calls: Sequence[Call], known: Container[int]) -> list[str]:
    """The paths of the outermost modules of which no part ran; `known` are the ids of those that the run began with.

    A module made in the forward has run by another path.

    Modules inside a known layer or a scripted module, which cannot be watched, count as run; so do those that only keep
    the packed weights of a quantised layer that ran. Containers that are never called themselves (ModuleList,
    ModuleDict) count as run if a module in them ran or if they are empty.
    """
    if model is None:
        return []
    ran = {prefix for call in calls for prefix in _prefixes(call.path)}
    whole = {call.path for call in calls if call.layer is not None}
    modules = [(path, module) for path, module in modules_of(model) if id(module) in known]
    whole |= {path for path, module in modules if isinstance(module, torch.jit.ScriptModule)}
    reads_packed = {call.path for call in calls if takes_packed(call)}
    idle: set[str] = set()
    for path, module in modules:
        above = _prefixes(path)[:-1]
        if path in ran or whole.intersection(above) or idle.intersection(above) or _is_empty(module):
            continue
        if not (reads_packed.intersection(above) and _keeps_packed(module)):
            idle.add(path)
    return [path for path, _ in modules if path in idle]


def _prefixes(path: str) -> list[str]:
    """The path and all its ancestors from the root on: "a.b" gives "", "a", "a.b"."""
    parts = path.split(".") if path else []
    return [".".join(parts[:length]) for length in range(len(parts) + 1)]


def _keeps_packed(module: nn.Module) -> bool:
    """Whether a module holds only packed weights: a C++ object in each of its innermost modules."""
    innermost = [part for part in module.modules() if not list(part.children())]
    return all(any(isinstance(value, torch.ScriptObject) for value in vars(part).values()) for part in innermost)


def _is_empty(module: nn.Module) -> bool:
    """Whether it is a container without modules."""
    return isinstance(module, (nn.ModuleList, nn.ModuleDict, nn.Sequential)) and not list(module.children())
