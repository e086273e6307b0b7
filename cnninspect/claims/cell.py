"""One claimed cell against the number that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cnninspect.checks.numbers import known_value, status_of
from cnninspect.claims.columns import GLOBAL, Claimed, Count
from cnninspect.report.document import Report
from cnninspect.report.field import ReceptiveField
from cnninspect.report.quantities import Quantity, Status, Verdict, in_flops
from cnninspect.report.rows import TOTAL, Row

Number = Quantity | ReceptiveField | str | None
Judgement = tuple[Verdict, str | None]


@dataclass(frozen=True)
class Cell:
    """A claim about one number of a row; `row` is None for a total."""

    row: Row | None
    column: str
    claimed: Claimed
    number: Number

    @classmethod
    def of(cls, row: Row | None, column: str, claimed: Claimed, report: Report) -> Cell:
        """The cell about a column of a row, or of the totals."""
        return cls(row, column, claimed, number_of(report, row, column))

    @property
    def label(self) -> str:
        """How messages name what the cell is about."""
        return TOTAL if self.row is None else self.row.label

    @property
    def found(self) -> Any:
        """What there is: a count, shapes, the size of a field per axis or `global`, a kind; None if it is unknown."""
        return value_of(self.number)

    def judge(self) -> Judgement:
        """The verdict, and why nothing better can be said where it is `unknown`.

        A claim is wrong only where the number is certain to be another one, and right only where it is exact.
        """
        if self.found is None:
            return Verdict.UNKNOWN, "the report has no such number" if self.number is None else "it is not known"
        if isinstance(self.number, Quantity):
            return _against(self.claimed, self.number)
        if isinstance(self.number, ReceptiveField):
            return _against_field(self.claimed, self.number)
        return _decided(self.claimed.admits(self.found))


def number_of(report: Report, row: Row | None, column: str) -> Number:
    """The number in a column of a row, or of the totals; FLOPs also where a saved report leaves them to the MACs."""
    number: Number = report.totals.get(column) if row is None else getattr(row, column)
    if number is None and column == "flops":
        macs = number_of(report, row, "macs")
        return in_flops(macs) if isinstance(macs, Quantity) else None
    return number


def value_of(number: Number) -> Any:
    """The value of a number of the report, in the form in which claims are compared with it; None if it is unknown."""
    if isinstance(number, ReceptiveField):
        return GLOBAL if number.is_global else None if number.status is Status.UNKNOWN else number.size
    return known_value(number) if isinstance(number, Quantity) else number


def _against(claimed: Claimed, number: Quantity) -> Judgement:
    if status_of(number) is not Status.EXACT:
        return _against_bound(claimed, number)
    if number.verdict is Verdict.DIFFER and any(map(claimed.admits, (number.value, *number.measured.values()))):
        return _CONTESTED
    return _decided(claimed.admits(number.value))


def _against_field(claimed: Claimed, field: ReceptiveField) -> Judgement:
    """A field that a gate makes global may be claimed as the local one or as global."""
    right = claimed.admits(value_of(field)) or (field.cause is not None and claimed.admits(GLOBAL))
    if field.status is not Status.EXACT:
        return Verdict.UNKNOWN, _bound(field.status)
    return _CONTESTED if right and field.verdict is Verdict.DIFFER else _decided(right)


_CONTESTED = (Verdict.UNKNOWN, "formula and measurement differ, and the claim agrees with one of them")


def _decided(right: bool) -> Judgement:
    return (Verdict.MATCH if right else Verdict.DIFFER), None


def _bound(status: Status) -> str:
    return f"only a bound is known ({status.value.replace('_', ' ')})"


def _against_bound(claimed: Claimed, number: Quantity) -> Judgement:
    """A claim beyond a bound is wrong; any other may be right."""
    if isinstance(claimed, Count) and isinstance(number.value, int):
        distance = claimed.number.value - number.value
        if number.status is Status.LOWER_BOUND and distance < -claimed.number.slack:
            return Verdict.DIFFER, f"it is at least {number.value:,}"
        if number.status is Status.UPPER_BOUND and distance > claimed.number.slack:
            return Verdict.DIFFER, f"it is at most {number.value:,}"
    return Verdict.UNKNOWN, _bound(number.status)
