"""Follow a second run of a model call by call, without watching its ops, and say which calls of the trace they are."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode

from cnninspect.trace.encode import live_tensors
from cnninspect.trace.hooks import watched_modules
from cnninspect.trace.names import SHAPE_QUERIES, public_name
from cnninspect.trace.records import Call, Trace

Site = tuple[str, str | None]
"""What is called where: the module's path, and the public name of the function or None for the module itself."""


def as_module(model: Callable[..., Any]) -> nn.Module:
    """The model itself, or a plain function as a module."""
    return model if isinstance(model, nn.Module) else _Function(model)


class _Function(nn.Module):
    def __init__(self, function: Callable[..., Any]):
        super().__init__()
        self.function = function

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


class Follower:
    """Numbers the calls of another run of the model that `trace` is of; subclasses act when one starts and ends."""

    def __init__(self, model: nn.Module, trace: Trace):
        self.calls: list[Call] = []
        self.open_calls: list[Call] = []
        self._model = model
        self._trace = trace
        self._paths = {id(module): path for path, module in model.named_modules()}
        self._layers = {call.path: call.layer for call in trace.calls if not call.functional}
        self._uses: Counter[Site] = Counter()

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Follow what runs inside; undo every hook and wrapper on the way out."""
        with watched_modules(self, self._model), _FunctionWatch(self):
            yield

    def started(self, call: Call) -> None:
        """A call starts."""

    def ended(self, _: Call) -> None:
        """A call ends."""

    def same_calls(self) -> dict[Site, list[int]]:
        """The calls of the trace at every site that was called as often in this run: what is certain."""
        sites: dict[Site, list[int]] = defaultdict(list)
        for call in self._trace.calls:
            if not call.functional or any(ref.shape for ref in call.outputs):
                sites[site_of(call)].append(call.index)
        return {site: calls for site, calls in sites.items() if len(calls) == self._uses[site]}

    def in_trace(self, position: int | None, same: Mapping[Site, list[int]]) -> int | None:
        """The innermost certain call of the trace around one of this run's calls; None if there is none."""
        while position is not None:
            call = self.calls[position]
            if call.number >= 0 and site_of(call) in same:
                return same[site_of(call)][call.number]
            position = call.parent
        return None

    # What the watched modules and functions tell.

    def hidden(self) -> bool:
        """Whether what happens now lies inside a known layer or a torch function, and so makes no row."""
        return bool(self.open_calls) and (self.open_calls[-1].functional or self.open_calls[-1].layer is not None)

    def declare(self, module: nn.Module) -> None:
        """Nothing to note: what a module declares stands in the trace."""

    def receive(self, call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Nothing to note: the arguments stand in the trace."""

    def open_module(self, module: nn.Module, *_: Any) -> Call:
        """A module's forward begins."""
        path = self._paths.get(id(module))
        if path is None:
            above = self.open_calls[-1].path if self.open_calls else ""
            path = f"{above}.({type(module).__name__})".lstrip(".")
        return self._open(path, type(module).__name__, functional=False)

    def close(self, call: Call, _: Any) -> None:
        """A call ends."""
        self.ended(call)
        self._leave(call)

    def abandon(self, call: Call) -> None:
        """A call raised."""
        self._leave(call)

    def on_function(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Run a torch function that the model's own code calls."""
        kind = public_name(function)
        if self.hidden() or not self.open_calls or kind in SHAPE_QUERIES:
            return function(*args, **kwargs)
        call = self._open(self.open_calls[-1].path, kind, functional=True)
        output = function(*args, **kwargs)
        self.close(call, output)
        if all(tensor.ndim == 0 for tensor in live_tensors(output)):
            # Sizes are tensors under torch.jit's tracer: arithmetic on them would be calls that the trace lacks.
            self._uses[site_of(call)] -= 1
            call.number = -1
        return output

    def _open(self, path: str, kind: str, *, functional: bool) -> Call:
        parent = self.open_calls[-1].index if self.open_calls else None
        call = Call(len(self.calls), path, 0, kind, parent, functional)
        call.layer = None if functional else self._layers.get(path)
        call.number = self._uses[site_of(call)]
        self._uses[site_of(call)] += 1
        self.calls.append(call)
        self.open_calls.append(call)
        self.started(call)
        return call

    def _leave(self, call: Call) -> None:
        while self.open_calls and self.open_calls.pop() is not call:
            pass


def site_of(call: Call) -> Site:
    """Where a call is made, and of what."""
    return call.path, call.kind if call.functional else None


class _FunctionWatch(TorchFunctionMode):
    def __init__(self, follower: Follower):
        super().__init__()
        self.follower = follower

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.follower.on_function(func, args, kwargs or {})
