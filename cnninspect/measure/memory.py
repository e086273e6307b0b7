"""Memory of a run from its trace: which tensors are alive at every op, and the peak of their bytes.

Bytes are those of storages that ops of the run allocate: views and in-place results share one, and parameters, buffers
and inputs are apart. What a kernel allocates for itself and frees before it returns is not seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from math import prod

import torch

from cnninspect.report.quantities import item_size
from cnninspect.trace.records import Op, State, TensorRef, Trace

OPTIMIZER_STATES = {
    "sgd": (0, False),
    "momentum": (1, False),
    "adagrad": (1, True),
    "rmsprop": (1, True),
    "adam": (2, True),
    "adamw": (2, True),
}
"""For each optimizer how many tensors of a parameter's size it keeps, and whether it counts steps."""


_BY_STEPS = {"RNN", "LSTM", "GRU", "torch.lstm", "torch.gru", "torch.rnn_tanh", "torch.rnn_relu"}
"""Layers that a device runs in one kernel and meta op by op, with other tensors alive in between."""


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


def taken_apart(trace: Trace) -> list[str]:
    """The paths of layers on account of which a peak on meta is not that of a real device."""
    return [call.path for call in trace.calls if trace.device == "meta" and (call.layer or call.kind) in _BY_STEPS]


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
    """What an op returns and may have allocated.

    In evaluation mode the kernels of batch normalisation return statistics without elements; on meta they have some.
    """
    in_evaluation = op.packet == "aten.native_batch_norm" and not op.args[5]
    return op.outputs[:1] if in_evaluation else op.outputs


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


def parameter_bytes(trace: Trace, *, trainable_only: bool = False) -> dict[str, int]:
    """Bytes of the parameters by dtype, each storage once; of the trainable ones these are the bytes of gradients."""
    return _by_dtype(state for state in trace.parameters.values() if state.trainable or not trainable_only)


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
    found = Counter({dtype: copies * nbytes for dtype, nbytes in parameter_bytes(trace, trainable_only=True).items()})
    if counts_steps:
        found["float32"] += item_size("float32") * sum(state.trainable for state in trace.parameters.values())
    return {dtype: nbytes for dtype, nbytes in found.items() if nbytes}


def _by_dtype(states: Iterable[State]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for state in states:
        found[state.dtype] += state.fresh * item_size(state.dtype)
    return dict(found)
