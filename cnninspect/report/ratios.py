"""Numbers of a row that are ratios of others, and so are worked out again wherever rows are added up."""

from __future__ import annotations

from dataclasses import replace

from cnninspect.report.parts import Machine
from cnninspect.report.quantities import Quantity, Status, Unit, flops_from_macs
from cnninspect.report.rows import Row


def with_ratios(row: Row, machine: Machine | None = None) -> Row:
    """The row with every ratio that its numbers allow."""
    moved, latency = row.extra.get("bytes_moved"), row.extra.get("latency")
    found: dict[str, Quantity] = {}
    if row.macs is not None and moved is not None and moved.value:
        found["intensity"] = intensity(row.macs, moved)
        if machine is not None:
            found["bound_by"] = bound_by(row.macs, moved, machine)
    if row.macs is not None and row.macs.value and latency is not None and latency.value:
        found["flops_per_second"] = speed(row.macs, latency)
    return replace(row, extra={**row.extra, **found})


def intensity(macs: Quantity, moved: Quantity) -> Quantity:
    """Multiply-accumulates per byte moved; a bound where one of the two is."""
    if macs.value is None or not moved.value:
        return Quantity(None, Unit.MACS_PER_BYTE, Status.UNKNOWN)
    return Quantity(macs.value / moved.value, Unit.MACS_PER_BYTE, _status(macs.status, moved.status))


def speed(macs: Quantity, latency: Quantity) -> Quantity:
    """FLOPs per second of multiply-accumulate work; a bound where that is one."""
    if macs.value is None or not latency.value:
        return Quantity(None, Unit.FLOPS_PER_SECOND, Status.UNKNOWN)
    return Quantity(flops_from_macs(macs.value) / latency.value, Unit.FLOPS_PER_SECOND, macs.status)


def bound_by(macs: Quantity, moved: Quantity, machine: Machine) -> Quantity:
    """What a row waits for at best: `compute` if its FLOPs take at least as long as its bytes, else `memory`.

    Source: Williams, Waterman & Patterson 2009, "Roofline".
    """
    if macs.value is None or moved.value is None:
        return Quantity(None, Unit.CLASS, Status.UNKNOWN)
    computes = flops_from_macs(macs.value) * machine.bandwidth >= moved.value * machine.peak_flops
    other = moved if computes else macs
    sure = other.status is Status.EXACT and (macs if computes else moved).status in (Status.EXACT, Status.LOWER_BOUND)
    if not sure:
        return Quantity(None, Unit.CLASS, Status.UNKNOWN)
    return Quantity("compute" if computes else "memory", Unit.CLASS)


def _status(above: Status, below: Status) -> Status:
    """The status of a quotient of which one side may be a lower bound."""
    if below is Status.EXACT:
        return above
    return Status.UPPER_BOUND if (above, below) == (Status.EXACT, Status.LOWER_BOUND) else Status.UNKNOWN
