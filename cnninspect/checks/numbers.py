"""Whether two numbers of two reports are the same, as far as both are known, and how far apart they may be.

A tolerance is a share, `1%`, which may hold for everything, or a number of one kind of thing, `macs=1%,params=500`: 500
parameters are no 500 bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from cnninspect.errors import UsageError, nearest
from cnninspect.report.field import ReceptiveField
from cnninspect.report.json_form import SCHEMA_1_NEURONS
from cnninspect.report.quantities import Quantity, Status, Unit, Verdict
from cnninspect.report.sizes import parse_count, parse_percent

NAMES = ("params", "trainable_params", "params_bytes", "buffers", "macs", "neurons", "activation_bytes")
"""What can have a tolerance. Shapes and receptive fields are equal or they are not."""

_COVERED = {"trainable_params": "params", "params_bytes": "params"}


@dataclass(frozen=True)
class Margin:
    """A distance, as a fraction of what is expected or as a number of things; `text` is how the user wrote it."""

    text: str = "0"
    relative: Fraction = Fraction(0)
    absolute: int = 0

    def admits(self, expected: int, found: int) -> bool:
        """Whether `found` is near enough."""
        distance = abs(found - expected)
        return distance <= self.absolute or distance <= self.relative * abs(expected)


EXACT = Margin()


@dataclass(frozen=True)
class Tolerance:
    """A margin for every number: its own or the one for all others. That of `params` holds for their bytes too."""

    others: Margin = EXACT
    named: Mapping[str, Margin] = field(default_factory=dict)

    def of(self, name: str) -> Margin:
        """The margin of a number by its name in the JSON."""
        return self.named.get(name) or self.named.get(_COVERED.get(name, name)) or self.others


def parse_tolerance(text: str) -> Tolerance:
    """The tolerance that a comma-separated list of margins and `name=margin` describes; raises UsageError."""
    margins: dict[str, Margin] = {}
    for item in filter(None, (item.strip() for item in text.split(","))):
        name, is_named, margin = (part.strip() for part in item.rpartition("="))
        if is_named and name not in NAMES:
            raise UsageError(_unknown(name))
        if name in margins:
            raise UsageError(f"--tolerance: {name or 'the margin of all others'} is given twice. {_EXAMPLES}")
        margins[name] = _margin(name, margin)
    others = margins.pop("", EXACT)
    return Tolerance(others, margins)


_EXAMPLES = "Examples: 1%, or macs=1%,params=0."


def _margin(name: str, text: str) -> Margin:
    try:
        if text.endswith("%"):
            return Margin(text, relative=parse_percent(text))
        margin = Margin(text, absolute=parse_count(text))
    except ValueError as error:
        raise UsageError(f"--tolerance: {error}. {_EXAMPLES}") from None
    if not name and margin.text != EXACT.text:
        raise UsageError(f"--tolerance: {text} of what? A number of things needs a name: params={text}. {_EXAMPLES}")
    return margin


def _unknown(name: str) -> str:
    if name == "flops":
        return "--tolerance: FLOPs are MACs in another unit, say macs."
    near = ", ".join(nearest(name, NAMES))
    return f"--tolerance: {name!r} has no tolerance. " + (
        f"Nearest: {near}." if near else f"Names: {', '.join(NAMES)}."
    )


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
