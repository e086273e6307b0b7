"""Whether what a file says a report is can be one: everything of the kind that cnninspect itself writes there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cnninspect.report.document import Report, Row
from cnninspect.report.field import ReceptiveField
from cnninspect.report.json_form import frozen
from cnninspect.report.quantities import Quantity, Unit

Kind = Callable[[Any], bool]


def sound(report: Report) -> Report:
    """The report itself; ValueError, TypeError or LookupError for one that holds what no report does."""
    _require(all(isinstance(part, Mapping) for part in (report.tool, report.target, report.run)), "its head")
    _require(isinstance(report.target["name"], str), "the name of its target")
    for item in report.run.get("inputs", ()):
        _require(_is_input(item), "its inputs")
    for name, number in report.totals.items():
        _require(_is_number(number), f"totals {name}")
    for position, row in enumerate(report.rows):
        _require(_is_row(row, position), f"row {position} ({row.path!r})")
    return report


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"{what} cannot be what cnninspect wrote")


def _is_input(item: Mapping[str, Any]) -> bool:
    return isinstance(item["name"], str) and isinstance(item["dtype"], str) and _is_shape(item["shape"])


def _is_row(row: Row, position: int) -> bool:
    """Whether a row names what it is about, stands below one before it, and has numbers of the right kind."""
    named = isinstance(row.path, str) and isinstance(row.kind, str) and _is_size(row.call) and _is_size(row.depth)
    placed = row.parent is None or (_is_size(row.parent) and row.parent < position)
    shaped = all(map(_is_shape, row.input_shapes))
    hash(frozen(list(row.hyperparameters.items())))
    return named and placed and shaped and all(map(_is_number, row.quantities.values()))


def _is_number(number: Quantity | ReceptiveField) -> bool:
    if isinstance(number, ReceptiveField):
        return all(_is_none_or(part, _is_tuple_of(_is_extent)) for part in (number.size, number.jump, number.padding))
    is_value = _is_tuple_of(_is_shape) if number.unit is Unit.SHAPE else _is_plain
    return all(_is_none_or(each, is_value) for each in (number.value, number.analytic, *number.measured.values()))


def _is_none_or(value: Any, kind: Kind) -> bool:
    return value is None or kind(value)


def _is_tuple_of(kind: Kind) -> Kind:
    return lambda value: isinstance(value, tuple) and all(map(kind, value))


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_shape(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(map(_is_size, value))


def _is_extent(value: Any) -> bool:
    """A size of a field, the two ends of its range, or a fraction as text."""
    ends = value if isinstance(value, tuple) and len(value) == 2 else (value,)
    return all(isinstance(end, (int, float, str)) and not isinstance(end, bool) for end in ends)


def _is_plain(value: Any) -> bool:
    return isinstance(value, (int, float, str)) and not isinstance(value, bool)
