"""Whether two numbers of two reports are the same, as far as both are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cnninspect.checks.tolerance import Margin
from cnninspect.report.field import ReceptiveField
from cnninspect.report.json_form import SCHEMA_1_NEURONS
from cnninspect.report.quantities import Quantity, Status, Unit, Verdict


@dataclass(frozen=True)
class Compared:
    """Two values under the name of what is compared, the verdict, and why they were not compared if they were not."""

    name: str
    expected: Any
    found: Any
    verdict: Verdict
    why: str | None = None


def compare_quantities(name: str, expected: Quantity, found: Quantity, margin: Margin) -> Compared:
    """`match` and `differ` only where that is certain: two equal bounds may belong to different numbers.

    Neurons of a schema 1 file count something else: they are `not_run`, with the reason.
    """
    if SCHEMA_1_NEURONS in (expected, found):
        return Compared(name, expected.value, found.value, Verdict.NOT_RUN, str(SCHEMA_1_NEURONS.why[0]))
    values = known_value(expected), known_value(found)
    return Compared(name, *values, _verdict((values[0], status_of(expected)), (values[1], status_of(found)), margin))


def known_value(quantity: Quantity) -> Any:
    """The value, None for one that only a counter of work knows: another device has other counters."""
    unsure = quantity.status is Status.UNKNOWN and quantity.unit in (Unit.MACS, Unit.FLOPS)
    return None if unsure else quantity.value


def compare_fields(expected: ReceptiveField, found: ReceptiveField) -> Compared | None:
    """Sizes, and where they are equal jumps and paddings; None if one of the two was not asked for."""
    if not (expected.was_computed and found.was_computed):
        return None
    if Status.UNKNOWN in (expected.status, found.status):
        return Compared("receptive_field", expected.extent, found.extent, Verdict.UNKNOWN)
    sizes = expected.extent, found.extent
    parts = (
        ("receptive_field", *sizes),
        ("jump", expected.jump, found.jump),
        ("padding", expected.padding, found.padding),
    )
    for name, one, other in parts:
        if one != other:
            return Compared(name, one, other, Verdict.DIFFER)
    return Compared("receptive_field", *sizes, Verdict.MATCH)


def status_of(quantity: Quantity) -> Status:
    """How sure the value is; what hooks and storages show is a fact, also where no formula predicts it."""
    is_fact = quantity.status is Status.UNKNOWN and known_value(quantity) is not None
    return Status.EXACT if is_fact else quantity.status


Known = tuple[Any, Status]


def _verdict(expected: Known, found: Known, margin: Margin) -> Verdict:
    (one, first), (other, second) = expected, found
    if one is None or other is None:
        return Verdict.UNKNOWN
    near = margin.admits(one, other) if isinstance(one, int) and isinstance(other, int) else one == other
    if first is second is Status.EXACT:
        return Verdict.MATCH if near else Verdict.DIFFER
    if first is second:
        return Verdict.UNKNOWN if near else Verdict.DIFFER
    apart = _excludes(first, one, other) or _excludes(second, other, one)
    return Verdict.DIFFER if apart and not near else Verdict.UNKNOWN


def _excludes(status: Status, bound: int, exact: int) -> bool:
    """Whether a bound leaves no room for the other number."""
    return (status is Status.LOWER_BOUND and exact < bound) or (status is Status.UPPER_BOUND and exact > bound)
