"""The one place where an analytic number meets its measurements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cnninspect.quantities import Quantity, Status, Unit, Verdict

_ORDER = (Verdict.NOT_RUN, Verdict.MATCH, Verdict.NOT_COUNTED, Verdict.UNKNOWN, Verdict.DIFFER)


def judge(
    unit: Unit,
    analytic: Any,
    measured: Mapping[str, Any],
    *,
    status: Status = Status.EXACT,
    uncovered: Iterable[str] = (),
) -> Quantity:
    """The Quantity of an analytic value and its measurements, with their verdict.

    `uncovered` names the counters that have no formula for the work of this row; what they say is not compared,
    unless it agrees. Without an analytic or any comparable measured value the verdict is `unknown`, or
    `not_counted` if a counter exists but does not cover the row.
    """
    skipped = {name for name in uncovered if measured.get(name) != analytic}
    comparable = {name: value for name, value in measured.items() if name not in skipped and value is not None}
    if analytic is None or status in (Status.UNKNOWN, Status.LOWER_BOUND):
        verdict = Verdict.UNKNOWN
    elif any(value != analytic for value in comparable.values()):
        verdict = Verdict.DIFFER
    elif comparable:
        verdict = Verdict.MATCH
    else:
        verdict = Verdict.NOT_COUNTED if skipped else Verdict.UNKNOWN
    value = analytic if analytic is not None else next(iter(comparable.values()), None)
    if analytic is None:
        status = Status.UNKNOWN
    shown = {name: value for name, value in measured.items() if name not in skipped}
    return Quantity(value, unit, status, analytic, shown, verdict)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of a whole: `differ` before `unknown` before `not_counted` before `match`."""
    return max(verdicts, key=_ORDER.index, default=Verdict.NOT_RUN)
