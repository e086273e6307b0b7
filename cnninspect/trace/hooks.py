"""See every use of every module, `.forward()` called directly included, and leave no hook behind."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from cnninspect.trace.records import Call


class Listener(Protocol):
    """Who wants to know about module calls."""

    def hidden(self) -> bool:
        """Whether what happens now makes no row."""

    def declare(self, module: nn.Module) -> None:
        """A module is about to be used for the first time."""

    def open_module(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
        """A module's forward begins."""

    def receive(self, call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """The call's hooks have changed its arguments."""

    def close(self, call: Call, output: Any) -> None:
        """It ends."""

    def abandon(self, call: Call) -> None:
        """It raised."""


@contextmanager
def watched_modules(listener: Listener, model: nn.Module | None) -> Iterator[None]:
    """Tell `listener` about every module call inside, and undo every hook and wrapper on the way out.

    A global hook opens a call before the module's own hooks run (the old weight_norm computes the weight in one), and a
    wrapper around the instance's `forward` closes it, so that a `.forward()` called directly is a call too. Script
    modules take no wrapper, and modules made during the forward are met too late for one: a global hook closes those.
    """
    watch = _Watch(listener)
    with warnings.catch_warnings():
        # What a compiled module has to say about global hooks is about these.
        warnings.filterwarnings("ignore", r"Using `torch\.compile\(module\)` when there are global hooks")
        handles = [register_module_forward_pre_hook(watch.before), register_module_forward_hook(watch.after)]
        try:
            for module in model.modules() if model is not None else ():
                if not isinstance(module, torch.jit.ScriptModule):
                    watch.wrap(module)
            yield
        finally:
            for handle in handles:
                handle.remove()
            watch.unwrap()


class _Watch:
    def __init__(self, listener: Listener):
        self.listener = listener
        self._wrapped: dict[int, tuple[nn.Module, Any]] = {}
        self._announced: list[tuple[nn.Module, Call, tuple[Any, ...]]] = []
        self._open: list[tuple[nn.Module, Call]] = []
        # Kept alive for the run: another module in its place could get its id.
        self._made: list[nn.Module] = []

    def wrap(self, module: nn.Module) -> None:
        self.listener.declare(module)
        self._wrapped[id(module)] = (module, module.__dict__.get("forward"))
        module.__dict__["forward"] = self._seen(module)

    def unwrap(self) -> None:
        for module, original in self._wrapped.values():
            if original is None:
                module.__dict__.pop("forward", None)
            else:
                module.__dict__["forward"] = original

    def before(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        if self.listener.hidden():
            return
        known = id(module) in self._wrapped
        if not known and not isinstance(module, torch.jit.ScriptModule):
            self._made.append(module)
            self.listener.declare(module)
        call = self.listener.open_module(module, args, {})
        if known:
            self._announced.append((module, call, args))
        else:
            self._open.append((module, call))

    def after(self, module: nn.Module, _: Any, output: Any) -> None:
        if self._open and self._open[-1][0] is module:
            self.listener.close(self._open.pop()[1], output)

    def _seen(self, module: nn.Module) -> Any:
        """The module's forward, with the listener told before and after."""
        inner = module.forward

        def forward(*args: Any, **kwargs: Any) -> Any:
            call = self._begin(module, args, kwargs)
            if call is None:
                return inner(*args, **kwargs)
            try:
                output = inner(*args, **kwargs)
            except BaseException:
                self.listener.abandon(call)
                raise
            self.listener.close(call, output)
            return output

        return forward

    def _begin(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call | None:
        """The call that the global hook announced, or a new one; None if it makes no row."""
        if self._announced and self._announced[-1][0] is module:
            _, call, seen = self._announced.pop()
            if kwargs or len(seen) != len(args) or any(a is not b for a, b in zip(seen, args, strict=True)):
                self.listener.receive(call, args, kwargs)
            return call
        return None if self.listener.hidden() else self.listener.open_module(module, args, kwargs)
