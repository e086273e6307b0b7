"""The report: rows and totals where analytic and measured have met; plain data that round-trips through JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnninspect.report.field import ReceptiveField
from cnninspect.report.plain_data import plain, quantity_from_dict, quantity_to_dict
from cnninspect.report.quantities import Quantity, Shape, Verdict
from cnninspect.report.row_id import RowId

SCHEMA_VERSION = 1
_OWN = {
    "schema_version", "command", "tool", "target", "run", "totals", "rows", "uncounted", "notes", "verdict", "checks",
}  # fmt: skip
"""The keys of the document that every command has."""


@dataclass(frozen=True)
class Row:
    """One use of a layer, or one functional call.

    Rows are identified by (path, kind, call). `leaf` rows have no rows below them: their numbers add up to the totals.
    `parent` is the position of the row of the calling module among the rows, None for the root. `computes` is False
    for rows that only move data, `layer_like` for those that only move data and have no counterpart among torch's
    layers (views, indexing): those are shown on request. A number is None for a row without a tensor output. `where` is
    the line in the user's own files that it comes from, `nets.py:41`, relative to the working directory. `extra` holds
    what a command adds: numbers by the name that they have in the JSON.
    """

    path: str
    call: int
    kind: str
    depth: int
    leaf: bool
    functional: bool
    hyperparameters: Mapping[str, Any]
    input_shapes: tuple[Shape, ...]
    output_shape: Quantity | None
    params: Quantity | None
    macs: Quantity | None
    flops: Quantity | None
    neurons: Quantity | None
    receptive_field: ReceptiveField | None
    computes: bool = True
    layer_like: bool = True
    parent: int | None = None
    where: str | None = None
    extra: Mapping[str, Quantity] = field(default_factory=dict)

    @property
    def id(self) -> RowId:
        """What tells this row from every other one."""
        return RowId(self.path, self.kind, self.call, self.functional)

    @property
    def label(self) -> str:
        """How messages name the row."""
        return self.id.label

    @property
    def quantities(self) -> dict[str, Quantity | ReceptiveField]:
        """Every number of the row that is there, by its name in the JSON."""
        named = {
            name: getattr(self, name)
            for name in ("output_shape", "params", "macs", "flops", "neurons", "receptive_field")
        }
        return {**{name: quantity for name, quantity in named.items() if quantity is not None}, **self.extra}

    @property
    def verdict(self) -> Verdict:
        """The row's worst verdict; `not_run` parts do not count."""
        from cnninspect.report.verdicts import worst

        return worst(quantity.verdict for quantity in self.quantities.values())

    def to_dict(self) -> dict[str, Any]:
        """The contract's row object."""
        return {
            "path": self.path,
            "call": self.call,
            "kind": self.kind,
            "depth": self.depth,
            "leaf": self.leaf,
            "functional": self.functional,
            "computes": self.computes,
            "layer_like": self.layer_like,
            "parent": self.parent,
            "hyperparameters": {name: plain(value) for name, value in self.hyperparameters.items()},
            "input_shapes": [list(shape) for shape in self.input_shapes],
            "output_shape": _optional(self.output_shape),
            "params": _optional(self.params),
            "macs": _optional(self.macs),
            "flops": _optional(self.flops),
            "neurons": _optional(self.neurons),
            "receptive_field": None if self.receptive_field is None else self.receptive_field.to_dict(),
            **({"where": self.where} if self.where is not None else {}),
            **{name: quantity_to_dict(quantity) for name, quantity in self.extra.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Row:
        """The inverse of `to_dict`."""
        plain = ("path", "call", "kind", "depth", "leaf", "functional", "hyperparameters")
        numbers: dict[str, Any] = {
            name: None if data.get(name) is None else quantity_from_dict(data[name])
            for name in ("output_shape", "params", "macs", "flops", "neurons")
        }
        field_ = data.get("receptive_field")
        return cls(
            **{name: data[name] for name in plain},
            input_shapes=tuple(tuple(shape) for shape in data["input_shapes"]),
            **numbers,
            receptive_field=None if field_ is None else ReceptiveField.from_dict(field_),
            computes=data.get("computes", True),
            layer_like=data.get("layer_like", True),
            parent=data.get("parent"),
            where=data.get("where"),
            extra={name: quantity_from_dict(item) for name, item in data.items() if _is_extra(name, item)},
        )


@dataclass(frozen=True)
class Uncounted:
    """An op that a total misses: how often it ran, and in which rows."""

    op: str
    calls: int
    rows: tuple[str, ...]
    quantity: str = "macs"


@dataclass(frozen=True)
class Check:
    """One thing that `compare` looked at; `counter` names what `found` the number, None where it was not counted."""

    name: str
    path: str
    call: int
    kind: str
    expected: Any
    found: Any
    source: str
    verdict: Verdict
    hint: str | None = None
    counter: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The contract's check object."""
        data = {name: plain(getattr(self, name)) for name in self.__dataclass_fields__}
        return {**data, "verdict": self.verdict.value}


@dataclass(frozen=True)
class Report:
    """Everything a renderer needs: what was inspected, every row, the totals, and what is not known.

    `extra` is what a command adds to the document, plain data by its key there.
    """

    command: str
    tool: Mapping[str, Any]
    target: Mapping[str, Any]
    run: Mapping[str, Any]
    totals: Mapping[str, Quantity | ReceptiveField]
    rows: tuple[Row, ...]
    uncounted: tuple[Uncounted, ...] = ()
    notes: tuple[str, ...] = ()
    verdict: Verdict = Verdict.NOT_RUN
    checks: tuple[Check, ...] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The contract's JSON document as plain data."""
        document = {
            "schema_version": SCHEMA_VERSION,
            "command": self.command,
            "tool": dict(self.tool),
            "target": plain(self.target),
            "run": plain(self.run),
            "totals": {
                name: total.to_dict() if isinstance(total, ReceptiveField) else quantity_to_dict(total)
                for name, total in self.totals.items()
            },
            "rows": [row.to_dict() for row in self.rows],
            "uncounted": [
                {"op": item.op, "calls": item.calls, "rows": list(item.rows), "quantity": item.quantity}
                for item in self.uncounted
            ],
            "notes": list(self.notes),
            "verdict": self.verdict.value,
        }
        if self.checks is not None:
            document["checks"] = [check.to_dict() for check in self.checks]
        return {**document, **{name: plain(value) for name, value in self.extra.items()}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Report:
        """The inverse of `to_dict`; ValueError for another schema version."""
        if data.get("schema_version") != SCHEMA_VERSION:
            raise ValueError(f"schema_version is {data.get('schema_version')!r}, this version reads {SCHEMA_VERSION}")
        checks = data.get("checks")
        return cls(
            **{name: data[name] for name in ("command", "tool", "target", "run")},
            totals={
                name: ReceptiveField.from_dict(total) if "jump" in total else quantity_from_dict(total)
                for name, total in data["totals"].items()
            },
            rows=tuple(Row.from_dict(row) for row in data["rows"]),
            uncounted=tuple(
                Uncounted(item["op"], item["calls"], tuple(item["rows"]), item["quantity"])
                for item in data["uncounted"]
            ),
            notes=tuple(data["notes"]),
            verdict=Verdict(data["verdict"]),
            checks=None
            if checks is None
            else tuple(Check(**{**check, "verdict": Verdict(check["verdict"])}) for check in checks),
            extra={name: value for name, value in data.items() if name not in _OWN},
        )

    def total(self, name: str) -> Quantity:
        """The total called `name` in the JSON, e.g. "macs"."""
        found = self.totals[name]
        assert isinstance(found, Quantity)
        return found

    def assert_matches_formulas(self, *, strict: bool = False) -> None:
        """AssertionError, with every finding, if a formula and a measurement differ; if `strict`, or one is unknown."""
        __tracebackhide__ = True
        from cnninspect.testing.assertions import assert_matches_formulas

        assert_matches_formulas(self, strict=strict)

    def assert_within(self, **limits: int | str) -> None:
        """AssertionError unless every budget holds: `max_params="5M"`, `max_layer_share="40%"`, `min_rf=200`."""
        __tracebackhide__ = True
        from cnninspect.testing.assertions import assert_within

        assert_within(self, **limits)

    def assert_matches_baseline(self, baseline: str | Path, *, tolerance: str | None = None) -> None:
        """AssertionError, with every difference, unless the report is what a JSON file or a named baseline says."""
        __tracebackhide__ = True
        from cnninspect.testing.assertions import assert_matches_baseline

        assert_matches_baseline(self, baseline, tolerance=tolerance)

    def __str__(self) -> str:
        from cnninspect.render import render_text

        return render_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from cnninspect.render.html import fragment

        return fragment(self)


def _is_extra(name: str, item: Any) -> bool:
    """Whether an item of a row's document is a number that a command added."""
    return name not in Row.__dataclass_fields__ and isinstance(item, Mapping) and "unit" in item


def _optional(quantity: Quantity | None) -> dict[str, Any] | None:
    return None if quantity is None else quantity_to_dict(quantity)
