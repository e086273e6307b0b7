"""The one place where an analytic number meets its measurements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cnninspect.report.quantities import Quantity, Status, Unit, Verdict
from cnninspect.report.reasons import Cause, Reason

_ORDER = (Verdict.NOT_RUN, Verdict.MATCH, Verdict.NOT_COUNTED, Verdict.UNKNOWN, Verdict.DIFFER)


def judge(
    unit: Unit,
    analytic: Any,
    measured: Mapping[str, Any],
    *,
    status: Status = Status.EXACT,
    reasons: Mapping[str, str] | None = None,
    why: tuple[Reason, ...] = (),
) -> Quantity:
    """The Quantity of an analytic value and its measurements, with their verdict.

    `reasons` says for some counters why they count this row differently; what such a counter found is shown, and not
    compared. A lower bound of 0 says nothing. `why` says why the analytic value is unknown. Without an analytic or any
    comparable measured value the verdict is `unknown`, or `not_counted` if a counter exists but counts the row
    differently.
    """
    if analytic == 0 and status is Status.LOWER_BOUND:
        analytic = None
    reasons = {name: reason for name, reason in (reasons or {}).items() if measured.get(name) != analytic}
    comparable = {name: value for name, value in measured.items() if name not in reasons and value is not None}
    if analytic is None or status in (Status.UNKNOWN, Status.LOWER_BOUND):
        verdict = Verdict.UNKNOWN
    elif any(value != analytic for value in comparable.values()):
        verdict = Verdict.DIFFER
    elif comparable:
        verdict = Verdict.MATCH
    else:
        verdict = Verdict.NOT_COUNTED if reasons else Verdict.UNKNOWN
    value = analytic if analytic is not None else next(iter(comparable.values()), None)
    if analytic is None:
        status = Status.UNKNOWN
    return Quantity(value, unit, status, analytic, dict(measured), verdict, reasons, why=why)


def one_sided(
    unit: Unit,
    why: str,
    *,
    analytic: Any = None,
    measured: Mapping[str, Any] | None = None,
    status: Status = Status.EXACT,
    parts: Mapping[str, Any] | None = None,
) -> Quantity:
    """A number that one side alone has, so that nothing was compared; `why` says what the other side lacks."""
    if analytic == 0 and status is Status.LOWER_BOUND:
        analytic = None
    value = analytic if analytic is not None else next(iter((measured or {}).values()), None)
    reasons = (Reason(Cause.NOT_MEASURED if analytic is not None else Cause.NO_FORMULA, why),)
    status = Status.UNKNOWN if value is None else status
    return Quantity(value, unit, status, analytic, dict(measured or {}), parts=dict(parts or {}), why=reasons)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of a whole: `differ` before `unknown` before `not_counted` before `match`."""
    return max(verdicts, key=_ORDER.index, default=Verdict.NOT_RUN)
