"""Numbers as text for readers: thousands separators, shapes, MiB, and signs of bounds and unknowns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cnninspect.errors import printable
from cnninspect.render.page import Cell, Marks, Tone
from cnninspect.report.quantities import Quantity, Status, Unit, Verdict
from cnninspect.report.rows import ReceptiveField

MIB = 2**20
EXCEEDS_INPUT = "*"
"""The sign of a receptive field that is larger than the input."""

_FIGURES: Mapping[Unit, Callable[[Any], str]] = {
    Unit.SECONDS: lambda seconds: f"{1e3 * seconds:,.3f}",
    Unit.FLOPS_PER_SECOND: lambda rate: f"{rate / 1e9:,.1f}",
    Unit.MACS_PER_BYTE: lambda ratio: f"{ratio:,.1f}",
    Unit.CLASS: str,
}
"""Unit -> text of a value without its unit; values in other units are integers."""

_UNITS = {
    Unit.SECONDS: " ms",
    Unit.FLOPS_PER_SECOND: " GFLOPs per second",
    Unit.MACS_PER_BYTE: " MACs per byte",
}
"""Unit -> text after the figure."""


def number_cell(quantity: Quantity | None, marks: Marks) -> Cell:
    """A count: `1,234`, `≥1,234`, a quiet sign for an exact 0, `?` for an unknown; empty for None."""
    if quantity is None:
        return Cell("")
    if quantity.was_left_out:
        return Cell("not run", None, Tone.QUIET)
    if quantity.value is None or quantity.status is Status.UNKNOWN:
        return Cell(marks.unknown, None, Tone.UNKNOWN)
    if quantity.value == 0 and quantity.status is Status.EXACT and quantity.verdict is not Verdict.DIFFER:
        return Cell(marks.nothing, 0, Tone.QUIET)
    short = sign(quantity.status, marks) + rounded(quantity.value) if isinstance(quantity.value, int) else None
    return Cell(bounded(quantity, marks), quantity.value, tone_of(quantity.verdict), short)


def rounded(count: int) -> str:
    """A count in three to five characters: `1,536`, `768.0K`, `17.45G`; powers of 1000."""
    if abs(count) < 10_000:
        return f"{count:,}"
    power = next((each for each in range(1, 6) if abs(count) < 999.95 * 1000**each), 6)
    scaled, letter = count / 1000**power, "KMGTPE"[power - 1]
    return f"{scaled:.1f}{letter}" if abs(scaled) >= 99.995 else f"{scaled:.2f}{letter}"


def bounded(quantity: Quantity, marks: Marks) -> str:
    """The value with thousands separators, after `≥` or `≤` if it is a bound; `?` if it is unknown."""
    if quantity.value is None or quantity.status is Status.UNKNOWN:
        return marks.unknown
    return sign(quantity.status, marks) + _figure(quantity.value, quantity.unit)


def with_unit(quantity: Quantity, marks: Marks) -> str:
    """The value with its unit, if it is not a count: `12.34 MiB`, `1.204 ms`."""
    if quantity.value is None or quantity.status is Status.UNKNOWN:
        return marks.unknown
    return sign(quantity.status, marks) + value_with_unit(quantity.value, quantity.unit)


def value_with_unit(value: Any, unit: Unit) -> str:
    """A value in this unit, as `with_unit` writes it."""
    return mebibytes(value) if unit is Unit.BYTES else _figure(value, unit) + _UNITS.get(unit, "")


def _figure(value: Any, unit: Unit) -> str:
    write = _FIGURES.get(unit)
    return f"{value:,}" if write is None else write(value)


def sign(status: Status, marks: Marks) -> str:
    """The sign before a value of this status: `≥`, `≤` or nothing."""
    return {Status.LOWER_BOUND: marks.lower, Status.UPPER_BOUND: marks.upper}.get(status, "")


def tone_of(verdict: Verdict) -> Tone:
    """The tone of a number: DIFFER if it was found to be wrong, else PLAIN."""
    return Tone.DIFFER if verdict is Verdict.DIFFER else Tone.PLAIN


def label(name: str) -> str:
    """The readable form of a number's name in the JSON: `output shape`, `backward MACs`."""
    return " ".join({"macs": "MACs", "flops": "FLOPs"}.get(word, word) for word in name.split("_"))


def mebibytes(count: int) -> str:
    """Bytes in MiB, `173.43 MiB`; less than 0.01 MiB in bytes."""
    return f"{count / MIB:,.2f} MiB" if count == 0 or count * 100 >= MIB else f"{count:,} bytes"


def dimensions(shape: Sequence[int]) -> str:
    """A shape as users type it: `1x3x224x224`."""
    return "x".join(str(size) for size in shape) or "scalar"


def shapes_text(shapes: Sequence[Sequence[int]], *, single: bool) -> str:
    """Shapes of one or several tensors; with `single`, without the batch dimension of size 1."""
    return ", ".join(
        dimensions(shape[1:] if single and len(shape) > 1 and shape[0] == 1 else shape) for shape in shapes
    )


def field_text(field: ReceptiveField) -> str:
    """A receptive field: `435`, `31x91`, `188..204`, `global`."""
    if field.is_global:
        return "global"
    extents = [_extent(size) for size in field.size or ()]
    return extents[0] if len(set(extents)) == 1 else "x".join(extents)


def per_axis(values: Sequence[Any]) -> str:
    """One value if it is the same for all axes, else all values: `3`, `3x5`."""
    texts = [str(value) for value in values]
    return texts[0] if len(set(texts)) == 1 else "x".join(texts)


def _extent(size: Any) -> str:
    return f"{size[0]}..{size[1]}" if isinstance(size, (tuple, list)) else str(size)


_IN_BYTES = ("_bytes", "_memory")


def value_text(name: str, value: Any) -> str:
    """An expected or found value of the number called `name`: `1,234`, `43.2 %`, `1x64x8x8`, `435`, `2 layers, ...`."""
    if isinstance(value, bool) or not isinstance(value, (int, float, tuple, list, Mapping)):
        return "unknown" if value is None else printable(str(value))
    if isinstance(value, int):
        return mebibytes(value) if name.endswith(_IN_BYTES) else f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g} %" if name.endswith("_share") else str(value)
    if isinstance(value, Mapping):
        return ", ".join(_part(key, count) for key, count in value.items() if count != 0)
    if name == "receptive_field" and value:
        return field_text(ReceptiveField(size=tuple(value)))
    return shapes_text(value, single=False) if _are_shapes(value) else per_axis(value) if value else "none"


def change_text(expected: Any, found: Any) -> str:
    """The change from expected to found: `+50.0 %`; empty if they are equal or not integers."""
    numbers = isinstance(expected, int) and isinstance(found, int) and not isinstance(expected, bool)
    if not numbers or expected == found:
        return ""
    if expected == 0:
        return f"{found:+,}"
    percent = 100 * (found - expected) / expected
    return f"{percent:+.1f} %" if abs(percent) >= 0.05 else f"{found - expected:+,}"


def _part(name: str, count: int | None) -> str:
    if count is None:
        return f"{label(name)} unknown"
    return f"{count:,} {label(name).rstrip('s') if count == 1 else label(name)}"


def _are_shapes(value: tuple[Any, ...] | list[Any]) -> bool:
    return bool(value) and all(isinstance(item, (tuple, list)) for item in value)
