"""Run a model as `record` does, but look at the live outputs of every call and keep none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import nn

from cnninspect.trace.isolation import isolated
from cnninspect.trace.recorder import LayerOf, Recorder
from cnninspect.trace.records import Call, State, TensorRef
from cnninspect.trace.schemas import schema_of
from cnninspect.trace.values import Values

OnOutput = Callable[[Call, Any], None]


class Change(Protocol):
    """Other tensors in place of those of an op, by the op's index among those of the run and its name."""

    def arguments(self, index: int, name: str, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """The arguments that the op runs with."""

    def result(self, index: int, name: str, args: Any, output: Any) -> Any:
        """The output that the network goes on with."""


def watch(
    model: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    layer_of: LayerOf,
    on_output: OnOutput,
    *,
    training: bool = False,
    onednn: bool = False,
    change: Change | None = None,
) -> list[Call]:
    """The calls of one forward pass, numbered as `record` numbers them; `on_output` sees what each one returns.

    It is called when a call ends, with the call and its live output, before anything can overwrite that in place.
    `onednn` as in `unfused`. `change` puts other tensors in place of an op's arguments and result.
    """
    module = model if isinstance(model, nn.Module) else None
    with isolated(module, training, onednn=onednn):
        watcher = _Watcher(module, layer_of, on_output, change)
        with watcher.attached():
            if module is not None:
                module(*args, **kwargs)
            else:
                watcher.run_function(model, args, kwargs)
    return watcher.calls


class _Watcher(Recorder):
    def __init__(self, model: nn.Module | None, layer_of: LayerOf, on_output: OnOutput, change: Change | None):
        super().__init__(model, layer_of)
        self.values = _Forgetful(None)
        self._on_output, self._change = on_output, change

    def close(self, call: Call, output: Any) -> None:
        super().close(call, output)
        with self.paused(), torch._C.DisableTorchFunction():
            self._on_output(call, output)

    def on_op(self, op: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
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
        return TensorRef(0, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."), 0)

    def new(self, tensor: torch.Tensor, *_: Any, **__: Any) -> TensorRef:
        return self.ref(tensor)

    def claim(self, _: torch.Tensor) -> int:
        return 0

    def owned(self, _: Any) -> dict[str, State]:
        return {}
