"""Runs a model once and records it on three levels at once.

- module calls: by a wrapper around each instance's `forward`, which also sees direct calls (module_calls.py);
- functional calls: by a TorchFunctionMode, which sees the outermost torch function that the model's code calls;
- ATen ops: by a TorchDispatchMode, which sees every op, whether Python or C++ code called it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from cnninspect.trace.contents import TAKES_NUMBERS, Contents, as_array, keep_numbers, with_numbers
from cnninspect.trace.first_forward import Registered
from cnninspect.trace.isolation import isolated, noticing_threads
from cnninspect.trace.meta_results import MetaResults
from cnninspect.trace.module_calls import Args, Kwargs, never_ran
from cnninspect.trace.names import (
    AS_NUMBERS,
    ASKS_FOR_GRADIENTS,
    DATA,
    INDEXING,
    LOOKS_AT_GRADIENTS,
    ONLY_CHECKS,
    READS_OUT,
    SHARES_MEMORY,
    OpSchema,
    schema_of,
)
from cnninspect.trace.private_torch import (
    ALIAS,
    FOREIGN_WRITE,
    HIDES,
    READ_INDICES,
    READ_LAYOUT,
    OpWatch,
    functions_unseen,
    in_transform,
    is_frozen,
    kernel_of,
    named_parameters_of,
    runs_inside,
    state_of,
)
from cnninspect.trace.records import Call, Layer, Op, TensorRef, Trace
from cnninspect.trace.refusals import refuse
from cnninspect.trace.source_lines import OwnFiles
from cnninspect.trace.tracker import CallTracker, renumbered
from cnninspect.trace.trees import leaves, map_leaves, named_leaves
from cnninspect.trace.values import Values

LayerOf = Callable[[nn.Module], Layer]

_MOST_INDICES = 1 << 16


class ForwardFailed(Exception):
    """The model's forward raised; `call` is the innermost call that was open, with its inputs."""

    def __init__(self, call: Call | None, cause: BaseException):
        super().__init__(str(cause))
        self.call = call
        self.cause = cause


def record(
    model: Callable[..., Any],
    args: Args,
    kwargs: Kwargs,
    layer_of: LayerOf,
    *,
    device: str,
    training: bool = False,
    partial: bool = False,
) -> Trace:
    """The trace of one forward pass of `model(*args, **kwargs)`.

    `model` is a module or a plain function of tensors. `layer_of` tells for which modules a formula is known; the
    inside of such a layer is recorded as ops, not as calls. Gradients are off, so that their memory is not counted; a
    model that needs them in its forward runs again with gradients on. Raises ForwardFailed when the forward raises,
    unless `partial`: then the trace ends there.

    Parameters that the forward makes and registers stay in the model, and the trace is that of the next forward pass.
    If that one makes them again, the model stays as it was.
    """

    def run() -> tuple[Trace, Registered]:
        try:
            return _record(model, args, kwargs, layer_of, device, training, partial, gradients=False)
        except _NeedsGradients:
            return _record(model, args, kwargs, layer_of, device, training, partial, gradients=True)

    trace, registered = run()
    if partial or not registered.made:
        return trace
    take_away = registered.keep()
    try:
        following, then = run()
    except ForwardFailed:
        then = None
    if then is None or then.anew.intersection(registered.made):
        take_away()
        trace.made_anew = registered.made
        return trace
    following.made = registered.made
    return following


def _record(
    model: Callable[..., Any],
    args: Args,
    kwargs: Kwargs,
    layer_of: LayerOf,
    device: str,
    training: bool,
    partial: bool,
    *,
    gradients: bool,
) -> tuple[Trace, Registered]:
    module = model if isinstance(model, nn.Module) else None
    registered = Registered(module)
    with isolated(module, training, gradients=gradients, inputs=(args, kwargs)):
        recorder = Recorder(module, layer_of)
        inputs = recorder.name_inputs(args, kwargs)
        try:
            output = recorder.run_model(model, args, kwargs)
        except (Exception, SystemExit) as error:
            wanted = recorder.asks_for_gradients or recorder.looks_at_gradients
            if not gradients and (wanted or "does not require grad" in str(error)):
                raise _NeedsGradients from error
            if not partial:
                raise ForwardFailed(recorder.failed_in, error) from error
            trace = recorder.finish(inputs, None, device, training, whole=False)
        else:
            if not gradients and recorder.asks_for_gradients:
                raise _NeedsGradients
            trace = recorder.finish(inputs, output, device, training)
            registered.look()
    trace.gradients = gradients
    return trace, registered


class _NeedsGradients(Exception):
    """The model asked for gradients while they were off."""


class Recorder(CallTracker):
    """Records calls and ops while attached."""

    def __init__(self, model: nn.Module | None, layer_of: LayerOf):
        super().__init__(model)
        self.values = Values(model)
        self.ops: list[Op] = []
        self.read_out: list[tuple[int, str, TensorRef]] = []
        self.indices: dict[int, Any] = {}
        self.renewed: dict[int, dict[int, Any]] = {}
        self._noted_in: dict[int, set[int]] = {}
        self._outdated: set[int] = set()
        self._lent: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.contents: Contents | None = Contents(self.values)
        self._masks: dict[tuple[Any, ...], Any] = {}
        self.asks_for_gradients = self.looks_at_gradients = False
        self._layer_of = layer_of
        self._layers: dict[int, Layer] = {}
        self._modules: dict[int, nn.Module] = {}
        self._in_threads: str | None = None
        self._paused = False
        self._own_files = OwnFiles()
        self._results = MetaResults()

    def run_model(self, model: Callable[..., Any], args: Args, kwargs: Kwargs) -> Any:
        """Runs the model while this records, and returns its output."""
        with self.attached(), _DispatchWatch(self), noticing_threads(self._note_thread):
            if self.model is not None:
                output = model(*args, **kwargs)
            else:
                name = getattr(model, "__name__", type(model).__name__)
                output = self.run(self.open_root(name, args, kwargs), model, args, kwargs)
        if self._in_threads is not None:
            raise RuntimeError(f"{self._in_threads} runs in another thread, where its ops cannot be recorded")
        _check_has_run(output)
        return output

    def in_other_thread(self, module: nn.Module) -> None:
        """A module is called in another thread: noted, and reported after the run."""
        self._in_threads = self._paths.get(id(module)) or type(module).__name__

    def _note_thread(self) -> None:
        self._in_threads = self._in_threads or "part of its forward"

    def declare(self, module: nn.Module) -> None:
        """Reads a module's hyper-parameters before it runs, since a forward may change its attributes."""
        self._layers[id(module)] = self._layer_of(module)

    def layer_of(self, _: str, module: nn.Module) -> Layer:
        """The module's Layer, as it was when the module was first declared."""
        return self._layers.get(id(module)) or self._layer_of(module)

    def started(self, call: Call, module: nn.Module | None, args: Args, kwargs: Kwargs) -> None:
        """Stores the call's arguments, mode and source line."""
        call.transformed = in_transform()
        self.receive(call, args, kwargs)
        if module is not None:
            call.training = not is_frozen(module) and module.training
            self._modules[call.index] = module
        elif call.functional:
            call.training = self.calls[call.parent].training if call.parent is not None else False
            call.where = self._own_files.running_line(Recorder.run_model.__code__)

    def receive(self, call: Call, args: Args, kwargs: Kwargs) -> None:
        """Stores the arguments of a call."""
        with self.paused():
            call.args, call.kwargs = self.values.plain(tuple(args)), self.values.plain(dict(kwargs))

    def ended(self, call: Call, output: Any) -> None:
        """Stores the call's outputs and, for a known layer, its parameters."""
        if self._lent:
            self._note_foreign_writes(call)
        with self.paused():
            call.outputs = tuple(self.values.ref(tensor) for tensor in leaves(output, torch.Tensor))
            module = self._modules.pop(call.index, None)
            if module is not None and call.layer is not None:
                call.state = self.values.owned(named_parameters_of(module))

    def raised(self, call: Call) -> None:
        """Forgets the module of a call that raised."""
        self._modules.pop(call.index, None)

    def counts(self, call: Call, *_: Any) -> bool:
        """Whether a functional call returned tensors or ran ops."""
        return bool(call.outputs or call.ops)

    def hidden(self) -> bool:
        """Whether a call now is not recorded: inside a known layer or function, or in the recorder's own code."""
        return self._paused or super().hidden()

    def paused(self) -> _Paused:
        """Records nothing inside: the recorder's own code."""
        return _Paused(self)

    def asked(self, kind: str, args: Args) -> None:
        """Notes functions that give tensor values to Python code, and functions that need gradients."""
        if kind in READS_OUT:
            self._note_read_out(READS_OUT[kind], args)
        if kind in SHARES_MEMORY and _can_be_watched(args[0]):
            with self.paused(), functions_unseen():
                self._lent.append((args[0], args[0].detach().clone()))
        if kind in AS_NUMBERS and args[0].dtype is torch.bool:
            self._note_read_out(AS_NUMBERS[kind], args)
        if kind in ASKS_FOR_GRADIENTS and args[1:] != (False,) and not torch.is_grad_enabled():
            self.asks_for_gradients = True
        if kind in ("Tensor.requires_grad_", "Tensor.requires_grad =") and args[1:] != (False,):
            with self.paused():
                self.values.leaves.setdefault(self.values.ref(args[0]).value, False)
        if kind in LOOKS_AT_GRADIENTS:
            self.looks_at_gradients = True

    def on_function(self, function: Callable[..., Any], args: Args, kwargs: Kwargs) -> Any:
        """Runs a torch function that the model's code calls, and records it as a call if it handles tensors."""
        made = len(self.calls)
        output = super().on_function(function, args, kwargs)
        if function in TAKES_NUMBERS and self.contents is not None:
            with self.paused(), functions_unseen():
                keep_numbers(output, args[function is torch.Tensor.new_tensor :])
        if len(self.calls) > made and self.calls[made].number >= 0:
            self._claim(self.calls[made], args, kwargs)
        return output

    def run(self, call: Call, function: Callable[..., Any], args: Args, kwargs: Kwargs) -> Any:
        """Runs the body of an open call; `tensor.data`, for which torch runs no op, is recorded as a view."""
        if call.functional and call.kind in INDEXING and self.contents is not None:
            with self.paused(), functions_unseen():
                index = with_numbers(args[1], bools=len(args) > 2) if args[0].is_meta else args[1]
                args = (args[0], index, *args[2:])
        if not (call.functional and call.kind in DATA):
            return super().run(call, function, args, kwargs)

        def body(tensor: torch.Tensor, *data: torch.Tensor) -> Any:
            output = function(tensor, *data)
            self._note_alias(call, data[0] if data else tensor, tensor if data else output)
            return output

        return super().run(call, body, args, kwargs)

    def _note_alias(self, call: Call, source: torch.Tensor, result: torch.Tensor) -> None:
        """Records that `result` is a view of `source` from now on; a parameter keeps its name."""
        with self.paused(), functions_unseen():
            if source is result or (call.kind == "Tensor.data =" and self.values.ref(result).state is not None):
                return
            of = self.values.ref(source)
            outputs = (self.values.new(result, source),)
            call.ops.append(len(self.ops))
            self.ops.append(Op(len(self.ops), ALIAS, (of,), {}, outputs, call.index, is_view=True))
            self.values.ops_seen = len(self.ops)

    def _note_foreign_writes(self, call: Call) -> None:
        """Records that tensors whose memory NumPy was given hold other numbers now, as a write that no rule knows."""
        with self.paused(), functions_unseen():
            for position, (tensor, before) in enumerate(self._lent):
                if _holds_the_same(tensor, before):
                    continue
                self._lent[position] = tensor, tensor.detach().clone()
                of = self.values.ref(tensor)
                outputs = (self.values.new(tensor, tensor),)
                call.ops.append(len(self.ops))
                self.ops.append(Op(len(self.ops), FOREIGN_WRITE, (of,), {}, outputs, call.index, writes=(of.value,)))
                self.values.ops_seen = len(self.ops)

    def _claim(self, call: Call, args: Any, kwargs: Any) -> None:
        """Counts the parameter elements that a call is the first to read; a view reads nothing."""
        if not any(ref.state is not None for ref in call.inputs) or all(self.ops[index].is_view for index in call.ops):
            return
        with self.paused():
            fresh = [self.values.read(tensor).fresh for tensor in leaves((args, kwargs), torch.Tensor)]
            if any(fresh):
                of_next = iter(fresh)
                noted = map_leaves((call.args, call.kwargs), TensorRef, lambda _, r: replace(r, fresh=next(of_next)))
                call.args, call.kwargs = noted

    def _note_indices(self, args: Args) -> None:
        with self.paused():
            for tensor in leaves(args, torch.Tensor):
                ref = self.values.ref(tensor)
                numbers = self._content(tensor, ref) if tensor.is_meta else tensor
                counts = tensor.dtype in (torch.int32, torch.int64, torch.bool) and tensor.numel() <= _MOST_INDICES
                if counts and numbers is not None:
                    self._note_numbers(ref, as_array(numbers))

    def _content(self, tensor: torch.Tensor, ref: TensorRef) -> torch.Tensor | None:
        return None if self.contents is None else self.contents.of(tensor, ref)

    def _note_masks(self, args: Args, kwargs: Kwargs) -> None:
        with self.paused():
            for tensor in leaves((args, kwargs), torch.Tensor):
                ref = self.values.ref(tensor)
                if self.contents is not None and ref.value in self.contents.large_masks:
                    self.indices[ref.value] = None
                known = ref.value in self.indices and ref.value not in self._outdated
                numbers = None if known else self._content(tensor, ref)
                if numbers is not None:
                    array = as_array(numbers)
                    same = self._masks.setdefault((array.shape, array.dtype.str, hash(array.tobytes())), array)
                    self._note_numbers(ref, same if np.array_equal(same, array, equal_nan=True) else array)
                elif ref.value in self._outdated and self.indices[ref.value] is not None:
                    self._note_numbers(ref, None)

    def _note_numbers(self, ref: TensorRef, array: Any) -> None:
        """Keep the numbers in a constant: those of the first time, and others for the op that finds them changed."""
        if ref.value not in self.indices:
            self.indices[ref.value] = array
            self._noted_in.setdefault(ref.storage, set()).add(ref.value)
        elif ref.value in self._outdated:
            self.renewed.setdefault(len(self.ops), {})[ref.value] = array
        self._outdated.discard(ref.value)

    def _note_read_out(self, shown: str, args: Args) -> None:
        with self.paused():
            self.read_out += [(len(self.ops), shown, self.values.ref(tensor)) for tensor in leaves(args, torch.Tensor)]

    def on_op(self, op: Any, args: Args, kwargs: Kwargs) -> Any:
        """Runs and records one ATen op; an op outside known layers and torch functions becomes a functional call."""
        schema = schema_of(op)
        if self._paused or schema.is_query:
            return op(*args, **kwargs)
        if super().hidden():
            return self._run_op(schema, op, args, kwargs)
        call = self.open_function(schema.packet, args, kwargs)
        output = self.run(call, lambda: self._run_op(schema, op, args, kwargs), (), {})
        self._claim(call, args, kwargs)
        return output

    def _run_op(self, schema: OpSchema, op: Any, args: Args, kwargs: Kwargs) -> Any:
        """Runs one ATen op and records it for the innermost open call."""
        if self._lent:
            self._note_foreign_writes(self.open_calls[-1])
        if schema.name in READ_INDICES:
            self._note_indices(args)
        layout = (args[0].stride(), args[0].storage_offset()) if schema.packet in READ_LAYOUT else None
        before_args, before_kwargs = self.values.plain(tuple(args)), self.values.plain(dict(kwargs))
        refuse(op, args)
        contents, held = self.contents, None
        if contents is not None:
            held = contents.before(op, schema, args, kwargs, (before_args, before_kwargs))
            if held is None and schema.packet in HIDES:
                self._note_masks(args, kwargs)
        output = self._results.run(op, schema, args, kwargs)
        outputs, writes = schema.results(self.values, args, kwargs, output)
        if contents is not None:
            contents.after(op, schema, held, (before_args, before_kwargs), outputs, writes=bool(writes))
        for ref in outputs if writes else ():
            self._outdated |= self._noted_in.get(ref.storage, set())
        call = self.open_calls[-1]
        made = Op(
            len(self.ops), schema.name, before_args, before_kwargs, outputs, call.index, writes, schema.pointwise,
            schema.is_view, layout,
        )  # fmt: skip
        call.ops.append(made.index)
        self.ops.append(made)
        if schema.packet in READS_OUT and call.kind not in ONLY_CHECKS:
            self._note_read_out(READS_OUT[schema.packet], args)
        self.values.ops_seen = len(self.ops)
        return output

    def name_inputs(self, args: Args, kwargs: Kwargs) -> dict[str, TensorRef]:
        """Name -> input tensor: position or keyword, "0" or "mask"; "0.image" for nested ones."""
        named = (*named_leaves(args, torch.Tensor), *named_leaves(dict(kwargs), torch.Tensor))
        inputs = {name: self.values.new(tensor, None) for name, tensor in named}
        if self.contents is not None:
            self.contents.exclude(inputs.values())
        return inputs

    def finish(
        self, inputs: dict[str, TensorRef], output: Any, device: str, training: bool, *, whole: bool = True
    ) -> Trace:
        """The finished trace; after a failed run (not `complete`), it also holds the calls that did not end."""
        outputs = tuple(self.values.ref(tensor) for tensor in leaves(output, torch.Tensor))
        trace = Trace(
            renumbered(self.calls, self.ops, self.uses) if whole else self.calls,
            self.ops,
            inputs,
            outputs,
            device,
            training,
        )
        trace.parameters, trace.buffers = self.values.parameters, self.values.buffers
        trace.tied, trace.leaves = tuple(self.values.tied), self.values.leaves
        registered = [] if self.model is None else state_of(self.model)[0]
        trace.unread, trace.unregistered = self.values.unread(), self.values.unregistered(registered)
        trace.freed, trace.read_out = dict(self.values.freed), self.read_out
        trace.indices, trace.renewed = self.indices, self.renewed
        trace.never_ran = never_ran(self.model, trace.calls, self.modules)
        for call in trace.calls:
            if call.parent is not None:
                trace.children.setdefault(call.parent, []).append(call.index)
        return trace


def _can_be_watched(tensor: torch.Tensor) -> bool:
    return tensor.device.type == "cpu" and tensor.layout is torch.strided and tensor.numel() <= _MOST_INDICES


def _holds_the_same(tensor: torch.Tensor, before: torch.Tensor) -> bool:
    return bool(((tensor == before) | (tensor.isnan() & before.isnan())).all())


class _Paused:
    """A recorder that records nothing. Entered for every call: a generator would take four times as long."""

    __slots__ = ("before", "recorder")

    def __init__(self, recorder: Recorder):
        self.recorder = recorder

    def __enter__(self) -> None:
        self.before, self.recorder._paused = self.recorder._paused, True

    def __exit__(self, *_: object) -> None:
        self.recorder._paused = self.before


class _DispatchWatch(OpWatch):
    """Passes every ATen op to the recorder; composite ops are decomposed first."""

    def __init__(self, recorder: Recorder):
        super().__init__()
        self.recorder = recorder

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if runs_inside(types):
            return NotImplemented
        if (kernel := kernel_of(func)) is not None:
            with self:
                return kernel(*args, **kwargs)
        if schema_of(func).composite and not any(tensor.is_nested for tensor in leaves((args, kwargs), torch.Tensor)):
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        return self.recorder.on_op(func, args, kwargs)


def _check_has_run(output: Any) -> None:
    """Raises TypeError for coroutines and generators: their body has not run, so every number would be 0."""
    if isinstance(output, (Coroutine, Generator)):
        output.close()
        raise TypeError(f"it returns a {type(output).__name__}, whose body has not run; return tensors instead")
