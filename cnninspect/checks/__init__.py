"""The checks of `compare`, one kind of expectation per file. Here: formulas against measurements; the exit code."""

from __future__ import annotations

from collections.abc import Iterable

from cnninspect.report.document import Comparison, Report, formula_checks
from cnninspect.report.quantities import Status, Verdict, worst
from cnninspect.report.rows import Check, Number, ReceptiveField, RowId

DISAGREEMENT = 1
INCOMPLETE = 4


def check_formulas(report: Report) -> Comparison:
    """The report with one check for every comparison of a formula with a counter, in rows and in totals."""
    return with_checks(report, formula_checks(report))


def with_checks(report: Report, checks: Iterable[Check]) -> Comparison:
    """The report with these checks and their overall verdict."""
    checks = tuple(checks)
    return Comparison.of(report, checks=checks, verdict=_overall(checks))


def _overall(checks: Iterable[Check]) -> Verdict:
    """The worst verdict; `not_counted` is ignored for a number that another counter covers."""
    found: dict[tuple[str, RowId | None, str], set[Verdict]] = {}
    for check in checks:
        number = (check.name, check.row, check.source)
        found.setdefault(number, set()).add(check.verdict)
    return worst(worst(verdicts - {Verdict.NOT_COUNTED} or verdicts) for verdicts in found.values())


def exit_code(report: Report, *, strict: bool = False) -> int:
    """1 if a check failed, else 0; with `strict` also 1 if the report's verdict is `differ`, 4 if it is incomplete."""
    if any(check.verdict is Verdict.DIFFER for check in report.checks or ()):
        return DISAGREEMENT
    if strict and report.verdict is Verdict.DIFFER:
        return DISAGREEMENT
    return INCOMPLETE if strict and is_incomplete(report) else 0


def is_incomplete(report: Report) -> bool:
    """Whether a number is a bound or unknown, an op is not counted, or a check is unknown."""
    undecided = any(check.verdict is Verdict.UNKNOWN for check in report.checks or ())
    numbers = [number for row in report.rows for number in row.quantities.values()]
    return undecided or bool(report.uncounted) or any(_lacks(number) for number in (*report.totals.values(), *numbers))


def _lacks(number: Number) -> bool:
    if isinstance(number, ReceptiveField) and number.verdict is Verdict.NOT_RUN:
        return number.status is Status.UNKNOWN and number.cause is not None
    return number.status is not Status.EXACT or number.verdict is Verdict.UNKNOWN
