"""The columns of a claims file: how a cell is read, and whether what was found admits it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from cnninspect.claims.expressions import NotArithmetic, Number, evaluate
from cnninspect.report.quantities import Shape

_BRACKETS = re.compile(r"[(\[]\s*(.*?)\s*,?\s*[)\]]", re.DOTALL)
_TIMES = re.compile(r"\s*[xX×]\s*")
_RANGE = re.compile(r"\s*(?:\.\.|–)\s*")
GLOBAL = "global"
Extent = int | tuple[int, ...]


class Claimed(Protocol):
    """What a cell claims."""

    @property
    def value(self) -> Any:
        """The claim as a check shows it."""

    def admits(self, found: Any) -> bool:
        """Whether this is what was found."""


@dataclass(frozen=True)
class Count:
    """A claimed number of parameters, MACs, FLOPs or neurons."""

    number: Number

    @property
    def value(self) -> int | float:
        """The number; a rounded one as it was written out."""
        return self.number.plain

    def admits(self, found: Any) -> bool:
        """Whether `found` is the number, or rounds to it."""
        return isinstance(found, (int, Fraction)) and self.number.admits(found)


@dataclass(frozen=True)
class Shapes:
    """Claimed output shapes, each with or without its batch."""

    value: tuple[Shape, ...]

    def admits(self, found: Any) -> bool:
        """Whether every shape is the one claimed, or is that behind one more dimension, the batch."""
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
        """Whether it is called that; `nn.` in front does not count."""
        return bool(self.value == found)


def _count(text: str) -> Count:
    return Count(evaluate(text))


def _shapes(text: str) -> Shapes:
    return Shapes(tuple(_shape(part.strip()) for part in text.split(";")))


def _shape(text: str) -> Shape:
    """`16x32x32`, `(16, 32, 32)` or a single size; every size may be arithmetic."""
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
        raise NotArithmetic(f"{text.strip()} is no size")
    return int(value)


def _kind(text: str) -> Kind:
    return Kind(text.removeprefix("torch.").removeprefix("nn.") if "nn." in text else text)


COLUMNS: dict[str, Callable[[str], Claimed]] = {
    "kind": _kind,
    "output_shape": _shapes,
    "params": _count,
    "macs": _count,
    "flops": _count,
    "neurons": _count,
    "receptive_field": _field,
}
"""What a row can claim, in the order in which it is checked."""
