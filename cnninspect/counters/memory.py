"""Memory of a run from its trace: which tensors are alive at every op, and the peak of their bytes.

Bytes are those of storages that ops of the run allocate: views and in-place results share one, and parameters, buffers
and inputs are apart. What a kernel allocates for itself and frees before it returns is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from cnninspect.trace.records import Trace


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
        outside |= {ref.storage for ref in op.inputs} - born.keys()
        for ref in op.outputs:
            if ref.storage not in born and ref.storage not in outside:
                dies = trace.freed.get(ref.storage, len(trace.ops)) - 1
                born[ref.storage] = Lifetime(ref.storage, ref.nbytes, op.index, max(dies, op.index))
    return list(born.values())
