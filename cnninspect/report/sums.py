"""Sums of quantities, in which an unknown is never added as 0, and ratios, which are recomputed for each sum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from cnninspect.report.parts import Machine
from cnninspect.report.quantities import Quantity, Status, Unit, flops_from_macs, total_status, worst
from cnninspect.report.reasons import distinct
from cnninspect.report.rows import Row


def total_of(unit: Unit, parts: Sequence[Quantity]) -> Quantity:
    """The sum of the known values in `parts`, with the worst verdict; a lower bound if some value is unknown.

    A measurement that no formula confirms counts as unknown. A lower bound of 0 is returned as unknown.
    """
    values = [part.value for part in parts if part.value is not None and part.status is not Status.UNKNOWN]
    analytic = [part.analytic for part in parts if part.analytic is not None]
    status = total_status([part.status for part in parts])
    says_nothing = not sum(values) and status is not Status.EXACT
    return Quantity(
        value=None if says_nothing else sum(values),
        unit=unit,
        status=Status.UNKNOWN if says_nothing else status,
        analytic=sum(analytic) if analytic else None,
        measured=summed(parts),
        verdict=worst(part.verdict for part in parts),
        reasons=all_reasons(parts),
        parts=_added_up([part.parts for part in parts]),
        why=distinct(reason for part in parts for reason in part.why),
    )


def summed(parts: Sequence[Quantity]) -> dict[str, int]:
    """Counter -> the sum of its results; a counter without a result for one of the parts is left out."""
    names = [name for name in _names(part.measured for part in parts) if _answers_everywhere(name, parts)]
    return {name: sum(part.measured[name] for part in parts) for name in names}


def _answers_everywhere(name: str, parts: Sequence[Quantity]) -> bool:
    return all(part.measured.get(name) is not None for part in parts)


def _added_up(mappings: Sequence[Mapping[str, int | None]]) -> dict[str, int | None]:
    """Name -> the sum of the values of that name; None if one of them is None."""
    found: dict[str, int | None] = {}
    for name in _names(mappings):
        terms = [mapping[name] for mapping in mappings if name in mapping]
        known = [term for term in terms if term is not None]
        found[name] = sum(known) if len(known) == len(terms) else None
    return found


def _names(mappings: Iterable[Mapping[str, int | None]]) -> list[str]:
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def all_reasons(parts: Sequence[Quantity]) -> dict[str, str]:
    """Counter -> its reasons in all parts, without duplicates."""
    single: dict[str, dict[str, None]] = {}
    for part in parts:
        for name, reason in part.reasons.items():
            single.setdefault(name, {}).update(dict.fromkeys(reason.split("; ")))
    return {name: "; ".join(reasons) for name, reasons in single.items()}


def remainder(whole: Quantity, part: Quantity) -> int | None:
    """`whole - part`; None unless both are exact."""
    return whole.value - part.value if whole.status is part.status is Status.EXACT else None


def with_ratios(row: Row, machine: Machine | None = None) -> Row:
    """The row with the ratios (intensity, bound_by, FLOPs per second) that its numbers allow."""
    moved, latency = row.extra.get("bytes_moved"), row.extra.get("latency")
    found: dict[str, Quantity] = {}
    if row.macs is not None and moved is not None and moved.value:
        found["intensity"] = intensity(row.macs, moved)
        if machine is not None:
            found["bound_by"] = bound_by(row.macs, moved, machine)
    if row.macs is not None and row.macs.value and latency is not None and latency.value:
        found["flops_per_second"] = speed(row.macs, latency)
    return replace(row, extra={**row.extra, **found})


def intensity(macs: Quantity, moved: Quantity) -> Quantity:
    """MACs per byte moved; a bound where one of the two is a bound."""
    if macs.value is None or not moved.value:
        return Quantity(None, Unit.MACS_PER_BYTE, Status.UNKNOWN)
    return Quantity(macs.value / moved.value, Unit.MACS_PER_BYTE, _status(macs.status, moved.status))


def speed(macs: Quantity, latency: Quantity) -> Quantity:
    """FLOPs per second of multiply-accumulate work; a bound where `macs` is a bound."""
    if macs.value is None or not latency.value:
        return Quantity(None, Unit.FLOPS_PER_SECOND, Status.UNKNOWN)
    return Quantity(flops_from_macs(macs.value) / latency.value, Unit.FLOPS_PER_SECOND, macs.status)


def bound_by(macs: Quantity, moved: Quantity, machine: Machine) -> Quantity:
    """The limiting resource: `compute` if the FLOPs take at least as long as moving the bytes, else `memory`.

    Source: Williams, Waterman & Patterson 2009, "Roofline".
    """
    if macs.value is None or moved.value is None:
        return Quantity(None, Unit.CLASS, Status.UNKNOWN)
    computes = flops_from_macs(macs.value) * machine.bandwidth >= moved.value * machine.peak_flops
    other = moved if computes else macs
    sure = other.status is Status.EXACT and (macs if computes else moved).status in (Status.EXACT, Status.LOWER_BOUND)
    if not sure:
        return Quantity(None, Unit.CLASS, Status.UNKNOWN)
    return Quantity("compute" if computes else "memory", Unit.CLASS)


@dataclass(frozen=True)
class Share:
    """A part of a total in percent; `percent` is None if `status` is unknown."""

    percent: float | None
    status: Status


def share(part: Quantity, total: Quantity) -> Share:
    """`part` in percent of `total`. If the total is a lower bound, the share of an exact count is an upper bound."""
    status = _status(part.status, total.status)
    says_nothing = not part.value and part.status is not Status.EXACT
    if says_nothing or part.value is None or not total.value or status is Status.UNKNOWN:
        return Share(None, Status.UNKNOWN)
    return Share(100 * part.value / total.value, status)


def _status(numerator: Status, denominator: Status) -> Status:
    """The status of a quotient, from those of its numerator and its denominator."""
    if denominator is Status.EXACT:
        return numerator
    return Status.UPPER_BOUND if (numerator, denominator) == (Status.EXACT, Status.LOWER_BOUND) else Status.UNKNOWN
