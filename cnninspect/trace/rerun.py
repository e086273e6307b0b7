"""Follow a second run of a model call by call, without watching its ops, and say which calls of the trace they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from cnninspect.trace.records import Call, Layer, Trace
from cnninspect.trace.tracker import CallTracker, Site, site_of
from cnninspect.trace.trees import leaves


def as_module(model: Callable[..., Any]) -> nn.Module:
    """The model itself, or a plain function as a module."""
    return model if isinstance(model, nn.Module) else _Function(model)


class _Function(nn.Module):
    def __init__(self, function: Callable[..., Any]):
        super().__init__()
        self.function = function

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


class Rerun(CallTracker):
    """The calls of another run of the model that `trace` is of; subclasses act when one starts and ends."""

    def __init__(self, model: nn.Module, trace: Trace):
        super().__init__(model)
        self.module = model
        self._trace = trace
        self._layers = {call.path: Layer(call.layer) for call in trace.calls if not call.functional}

    def layer_of(self, path: str, *_: Any) -> Layer:
        """A layer is followed as a whole where it was in the trace."""
        return self._layers.get(path, Layer())

    def counts(self, _: Call, output: Any) -> bool:
        """Sizes are tensors under torch.jit's tracer: arithmetic on them would be calls that the trace lacks."""
        return any(tensor.ndim > 0 for tensor in leaves(output, torch.Tensor))

    def same_calls(self) -> dict[Site, list[int]]:
        """The calls of the trace at every site that was called as often in this run: what is certain."""
        sites: dict[Site, list[int]] = defaultdict(list)
        for call in self._trace.calls:
            if not call.functional or any(ref.shape for ref in call.outputs):
                sites[site_of(call)].append(call.index)
        return {site: calls for site, calls in sites.items() if len(calls) == self.uses[site]}

    def in_trace(self, position: int | None, same: Mapping[Site, list[int]]) -> int | None:
        """The innermost certain call of the trace around one of this run's calls; None if there is none."""
        while position is not None:
            call = self.calls[position]
            if call.number >= 0 and site_of(call) in same:
                return same[site_of(call)][call.number]
            position = call.parent
        return None
