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
from cnninspect.report.json_form import SCHEMA_1_NEURONS
from cnninspect.report.quantities import Quantity, Status, Verdict, parse_count, parse_percent
from cnninspect.report.rows import ReceptiveField

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
        return "--tolerance: FLOPs follow from MACs and have no tolerance of their own. Give one to macs."
    near = ", ".join(nearest(name, NAMES))
    return f"--tolerance: {name!r} has no tolerance. " + (
        f"Nearest: {near}." if near else f"Names: {', '.join(NAMES)}."
    )


@dataclass(frozen=True)
class Compared:
    """Two values under the name of what is compared, how sure each is, the verdict, and why none was reached."""

    name: str
    expected: Any
    found: Any
    verdict: Verdict
    expected_status: Status = Status.EXACT
    found_status: Status = Status.EXACT
    why: str | None = None


def compare_quantities(name: str, expected: Quantity, found: Quantity, margin: Margin) -> Compared:
    """`match` and `differ` only where that is certain: two bounds, equal or not, may belong to any two numbers.

    Neurons of a schema 1 file count something else: they are `not_run`, with the reason.
    """
    if SCHEMA_1_NEURONS in (expected, found):
        return Compared(name, expected.value, found.value, Verdict.NOT_RUN, why=str(SCHEMA_1_NEURONS.why[0]))
    one, other = (expected.known_value, expected.known_status), (found.known_value, found.known_status)
    return Compared(name, one[0], other[0], _verdict(one, other, margin), one[1], other[1])


def compare_fields(expected: ReceptiveField, found: ReceptiveField) -> Compared | None:
    """Sizes, and where they are equal jumps and paddings; None if one of the two was not asked for."""
    if not (expected.was_computed and found.was_computed):
        return None
    if not expected.status is found.status is Status.EXACT:
        return Compared(
            "receptive_field", expected.extent, found.extent, Verdict.UNKNOWN, expected.status, found.status
        )
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


Known = tuple[Any, Status]


def _verdict(expected: Known, found: Known, margin: Margin) -> Verdict:
    (one, first), (other, second) = expected, found
    if one is None or other is None:
        return Verdict.UNKNOWN
    near = margin.admits(one, other) if isinstance(one, int) and isinstance(other, int) else one == other
    if first is second is Status.EXACT:
        return Verdict.MATCH if near else Verdict.DIFFER
    apart = (second is Status.EXACT and _excludes(first, one, other)) or (
        first is Status.EXACT and _excludes(second, other, one)
    )
    return Verdict.DIFFER if apart and not near else Verdict.UNKNOWN


def _excludes(status: Status, bound: int, exact: int) -> bool:
    """Whether an exact number lies beyond a bound."""
    return (status is Status.LOWER_BOUND and exact < bound) or (status is Status.UPPER_BOUND and exact > bound)
