"""What `compare` decides: each formula against each measurement, and the exit code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from cnninspect.checks.numbers import extent
from cnninspect.report.document import Check, Report, Row
from cnninspect.report.field import ReceptiveField
from cnninspect.report.quantities import Quantity, Status, Unit, Verdict
from cnninspect.report.verdicts import worst

DISAGREEMENT = 1
INCOMPLETE = 4
TOTAL = "total"
"""The path of a check of a total."""

_SUMMED = {
    "trainable_params": "params",
    "params_bytes": "params",
    "activation_bytes": "output_shape",
    "total_bytes": "output_shape",
}
"""The number of the rows that a total is made of, where it has another name."""

Number = Quantity | ReceptiveField
Failure = tuple[str, Verdict]


def check_formulas(report: Report) -> Report:
    """The report with one check for every comparison of a formula with a counter, in rows and in totals."""
    return with_checks(report, tuple(_checks(report)))


def with_checks(report: Report, checks: Iterable[Check]) -> Report:
    """The report with these checks, and with their worst verdict."""
    checks = tuple(checks)
    return replace(report, checks=checks, verdict=_overall(checks))


def _overall(checks: Iterable[Check]) -> Verdict:
    """The worst verdict; a counter that does not cover a number decides nothing where another one does."""
    found: dict[tuple[str, str, int, str, str], set[Verdict]] = {}
    for check in checks:
        number = (check.name, check.path, check.call, check.kind, check.source)
        found.setdefault(number, set()).add(check.verdict)
    return worst(worst(verdicts - {Verdict.NOT_COUNTED} or verdicts) for verdicts in found.values())


def exit_code(report: Report, *, strict: bool = False) -> int:
    """0; 1 if a check failed; under `strict` also 1 if a row's numbers disagree and 4 if a number is incomplete."""
    if any(check.verdict is Verdict.DIFFER for check in report.checks or ()):
        return DISAGREEMENT
    if strict and report.verdict is Verdict.DIFFER:
        return DISAGREEMENT
    return INCOMPLETE if strict and is_incomplete(report) else 0


def is_incomplete(report: Report) -> bool:
    """Whether a number of the report is a bound or unknown, an op is not counted, or a check could not be decided."""
    undecided = any(check.verdict is Verdict.UNKNOWN for check in report.checks or ())
    numbers = [number for row in report.rows for number in row.quantities.values()]
    return undecided or bool(report.uncounted) or any(_lacks(number) for number in (*report.totals.values(), *numbers))


def _lacks(number: Number) -> bool:
    if isinstance(number, ReceptiveField) and number.verdict is Verdict.NOT_RUN:
        return number.status is Status.UNKNOWN and number.cause is not None
    return number.status is not Status.EXACT or number.verdict is Verdict.UNKNOWN


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
                yield from _comparisons(name, quantity, row.path, row.call, row.kind)
    anywhere = set().union(*failing)
    for name, quantity in _compared(report.totals):
        if (_SUMMED.get(name, name), quantity.verdict) not in anywhere:
            yield from _comparisons(name, quantity, TOTAL, 0, "")


def _failing(row: Row) -> set[Failure]:
    bad = (Verdict.DIFFER, Verdict.UNKNOWN)
    return {(name, quantity.verdict) for name, quantity in _compared(row.quantities) if quantity.verdict in bad}


def _compared(numbers: Mapping[str, Number]) -> Iterator[tuple[str, Number]]:
    """The numbers that have two sides; FLOPs are MACs in another unit and would be compared twice."""
    for name, number in numbers.items():
        twice = isinstance(number, Quantity) and number.unit is Unit.FLOPS
        if number.verdict is not Verdict.NOT_RUN and not twice:
            yield name, number


def _comparisons(name: str, quantity: Number, path: str, call: int, kind: str) -> Iterator[Check]:
    """One check per counter; a single one without `found` where no counter answers."""
    if isinstance(quantity, ReceptiveField):
        yield _probed(name, quantity, path, call, kind)
        return
    for counter, found in quantity.measured.items() or ((None, None),):
        reason = quantity.reasons.get(counter or "")
        verdict = _verdict(quantity, found, explained=reason is not None)
        yield Check(name, path, call, kind, quantity.analytic, found, "formula", verdict, hint=reason, counter=counter)


def _probed(name: str, field: ReceptiveField, path: str, call: int, kind: str) -> Check:
    """The check of a field: the probe finds what it predicts, or says what else."""
    expected = extent(field)
    found = expected if field.verdict is Verdict.MATCH else field.found
    return Check(name, path, call, kind, expected, found, "formula", field.verdict, counter="probe")


def _verdict(quantity: Quantity, found: Any, *, explained: bool) -> Verdict:
    """The verdict on one counter, where that on all of them together is known."""
    if explained:
        return Verdict.NOT_COUNTED
    agrees = quantity.verdict is Verdict.DIFFER and found == quantity.analytic
    return Verdict.MATCH if agrees else quantity.verdict
