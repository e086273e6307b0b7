"""Memory of a run: which tensors are alive at every op of its trace, and what a training step really allocates.

Bytes are those of storages that ops of the run allocate: views and in-place results share one, and parameters, buffers
and inputs are apart. What a kernel allocates for itself and frees before it returns is not seen.

A step measured on meta costs no memory. A real device differs from it where it picks other kernels: fused attention
keeps less than attention op by op, oneDNN's recurrent nets more. CUDA's own allocator reports a higher peak: it rounds
every block up to 512 bytes and also holds what kernels use inside.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from typing import Any

import torch

from cnninspect.measure.backward import forward_and_backward
from cnninspect.measure.base import Run
from cnninspect.report.quantities import item_size
from cnninspect.trace.isolation import restored
from cnninspect.trace.private_torch import OpWatch, kernel_of, packet_of, runs_inside, storage_key
from cnninspect.trace.records import Op, State, TensorRef, Trace
from cnninspect.trace.rerun import as_module
from cnninspect.trace.values import storages

OPTIMIZER_STATES = {
    "sgd": (0, False),
    "momentum": (1, False),
    "adagrad": (1, True),
    "rmsprop": (1, True),
    "adam": (2, True),
    "adamw": (2, True),
}
"""For each optimizer how many tensors of a parameter's size it keeps, and whether it counts steps."""


@dataclass(frozen=True)
class Lifetime:
    """A storage that the run allocates: its bytes, the op that makes it, and the last op at which it is alive."""

    storage: int
    nbytes: int
    born: int
    dies: int


@dataclass(frozen=True)
class Peak:
    """The greatest number of bytes alive at once, and the first op (None without ops) and call that reach it."""

    nbytes: int
    op: int | None
    call: int | None


def real_bytes(ref: TensorRef) -> int:
    """Bytes of a tensor's elements, by what torch says of its dtype."""
    dtype: torch.dtype = getattr(torch, ref.dtype)
    return prod(ref.shape) * dtype.itemsize


def inference_peak(trace: Trace) -> Peak:
    """The peak of live activations of a forward pass without gradients."""
    alive = live_bytes(trace)
    if not alive:
        return Peak(0, None, None)
    most = max(alive)
    at = alive.index(most)
    return Peak(most, at, trace.ops[at].call)


def live_bytes(trace: Trace) -> list[int]:
    """For every op the bytes alive when it ends: its inputs and outputs, and all that is needed later."""
    changes = [0] * (len(trace.ops) + 1)
    for life in lifetimes(trace):
        changes[life.born] += life.nbytes
        changes[life.dies + 1] -= life.nbytes
    return list(accumulate(changes))[:-1]


def lifetimes(trace: Trace) -> list[Lifetime]:
    """Every storage that the run allocates, in order of birth; one that nothing frees lives as long as the run."""
    outside = {ref.storage for ref in trace.inputs.values()}
    born: dict[int, Lifetime] = {}
    for op in trace.ops:
        outside.update(ref.storage for ref in op.inputs if ref.storage not in born)
        for ref in _allocated(op):
            if ref.storage not in born and ref.storage not in outside:
                dies = trace.freed.get(ref.storage, len(trace.ops)) - 1
                born[ref.storage] = Lifetime(ref.storage, real_bytes(ref), op.index, max(dies, op.index))
    return list(born.values())


def _allocated(op: Op) -> tuple[TensorRef, ...]:
    """What an op returns and may have allocated."""
    return op.outputs[:1] if has_no_statistics(op.packet, op.args) else op.outputs


def has_no_statistics(packet: str, args: Sequence[Any]) -> bool:
    """Whether it is batch normalisation in evaluation, whose kernels return empty statistics; on meta they are full."""
    return packet == "aten.native_batch_norm" and not args[5]


def own_outputs(trace: Trace) -> list[dict[int, TensorRef]]:
    """For every call the outputs that it allocates, by their place; views and in-place results take nothing."""
    made_by = {life.storage: life.born for life in lifetimes(trace)}
    found = []
    for call, (first, last) in zip(trace.calls, _spans(trace), strict=True):
        new = {ref.storage: (place, ref) for place, ref in enumerate(call.outputs) if ref.storage in made_by}
        found.append(dict(own for storage, own in new.items() if first <= made_by[storage] <= last))
    return found


def _spans(trace: Trace) -> list[tuple[int, int]]:
    """The first and the last op of every call, those of calls below it included; (0, -1) for a call without ops."""
    spans = [(min(call.ops, default=0), max(call.ops, default=-1)) for call in trace.calls]
    for call in reversed(trace.calls):
        first, last = spans[call.index]
        if call.parent is not None and last >= first:
            above, below = spans[call.parent]
            spans[call.parent] = (min(above, first), max(below, last)) if below >= above else (first, last)
    return spans


def parameter_bytes(trace: Trace) -> dict[str, int]:
    """Bytes of the parameters by dtype, each storage once."""
    return _by_dtype(trace.parameters.values())


def gradient_bytes(trace: Trace) -> dict[str, int]:
    """Bytes of gradients by dtype: every trainable parameter has one of its own shape, shared storage or not."""
    found: Counter[str] = Counter()
    for state in (*trace.parameters.values(), *trace.tied):
        if state.trainable:
            found[state.dtype] += prod(state.shape) * item_size(state.dtype)
    return dict(found)


def held_bytes(trace: Trace) -> dict[str, int]:
    """Bytes that are there during the whole run: of parameters, buffers and inputs, each storage once."""
    return {
        "parameters": sum(parameter_bytes(trace).values()),
        "buffers": sum(_by_dtype(trace.buffers.values()).values()),
        "inputs": sum({ref.storage: real_bytes(ref) for ref in trace.inputs.values()}.values()),
    }


def optimizer_bytes(trace: Trace, optimizer: str) -> dict[str, int]:
    """Bytes by dtype that an optimizer keeps for the trainable parameters; KeyError for an unknown optimizer.

    Source: torch.optim, the state of each algorithm; a step counter is a float32 scalar per parameter.
    """
    copies, counts_steps = OPTIMIZER_STATES[optimizer]
    found = Counter({dtype: copies * nbytes for dtype, nbytes in gradient_bytes(trace).items()})
    if counts_steps:
        found["float32"] += item_size("float32") * sum(
            state.trainable for state in (*trace.parameters.values(), *trace.tied)
        )
    return {dtype: nbytes for dtype, nbytes in found.items() if nbytes}


def _by_dtype(states: Iterable[State]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for state in states:
        found[state.dtype] += state.fresh * item_size(state.dtype)
    return dict(found)


# --- measured while the run goes on ------------------------------------------------------------------------------


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes that a training step allocates, parameters, inputs and the optimizer's state apart.

    `kept` is alive when the forward pass ends: outputs and what autograd saved. `peak` is the most alive at once in
    both passes, the gradients of parameters included. `gradients` are those of parameters when it ends, None if one is
    sparse; `gradients_of` says how many parameters have one.
    """

    kept: int
    peak: int
    gradients: int | None
    gradients_of: int


def training_memory(run: Run) -> TrainingMemory:
    """The bytes that a forward and a backward pass of the run's model allocate on the run's device."""
    watch = _StorageWatch()
    kept = []

    @contextmanager
    def backward() -> Iterator[None]:
        kept.append(watch.alive)
        with watch:
            yield

    gradients = forward_and_backward(run, forward=watch, backward=backward())
    dense = all(gradient.layout is torch.strided for gradient in gradients)
    nbytes = sum(gradient.numel() * gradient.element_size() for gradient in gradients) if dense else None
    return TrainingMemory(kept[0], watch.peak, nbytes, len(gradients))


class _StorageWatch(OpWatch):
    """Sums the bytes of live storages that ops make; storages first seen as an argument of an op do not count."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[int] = set()
        self.alive = 0
        self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if runs_inside(types):
            return NotImplemented
        self._note((args, kwargs), counts=False)
        if (kernel := kernel_of(func)) is not None:
            with self:
                return kernel(*args, **(kwargs or {}))
        output = func(*args, **(kwargs or {}))
        if has_no_statistics(packet_of(func), args) and output[1].is_meta:
            self._note(output[1:], counts=False)
        self._note(output, counts=True)
        self.peak = max(self.peak, self.alive)
        return output

    def _note(self, tensors: Any, *, counts: bool) -> None:
        for storage in storages(tensors):
            key = storage_key(storage)
            if key not in self._seen:
                self._seen.add(key)
                nbytes = storage.nbytes() if counts else 0
                self.alive += nbytes
                weakref.finalize(storage, self._free, key, nbytes).atexit = False

    def _free(self, key: int, nbytes: int) -> None:
        self._seen.discard(key)
        self.alive -= nbytes


def inference_allocation(run: Run) -> int | None:
    """Bytes for a forward pass of the run's model without gradients; None on a device without such an allocator."""
    model = as_module(run.model)

    def forward() -> None:
        with restored(model, run.trace.training, gradients=run.trace.gradients, inputs=(run.args, run.kwargs)):
            model(*run.args, **run.kwargs)

    return _most(run.device, forward)


def training_allocation(run: Run) -> int | None:
    """Bytes for a forward and a backward pass, gradients included; None on a device without such an allocator."""
    return _most(run.device, lambda: forward_and_backward(run))


def _most(device: str, work: Callable[[], object]) -> int | None:
    if not device.startswith("cuda"):
        return None
    work()
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    work()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before
