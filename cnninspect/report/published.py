"""Published numbers: what one counts, and the interval that its digits leave."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction


class Quantity(str, Enum):
    """What a published number counts."""

    MACS = "macs"
    FLOPS = "flops"
    PARAMS = "params"
    ACTIVATIONS = "activations"


_WRITTEN = re.compile(r"(\d+(?:,\d{3})*)(?:\.(\d*))?(?:[eE]\+?(\d+))?\s*([KMGBT]?)", re.ASCII)
_POWERS = {"": 0, "K": 3, "M": 6, "G": 9, "B": 9, "T": 12}
_MOST_DIGITS = 30


@dataclass(frozen=True)
class Published:
    """A number as it is written, and the interval of what is rounded to it: `4.09G` is 4.085 to 4.095."""

    quantity: Quantity
    text: str
    number: Fraction
    half: Fraction

    @classmethod
    def of(cls, quantity: Quantity, text: str) -> Published:
        """The number in a text; ValueError with a message for the user if there is none."""
        found = _WRITTEN.fullmatch(text.strip().upper().replace("E+", "E"))
        if text.strip().startswith("-"):
            raise ValueError(f"{text!r} is negative; write the number that is published, such as 4.09G")
        if found is None or len(text) > _MOST_DIGITS:
            raise ValueError(f"{text!r} is not a number; write it as it is published, such as 4.09G, 300M or 25557032")
        digits = found[2] or ""
        power = int(found[3] or 0) + _POWERS[found[4]]
        if power > _MOST_DIGITS:
            raise ValueError(f"{text!r} is too large; write it as it is published, such as 4.09G")
        unit = Fraction(10) ** (power - len(digits))
        number = int(found[1].replace(",", "") + digits) * unit
        if not number:
            raise ValueError(f"{text!r} is 0; write the number that is published")
        return cls(quantity, text.strip(), number, unit / 2)

    def fits(self, value: int) -> bool:
        """Whether the value is rounded to this number."""
        return abs(value - self.number) <= self.half

    def distance(self, value: int) -> int:
        """How far the value is from the number as written."""
        return round(abs(value - self.number))
