"""What a number is: its value, unit, status and verdict; and the one place where a formula meets its measurements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from cnninspect.report.reasons import Cause, Reason

Shape = tuple[int, ...]

_ITEM_SIZES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1,
    "bool": 1, "complex64": 8, "complex128": 16, "complex32": 4, "uint16": 2, "uint32": 4, "uint64": 8,
}  # fmt: skip

FLOPS_PER_MAC = 2
"""A multiply-accumulate is one multiplication and one addition."""


class Status(str, Enum):
    """How sure a value is."""

    EXACT = "exact"
    LOWER_BOUND = "lower_bound"
    UPPER_BOUND = "upper_bound"
    UNKNOWN = "unknown"


class Verdict(str, Enum):
    """What comparing the analytic with the measured value found."""

    MATCH = "match"
    DIFFER = "differ"
    NOT_COUNTED = "not_counted"
    UNKNOWN = "unknown"
    NOT_RUN = "not_run"


class Unit(str, Enum):
    """The units of the report."""

    MACS = "macs"
    FLOPS = "flops"
    PARAMS = "params"
    ELEMENTS = "elements"
    BYTES = "bytes"
    SHAPE = "shape"
    OPERATIONS = "operations"
    CALLS = "calls"
    SECONDS = "seconds"
    FLOPS_PER_SECOND = "flops_per_second"
    MACS_PER_BYTE = "macs_per_byte"
    CLASS = "class"

    @property
    def adds_up(self) -> bool:
        """Whether the sum of such numbers means something: not for shapes, words and ratios."""
        return self not in (Unit.SHAPE, Unit.CLASS, Unit.MACS_PER_BYTE, Unit.FLOPS_PER_SECOND)


@dataclass(frozen=True)
class Quantity:
    """One number of the report, obtained twice.

    `value` is what the table shows. `analytic` comes from a formula and `measured` maps the name of a counter to
    what it found; a side that has no answer is None or absent, never 0. `reasons` says in words why a counter's
    measurement differs, where that is known and no error. `parts` says what the value is made of, by name. `why` holds
    the reasons of a number that is not exact or not matched.
    """

    value: Any
    unit: Unit
    status: Status = Status.EXACT
    analytic: Any = None
    measured: Mapping[str, Any] = field(default_factory=dict)
    verdict: Verdict = Verdict.NOT_RUN
    reasons: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, Any] = field(default_factory=dict)
    why: tuple[Reason, ...] = ()

    @property
    def known_value(self) -> Any:
        """The value, None for one that only a counter of work knows: another device has other counters."""
        unsure = self.status is Status.UNKNOWN and self.unit in (Unit.MACS, Unit.FLOPS)
        return None if unsure else self.value

    @property
    def known_status(self) -> Status:
        """How sure the value is; what hooks and storages show is a fact, also where no formula predicts it."""
        is_fact = self.status is Status.UNKNOWN and self.known_value is not None
        return Status.EXACT if is_fact else self.status


def item_size(dtype: str) -> int:
    """Bytes of one element of a dtype, by its name without `torch.`; other dtypes have one byte or less."""
    return _ITEM_SIZES.get(dtype, 1)


def flops_from_macs(macs: int) -> int:
    """FLOPs of `macs` multiply-accumulates."""
    return FLOPS_PER_MAC * macs


def macs_from_flops(flops: int) -> int:
    """Multiply-accumulates in `flops` FLOPs of multiply-accumulate work (always even)."""
    return flops // FLOPS_PER_MAC


def in_flops(macs: Quantity) -> Quantity:
    """The same count of multiply-accumulate work, in FLOPs."""

    def convert(value: int | None) -> int | None:
        return None if value is None else flops_from_macs(value)

    return Quantity(
        convert(macs.value),
        Unit.FLOPS,
        macs.status,
        convert(macs.analytic),
        {name: convert(value) for name, value in macs.measured.items()},
        macs.verdict,
        macs.reasons,
        why=macs.why,
    )


def total_status(statuses: list[Status]) -> Status:
    """The status of a sum: an unknown or incomplete part leaves a lower bound."""
    if all(status is Status.EXACT for status in statuses):
        return Status.EXACT
    if all(status in (Status.EXACT, Status.UPPER_BOUND) for status in statuses):
        return Status.UPPER_BOUND
    if any(status is Status.UPPER_BOUND for status in statuses):
        return Status.UNKNOWN
    return Status.LOWER_BOUND


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
