"""Sums of judged numbers: nothing unknown is added as 0, and errors that cancel out are errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cnninspect.report.quantities import Quantity, Status, Unit, total_status
from cnninspect.report.verdicts import worst


def total_of(unit: Unit, parts: Sequence[Quantity]) -> Quantity:
    """The sum of what is known in `parts`, a lower bound where something is not, with the worst of their verdicts."""
    values = [part.value for part in parts if part.value is not None]
    analytic = [part.analytic for part in parts if part.analytic is not None]
    return Quantity(
        value=sum(values) if values or not parts else None,
        unit=unit,
        status=total_status([part.status for part in parts]) if values or not parts else Status.UNKNOWN,
        analytic=sum(analytic) if analytic else None,
        measured=summed(parts),
        verdict=worst(part.verdict for part in parts),
        reasons=all_reasons(parts),
        parts=_added_up(part.parts for part in parts),
    )


def summed(parts: Sequence[Quantity]) -> dict[str, int]:
    """What each counter found in all parts; a counter that could attribute nothing to any is left out."""
    return _added_up(part.measured for part in parts)


def _added_up(mappings: Iterable[Mapping[str, int | None]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for mapping in mappings:
        for name, value in mapping.items():
            found[name] = found.get(name, 0) + (value or 0)
    return found


def all_reasons(parts: Sequence[Quantity]) -> dict[str, str]:
    """Every reason that holds in some part, once."""
    single: dict[str, dict[str, None]] = {}
    for part in parts:
        for name, reason in part.reasons.items():
            single.setdefault(name, {}).update(dict.fromkeys(reason.split("; ")))
    return {name: "; ".join(reasons) for name, reasons in single.items()}
