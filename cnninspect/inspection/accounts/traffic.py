"""Bytes moved, and with them the arithmetic intensity; on a known machine also what each row waits for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from cnninspect.inspection.accounts.base import Addition, Inspected, inclusive
from cnninspect.ops.accounting import moved_bytes
from cnninspect.report.document import Report
from cnninspect.report.parts import Machine
from cnninspect.report.quantities import Quantity, Status, Unit
from cnninspect.report.ratios import intensity
from cnninspect.report.verdicts import one_sided
from cnninspect.trace.records import Op

UNCOUNTED = "no counter measures the bytes that kernels move"


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
    status = Status.EXACT if None not in known else Status.LOWER_BOUND if total else Status.UNKNOWN
    return one_sided(Unit.BYTES, UNCOUNTED, analytic=None if status is Status.UNKNOWN else total, status=status)
