"""Run a model once and write down what happened, on three levels at once.

- module calls: a wrapper around each instance's `forward`, so that a
  `.forward()` called directly is seen as well (see hooks.py);
- functional calls: a TorchFunctionMode sees the outermost torch function that the model's own code calls;
- ATen ops: a TorchDispatchMode sees every op that executes, whatever Python or C++ code called it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from threading import get_ident
from typing import Any

import torch
from torch import nn

from cnninspect.trace.encode import encode, live_tensors
from cnninspect.trace.hooks import watched_modules
from cnninspect.trace.idle import check_has_run, never_ran
from cnninspect.trace.inputs import map_inputs
from cnninspect.trace.isolation import isolated
from cnninspect.trace.modes import DispatchWatch, FunctionWatch
from cnninspect.trace.names import ONLY_CHECKS, READS_OUT, SHAPE_QUERIES, public_name
from cnninspect.trace.own_files import OwnFiles
from cnninspect.trace.records import Call, Layer, Op, TensorRef, Trace
from cnninspect.trace.schemas import schema_of
from cnninspect.trace.values import Values

LayerOf = Callable[[nn.Module], Layer]

_READ_INDICES = {
    "aten.index.Tensor", "aten.index_select.default", "aten.lift_fresh.default", "aten._pack_padded_sequence.default",
}  # fmt: skip
"""Ops that read elsewhere where an index tensor, or one of lengths, is another; `lift_fresh` makes one of a list."""

_MOST_INDICES = 1 << 16


class ForwardFailed(Exception):
    """The model's forward raised; `call` is the innermost call that was open, with its inputs."""

    def __init__(self, call: Call | None, cause: BaseException):
        super().__init__(str(cause))
        self.call = call
        self.cause = cause


def record(
    model: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    layer_of: LayerOf,
    *,
    device: str,
    training: bool = False,
    partial: bool = False,
) -> Trace:
    """The trace of one forward pass of `model(*args, **kwargs)`.

    `model` is a module or a plain function of tensors. `layer_of` says for which modules a formula is known; what
    such a layer does inside is recorded as ops, not as calls. Raises ForwardFailed when the forward raises, unless
    `partial`: then the trace ends there.
    """
    module = model if isinstance(model, nn.Module) else None
    with isolated(module, training):
        recorder = Recorder(module, layer_of)
        inputs = recorder.name_inputs(args, kwargs)
        try:
            with recorder.attached():
                output = model(*args, **kwargs) if module is not None else recorder.run_function(model, args, kwargs)
            check_has_run(output)
        except (Exception, SystemExit) as error:
            if not partial:
                raise ForwardFailed(recorder.failed_in, error) from error
            output = None
        return recorder.finish(inputs, output, device, training)


class Recorder:
    """Collects calls and ops while attached; knows which call is open."""

    def __init__(self, model: nn.Module | None, layer_of: LayerOf):
        self.model = model
        self.layer_of = layer_of
        self.values = Values(model)
        self.calls: list[Call] = []
        self.ops: list[Op] = []
        self.read_out: list[tuple[int, str, TensorRef]] = []
        self.indices: dict[int, list[int]] = {}
        self.failed_in: Call | None = None
        self._stack: list[Call] = []
        self._paths = {id(m): path for path, m in model.named_modules()} if model is not None else {}
        self._uses: Counter[tuple[str, str | None]] = Counter()
        self._layers: dict[int, Layer] = {}
        self._paused = False
        self._own_files = OwnFiles()
        self._thread = get_ident()

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Watch everything that runs inside; undo every hook and wrapper on the way out."""
        with watched_modules(self, self.model), DispatchWatch(self), FunctionWatch(self):
            yield

    def declare(self, module: nn.Module) -> None:
        """Note what a module declares before it runs, whatever a forward does to its attributes."""
        self._layers[id(module)] = self.layer_of(module)

    def open_module(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
        """Open the row of one module call, with its hyper-parameters and, for a known layer, its parameters."""
        with self.paused():
            layer = self._layers.get(id(module)) or self.layer_of(module)
            path = self._path(module)
            call = self._open(path, type(module).__name__, args, kwargs, functional=False)
            call.layer, call.base = layer.name, layer.base
            call.hyperparameters = layer.hyperparameters
            call.training = module.training
            if layer.name is not None:
                call.state = self.values.owned(module.named_parameters(remove_duplicate=False))
            return call

    def open_function(self, kind: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
        """Open the row of one functional call, under the path of the module whose forward makes it."""
        with self.paused():
            path = self._stack[-1].path if self._stack else ""
            call = self._open(path, kind, args, kwargs, functional=True)
            call.training = self.calls[call.parent].training if call.parent is not None else False
            call.where = self._own_files.running_line(record.__code__)
            return call

    def _open(self, path: str, kind: str, args: Any, kwargs: Any, *, functional: bool) -> Call:
        if get_ident() != self._thread:
            raise RuntimeError(f"{path or kind} runs in a thread of its own, where nothing can watch its work")
        key = (path, kind if functional else None)
        parent = self._stack[-1].index if self._stack else None
        call = Call(len(self.calls), path, self._uses[key], kind, parent, functional)
        call.transformed = torch._C._functorch.peek_interpreter_stack() is not None
        self._uses[key] += 1
        self.receive(call, args, kwargs)
        self.calls.append(call)
        self._stack.append(call)
        return call

    def receive(self, call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Note the arguments of a call."""
        with self.paused():
            call.args = tuple(encode(tuple(args), self.values.ref))
            call.kwargs = encode(dict(kwargs), self.values.ref)

    def close(self, call: Call, output: Any) -> None:
        """Close a call with its output."""
        with self.paused():
            call.outputs = tuple(self.values.ref(tensor) for tensor in live_tensors(output))
            while self._stack and self._stack.pop() is not call:
                pass

    def abandon(self, call: Call) -> None:
        """Close a call that raised, and remember the innermost one that was open."""
        if self.failed_in is None:
            self.failed_in = self._stack[-1] if self._stack else call
        while self._stack and self._stack.pop() is not call:
            pass

    def hidden(self) -> bool:
        """Whether what happens now lies inside a known layer or a torch function, and so makes no row."""
        return self._paused or bool(self._stack and (self._stack[-1].layer is not None or self._stack[-1].functional))

    def _path(self, module: nn.Module) -> str:
        path = self._paths.get(id(module))
        if path is None:
            parent = self._stack[-1].path if self._stack else ""
            path = self._paths[id(module)] = f"{parent}.({type(module).__name__})".lstrip(".")
        return path

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Record nothing: what runs now is the recorder's own bookkeeping."""
        before, self._paused = self._paused, True
        try:
            yield
        finally:
            self._paused = before

    def run_function(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Run a plain function as the root of the trace."""
        call = self._open("", getattr(function, "__name__", type(function).__name__), args, kwargs, functional=False)
        try:
            output = function(*args, **kwargs)
        except BaseException:
            self.abandon(call)
            raise
        self.close(call, output)
        return output

    def on_function(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Run one torch function called by the model's own code, as a row if it handles tensors."""
        if self.hidden() or not self._stack:
            return function(*args, **kwargs)
        kind = public_name(function)
        if kind in READS_OUT:
            self._note_read_out(kind, args)
        if kind in SHAPE_QUERIES:
            return function(*args, **kwargs)
        call = self.open_function(kind, args, kwargs)
        try:
            output = function(*args, **kwargs)
        except BaseException:
            self.abandon(call)
            raise
        self.close(call, output)
        if not call.outputs and not call.ops:
            self.calls.pop()
            self._uses[(call.path, call.kind)] -= 1
        else:
            self._claim(call, args, kwargs)
        return output

    def _claim(self, call: Call, args: Any, kwargs: Any) -> None:
        """Count the parameters that a computing call is the first to read; a view of one reads nothing yet."""
        if all(self.ops[index].is_view for index in call.ops):
            return
        with self.paused():

            def refer(tensor: torch.Tensor) -> TensorRef:
                ref = self.values.ref(tensor)
                return ref if ref.state is None else replace(ref, fresh=self.values.claim(tensor))

            if any(ref.state is not None for ref in call.inputs):
                call.args, call.kwargs = tuple(encode(tuple(args), refer)), encode(dict(kwargs), refer)

    def _note_indices(self, args: tuple[Any, ...]) -> None:
        with self.paused():
            for tensor in live_tensors(args):
                if (
                    tensor.dtype in (torch.int32, torch.int64)
                    and not tensor.is_meta
                    and tensor.numel() <= _MOST_INDICES
                ):
                    self.indices[self.values.ref(tensor).value] = tensor.flatten().tolist()

    def _note_read_out(self, kind: str, args: tuple[Any, ...]) -> None:
        with self.paused():
            shown = READS_OUT[kind]
            self.read_out += [(len(self.ops), shown, self.values.ref(tensor)) for tensor in live_tensors(args)]

    def on_op(self, op: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Run one ATen op and write it down."""
        if self._paused:
            return op(*args, **kwargs)
        schema = schema_of(op)
        if schema.is_query:
            return op(*args, **kwargs)
        orphan = not self._stack or (self._stack[-1].layer is None and not self._stack[-1].functional)
        if orphan:
            call = self.open_function(schema.name.rsplit(".", 1)[0], args, kwargs)
        if schema.name in _READ_INDICES:
            self._note_indices(args)
        before_args = tuple(encode(tuple(args), self.values.ref))
        before_kwargs = encode(dict(kwargs), self.values.ref)
        output = op(*args, **kwargs)
        outputs, writes = schema.results(self.values, args, kwargs, output)
        record_ = Op(
            len(self.ops), schema.name, before_args, before_kwargs, outputs, self._stack[-1].index, writes,
            schema.pointwise, schema.is_view,
        )  # fmt: skip
        self._stack[-1].ops.append(record_.index)
        self.ops.append(record_)
        if record_.packet in READS_OUT and self._stack[-1].kind not in ONLY_CHECKS:
            self._note_read_out(record_.packet, args)
        self.values.ops_seen = len(self.ops)
        if orphan:
            self.close(call, output)
            self._claim(call, args, kwargs)
        return output

    def name_inputs(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, TensorRef]:
        """The input tensors by position or keyword, as values of the run."""
        named: dict[str, TensorRef] = {}

        def note(name: str, tensor: torch.Tensor) -> torch.Tensor:
            named[name] = self.values.new(tensor, None)
            return tensor

        map_inputs(args, kwargs, note)
        return named

    def finish(self, inputs: dict[str, TensorRef], output: Any, device: str, training: bool) -> Trace:
        """The finished trace."""
        outputs = tuple(self.values.ref(tensor) for tensor in live_tensors(output))
        trace = Trace(self.calls, self.ops, inputs, outputs, device, training)
        trace.parameters, trace.buffers = self.values.parameters, self.values.buffers
        trace.unread, trace.unregistered = self.values.unclaimed(), self.values.unregistered
        trace.freed, trace.read_out = dict(self.values.freed), self.read_out
        trace.indices = self.indices
        trace.never_ran = never_ran(self.model, self.calls)
        for call in self.calls:
            if call.parent is not None:
                trace.children.setdefault(call.parent, []).append(call.index)
        return trace
