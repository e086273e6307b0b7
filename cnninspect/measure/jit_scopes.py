"""Which call of the trace is open while torch.jit's tracer runs the same model again.

The tracer stamps every node of its graph with the scopes that are open. fvcore opens one per module and reads only
the last part of a node's scope name. A mark put before that part tells the uses of a module, and the functional calls
in it, apart, and changes nothing that fvcore sees.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from cnninspect.trace.encode import live_tensors
from cnninspect.trace.follow import Follower, Site
from cnninspect.trace.records import Call, Trace

_MARK = re.compile(r"@(\d+)/")


class JitScopes(Follower):
    """Marks the nodes of the tracer's graph with the calls that made them."""

    def __init__(self, model: nn.Module, trace: Trace):
        super().__init__(model, trace)
        self._tracked = {id(parameter) for parameter in model.parameters()}
        self._frozen: list[torch.Tensor] = []

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Mark what runs inside; on the way out undo also the hooks that fvcore leaves behind when tracing fails."""
        modules = list(self._model.modules())
        hooks = [(table, list(table)) for m in modules for table in (m._forward_pre_hooks, m._forward_hooks)]
        try:
            with super().attached():
                yield
        finally:
            for table, before in hooks:
                for key in set(table) - set(before):
                    del table[key]
            for tensor in self._frozen:
                tensor.requires_grad_(True)

    def hidden(self) -> bool:
        """Also what runs around the tracer makes no row."""
        return torch._C._get_tracing_state() is None or super().hidden()

    def on_function(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Run a torch function; the tracer takes a tensor that is no parameter only if it requires no gradient."""
        if not self.hidden():
            for tensor in live_tensors((args, kwargs)):
                if tensor.is_leaf and tensor.requires_grad and id(tensor) not in self._tracked:
                    self._frozen.append(tensor.requires_grad_(False))
        return super().on_function(function, args, kwargs)

    def started(self, call: Call) -> None:
        """Open a scope that marks the call."""
        state = torch._C._get_tracing_state()
        owner = state.current_scope().rsplit("/", 1)[-1]
        state.push_scope(f"@{call.index}/{owner}")

    def ended(self, _: Call) -> None:
        """Close its scope."""
        torch._C._get_tracing_state().pop_scope()

    def call_of(self, scope: str, same: Mapping[Site, list[int]]) -> int | None:
        """The innermost certain call around a node with this scope name; None if there is none."""
        found = _MARK.findall(scope)
        return self.in_trace(int(found[-1]) if found else None, same)
