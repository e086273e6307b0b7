"""One claimed cell against the number that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cnninspect.checks.claims.columns import GLOBAL, Claimed, Count
from cnninspect.checks.formulas import TOTAL
from cnninspect.quantities import Quantity, Status, Verdict
from cnninspect.report import ReceptiveField, Report, Row

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
        return cls(row, column, claimed, report.totals[column] if row is None else getattr(row, column))

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
            return (
                Verdict.UNKNOWN,
                "the tool does not know it" if self.number is not None else "it has no tensor output",
            )
        if isinstance(self.number, Quantity):
            return _against(self.claimed, self.number)
        is_global = isinstance(self.number, ReceptiveField) and self.number.cause is not None
        right = self.claimed.admits(self.found) or (is_global and self.claimed.admits(GLOBAL))
        return (Verdict.MATCH if right else Verdict.DIFFER), None


def value_of(number: Number) -> Any:
    """The value of a number of the report, in the form in which claims are compared with it."""
    if isinstance(number, ReceptiveField):
        return GLOBAL if number.is_global else None if number.status is Status.UNKNOWN else number.size
    return number.value if isinstance(number, Quantity) else number


def _against(claimed: Claimed, number: Quantity) -> Judgement:
    if number.status is not Status.EXACT:
        return _against_bound(claimed, number)
    if number.verdict is Verdict.DIFFER and any(map(claimed.admits, (number.value, *number.measured.values()))):
        return Verdict.UNKNOWN, "formula and measurement differ, and the claim agrees with one of them"
    return (Verdict.MATCH if claimed.admits(number.value) else Verdict.DIFFER), None


def _against_bound(claimed: Claimed, number: Quantity) -> Judgement:
    """A claim beyond a bound is wrong; any other may be right."""
    if isinstance(claimed, Count) and isinstance(number.value, int):
        distance = claimed.number.value - number.value
        if number.status is Status.LOWER_BOUND and distance < -claimed.number.slack:
            return Verdict.DIFFER, f"it is at least {number.value:,}"
        if number.status is Status.UPPER_BOUND and distance > claimed.number.slack:
            return Verdict.DIFFER, f"it is at most {number.value:,}"
    return Verdict.UNKNOWN, f"only a bound is known ({number.status.value.replace('_', ' ')})"
