"""Comparison of two numbers of two reports, and the tolerance.

A tolerance is a percentage, `1%`, for all numbers or one; or an absolute number for one, `macs=1%,params=500`.
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
"""The numbers that can have a tolerance. Shapes and receptive fields must be equal."""

_COVERED = {"trainable_params": "params", "params_bytes": "params"}


@dataclass(frozen=True)
class Margin:
    """An allowed difference, as a fraction of the expected value or absolute; `text` is the user's text."""

    text: str = "0"
    relative: Fraction = Fraction(0)
    absolute: int = 0

    def admits(self, expected: int, found: int) -> bool:
        """Whether the difference is at most the margin."""
        distance = abs(found - expected)
        return distance <= self.absolute or distance <= self.relative * abs(expected)


EXACT = Margin()


@dataclass(frozen=True)
class Tolerance:
    """Margins by the name of the number, and one for all others. The margin of `params` also holds for their bytes."""

    others: Margin = EXACT
    named: Mapping[str, Margin] = field(default_factory=dict)

    def of(self, name: str) -> Margin:
        """The margin of a number by its name in the JSON."""
        return self.named.get(name) or self.named.get(_COVERED.get(name, name)) or self.others


def parse_tolerance(text: str) -> Tolerance:
    """The tolerance for a text such as `1%` or `macs=1%,params=500`; raises UsageError."""
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
        raise UsageError(f"--tolerance: the number {text} needs a name, such as params={text}. {_EXAMPLES}")
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
    """The result of comparing two values of the number `name`; `why` says why the verdict is `not_run`."""

    name: str
    expected: Any
    found: Any
    verdict: Verdict
    expected_status: Status = Status.EXACT
    found_status: Status = Status.EXACT
    why: str | None = None


def compare_quantities(name: str, expected: Quantity, found: Quantity, margin: Margin) -> Compared:
    """The comparison of two counts: `match` or `differ` only where that is certain, so two bounds are `unknown`.

    Neurons of a schema 1 file were counted in another way: they are `not_run`, with the reason, as is a number that
    needs a run where neither side ran.
    """
    if expected.was_left_out and found.was_left_out:
        return Compared(name, None, None, Verdict.NOT_RUN, why=str(found.why[0]))
    if SCHEMA_1_NEURONS in (expected, found):
        return Compared(name, expected.value, found.value, Verdict.NOT_RUN, why=str(SCHEMA_1_NEURONS.why[0]))
    one, other = (expected.known_value, expected.known_status), (found.known_value, found.known_status)
    return Compared(name, one[0], other[0], _verdict(one, other, margin), one[1], other[1])


def compare_fields(expected: ReceptiveField, found: ReceptiveField) -> Compared | None:
    """The comparison of two fields: of sizes, then jumps, then paddings; None if one of them was not computed."""
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
    """Whether an exact number contradicts a bound."""
    return (status is Status.LOWER_BOUND and exact < bound) or (status is Status.UPPER_BOUND and exact > bound)
