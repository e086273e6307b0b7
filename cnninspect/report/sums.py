"""Sums of judged numbers, where nothing unknown is added as 0, and the ratios that are worked out anew for each sum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from cnninspect.report.parts import Machine
from cnninspect.report.quantities import Quantity, Status, Unit, flops_from_macs, total_status, worst
from cnninspect.report.reasons import distinct
from cnninspect.report.rows import Row


def total_of(unit: Unit, parts: Sequence[Quantity]) -> Quantity:
    """The sum of what is known in `parts`, a lower bound where something is not, with the worst of their verdicts.

    A measurement that no formula confirms bounds nothing, and a lower bound of 0 is none.
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
    """What each counter found in all parts; a counter that has no answer for one of them has no total."""
    names = [name for name in _names(part.measured for part in parts) if _answers_everywhere(name, parts)]
    return {name: sum(part.measured[name] for part in parts) for name in names}


def _answers_everywhere(name: str, parts: Sequence[Quantity]) -> bool:
    return all(part.measured.get(name) is not None for part in parts)


def _added_up(mappings: Sequence[Mapping[str, int | None]]) -> dict[str, int | None]:
    """The sum of what has the same name; it is unknown where one of its terms is."""
    found: dict[str, int | None] = {}
    for name in _names(mappings):
        terms = [mapping[name] for mapping in mappings if name in mapping]
        known = [term for term in terms if term is not None]
        found[name] = sum(known) if len(known) == len(terms) else None
    return found


def _names(mappings: Iterable[Mapping[str, int | None]]) -> list[str]:
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def all_reasons(parts: Sequence[Quantity]) -> dict[str, str]:
    """Every reason that holds in some part, once."""
    single: dict[str, dict[str, None]] = {}
    for part in parts:
        for name, reason in part.reasons.items():
            single.setdefault(name, {}).update(dict.fromkeys(reason.split("; ")))
    return {name: "; ".join(reasons) for name, reasons in single.items()}


def remainder(whole: Quantity, part: Quantity) -> int | None:
    """What the whole has beyond a part of it; None unless both are exact."""
    return whole.value - part.value if whole.status is part.status is Status.EXACT else None


def with_ratios(row: Row, machine: Machine | None = None) -> Row:
    """The row with every ratio that its numbers allow."""
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
    """Multiply-accumulates per byte moved; a bound where one of the two is."""
    if macs.value is None or not moved.value:
        return Quantity(None, Unit.MACS_PER_BYTE, Status.UNKNOWN)
    return Quantity(macs.value / moved.value, Unit.MACS_PER_BYTE, _status(macs.status, moved.status))


def speed(macs: Quantity, latency: Quantity) -> Quantity:
    """FLOPs per second of multiply-accumulate work; a bound where that is one."""
    if macs.value is None or not latency.value:
        return Quantity(None, Unit.FLOPS_PER_SECOND, Status.UNKNOWN)
    return Quantity(flops_from_macs(macs.value) / latency.value, Unit.FLOPS_PER_SECOND, macs.status)


def bound_by(macs: Quantity, moved: Quantity, machine: Machine) -> Quantity:
    """What a row waits for at best: `compute` if its FLOPs take at least as long as its bytes, else `memory`.

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
    """A part of a total in percent; `percent` is None and `status` unknown where nothing can be said."""

    percent: float | None
    status: Status


def share(part: Quantity, total: Quantity) -> Share:
    """What `part` is of `total`. Of a total that is a lower bound, the share of an exact count is an upper bound."""
    status = _status(part.status, total.status)
    says_nothing = not part.value and part.status is not Status.EXACT
    if says_nothing or part.value is None or not total.value or status is Status.UNKNOWN:
        return Share(None, Status.UNKNOWN)
    return Share(100 * part.value / total.value, status)


def _status(above: Status, below: Status) -> Status:
    """The status of a quotient of which one side may be a lower bound."""
    if below is Status.EXACT:
        return above
    return Status.UPPER_BOUND if (above, below) == (Status.EXACT, Status.LOWER_BOUND) else Status.UNKNOWN
