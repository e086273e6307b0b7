"""What is counted beside MACs: other arithmetic by class of work, and every counter's convention and own total."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from cnninspect.inspection.accounts.base import Addition, Inspected, inclusive
from cnninspect.measure.base import COUNTERS, Count, MacCounter
from cnninspect.ops.accounting import UNITS, Tally, tallies_of
from cnninspect.ops.registry import Work
from cnninspect.report.parts import CounterConvention
from cnninspect.report.quantities import Quantity, Unit, one_sided
from cnninspect.report.rows import Uncounted
from cnninspect.trace.records import Trace

UNCOUNTED = "no counter measures operations beside multiply-accumulates"


@dataclass(frozen=True)
class Operations:
    """The arithmetic that MACs leave out."""

    needs_kernels: ClassVar[bool] = False

    def __call__(self, inspected: Inspected) -> Addition:
        """`element_operations` of every row and in total, by class of work, and the ops that have none."""
        tallies = tallies_of(inspected.trace)
        numbers = inclusive(inspected.trace, Unit.OPERATIONS, [_quantity(tally) for tally in tallies])
        classes = {work.value: unit for work, unit in UNITS.items()}
        return Addition(
            rows=[{"element_operations": number} for number in numbers],
            totals={"element_operations": numbers[0]},
            parts=lambda report: replace(report, classes=classes),
            uncounted=_unclassified(inspected.trace, tallies),
        )


def _quantity(tally: Tally) -> Quantity:
    total = tally.element_operations
    parts = {work.value: tally.operations[work] for work in Work if work in tally.operations and _is_other(work)}
    return one_sided(Unit.OPERATIONS, UNCOUNTED, analytic=total, status=tally.status, parts=parts)


def _is_other(work: Work) -> bool:
    return work.computes and work is not Work.MAC


def _unclassified(trace: Trace, tallies: Sequence[Tally]) -> tuple[Uncounted, ...]:
    """Every op without a class or count, with the rows that ran it."""
    calls: dict[str, int] = {}
    rows: dict[str, dict[str, None]] = {}
    for call, tally in zip(trace.calls, tallies, strict=True):
        for op, times in tally.unclassified.items():
            calls[op] = calls.get(op, 0) + times
            rows.setdefault(op, {})[call.path] = None
    return tuple(Uncounted(op, times, tuple(rows[op]), "element_operations") for op, times in calls.items())


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
