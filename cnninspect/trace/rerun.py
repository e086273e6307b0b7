"""Runs a model again: `watch` passes the output of every call on; `Rerun` follows calls without recording ops."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import nn

from cnninspect.trace.isolation import isolated
from cnninspect.trace.module_calls import Args, Kwargs
from cnninspect.trace.names import schema_of
from cnninspect.trace.private_torch import functions_unseen, outside_transforms
from cnninspect.trace.recorder import LayerOf, Recorder
from cnninspect.trace.records import Call, Layer, TensorRef, Trace
from cnninspect.trace.tracker import CallTracker, Site, renumbered, site_of
from cnninspect.trace.trees import leaves
from cnninspect.trace.values import Values, dtype_name

OnOutput = Callable[[Call, Any], None]


OpPlace = tuple[str, str, int]
"""The path of the module whose forward runs an op, the op's name, and how many of that name ran there before it."""


class Change(Protocol):
    """Replaces tensors of an op, which is given by its place."""

    def arguments(self, place: OpPlace, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """The arguments that the op runs with."""

    def result(self, place: OpPlace, args: Any, output: Any) -> Any:
        """The output that the network continues with."""


def watch(
    model: Callable[..., Any],
    args: Args,
    kwargs: Kwargs,
    layer_of: LayerOf,
    on_output: OnOutput,
    *,
    training: bool = False,
    gradients: bool = False,
    onednn: bool = False,
    change: Change | None = None,
) -> list[Call]:
    """The calls of one forward pass, numbered as by `record`; `on_output` gets the output of each call.

    It is called when a call ends, with the call and its output, before the output can be overwritten in place; no
    output is kept. `onednn` as in `unfused`. `change` replaces arguments and results of ops.
    """
    module = model if isinstance(model, nn.Module) else None
    with isolated(module, training, gradients=gradients, inputs=(args, kwargs), onednn=onednn):
        watcher = Watcher(module, layer_of, on_output, change)
        watcher.run_model(model, args, kwargs)
    return renumbered(watcher.calls, watcher.ops, watcher.uses)


class Watcher(Recorder):
    """Passes the output of every call to `on_output`, and stores nothing about tensors."""

    def __init__(self, model: nn.Module | None, layer_of: LayerOf, on_output: OnOutput, change: Change | None):
        super().__init__(model, layer_of)
        self.values, self.contents = _Forgetful(None), None
        self._on_output, self._change = on_output, change
        self._ran: Counter[tuple[str, str]] = Counter()

    def ended(self, call: Call, output: Any) -> None:
        """Passes the output on."""
        super().ended(call, output)
        with self.paused(), functions_unseen(), outside_transforms():
            self._on_output(call, output)

    def on_op(self, op: Any, args: Args, kwargs: Kwargs) -> Any:
        """Runs one ATen op with replaced arguments, and returns the replaced result."""
        if self._change is None or self._paused or schema_of(op).is_query:
            return super().on_op(op, args, kwargs)
        key = self.open_calls[-1].path if self.open_calls else "", schema_of(op).name
        place = (*key, self._ran[key])
        self._ran[key] += 1
        with self.paused():
            args, kwargs = self._change.arguments(place, args, kwargs)
        output = super().on_op(op, args, kwargs)
        with self.paused():
            return self._change.result(place, args, output)


class _Forgetful(Values):
    """Describes tensors without keeping data about them, so that a large batch fits in memory."""

    def ref(self, tensor: torch.Tensor) -> TensorRef:
        return TensorRef(0, tuple(tensor.shape), dtype_name(tensor.dtype), 0)

    def new(self, tensor: torch.Tensor, *_: Any) -> TensorRef:
        return self.ref(tensor)

    def owned(self, _: Any) -> dict[str, Any]:
        return {}


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
    """Follows the calls of another run of the traced model; subclasses define what happens at their start and end."""

    def __init__(self, model: nn.Module, trace: Trace):
        super().__init__(model)
        self.module = model
        self._trace = trace
        self._layers = {call.path: Layer(call.layer) for call in trace.calls if not call.functional}

    def layer_of(self, path: str, *_: Any) -> Layer:
        """The layer that the trace has at this path, so that the same layers are followed as a whole."""
        return self._layers.get(path, Layer())

    def counts(self, _: Call, output: Any) -> bool:
        """Whether an output has dimensions: torch.jit's tracer makes sizes scalar tensors, which the trace lacks."""
        return any(tensor.ndim > 0 for tensor in leaves(output, torch.Tensor))

    def same_calls(self) -> dict[Site, list[int]]:
        """Site -> calls of the trace, for sites called equally often in both runs: their calls correspond."""
        sites: dict[Site, list[int]] = defaultdict(list)
        for call in self._trace.calls:
            if not call.functional or any(ref.shape for ref in call.outputs):
                sites[site_of(call)].append(call.index)
        return {site: calls for site, calls in sites.items() if len(calls) == self.uses[site]}

    def in_trace(self, position: int | None, same: Mapping[Site, list[int]]) -> int | None:
        """The trace's call that corresponds to a call of this run or to the nearest call around it, or None."""
        while position is not None:
            call = self.calls[position]
            if call.number >= 0 and site_of(call) in same:
                return same[site_of(call)][call.number]
            position = call.parent
        return None
