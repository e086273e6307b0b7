"""Reads reports and baselines that were saved as JSON. A damaged file is one sentence, not a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cnninspect.errors import UsageError
from cnninspect.report.document import Report
from cnninspect.report.json_form import READ_VERSIONS, frozen
from cnninspect.report.quantities import Quantity, Unit
from cnninspect.report.rows import ReceptiveField, Row


def read_report(file: str | Path) -> Report:
    """The report that a file holds; UsageError if it cannot be read, or is none that this version understands."""
    data = _read_json(Path(file))
    if not isinstance(data, Mapping) or "schema_version" not in data:
        raise UsageError(f"{file} is no report of cnninspect: it has no schema_version. {_HOW}")
    version = data["schema_version"]
    if version not in READ_VERSIONS:
        read = " and ".join(map(str, READ_VERSIONS))
        raise UsageError(f"{file} has schema_version {version!r}, this cnninspect reads {read}. {_HOW}")
    if "varied" in data or ("targets" in data and "rows" not in data):
        raise UsageError(f"{file} is a report on several targets. Save that of one: {_HOW}")
    try:
        return _validated(Report.from_dict(_completed(data)))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{file} is damaged: {type(error).__name__} {error}. {_HOW}") from error


_HOW = "`cnninspect summary TARGET --format json -o FILE` saves one, `compare --update-baseline` a baseline."


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}.") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {(error.strerror or type(error).__name__).lower()}.") from error
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}.") from error


def _completed(data: Mapping[str, Any]) -> dict[str, Any]:
    """The document with what a baseline leaves out: parents, and what is different on every machine."""
    defaults = {"command": "baseline", "tool": {}, "uncounted": [], "notes": [], "verdict": "not_run"}
    rows = [{name: _number(value) for name, value in row.items()} for row in data["rows"]]
    totals = {name: _number(value) for name, value in data["totals"].items()}
    return {**defaults, **data, "rows": _with_parents(rows), "totals": totals}


def _number(value: Any) -> Any:
    if isinstance(value, Mapping) and "status" in value:
        verdict = "unknown" if value["status"] == "unknown" else "not_run"
        return {"analytic": None, "measured": {}, "verdict": verdict, **value}
    return value


def _with_parents(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows that state their level in the tree with the position of the row above them."""
    above: list[int] = []
    found = []
    for index, row in enumerate(rows):
        if "level" in row:
            level = row["level"]
            del above[level:]
            parent = above[-1] if above else None
            above.append(index)
            row = {**{name: value for name, value in row.items() if name != "level"}, "parent": parent}
        found.append(row)
    return found


Kind = Callable[[Any], bool]


def _validated(report: Report) -> Report:
    """The report unchanged; ValueError, TypeError or LookupError if a part is missing or of the wrong type."""
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
