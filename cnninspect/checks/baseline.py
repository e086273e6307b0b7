"""Baselines: reports without everything that depends on machine, version or time; and the comparison with one.

A baseline leaves out the device, versions, file paths, notes, counter results, verdicts, and rows of views and
indexing. A row holds its level in the tree, not the index of its parent, so that a new layer adds one line to a diff.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from cnninspect.checks.alignment import align
from cnninspect.checks.differences import Comparer, check_both_ran
from cnninspect.checks.numbers import NAMES, Tolerance
from cnninspect.checks.tree import is_layer
from cnninspect.errors import UsageError, error_text, message_of
from cnninspect.files import cause_of, write_whole
from cnninspect.report.document import Checkpoint, Report
from cnninspect.report.json_form import READ_VERSIONS, SCHEMA_VERSION, json_text
from cnninspect.report.json_rows import frozen, number_to_json, plain, row_to_json
from cnninspect.report.quantities import Quantity, Status, Unit
from cnninspect.report.reasons import Cause
from cnninspect.report.rows import Check, Number, ReceptiveField, Row

_KEPT_OF_RUN = ("dtype", "training", "inputs")
_KEPT_TOTALS = (*NAMES, "flops", "input_bytes", "total_bytes", "receptive_field")
_KEPT_OF_ROW = ("path", "call", "kind", "leaf", "functional", "hyperparameters", "input_shapes", "depth")


def check_baseline(report: Report, baseline: Report, tolerance: Tolerance | None = None) -> tuple[Check, ...]:
    """One check for every number of the baseline; a difference beyond the tolerance fails in either direction."""
    check_both_ran(report, baseline, "the baseline")
    comparer = Comparer("baseline", tolerance or Tolerance())
    return tuple(comparer.checks(baseline, report, align(baseline.rows, report.rows)))


def read_baseline(file: str | Path) -> Report:
    """The report in a baseline file or saved report; raises UsageError if there is none."""
    if not Path(file).exists():
        raise UsageError(f"there is no baseline {file}. The same command with --update-baseline writes it.")
    return read_report(file)


def save_baseline(report: Report, file: str | Path) -> None:
    """Writes the report's baseline in one step, so that the file is never incomplete; raises OutputError."""
    write_whole(Path(file), baseline_text(report))


def baseline_text(report: Report) -> str:
    """The baseline of a report: JSON with sorted keys and one line per row and total."""
    reduced = {
        "schema_version": SCHEMA_VERSION,
        "target": {"name": report.target["name"]},
        "run": {
            **{name: plain(report.run.get(name)) for name in _KEPT_OF_RUN},
            **({"ran": False} if report.run.get("ran") is False else {}),
        },
        "totals": _numbers({name: report.totals[name] for name in _KEPT_TOTALS if name in report.totals}),
        "rows": _rows(report.rows),
    }
    return json_text(reduced, sort_keys=True)


def _rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    levels: list[int] = []
    found = []
    for row in rows:
        levels.append(0 if row.parent is None else levels[row.parent] + 1)
        if is_layer(row):
            whole = row_to_json(row)
            kept = {name: whole[name] for name in _KEPT_OF_ROW}
            found.append({**kept, "level": levels[-1], **_numbers(row.quantities)})
    return found


def _numbers(numbers: Mapping[str, Number]) -> dict[str, Any]:
    """The numbers without analytic and measured values, and without receptive fields that were not computed."""
    found = {}
    for name, number in numbers.items():
        if isinstance(number, Quantity):
            value = plain(number.known_value)
            found[name] = {"value": value, "unit": number.unit.value, "status": number.status.value}
            if number.was_left_out:
                found[name]["why"] = number_to_json(number)["why"]
        elif number.was_computed:
            found[name] = {key: value for key, value in number_to_json(number).items() if key != "verdict"}
    return found


def read_report(file: str | Path) -> Report:
    """The report in a file; UsageError if the file cannot be read or holds no report of a supported schema version."""
    data = _read_json(Path(file))
    if not isinstance(data, Mapping) or "schema_version" not in data:
        raise UsageError(f"{file} is not a report of cnninspect: it has no schema_version. {_HOW}")
    version = data["schema_version"]
    if version not in READ_VERSIONS:
        read = " and ".join(map(str, READ_VERSIONS))
        raise UsageError(f"{file} has schema_version {version!r}, this cnninspect reads {read}. {_HOW}")
    if "varied" in data or ("targets" in data and "rows" not in data):
        raise UsageError(f"{file} is a report on several targets; a report on one target is needed. {_HOW}")
    try:
        report = _validated(Report.from_dict(_completed(data)))
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UsageError(f"{file} is damaged: {_damage(error)}. Save it again: {_HOW}") from error
    if version == SCHEMA_VERSION and not isinstance(report, Checkpoint) and (lacking := _lacking(report)):
        raise UsageError(f"{file} is damaged: {lacking}. Save it again: {_HOW}")
    return report


def _damage(error: Exception) -> str:
    """What is wrong with a document, in words: of Python's own errors only which entry is missing."""
    if isinstance(error, KeyError) and error.args:
        return f"an object in it has no {error.args[0]!r}"
    return message_of(error) if isinstance(error, ValueError) else f"a part of it {_OTHER_TYPE}"


def _lacking(report: Report) -> str:
    """Which number that every report of this schema has is missing, so that it would be compared with nothing."""
    if absent := [name for name in NAMES if name not in report.totals]:
        return f"its totals have no {absent[0]}"
    for position, row in enumerate(report.rows):
        numbers = {name: getattr(row, name) for name in _NUMBERS_OF_ROW}
        absent = [name for name, number in numbers.items() if number is None]
        if 0 < len(absent) < len(numbers):
            return f"row {position} ({row.path!r}) has no {absent[0]}"
    return ""


_NUMBERS_OF_ROW = ("output_shape", "params", "macs", "neurons")
"""Numbers that a row has all of, or none where it has no output."""

_OTHER_TYPE = "has a type that cnninspect does not write"


_HOW = (
    "`cnninspect summary TARGET -o report.json` saves a report, "
    "`cnninspect compare TARGET --baseline FILE --update-baseline` a baseline."
)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}. Check the name. {_HOW}") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {cause_of(error)}. Name a file that can be read. {_HOW}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON: {error_text(error)}. {_HOW}") from error


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is not a number in JSON")


def _completed(data: Mapping[str, Any]) -> dict[str, Any]:
    """The document with default values for the fields that a baseline leaves out, and with parents from levels."""
    defaults = {"command": "baseline", "tool": {}, "uncounted": [], "notes": [], "verdict": "not_run"}
    for name, kind, words in (("rows", list, "list"), ("totals", Mapping, "object")):
        if not isinstance(data.get(name), kind):
            raise ValueError(f"its {name} are no {words}" if name in data else f"it has no {name}")
    for position, row in enumerate(data["rows"]):
        _require(isinstance(row, Mapping), f"row {position}")
    for name, number in data["totals"].items():
        _require(isinstance(number, Mapping), f"totals {name}")
    rows = [{name: _number(value) for name, value in row.items()} for row in data["rows"]]
    totals = {name: _number(value) for name, value in data["totals"].items()}
    return {**defaults, **data, "rows": _with_parents(rows), "totals": totals}


def _number(value: Any) -> Any:
    if isinstance(value, Mapping) and "status" in value:
        is_left_out = any(reason["cause"] == Cause.NOT_RUN for reason in value.get("why", ()))
        verdict = "unknown" if value["status"] == "unknown" and not is_left_out else "not_run"
        return {"analytic": None, "measured": {}, "verdict": verdict, **value}
    return value


def _with_parents(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with `parent`, the index of the row above, in place of `level`."""
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
        _require_number(number, f"totals {name}")
    for position, row in enumerate(report.rows):
        _require(_is_row(row, position), f"row {position} ({row.path!r})")
        for name, number in row.quantities.items():
            _require_number(number, f"{name} of row {position} ({row.path!r})")
    return report


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"{what}: the value is not of a kind that cnninspect writes")


def _require_number(number: Number, what: str) -> None:
    if _is_number(number):
        return
    value = number.value if isinstance(number, Quantity) else None
    if isinstance(value, str):
        raise ValueError(f"{what} is the text {value!r}, not a number")
    if isinstance(value, (int, float)) and value < 0:
        raise ValueError(f"{what} is {value}, and a count is not below 0")
    _require(holds=False, what=what)


def _is_input(item: Mapping[str, Any]) -> bool:
    return isinstance(item["name"], str) and isinstance(item["dtype"], str) and _is_shape(item["shape"])


def _is_row(row: Row, position: int) -> bool:
    """Whether the types of a row's fields are right, and its parent is an earlier row."""
    named = isinstance(row.path, str) and isinstance(row.kind, str) and _is_size(row.call) and _is_size(row.depth)
    placed = row.parent is None or (_is_size(row.parent) and row.parent < position)
    shaped = all(map(_is_shape, row.input_shapes))
    hash(frozen(list(row.hyperparameters.items())))
    return named and placed and shaped


def _is_number(number: Quantity | ReceptiveField) -> bool:
    if isinstance(number, ReceptiveField):
        return all(_is_none_or(part, _is_tuple_of(_is_extent)) for part in (number.size, number.jump, number.padding))
    is_value = _KINDS.get(number.unit, _is_count)
    numbers = (number.value, number.analytic, *number.measured.values())
    is_there = number.value is not None or number.status is not Status.EXACT
    return is_there and all(_is_none_or(each, is_value) for each in numbers)


def _is_none_or(value: Any, kind: Kind) -> bool:
    return value is None or kind(value)


def _is_tuple_of(kind: Kind) -> Kind:
    return lambda value: isinstance(value, tuple) and all(map(kind, value))


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_shape(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(map(_is_size, value))


def _is_extent(value: Any) -> bool:
    """Whether it is a size, a (min, max) range, or a fraction as text."""
    ends = value if isinstance(value, tuple) and len(value) == 2 else (value,)
    return all(isinstance(end, (int, float, str)) and not isinstance(end, bool) for end in ends)


def _is_count(value: Any) -> bool:
    """Whether it is a number that counts or measures something: finite, and not below 0."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value) and value >= 0


_KINDS: Mapping[Unit, Kind] = {
    Unit.SHAPE: _is_tuple_of(_is_shape),
    Unit.CLASS: lambda value: isinstance(value, str),
}
"""Unit -> the kind of its values, where they are no counts."""
