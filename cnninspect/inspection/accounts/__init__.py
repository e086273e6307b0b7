"""Accounts: further numbers for every row and in total, from the analytic and the measured side of one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, TypeVar

from cnninspect.inspection.findings import Findings
from cnninspect.measure.base import Progress, Run, silent
from cnninspect.receptive.fields import Fields
from cnninspect.report.document import Report
from cnninspect.report.quantities import Quantity, Unit, worst
from cnninspect.report.rows import Uncounted
from cnninspect.report.sums import total_of, with_ratios
from cnninspect.trace.records import Trace

T = TypeVar("T")


def unchanged(report: Report) -> Report:
    """The report itself."""
    return report


@dataclass(frozen=True)
class Addition:
    """The results of an account: numbers of each row in the order of the calls, totals, typed parts of the document.

    `parts` returns a report with its own fields filled: `lambda report: replace(report, timing=...)`.
    """

    rows: Sequence[Mapping[str, Quantity]] = ()
    totals: Mapping[str, Quantity] = field(default_factory=dict)
    parts: Callable[[Report], Report] = unchanged
    uncounted: tuple[Uncounted, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inspected:
    """The input of an account: the findings of both sides, and the run, so that the model can run again.

    `build` gives the model with values, for a run on meta, or a sentence that says why there is none.
    """

    findings: Findings
    run: Run
    reach: Fields
    progress: Progress = silent
    build: Callable[[], Any] = lambda: "the model was run on meta, which holds no values"

    def with_values(self) -> Any:
        """The model with the values of its weights, or a sentence that says why there is none."""
        return self.run.model if self.run.device != "meta" else self.build()

    @property
    def trace(self) -> Trace:
        """The run, written down."""
        return self.run.trace


class Account(Protocol):
    """Adds numbers to a report; `needs_kernels` is True for an account that cannot work on the meta device."""

    needs_kernels: ClassVar[bool]

    def __call__(self, inspected: Inspected) -> Addition:
        """What is added to the report."""


def attempted(what: str, work: Callable[[], T]) -> tuple[T | None, tuple[str, ...]]:
    """(result of `work`, no note), or (None, a note with the error that the model's code raised)."""
    try:
        return work(), ()
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        return None, (f"{what} failed: {reason}",)


def extended(report: Report, additions: Sequence[Addition]) -> Report:
    """The report with everything that accounts add, and the ratios that follow.

    A row without output, such as `y[0] = x`, gets only the counts that are part of a total.
    """
    for addition in additions:
        report = addition.parts(report)
    numbers = [_merged(found) for found in zip(*(a.rows for a in additions if a.rows), strict=True)]
    totals = {**report.totals, **_merged([addition.totals for addition in additions])}
    rows = tuple(
        replace(row, extra={name: number for name, number in found.items() if number.value and number.unit.adds_up})
        if row.output_shape is None
        else with_ratios(replace(row, extra=found), report.machine)
        for row, found in zip(report.rows, numbers or [{}] * len(report.rows), strict=True)
    )
    return replace(
        report,
        rows=rows,
        totals=totals,
        uncounted=report.uncounted + tuple(item for addition in additions for item in addition.uncounted),
        notes=report.notes + tuple(note for addition in additions for note in addition.notes),
        verdict=worst(number.verdict for number in (*rows, *totals.values())),
    )


def inclusive(trace: Trace, unit: Unit, own: Sequence[Quantity]) -> list[Quantity]:
    """For every call the sum of its own number and those of all calls below it."""
    found: dict[int, Quantity] = {}
    for call in reversed(trace.calls):
        below = [found[child] for child in trace.children.get(call.index, ())]
        found[call.index] = total_of(unit, [own[call.index], *below]) if below else own[call.index]
    return [found[call.index] for call in trace.calls]


def in_all(trace: Trace, unit: Unit, inclusive: Sequence[Quantity]) -> Quantity:
    """The number of the whole run, from those of every call and all below it."""
    roots = [inclusive[call.index] for call in trace.roots]
    return roots[0] if len(roots) == 1 else total_of(unit, roots)


def _merged(mappings: Sequence[Mapping[str, Quantity]]) -> dict[str, Quantity]:
    return {name: value for mapping in mappings for name, value in mapping.items()}
