"""What every counter's own total is, and what it counts: the words that go with the totals side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from cnninspect.inspection.accounts.base import Addition, Inspected
from cnninspect.measure.base import COUNTERS, Count, MacCounter
from cnninspect.report.parts import CounterConvention


@dataclass(frozen=True)
class Conventions:
    """Every registered counter with its convention, also one that did not run."""

    needs_kernels: ClassVar[bool] = False

    def __call__(self, inspected: Inspected) -> Addition:
        """`counters` in the document: for each its convention, and its own total or why it failed."""
        measured, counts = inspected.findings.numbers[0].macs.measured, inspected.findings.counts
        about = {name: _about(entry, measured.get(name), counts.get(name, ())) for name, entry in COUNTERS.items()}
        return Addition(parts=lambda report: replace(report, counters=about))


def _about(entry: MacCounter, macs: int | None, counts: Sequence[Count]) -> CounterConvention:
    failed = "; ".join(map(str, counts[0].skips)) if counts and all(count.value is None for count in counts) else None
    own_total = None if macs is None else entry.convention.own(macs)
    return CounterConvention(entry.convention.unit, own_total, entry.needs_kernels, failed)
