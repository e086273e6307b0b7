"""Latency of every row on a real device, and with it the FLOPs per second that it achieves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from cnninspect.inspection.accounts.base import Addition, Inspected
from cnninspect.measure.timing import Clock, Latency, measure_latency
from cnninspect.report.parts import Timing
from cnninspect.report.quantities import Quantity, Unit
from cnninspect.report.ratios import speed
from cnninspect.report.verdicts import one_sided

UNFORESEEN = "no formula says how long a device takes"


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
