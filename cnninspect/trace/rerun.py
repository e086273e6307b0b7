"""Run a model again: with what every call returns in sight, or with its calls told apart and its ops unseen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import nn

from cnninspect.trace.isolation import isolated
from cnninspect.trace.module_calls import Args, Kwargs
from cnninspect.trace.private_torch import functions_unseen
from cnninspect.trace.recorder import LayerOf, Recorder
from cnninspect.trace.records import Call, Layer, TensorRef, Trace
from cnninspect.trace.schemas import schema_of
from cnninspect.trace.tracker import CallTracker, Site, renumbered, site_of
from cnninspect.trace.trees import leaves
from cnninspect.trace.values import Values, dtype_name

OnOutput = Callable[[Call, Any], None]


class Change(Protocol):
    """Other tensors in place of those of an op, by the op's index among those of the run and its name."""

    def arguments(self, index: int, name: str, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """The arguments that the op runs with."""

    def result(self, index: int, name: str, args: Any, output: Any) -> Any:
        """The output that the network goes on with."""


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
    """The calls of one forward pass, numbered as `record` numbers them; `on_output` sees what each one returns.

    It is called when a call ends, with the call and its live output, before anything can overwrite that in place; no
    output is kept. `onednn` as in `unfused`. `change` puts other tensors in place of an op's arguments and result.
    """
    module = model if isinstance(model, nn.Module) else None
    with isolated(module, training, gradients=gradients, inputs=(args, kwargs), onednn=onednn):
        watcher = _Watcher(module, layer_of, on_output, change)
        watcher.run_model(model, args, kwargs)
    return renumbered(watcher.calls, watcher.ops, watcher.uses)


class _Watcher(Recorder):
    """Shows what every call returns to `on_output`, and writes nothing down about tensors."""

    def __init__(self, model: nn.Module | None, layer_of: LayerOf, on_output: OnOutput, change: Change | None):
        super().__init__(model, layer_of)
        self.values = _Forgetful(None)
        self._on_output, self._change = on_output, change

    def ended(self, call: Call, output: Any) -> None:
        """Show the output."""
        super().ended(call, output)
        with self.paused(), functions_unseen():
            self._on_output(call, output)

    def on_op(self, op: Any, args: Args, kwargs: Kwargs) -> Any:
        """Run one ATen op, with what was put in place of its arguments and result."""
        if self._change is None or self._paused or schema_of(op).is_query:
            return super().on_op(op, args, kwargs)
        index, name = len(self.ops), schema_of(op).name
        with self.paused():
            args, kwargs = self._change.arguments(index, name, args, kwargs)
        output = super().on_op(op, args, kwargs)
        with self.paused():
            return self._change.result(index, name, args, output)


class _Forgetful(Values):
    """Describes tensors without holding on to them, so that a big batch fits in memory."""

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
