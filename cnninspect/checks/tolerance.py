"""How far a number may be from what is expected: `1%`, `macs=1%,params=500`.

A share may hold for everything. A number of things is about one kind of thing: 500 parameters are no 500 bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from cnninspect.errors import UsageError, nearest
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
