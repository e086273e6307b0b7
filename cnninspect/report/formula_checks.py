"""Every comparison of a formula with a counter that a report holds, as checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cnninspect.report.document import Report
from cnninspect.report.quantities import Quantity, Status, Unit, Verdict
from cnninspect.report.rows import Check, Number, ReceptiveField, Row, RowId

_SUMMED = {
    "trainable_params": "params",
    "params_bytes": "params",
    "activation_bytes": "output_shape",
    "total_bytes": "output_shape",
}
"""The number of the rows that a total is made of, where it has another name."""

Failure = tuple[str, Verdict]


def formula_checks(report: Report) -> tuple[Check, ...]:
    """One check per counter of every number that has two sides, in rows and in totals."""
    return tuple(_checks(report))


def _checks(report: Report) -> Iterator[Check]:
    """The checks of rows, then of totals; a sum that fails because one of its parts does is no finding of its own."""
    failing = [_failing(row) for row in report.rows]
    below: list[set[Failure]] = [set() for _ in report.rows]
    for index in reversed(range(len(report.rows))):
        parent = report.rows[index].parent
        if parent is not None:
            below[parent] |= failing[index] | below[index]
    for index, row in enumerate(report.rows):
        for name, quantity in _compared(row.quantities):
            if (name, quantity.verdict) not in below[index]:
                yield from _comparisons(name, quantity, row.id)
    anywhere = set().union(*failing)
    for name, quantity in _compared(report.totals):
        if (_SUMMED.get(name, name), quantity.verdict) not in anywhere:
            yield from _comparisons(name, quantity, None)


def _failing(row: Row) -> set[Failure]:
    bad = (Verdict.DIFFER, Verdict.UNKNOWN)
    return {(name, quantity.verdict) for name, quantity in _compared(row.quantities) if quantity.verdict in bad}


def _compared(numbers: Mapping[str, Number]) -> Iterator[tuple[str, Number]]:
    """The numbers that have two sides; FLOPs are MACs in another unit and would be compared twice."""
    for name, number in numbers.items():
        twice = isinstance(number, Quantity) and number.unit is Unit.FLOPS
        if number.verdict is not Verdict.NOT_RUN and not twice:
            yield name, number


def _comparisons(name: str, quantity: Number, row: RowId | None) -> Iterator[Check]:
    """One check per counter; a single one without `found` where no counter answers."""
    if isinstance(quantity, ReceptiveField):
        yield _probed(name, quantity, row)
        return
    why = "; ".join(map(str, quantity.why)) or None
    for counter, found in quantity.measured.items() or ((None, None),):
        reason = quantity.reasons.get(counter or "")
        verdict = _verdict(quantity, found, explained=reason is not None)
        hint = reason or (why if verdict is Verdict.UNKNOWN else None)
        status = Status.EXACT if quantity.analytic is None else quantity.status
        yield Check(
            name, row, quantity.analytic, found, "formula", verdict, hint=hint, counter=counter,
            expected_status=status,
        )  # fmt: skip


def _probed(name: str, field: ReceptiveField, row: RowId | None) -> Check:
    """The check of a field: the probe finds what it predicts, or says what else."""
    expected = field.extent
    found = expected if field.verdict is Verdict.MATCH else field.found
    return Check(name, row, expected, found, "formula", field.verdict, counter="probe")


def _verdict(quantity: Quantity, found: Any, *, explained: bool) -> Verdict:
    """The verdict on one counter, where that on all of them together is known."""
    if explained:
        return Verdict.NOT_COUNTED
    agrees = quantity.verdict is Verdict.DIFFER and found == quantity.analytic
    return Verdict.MATCH if agrees else quantity.verdict
