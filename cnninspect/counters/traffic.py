"""Bytes that the ops of a run read and write, and what they say about speed."""

from __future__ import annotations

from enum import Enum

from cnninspect.quantities import flops_from_macs
from cnninspect.trace.records import Op, Trace


class Bound(str, Enum):
    """What limits the speed of a layer in the roofline model."""

    COMPUTE = "compute"
    MEMORY = "memory"


def bytes_moved(trace: Trace) -> list[int]:
    """For every call of the trace the bytes of weights and activations that its own ops move, calls below it excluded.

    Each op reads its inputs and writes its outputs once, as if no cache kept anything between ops; a view moves none.
    """
    return [sum(_moved(trace.ops[index]) for index in call.ops) for call in trace.calls]


def _moved(op: Op) -> int:
    if op.is_view:
        return 0
    read = {ref.value: ref.nbytes for ref in op.inputs}
    return sum(read.values()) + sum(ref.nbytes for ref in op.outputs)


def intensity(macs: int, nbytes: int) -> float | None:
    """Arithmetic intensity in multiply-accumulates per byte moved; None where nothing moves."""
    return macs / nbytes if nbytes else None


def roofline(macs: int, nbytes: int, peak_flops: float, bandwidth: float) -> Bound | None:
    """What limits a layer on a machine of so many FLOPs and bytes per second; None where nothing moves.

    Source: Williams, Waterman & Patterson 2009, "Roofline": attainable speed is the lesser of the peak and
    bandwidth times intensity.
    """
    if not nbytes:
        return None
    return Bound.COMPUTE if flops_from_macs(macs) * bandwidth >= peak_flops * nbytes else Bound.MEMORY
