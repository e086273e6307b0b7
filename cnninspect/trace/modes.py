"""The two torch modes that show a recorder what runs: functions as the model calls them, ops as they execute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from cnninspect.trace.higher_order import kernel_of
from cnninspect.trace.schemas import schema_of

if TYPE_CHECKING:
    from cnninspect.trace.recorder import Recorder


class FunctionWatch(TorchFunctionMode):
    """Tells the recorder of every torch function, before any op of it runs."""

    def __init__(self, recorder: Recorder):
        super().__init__()
        self.recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.recorder.on_function(func, args, kwargs or {})


class DispatchWatch(TorchDispatchMode):
    """Tells the recorder of every ATen op; those that only stand for others are taken apart first."""

    supports_higher_order_operators = True

    def __init__(self, recorder: Recorder):
        super().__init__()  # type: ignore[no-untyped-call]
        self.recorder = recorder

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if (kernel := kernel_of(func)) is not None:
            with self:
                return kernel(*args, **kwargs)
        if schema_of(func).composite:
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        return self.recorder.on_op(func, args, kwargs)
