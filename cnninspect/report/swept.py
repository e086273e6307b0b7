"""One row of `sweep`: a model with the totals of its `summary`, or with the reason why it has none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import inf
from typing import Any

from cnninspect.report.document import Report
from cnninspect.report.quantities import Quantity, Status, Verdict
from cnninspect.report.rows import GLOBAL, ReceptiveField

COUNTS = {"params": "params", "macs": "macs", "activations": "neurons", "peak_memory": "peak_memory"}
"""Column -> total of the summary."""


@dataclass(frozen=True)
class SweptModel:
    """A target with its totals. Memory is in bytes, fields in input pixels per axis; None is unknown.

    `extent` is GLOBAL for a local field that covers the input; `cause` is the layer or op that makes the strict field
    global. `bounds` maps the numbers that are not exact to their status. `error` is the reason of a failure: then all
    numbers are None. `options` are those of the run, `versions` those that its numbers depend on.
    """

    target: str
    provider: str | None = None
    input: str | None = None
    params: int | None = None
    macs: int | None = None
    activations: int | None = None
    peak_memory: int | None = None
    extent: Any = None
    cause: str | None = None
    verdict: str | None = None
    seconds: float | None = None
    error: str | None = None
    bounds: Mapping[str, str] = field(default_factory=dict)
    options: str = ""
    versions: str = ""

    @property
    def is_incomplete(self) -> bool:
        """Whether a number is a bound or unknown, or a formula could not be checked."""
        return bool(self.bounds) or self.verdict == Verdict.UNKNOWN.value

    def to_dict(self) -> dict[str, Any]:
        """The row as plain data, in the order of the columns."""
        plain = {name: getattr(self, attribute) for name, attribute in COLUMNS.items()}
        return {**plain, "field": _listed(self.extent), "bounds": dict(self.bounds)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SweptModel:
        """The inverse of `to_dict`; raises ValueError for data that is no row."""
        if not isinstance(data, Mapping) or data.keys() != COLUMNS.keys() or not isinstance(data["target"], str):
            raise ValueError("it does not have the columns of a sweep")
        values = {attribute: data[name] for name, attribute in COLUMNS.items()}
        return cls(**{**values, "extent": _tupled(data["field"]), "bounds": dict(data["bounds"])})


COLUMNS = {{"extent": "field", "cause": "global"}.get(each.name, each.name): each.name for each in fields(SweptModel)}
"""Column -> attribute, in order."""


def swept(report: Report, seconds: float) -> SweptModel:
    """The row of a report, whose inspection took `seconds`; options and versions are left to the caller."""
    counts = {name: report.totals.get(total) for name, total in COUNTS.items()}
    values: dict[str, Any] = {
        name: count.known_value if isinstance(count, Quantity) else None for name, count in counts.items()
    }
    seen = report.totals.get("receptive_field")
    extent, cause = (seen.extent, seen.named_cause) if isinstance(seen, ReceptiveField) else (None, None)
    return SweptModel(
        target=report.target["spec"],
        provider=report.target["provider"],
        input=" ".join(_input(each) for each in report.run["inputs"]),
        **values,
        extent=extent,
        cause=cause,
        verdict=report.verdict.value,
        seconds=round(seconds, 3),
        bounds={name: status for name, number in {**counts, "field": seen}.items() if (status := _unsure(number))},
    )


def _input(described: Mapping[str, Any]) -> str:
    """One input as `--input` takes it; `float32` is not said."""
    name = f"{described['name']}=" if described.get("name") and not str(described["name"]).isdigit() else ""
    dtype = "" if described["dtype"] == "float32" else f":{described['dtype']}"
    return f"{name}{'x'.join(map(str, described['shape']))}{dtype}"


def _unsure(number: Any) -> str | None:
    """The status of a number that is not exact; None for an exact one, and for a model without a feature map."""
    if isinstance(number, ReceptiveField) and not number.was_computed:
        return None
    return None if number is None or number.status is Status.EXACT else str(number.status.value)


def _listed(value: Any) -> Any:
    return [_listed(each) for each in value] if isinstance(value, tuple) else value


def _tupled(value: Any) -> Any:
    return tuple(_tupled(each) for each in value) if isinstance(value, list) else value


def field_sizes(extent: Any) -> list[int]:
    """All sizes of a field, of every axis and position; empty for one that is global or unknown."""
    if extent is None or extent == GLOBAL:
        return []
    return [size for axis in extent for size in (axis if isinstance(axis, tuple) else (axis,))]


def number_of(row: SweptModel, column: str) -> float | None:
    """The number in a column, of a field its largest size; None if it is unknown."""
    value = getattr(row, COLUMNS[column])
    if value is None or row.bounds.get(column) == Status.UNKNOWN.value:
        return None
    return inf if value == GLOBAL else max(field_sizes(value), default=None) if column == "field" else value


_AXIS = re.compile(r"(\d+)(?:\.\.(\d+))?")


def parse_field(text: str) -> Any:
    """The field of a text such as `435`, `31x91`, `188..204` or `global`, as CSV holds it; None for an empty one."""
    if text in ("", GLOBAL):
        return text or None
    axes = [_AXIS.fullmatch(part) for part in text.split("x")]
    if None in axes:
        raise ValueError(f"{text!r} is no receptive field")
    return tuple(int(axis[1]) if axis[2] is None else (int(axis[1]), int(axis[2])) for axis in axes if axis is not None)
