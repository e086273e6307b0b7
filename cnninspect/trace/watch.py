"""Run a model as `record` does, but look at the live outputs of every call and keep none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from cnninspect.trace.isolation import isolated
from cnninspect.trace.recorder import LayerOf, Recorder
from cnninspect.trace.records import Call, State, TensorRef
from cnninspect.trace.values import Values

OnOutput = Callable[[Call, Any], None]


def watch(
    model: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    layer_of: LayerOf,
    on_output: OnOutput,
    *,
    training: bool = False,
    onednn: bool = False,
) -> list[Call]:
    """The calls of one forward pass, numbered as `record` numbers them; `on_output` sees what each one returns.

    It is called when a call ends, with the call and its live output, before anything can overwrite that in place.
    `onednn` as in `unfused`.
    """
    module = model if isinstance(model, nn.Module) else None
    with isolated(module, training, onednn=onednn):
        watcher = _Watcher(module, layer_of, on_output)
        with watcher.attached():
            if module is not None:
                module(*args, **kwargs)
            else:
                watcher.run_function(model, args, kwargs)
    return watcher.calls


class _Watcher(Recorder):
    def __init__(self, model: nn.Module | None, layer_of: LayerOf, on_output: OnOutput):
        super().__init__(model, layer_of)
        self.values = _Forgetful(None)
        self._on_output = on_output

    def close(self, call: Call, output: Any) -> None:
        super().close(call, output)
        with self.paused(), torch._C.DisableTorchFunction():
            self._on_output(call, output)


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
