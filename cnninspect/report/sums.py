"""Sums of judged numbers: nothing unknown is added as 0, and errors that cancel out are errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cnninspect.report.quantities import Quantity, Status, Unit, total_status
from cnninspect.report.reasons import distinct
from cnninspect.report.verdicts import worst


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
