"""Which call of the trace is open while torch.jit's tracer runs the same model again.

The tracer stamps every node of its graph with the scopes that are open. fvcore opens one per module and reads only
the last part of a node's scope name. A mark put before that part tells the uses of a module, and the functional calls
in it, apart, and changes nothing that fvcore sees.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from cnninspect.trace.encode import live_tensors
from cnninspect.trace.names import SHAPE_QUERIES, public_name
from cnninspect.trace.records import Call, Trace

_MARK = re.compile(r"@(\d+)/")

Site = tuple[str, str | None]
"""What is called where: the module's path, and the public name of the function or None for the module itself."""


@dataclass(slots=True)
class _Mark:
    """One call of the second run: its site, the how-manieth there, and the position of its caller's mark.

    `number` is None for a call that makes no row. What happens inside an opaque call makes no rows of its own.
    """

    site: Site
    number: int | None
    caller: int | None
    opaque: bool


class JitScopes:
    """Marks the nodes of the tracer's graph with the calls that made them."""

    def __init__(self, model: nn.Module, trace: Trace):
        self._model = model
        self._trace = trace
        self._paths = {id(module): path for path, module in model.named_modules()}
        self._layers = {call.path for call in trace.calls if call.layer is not None}
        self._uses: Counter[Site] = Counter()
        self._marks: list[_Mark] = []
        self._stack: list[int] = []
        self._tracked = {id(parameter) for parameter in model.parameters()}
        self._frozen: list[torch.Tensor] = []

    # -- the second run --------------------------------------------------------------------------------------------

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Mark what runs inside; undo every wrapper on the way out, and every hook that fvcore leaves behind."""
        modules = list(self._model.modules())
        forwards = [(module, module.__dict__.get("forward")) for module in modules]
        hooks = [(table, list(table)) for m in modules for table in (m._forward_pre_hooks, m._forward_hooks)]
        try:
            for module in modules:
                if not isinstance(module, torch.jit.ScriptModule):
                    module.__dict__["forward"] = self._marked_forward(module)
            with _FunctionWatch(self):
                yield
        finally:
            for module, forward in forwards:
                module.__dict__.pop("forward", None)
                if forward is not None:
                    module.__dict__["forward"] = forward
            for table, before in hooks:
                for key in set(table) - set(before):
                    del table[key]
            for tensor in self._frozen:
                tensor.requires_grad_(True)

    def _marked_forward(self, module: nn.Module) -> Callable[..., Any]:
        inner, path = module.forward, self._paths[id(module)]

        def forward(*args: Any, **kwargs: Any) -> Any:
            if self._hidden():
                return inner(*args, **kwargs)
            self._open((path, None), opaque=path in self._layers)
            output = inner(*args, **kwargs)
            self._close()
            return output

        return forward

    def on_function(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Run a torch function that the model's own code calls, under a mark of its own."""
        kind = public_name(function)
        if self._hidden() or not self._stack or kind in SHAPE_QUERIES:
            return function(*args, **kwargs)
        path, _ = self._marks[self._stack[-1]].site
        self._freeze((args, kwargs))
        self._open((path, kind), opaque=True)
        output = function(*args, **kwargs)
        mark = self._close()
        if all(tensor.ndim == 0 for tensor in live_tensors(output)):
            # Sizes are tensors for the tracer: arithmetic on them looks like calls that the trace does not have.
            self._marks[mark].number = None
            self._uses[(path, kind)] -= 1
        return output

    def _freeze(self, arguments: Any) -> None:
        """The tracer takes a tensor that is no parameter of the model only if it requires no gradient."""
        for tensor in live_tensors(arguments):
            if tensor.is_leaf and tensor.requires_grad and id(tensor) not in self._tracked:
                self._frozen.append(tensor.requires_grad_(False))

    def _hidden(self) -> bool:
        return bool(self._stack) and self._marks[self._stack[-1]].opaque

    def _open(self, site: Site, opaque: bool) -> None:
        caller = self._stack[-1] if self._stack else None
        self._stack.append(len(self._marks))
        self._marks.append(_Mark(site, self._uses[site], caller, opaque))
        self._uses[site] += 1
        state = torch._C._get_tracing_state()
        owner = state.current_scope().rsplit("/", 1)[-1]
        state.push_scope(f"@{self._stack[-1]}/{owner}")

    def _close(self) -> int:
        torch._C._get_tracing_state().pop_scope()
        return self._stack.pop()

    # -- the result ------------------------------------------------------------------------------------------------

    def same_calls(self) -> dict[Site, list[int]]:
        """The calls of the trace at every site that was called as often in this run: what is certain."""
        sites: dict[Site, list[int]] = defaultdict(list)
        for call in self._trace.calls:
            if not call.functional or any(ref.shape for ref in call.outputs):
                sites[_site(call)].append(call.index)
        return {site: calls for site, calls in sites.items() if len(calls) == self._uses[site]}

    def call_of(self, scope: str, same: Mapping[Site, list[int]]) -> int | None:
        """The innermost certain call around a node with this scope name; None if there is none."""
        found = _MARK.findall(scope)
        position = int(found[-1]) if found else None
        while position is not None:
            mark = self._marks[position]
            if mark.number is not None and mark.site in same:
                return same[mark.site][mark.number]
            position = mark.caller
        return None


def _site(call: Call) -> Site:
    return call.path, call.kind if call.functional else None


class _FunctionWatch(TorchFunctionMode):
    def __init__(self, scopes: JitScopes):
        super().__init__()
        self.scopes = scopes

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.scopes.on_function(func, args, kwargs or {})
