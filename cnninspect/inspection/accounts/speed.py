"""How fast a network can be and is: bytes moved with the arithmetic intensity, and latency on a real device.

On a known machine each row says what it waits for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from cnninspect.inspection.accounts import Addition, Inspected, inclusive
from cnninspect.measure.timing import Clock, Latency, measure_latency
from cnninspect.ops.accounting import moved_bytes
from cnninspect.report.document import Report
from cnninspect.report.parts import Machine, Timing
from cnninspect.report.quantities import Quantity, Status, Unit, one_sided
from cnninspect.report.sums import intensity, speed
from cnninspect.trace.records import Op

UNCOUNTED = "no counter measures the bytes that kernels move"
UNFORESEEN = "no formula says how long a device takes"


@dataclass(frozen=True)
class Traffic:
    """`peak_flops` and `bandwidth` are what the machine can do at most, FLOPs and bytes per second."""

    peak_flops: int | None = None
    bandwidth: int | None = None
    needs_kernels: ClassVar[bool] = False

    def __call__(self, inspected: Inspected) -> Addition:
        """`bytes_moved` of every row and in total."""
        ops = inspected.trace.ops
        own = [traffic_of([ops[index] for index in call.ops]) for call in inspected.trace.calls]
        moved = inclusive(inspected.trace, Unit.BYTES, own)
        totals = {"bytes_moved": moved[0], "intensity": intensity(inspected.findings.numbers[0].macs, moved[0])}
        return Addition([{"bytes_moved": bytes_} for bytes_ in moved], totals, self._with_machine)

    def _with_machine(self, report: Report) -> Report:
        if self.peak_flops is None or self.bandwidth is None:
            return report
        return replace(report, machine=Machine(self.peak_flops, self.bandwidth))


def traffic_of(ops: Sequence[Op]) -> Quantity:
    """Bytes that these ops move; a lower bound if nothing is known about one of them."""
    known = [moved_bytes(op) for op in ops]
    total = sum(number for number in known if number is not None)
    status = Status.LOWER_BOUND if None in known else Status.EXACT
    return one_sided(Unit.BYTES, UNCOUNTED, analytic=total, status=status)


@dataclass(frozen=True)
class Time:
    """`repeats` timed runs after `warmup` others; `clock` is the device's own unless it is given."""

    warmup: int = 3
    repeats: int = 20
    clock: Clock | None = None
    needs_kernels: ClassVar[bool] = True

    def __call__(self, inspected: Inspected) -> Addition:
        """`latency` of every row that a timed run makes too, and of the whole model without clocks inside."""

        def progress(done: int, of: int) -> None:
            inspected.progress("timing", done, of)

        timing = measure_latency(
            inspected.run, warmup=self.warmup, repeats=self.repeats, clock=self.clock, progress=progress
        )
        rows = [{} if latency is None else _numbers(latency) for latency in timing.calls]
        totals = _numbers(timing.total)
        totals["flops_per_second"] = speed(inspected.findings.numbers[0].macs, totals["latency"])
        runs = Timing(self.warmup, self.repeats)
        return Addition(rows, totals, lambda report: replace(report, timing=runs))


def _numbers(latency: Latency) -> dict[str, Quantity]:
    """The median, and the distance between the quartiles."""
    return {
        "latency": one_sided(Unit.SECONDS, UNFORESEEN, measured={"clock": latency.median}),
        "latency_spread": one_sided(Unit.SECONDS, UNFORESEEN, measured={"clock": latency.spread}),
    }
