"""Numbers with value, unit, status and verdict; parsing of sizes; `judge` compares a formula with measurements."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import Enum
from fractions import Fraction
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
    """How certain a value is."""

    EXACT = "exact"
    LOWER_BOUND = "lower_bound"
    UPPER_BOUND = "upper_bound"
    UNKNOWN = "unknown"


class Verdict(str, Enum):
    """The result of comparing the analytic value with the measured values."""

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
    """One number of the report, from a formula and from measurements.

    `value` is shown in tables. `analytic` is the result of the formula; `measured` maps the name of a counter to its
    result. A missing result is None or absent, never 0. `reasons` maps a counter to the known, harmless reason why its
    result differs. `parts` maps names to the terms of the value. `why` says why the number is not exact or not matched.
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
    def was_left_out(self) -> bool:
        """Whether it needs a run, and none was asked for."""
        return any(reason.cause is Cause.NOT_RUN for reason in self.why)

    @property
    def known_value(self) -> Any:
        """The value; None for MACs or FLOPs that only a counter has, because counters depend on the device."""
        unsure = self.status is Status.UNKNOWN and self.unit in (Unit.MACS, Unit.FLOPS)
        return None if unsure else self.value

    @property
    def known_status(self) -> Status:
        """The status; exact for a shape or size that was measured, even if no formula predicts it."""
        is_fact = self.status is Status.UNKNOWN and self.known_value is not None
        return Status.EXACT if is_fact else self.status

    def mapped(self, of: Callable[[Any], Any], unit: Unit) -> Quantity:
        """What `of` makes of each of its numbers: the number that follows from this one in the same way."""

        def known(value: Any) -> Any:
            return None if value is None else of(value)

        measured = {name: known(value) for name, value in self.measured.items()}
        value, analytic = known(self.value), known(self.analytic)
        return Quantity(value, unit, self.status, analytic, measured, self.verdict, self.reasons, why=self.why)


def item_size(dtype: str) -> int:
    """Bytes of one element of the dtype `float32`, `int64`...; 1 for other dtypes, which have one byte or less."""
    return _ITEM_SIZES.get(dtype, 1)


def flops_from_macs(macs: int) -> int:
    """FLOPs of `macs` multiply-accumulates."""
    return FLOPS_PER_MAC * macs


def macs_from_flops(flops: int) -> int:
    """Multiply-accumulates in `flops` FLOPs of multiply-accumulate work (always even)."""
    return flops // FLOPS_PER_MAC


def in_flops(macs: Quantity) -> Quantity:
    """The same count of multiply-accumulate work, in FLOPs."""
    return macs.mapped(flops_from_macs, Unit.FLOPS)


def not_confirmed(quantity: Quantity, doubts: Mapping[str, str]) -> Quantity:
    """The quantity; `unknown` where every counter that agrees with the formula is one of those in doubt."""
    agree = {name for name, number in quantity.measured.items() if number == quantity.analytic}
    if quantity.verdict is not Verdict.MATCH or not doubts or agree - doubts.keys():
        return quantity
    why = tuple(Reason(Cause.NOT_MEASURED, words) for words in doubts.values())
    return replace(quantity, verdict=Verdict.UNKNOWN, why=(*quantity.why, *why))


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

    `reasons` maps a counter to the reason why it counts this row differently; its result is shown but not compared. A
    lower bound of 0 is treated as unknown. `why` says why the analytic value is unknown. Without an analytic value or
    any comparable measurement the verdict is `unknown`, or `not_counted` if every counter has a reason to differ.
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
        # A counter's 0 for work or weights that no formula knows: the counter does not know them either.
        value = None if value == 0 and unit in (Unit.MACS, Unit.FLOPS, Unit.PARAMS) else value
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
    """A number with an analytic value or measurements but not both, so not compared; `why` says why one is missing."""
    if analytic == 0 and status is Status.LOWER_BOUND:
        analytic = None
    value = analytic if analytic is not None else next(iter((measured or {}).values()), None)
    reasons = (Reason(Cause.NOT_MEASURED if analytic is not None else Cause.NO_FORMULA, why),)
    status = Status.UNKNOWN if value is None else status
    return Quantity(value, unit, status, analytic, dict(measured or {}), parts=dict(parts or {}), why=reasons)


def not_run(unit: Unit, why: Reason) -> Quantity:
    """A number that needs a run, where none was asked for."""
    return Quantity(None, unit, Status.UNKNOWN, why=(why,))


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst verdict: `differ`, then `unknown`, `not_counted`, `match`, `not_run`."""
    return max(verdicts, key=_ORDER.index, default=Verdict.NOT_RUN)


COUNTS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
"""Suffixes of counts, in upper case: powers of 1000."""

_BYTES = {
    "": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40,
}  # fmt: skip
_WRITTEN = re.compile(r"(\d+(?:_\d{3})*|\d{1,3}(?:,\d{3})+)?(\.\d+)?\s*([A-Za-z]*)")


def parse_count(text: str) -> int:
    """The integer that `5418`, `5.4K`, `4M`, `1.8G` or `2T` stands for; suffixes are powers of 1000.

    Raises ValueError with a message for the user for other texts and for numbers that are not whole.
    """
    return _whole(text, COUNTS, "5418, 5.4K, 4M, 1.8G or 2T")


def parse_memory(text: str) -> int:
    """Bytes of `1024`, `200MB`, `1.5GB` (powers of 1000) or `200MiB`, `1GiB` (powers of 1024); raises ValueError."""
    return _whole(text, _BYTES, "1024, 200MB, 1.5GB or 200MiB")


def parse_percent(text: str) -> Fraction:
    """`40%` or `0.5 %` as a fraction of 1; raises ValueError."""
    number, percent, rest = text.strip().partition("%")
    matched = _WRITTEN.fullmatch(number.strip())
    if not percent or rest or not number.strip() or matched is None or matched[3]:
        raise ValueError(f"{text!r} is not a share; write a percentage such as 40% or 0.5%")
    return _number(matched) / 100


def parse_share(text: str) -> Fraction:
    """The largest share of one layer as a fraction of 1; raises ValueError for one that no layer can exceed."""
    share = parse_percent(text)
    if share >= 1:
        raise ValueError(f"no layer can have more than {text.strip()}; write less than 100%, such as 40%")
    return share


def _whole(text: str, units: dict[str, int], examples: str) -> int:
    matched = _WRITTEN.fullmatch(text.strip())
    if matched is None or not (matched[1] or matched[2]) or matched[3].upper() not in units:
        raise ValueError(f"{text!r} is not a size; write for example {examples}")
    size = _number(matched) * units[matched[3].upper()]
    if size.denominator != 1:
        raise ValueError(f"{text!r} is not a whole number; write for example {examples}")
    return int(size)


def _number(matched: re.Match[str]) -> Fraction:
    digits = (matched[1] or "0").replace(",", "").replace("_", "")
    return Fraction(Decimal(digits + (matched[2] or "")))
