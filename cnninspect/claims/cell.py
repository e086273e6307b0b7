"""A cell of a claims file: its parsed value, and its comparison with the number in the report."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import floor
from typing import Any, Protocol

from cnninspect.claims.expressions import NotArithmetic, Number, evaluate, quotients
from cnninspect.report.quantities import Quantity, Shape, Status, Verdict
from cnninspect.report.rows import TOTAL, ReceptiveField, Row

_BRACKETS = re.compile(r"[(\[]\s*(.*?)\s*,?\s*[)\]]", re.DOTALL)
_TIMES = re.compile(r"\s*(?:(?<![a-z])[xX]|×)\s*")
_RANGE = re.compile(r"\s*(?:\.\.|–)\s*")
GLOBAL = "global"
Extent = int | tuple[int, ...]


class Claimed(Protocol):
    """The parsed value of a cell."""

    @property
    def value(self) -> Any:
        """The value as `expected` of a check."""

    def admits(self, found: Any) -> bool:
        """Whether the claim is right if the report's value is `found`."""


@dataclass(frozen=True)
class Count:
    """A claimed number of parameters, MACs, FLOPs or neurons."""

    number: Number

    @property
    def value(self) -> int | float:
        """The number; a rounded one such as 5.4K in full: 5400."""
        return self.number.plain

    def admits(self, found: Any) -> bool:
        """Whether `found` is the number, or rounds to it."""
        return isinstance(found, (int, Fraction)) and self.number.admits(found)


@dataclass(frozen=True)
class Shapes:
    """Claimed output shapes, each with or without its batch."""

    value: tuple[Shape, ...]

    def admits(self, found: Any) -> bool:
        """Whether every shape is the claimed one, with or without the batch dimension."""
        if not isinstance(found, tuple) or len(found) != len(self.value):
            return False
        return all(claimed in (shape, shape[1:]) for claimed, shape in zip(self.value, found, strict=True))


@dataclass(frozen=True)
class Field:
    """A claimed receptive field: a size for all axes, one per axis, or `global`; `188..204` is a range."""

    value: tuple[Extent, ...] | str

    def admits(self, found: Any) -> bool:
        """Whether `found`, one size per axis or `global`, is the field claimed."""
        if isinstance(found, str) or isinstance(self.value, str):
            return bool(found == self.value)
        claimed = self.value * len(found) if len(self.value) == 1 else self.value
        return bool(tuple(found) == claimed)


@dataclass(frozen=True)
class Kind:
    """A claimed kind of layer."""

    value: str

    def admits(self, found: Any) -> bool:
        """Whether the kind has this name; a prefix `nn.` was removed when the claim was read."""
        return bool(self.value == found)


@dataclass(frozen=True)
class Setting:
    """A claimed hyper-parameter or jump: one number for all axes, one per axis, or a word such as `same`."""

    value: tuple[int | str, ...] | str

    def admits(self, found: Any) -> bool:
        """Whether `found`, a number or one per axis, is the setting claimed."""
        if isinstance(found, str) or isinstance(self.value, str):
            return bool(found == self.value)
        sides = [tuple(map(Fraction, side)) for side in (self.value, found if isinstance(found, tuple) else (found,))]
        axes = max(map(len, sides))
        claimed, true = (side * axes if len(side) == 1 else side for side in sides)
        return claimed == true


@dataclass(frozen=True)
class Misstep:
    """A step that comes to the right number, and does not follow from the one before it."""

    value: Any

    def admits(self, _found: Any) -> bool:
        """False: the step is wrong whatever the number is."""
        return False


@dataclass(frozen=True)
class Chain:
    """A calculation in steps, `3*11^2*64 + 64 = 23,296`: the text and the value of each."""

    steps: tuple[tuple[str, Claimed], ...]

    @property
    def value(self) -> Any:
        """The result, which is the last step."""
        return self.steps[-1][1].value

    def admits(self, found: Any) -> bool:
        """Whether every step is right."""
        return self.judged(found)[0].admits(found)

    def judged(self, found: Any) -> tuple[Claimed, str]:
        """The first wrong step, or the result if all are right; and, where the steps differ, what is wrong with it."""
        wrong = next((index for index, (_, step) in enumerate(self.steps) if not step.admits(found)), None)
        for index, (before, after) in enumerate(pairwise(self.steps[:wrong])):
            if words := _misrounded(before[0], after[0]):
                return Misstep(self.steps[index + 1][1].value), words
        if wrong is None:
            return self.steps[-1][1], ""
        text, step = self.steps[wrong]
        value = f"{text} is {step.value:,}" if isinstance(step, Count) else text
        if isinstance(step, Count) and step.value != found and floor(step.number.value) == found:
            return step, f"{value}: the size is rounded down, and floor is left out"
        if isinstance(step, Count) and "/" in text and step.value != found - 1 == floor(step.number.value):
            return step, f"{value}: floor and the + 1 are left out"
        if wrong:
            return step, f"{self.steps[wrong - 1][0]} is right, but it is not {text}"
        differ = any(other.value != step.value for _, other in self.steps)
        return step, value if differ and isinstance(step, Count) else ""


def _misrounded(before: str, after: str) -> str:
    """What is wrong with the numbers in floor and ceil of a step: they are not those of the step before."""
    sides = [_quotients(before), _quotients(after)]
    if len(sides[0]) != len(sides[1]):
        return ""
    for exact, written in zip(*sides, strict=True):
        if abs(exact.value - written.value) > exact.slack + written.slack:
            return f"{after}: the step before has {float(exact.value):.6g} there, not {float(written.value):.6g}"
    return ""


def _quotients(text: str) -> list[Number]:
    try:
        return [number for part in _sizes(text) for end in _RANGE.split(part) for number in quotients(end)]
    except NotArithmetic:
        return []


def _count(text: str) -> Count:
    return Count(evaluate(text))


def _shapes(text: str) -> Shapes:
    return Shapes(tuple(_shape(part.strip()) for part in text.split(";")))


def _shape(text: str) -> Shape:
    """The shape of `16x32x32`, `(16, 32, 32)` or a single size; every size may be an arithmetic expression."""
    return tuple(_whole(part) for part in _sizes(text))


def _sizes(text: str) -> list[str]:
    """The texts between times signs, or between commas in brackets."""
    bracketed = _BRACKETS.fullmatch(text)
    return bracketed[1].split(",") if bracketed and not _TIMES.search(text) else _TIMES.split(text)


def _field(text: str) -> Field:
    if text.lower() == GLOBAL:
        return Field(GLOBAL)
    return Field(tuple(_extent(part) for part in _sizes(text)))


def _extent(text: str) -> Extent:
    ends = tuple(_whole(part) for part in _RANGE.split(text))
    return ends[0] if len(ends) == 1 else ends


def _whole(text: str) -> int:
    value = evaluate(text).value
    if value.denominator != 1 or value < 0:
        raise NotArithmetic(f"{text.strip()} is not a size")
    return int(value)


def _setting(text: str) -> Setting:
    if text.isalpha():
        return Setting(text.lower())
    values = [evaluate(part).value for part in _sizes(text)]
    return Setting(tuple(int(value) if value.denominator == 1 else str(value) for value in values))


def _kind(text: str) -> Kind:
    return Kind(text.removeprefix("torch.").removeprefix("nn.") if "nn." in text else text)


SETTINGS = {
    "kernel": "kernel_size",
    **{name: name for name in ("stride", "padding", "dilation", "groups", "output_padding")},
}
"""Column -> name of the hyper-parameter."""

COLUMNS: dict[str, Callable[[str], Claimed]] = {
    "kind": _kind,
    "input_shape": _shapes,
    **dict.fromkeys(SETTINGS, _setting),
    "output_shape": _shapes,
    **dict.fromkeys(("height", "width", "params", "weight", "bias", "macs", "flops", "neurons"), _count),
    "receptive_field": _field,
    "jump": _setting,
}
"""Column -> parser of its cells, in the order of the checks."""

_STEP = re.compile(r"\s*[=≈]\s*")


def read_cell(column: str, text: str) -> Claimed:
    """The value that a cell claims, or of several steps those of all; raises NotArithmetic."""
    steps = [text] if column in ("kind", *SETTINGS) else _STEP.split(text.strip().removeprefix("=").strip())
    read = [(step, COLUMNS[column](step)) for step in steps]
    return read[0][1] if len(read) == 1 else Chain(tuple(read))


Found = Quantity | ReceptiveField | str | int | tuple[Any, ...] | None
"""A number of the report; a setting as it stands in the row."""
Judgement = tuple[Verdict, str | None]


@dataclass(frozen=True)
class Cell:
    """A claim about one number of a row; `row` is None for a total.

    `claimed` is one step of a calculation: the first that is wrong. `slip` says where in the calculation it stands, and
    `written` is the whole cell.
    """

    row: Row | None
    column: str
    claimed: Claimed
    number: Found
    written: str = ""
    slip: str = ""

    @classmethod
    def of(cls, row: Row | None, column: str, claimed: Claimed, number: Found, written: str = "") -> Cell:
        """The cell in a column of a row, or of the totals if `row` is None, beside the number of the report."""
        slip = ""
        if isinstance(claimed, Chain):
            claimed, slip = claimed.judged(value_of(number))
        return cls(row, column, claimed, number, written, slip)

    @property
    def label(self) -> str:
        """The name of the row in messages, or `total`."""
        return TOTAL if self.row is None else self.row.label

    @property
    def found(self) -> Any:
        """The report's value: a count, shapes, a field size per axis or `global`, or a kind; None if it is unknown."""
        return value_of(self.number)

    @property
    def found_status(self) -> Status:
        """The status of the report's value."""
        if isinstance(self.number, Quantity):
            return self.number.known_status
        return self.number.status if isinstance(self.number, ReceptiveField) else Status.EXACT

    def judge(self) -> Judgement:
        """The verdict, and its reason if it is `unknown`.

        `match` needs an exact value in the report; `differ` needs a value or bound that contradicts the claim.
        """
        if self.found is None:
            return Verdict.UNKNOWN, "the report has no such number" if self.number is None else "it is not known"
        if isinstance(self.number, Quantity):
            return _against(self.claimed, self.number)
        if isinstance(self.number, ReceptiveField):
            return _against_field(self.claimed, self.number)
        return _decided(self.claimed.admits(self.found))


def value_of(number: Found) -> Any:
    """The value of a number as claims are compared with it; None if it is unknown."""
    if isinstance(number, ReceptiveField):
        return GLOBAL if number.is_global else None if number.status is Status.UNKNOWN else number.size
    return number.known_value if isinstance(number, Quantity) else number


def _against(claimed: Claimed, number: Quantity) -> Judgement:
    if number.known_status is not Status.EXACT:
        return _against_bound(claimed, number)
    if number.verdict is Verdict.DIFFER and any(map(claimed.admits, (number.value, *number.measured.values()))):
        return _CONTESTED
    return _decided(claimed.admits(number.value))


def _against_field(claimed: Claimed, field: ReceptiveField) -> Judgement:
    """The verdict on a claimed field: right are the local size, and what counts gates and statistics."""
    right = claimed.admits(value_of(field)) or any(map(claimed.admits, _strictly(field)))
    if not right and field.status is Status.EXACT and field.size is not None:
        return Verdict.DIFFER, _of_other_axes(claimed.value, field)
    if field.status is not Status.EXACT:
        return Verdict.UNKNOWN, _bound(field.status)
    return _CONTESTED if right and field.verdict is Verdict.DIFFER else _decided(right)


def _of_other_axes(claimed: Any, field: ReceptiveField) -> str | None:
    """Why a claim is wrong that has another number of axes than the field, or is `global` along some of them alone."""
    size = field.size or ()
    if not isinstance(claimed, str):
        return None if len(claimed) in (1, len(size)) else f"{len(claimed)} axes, and the field has {len(size)}"
    if not field.global_along:
        return None
    along = dict.fromkeys(axis for axes in field.axes_left_out.values() for axis in axes)
    return f"counting gates and statistics it is global along {' and '.join(along)} alone"


def _strictly(field: ReceptiveField) -> Iterator[Any]:
    """The field that counts gates and statistics, where that is another one."""
    if field.cause is not None:
        yield GLOBAL
    elif field.global_along and field.size and field.image:
        each = zip(field.size, field.image, field.global_along, strict=True)
        yield tuple(size if cause is None else pixels for size, pixels, cause in each)


_CONTESTED = (Verdict.UNKNOWN, "formula and measurement differ, and the claim agrees with one of them")


def _decided(right: bool) -> Judgement:
    return (Verdict.MATCH if right else Verdict.DIFFER), None


def _bound(status: Status) -> str:
    return f"only a bound is known ({status.value.replace('_', ' ')})"


def _against_bound(claimed: Claimed, number: Quantity) -> Judgement:
    """The verdict if only a bound is known: `differ` if the claim is outside the bound, else `unknown`."""
    if isinstance(claimed, Count) and isinstance(number.value, int):
        distance = claimed.number.value - number.value
        if number.status is Status.LOWER_BOUND and distance < -claimed.number.slack:
            return Verdict.DIFFER, f"it is at least {number.value:,}"
        if number.status is Status.UPPER_BOUND and distance > claimed.number.slack:
            return Verdict.DIFFER, f"it is at most {number.value:,}"
    return Verdict.UNKNOWN, _bound(number.status)
