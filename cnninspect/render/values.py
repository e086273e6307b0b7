"""Values of checks as readers see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnninspect.render.numbers import field_text, label, mebibytes, per_axis, shapes_text
from cnninspect.report.field import ReceptiveField

_IN_BYTES = ("_bytes", "_memory")


def value_text(name: str, value: Any) -> str:
    """An expected or found value of the number called `name`: `1,234`, `43.2 %`, `1x64x8x8`, `435`, `2 layers, ...`."""
    if isinstance(value, bool) or not isinstance(value, (int, float, tuple, list, Mapping)):
        return "unknown" if value is None else str(value)
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
    """How much more or less was found than expected: `+50.0 %`; empty where that is no number."""
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
