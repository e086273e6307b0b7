"""The checks of `compare`. Here: formulas against measurements, budgets, and the exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from cnninspect.errors import UsageError, nearest
from cnninspect.report.document import Comparison, Report, formula_checks
from cnninspect.report.quantities import Quantity, Status, Verdict, parse_count, parse_memory, parse_share, worst
from cnninspect.report.rows import GLOBAL, Check, Number, ReceptiveField, Row, RowId

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
    if isinstance(number, Quantity) and number.was_left_out:
        return False
    return number.status is not Status.EXACT or number.verdict is Verdict.UNKNOWN


Limit = int | Fraction


@dataclass(frozen=True)
class Kind:
    """A kind of budget: the total (or `layer_share`) that it limits, the parser of the limit, and its direction."""

    about: str
    parse: Callable[[str], Limit]
    is_most: bool = True


KINDS = {
    "max_params": Kind("params", parse_count),
    "max_macs": Kind("macs", parse_count),
    "max_flops": Kind("flops", parse_count),
    "max_peak_memory": Kind("peak_memory", parse_memory),
    "min_rf": Kind("receptive_field", parse_count, is_most=False),
    "max_rf": Kind("receptive_field", parse_count),
    "max_layer_share": Kind("layer_share", parse_share),
}
"""Name of a budget -> its kind; the command line writes names with dashes."""


@dataclass(frozen=True)
class Budget:
    """One limit; for a share, a fraction of 1."""

    kind: Kind
    limit: Limit

    def judge(self, known: Sequence[tuple[Limit, Status]]) -> Verdict:
        """The verdict on a number, given its known values; unknown if they disagree or a bound does not decide."""
        verdicts = {self._judge(value, status) for value, status in known}
        return verdicts.pop() if len(verdicts) == 1 else Verdict.UNKNOWN

    def _judge(self, value: Limit, status: Status) -> Verdict:
        broken = value > self.limit if self.kind.is_most else value < self.limit
        doubtful = Status.LOWER_BOUND if self.kind.is_most is not broken else Status.UPPER_BOUND
        if status in (Status.UNKNOWN, doubtful):
            return Verdict.UNKNOWN
        return Verdict.DIFFER if broken else Verdict.MATCH


def parse_budget(name: str, text: str) -> Budget:
    """The budget for a setting such as `max_params = 5M`; raises UsageError."""
    if name not in KINDS:
        near = nearest(name, KINDS)
        hint = f"Nearest: {', '.join(near)}." if near else f"Budgets: {', '.join(KINDS)}."
        raise UsageError(f"no budget is called {name!r}. {hint}")
    try:
        return Budget(KINDS[name], KINDS[name].parse(text))
    except ValueError as error:
        raise UsageError(f"--{name.replace('_', '-')}: {error}.") from None


def check_budgets(report: Report, budgets: Sequence[Budget]) -> tuple[Check, ...]:
    """One check per budget; for `max_layer_share`, one per layer that exceeds or may exceed it."""
    return tuple(check for budget in budgets for check in _checks(report, budget))


def _checks(report: Report, budget: Budget) -> Iterator[Check]:
    about = budget.kind.about
    if about == "layer_share":
        yield from _shares(report, budget)
        return
    total = report.totals.get(about)
    if isinstance(total, ReceptiveField):
        yield replace(_check(budget, *_field(budget, total)), found_status=total.status)
    elif isinstance(total, Quantity):
        check = _check(budget, budget.judge(_known(total)), total.known_value, _about(total))
        yield replace(check, found_status=total.known_status)
    else:
        yield _check(budget, Verdict.UNKNOWN, None, "the report does not have it")


def _known(quantity: Quantity) -> list[tuple[Limit, Status]]:
    """The value; if formula and measurements differ, all of their values, because a budget must hold for each."""
    if quantity.value is None or _holds_elsewhere(quantity):
        return []
    values = [quantity.value]
    if quantity.verdict is Verdict.DIFFER:
        values += [
            found for name, found in quantity.measured.items() if name not in quantity.reasons and found is not None
        ]
    return [(value, quantity.status) for value in values]


def _holds_elsewhere(quantity: Quantity) -> bool:
    """Whether the number was only measured, and is known to be different on another device."""
    return quantity.verdict is Verdict.NOT_RUN and bool(quantity.reasons)


def _about(quantity: Quantity) -> str | None:
    if _holds_elsewhere(quantity):
        return "; ".join(quantity.reasons.values())
    if quantity.status is Status.EXACT:
        return None
    return f"only a bound is known ({quantity.status.value.replace('_', ' ')})" if quantity.value is not None else None


def _field(budget: Budget, field: ReceptiveField) -> tuple[Verdict, Any, str | None]:
    """The verdict, size and hint for a receptive field. The worst axis decides; a global field exceeds any limit."""
    if not field.was_computed:
        return Verdict.UNKNOWN, None, "receptive fields were not computed"
    if field.is_global:
        return (Verdict.DIFFER if budget.kind.is_most else Verdict.MATCH), GLOBAL, None
    extents = [extent for size in field.size or () for extent in (size if isinstance(size, (tuple, list)) else (size,))]
    if not extents or field.status is Status.UNKNOWN:
        return Verdict.UNKNOWN, None, "it is not known"
    worst = max(extents) if budget.kind.is_most else min(extents)
    return budget.judge([(worst, field.status)]), field.size, None


def _shares(report: Report, budget: Budget) -> Iterator[Check]:
    """One check per layer that is not certainly within the budget; if all are, one for the layer with most MACs."""
    total = report.total("macs")
    rows = [row for row in report.rows if row.leaf and row.macs is not None]
    judged = [(row, budget.judge(_share(row.macs, total))) for row in rows if row.macs is not None]
    largest = max(rows, key=lambda row: _count(row), default=None)
    for row, verdict in judged:
        if verdict is not Verdict.MATCH or (row is largest and all(each is Verdict.MATCH for _, each in judged)):
            check = _check(budget, verdict, _percent(row.macs, total), _about_share(row.macs, total), row)
            yield replace(check, found_status=_share_status(total))


def _share(part: Quantity, total: Quantity) -> list[tuple[Limit, Status]]:
    """The share of all MACs; an upper bound if the total is a lower bound."""
    if part.value == 0 and part.status is Status.EXACT:
        return [(Fraction(0), Status.EXACT)]
    if part.value is None or not total.value or part.status is not Status.EXACT:
        return []
    return [(Fraction(part.value, total.value), _share_status(total))]


def _share_status(total: Quantity) -> Status:
    """The status of the share of an exact count in this total."""
    return {Status.EXACT: Status.EXACT, Status.LOWER_BOUND: Status.UPPER_BOUND}.get(total.status, Status.UNKNOWN)


def _count(row: Row) -> int:
    return 0 if row.macs is None or row.macs.value is None else int(row.macs.value)


def _percent(part: Quantity | None, total: Quantity) -> float | None:
    """The share in percent; None if the layer's MACs are not known exactly."""
    if part is None or part.value is None or part.status is not Status.EXACT or not total.value:
        return None
    return round(100 * float(Fraction(part.value, total.value)), 4)


def _about_share(part: Quantity | None, total: Quantity) -> str | None:
    """The reason why the share is unknown or a bound; None if it is exact."""
    if part is None or part.status is not Status.EXACT:
        return "its MACs are not known"
    return "at most, since the total is a lower bound" if total.status is Status.LOWER_BOUND else _about(total)


def _check(budget: Budget, verdict: Verdict, found: Any, hint: str | None, row: Row | None = None) -> Check:
    limit = float(100 * budget.limit) if budget.kind.about == "layer_share" else budget.limit
    side = "over" if budget.kind.is_most else "under"
    words = f"{side} the budget" if verdict is Verdict.DIFFER else hint if verdict is Verdict.UNKNOWN else None
    place = None if row is None else row.id
    return Check(budget.kind.about, place, limit, found, "budget", verdict, words)
