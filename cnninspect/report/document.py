"""The documents that commands make: plain data that can be written to JSON and read back.

Renderers and checks work on documents alone. `formula_checks` lists every comparison of a formula with a counter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from cnninspect.report.parts import (
    AlignedRows,
    Asked,
    BaselineFile,
    CounterConvention,
    Dataflow,
    EffectiveField,
    LiveBytes,
    Machine,
    MemoryDetails,
    OtherCounter,
    OtherNetwork,
    PositionField,
    Shard,
    Timing,
    VariedNetwork,
)
from cnninspect.report.quantities import Quantity, Status, Unit, Verdict
from cnninspect.report.rows import Check, Number, ReceptiveField, Row, RowId, Uncounted

CHECKPOINT = "checkpoint"
"""The provider of a target whose report is a Checkpoint."""

D = TypeVar("D", bound="Document")
R = TypeVar("R", bound="Report")


class Hook:
    """A function of an outer room, imported when it is called.

    Imports point towards `report/`, which imports no other room; `print(report)` and `report.assert_within(...)` still
    need a renderer and an assertion. The package fills their hooks with dotted names (`cnninspect/__init__.py`).
    """

    def __init__(self, purpose: str):
        self.purpose = purpose
        self._name = ""

    def fill(self, name: str) -> None:
        """Name the function: `package.module:function`."""
        self._name = name

    @property
    def function(self) -> Any:
        """The function itself; RuntimeError if no room has named one."""
        if not self._name:
            raise RuntimeError(f"nothing is registered that gives {self.purpose}")
        module, _, name = self._name.partition(":")
        return getattr(import_module(module), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function returns."""
        __tracebackhide__ = True
        return self.function(*args, **kwargs)


HOOKS = {
    "text": Hook("a document as plain text"),
    "html": Hook("a document as HTML for a notebook"),
    "dataframe": Hook("the rows as a pandas DataFrame"),
    "assert_matches_formulas": Hook("the assertion that formulas and measurements agree"),
    "assert_within": Hook("the assertion that budgets hold"),
    "assert_matches_baseline": Hook("the assertion that a baseline holds"),
}
"""The functions of outer rooms that a document calls: to print itself and to run assertions on itself."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """The fields of every document: the command, the versions of the tools, the target and the run."""

    command: str
    tool: Mapping[str, Any]
    target: Mapping[str, Any]
    run: Mapping[str, Any]
    uncounted: tuple[Uncounted, ...] = ()
    notes: tuple[str, ...] = ()
    verdict: Verdict = Verdict.NOT_RUN

    def to_dict(self) -> dict[str, Any]:
        """The contract's JSON document as plain data."""
        from cnninspect.report.json_form import to_json

        return to_json({each.name: getattr(self, each.name) for each in fields(self)})

    @classmethod
    def from_dict(cls: type[D], data: Mapping[str, Any]) -> D:
        """The document that `to_dict` wrote, as its own type; ValueError for another schema version or another type."""
        from cnninspect.report.json_form import from_json

        found = from_json(data)
        kinds = (("varied", Variation), ("checks", Comparison), ("sights", FieldStudy), ("shards", Checkpoint))
        kind: type[Document] = next((kind for name, kind in kinds if name in found), Report)
        if not issubclass(kind, cls):
            raise ValueError(f"it holds a {kind.__name__}, not a {cls.__name__}")
        return kind(**{each.name: found[each.name] for each in fields(kind) if each.name in found})

    def __str__(self) -> str:
        return str(HOOKS["text"](self))

    def __repr__(self) -> str:
        """One line; `print` writes the table."""
        about = f"{self.target.get('name')} ({self.target.get('provider')})"
        return f"<{type(self).__name__} of {about}: {self._figures()}{self.verdict.value}>"

    def _figures(self) -> str:
        return ""

    def _repr_html_(self) -> str:
        return str(HOOKS["html"](self))


@dataclass(frozen=True, kw_only=True, repr=False)
class Report(Document):
    """The rows and totals of one inspection, and the ops that no formula covers. `summary` and `flops` make it.

    The accounts of `flops` fill the last fields: the convention of each counter, the limits of the machine, a row for
    every ATen op, the unit of every class of work, the op of the memory peak, the number of timed runs, the counters of
    other libraries with our own MACs by class of work. The HTML page adds the graph and the memory over the run.
    """

    totals: Mapping[str, Quantity | ReceptiveField]
    rows: tuple[Row, ...]
    counters: Mapping[str, CounterConvention] | None = None
    machine: Machine | None = None
    ops: tuple[Row, ...] | None = None
    classes: Mapping[str, str] | None = None
    memory: MemoryDetails | None = None
    timing: Timing | None = None
    other_counters: tuple[OtherCounter, ...] | None = None
    macs_by_work: Mapping[str, int] | None = None
    dataflow: Dataflow | None = None
    live_bytes: LiveBytes | None = None

    @classmethod
    def of(cls: type[R], report: Report, **parts: Any) -> R:
        """A document of this type with all fields of `report`, and with `parts` as its further fields."""
        common = {each.name: getattr(report, each.name) for each in fields(Report)}
        return cls(**{**common, **parts})

    @property
    def checks(self) -> tuple[Check, ...] | None:
        """The checks of a comparison; None for a report that was compared with nothing."""
        return None

    def _figures(self) -> str:
        """`61,706 params, 416,520 MACs, `; a `?` for what is unknown."""
        found = [(name, self.totals.get(key)) for key, name in (("params", "params"), ("macs", "MACs"))]
        shown = [(name, number.value) for name, number in found if isinstance(number, Quantity)]
        return "".join(f"{'?' if value is None else format(value, ',')} {name}, " for name, value in shown)

    def to_dataframe(self, *, containers: bool = False) -> Any:
        """The rows as a pandas DataFrame, with the columns of the CSV; needs pandas.

        Rows that contain others are left out unless `containers`, so that the sum of a column is its total.
        """
        return HOOKS["dataframe"](self, containers=containers)

    def total(self, name: str) -> Quantity:
        """The total called `name` in the JSON, e.g. "macs"."""
        found = self.totals[name]
        assert isinstance(found, Quantity)
        return found

    def assert_matches_formulas(self, *, strict: bool = False) -> None:
        """Raises AssertionError with all findings if formula and measurement differ or, if `strict`, one is unknown."""
        __tracebackhide__ = True
        HOOKS["assert_matches_formulas"](self, strict=strict)

    def assert_within(self, **limits: int | str) -> None:
        """Raises AssertionError if a budget is exceeded: `max_params="5M"`, `max_layer_share="40%"`, `min_rf=200`."""
        __tracebackhide__ = True
        HOOKS["assert_within"](self, **limits)

    def assert_matches_baseline(self, baseline: str | Path, *, tolerance: str | None = None) -> None:
        """Raises AssertionError with all differences if the report differs from a JSON file or a named baseline."""
        __tracebackhide__ = True
        HOOKS["assert_matches_baseline"](self, baseline, tolerance=tolerance)


@dataclass(frozen=True, kw_only=True, repr=False)
class Comparison(Report):
    """A report with the checks of `compare`, and the baseline file or the other network that it was compared with.

    `aligned` holds the rows of two networks side by side; None for a comparison with anything else.
    """

    checks: tuple[Check, ...] = ()
    baseline: BaselineFile | None = None
    other: OtherNetwork | None = None
    aligned: tuple[AlignedRows, ...] | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class FieldStudy(Report):
    """A report on receptive fields: `rf` makes it.

    `sights` (the key in JSON) are the nested receptive fields of one position, the widest last; empty for a network
    without feature maps. `asked` is None where `rf` shows all layers. `effective` is measured on request, for the
    last of the `sights`.
    """

    sights: tuple[PositionField, ...] = ()
    asked: Asked | None = None
    effective: EffectiveField | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class Checkpoint(Report):
    """The tensors of a checkpoint, of which nothing ran: `summary` makes it.

    A row is a tensor, or a prefix that several share: `kind` is the type of its elements, `output_shape` its shape, and
    `elements`, `bytes` and `file` stand in `extra`. A tensor is no parameter yet: a buffer looks the same.
    """

    shards: tuple[Shard, ...] = ()

    def _figures(self) -> str:
        """`18 tensors, 61,706 elements, `."""
        tensors, elements = sum(row.leaf for row in self.rows), self.total("elements").value
        return f"{tensors} tensors, {'?' if elements is None else format(elements, ',')} elements, "


@dataclass(frozen=True, kw_only=True, repr=False)
class Variation(Document):
    """The result of `rf --vary`: one network for each value of the varied arguments."""

    varied: tuple[VariedNetwork, ...]


_SUMMED = {
    "trainable_params": "params",
    "params_bytes": "params",
    "activation_bytes": "output_shape",
    "total_bytes": "output_shape",
}
"""Total -> the number of the rows that it sums, where the two names differ."""

Failure = tuple[str, Verdict]


def formula_checks(report: Report) -> tuple[Check, ...]:
    """One check per counter of every number that was compared with a measurement, in rows and in totals."""
    return tuple(_checks(report))


def _checks(report: Report) -> Iterator[Check]:
    """The checks of rows, then of totals.

    A sum that fails only because one of its parts fails is left out, so that each error is reported once.
    """
    failing = [_failing(row) for row in report.rows]
    below: list[set[Failure]] = [set() for _ in report.rows]
    for index in reversed(range(len(report.rows))):
        parent = report.rows[index].parent
        if parent is not None:
            below[parent] |= failing[index] | below[index]
    for index, row in enumerate(report.rows):
        for name, quantity in _compared(row.quantities):
            if (name, quantity.verdict) not in below[index]:
                yield from _comparisons(name, quantity, row.id)
    anywhere = set().union(*failing)
    for name, quantity in _compared(report.totals):
        if (_SUMMED.get(name, name), quantity.verdict) not in anywhere:
            yield from _comparisons(name, quantity, None)


def _failing(row: Row) -> set[Failure]:
    bad = (Verdict.DIFFER, Verdict.UNKNOWN)
    return {(name, quantity.verdict) for name, quantity in _compared(row.quantities) if quantity.verdict in bad}


def _compared(numbers: Mapping[str, Number]) -> Iterator[tuple[str, Number]]:
    """The numbers that were compared with a measurement, without FLOPs: they are MACs in another unit."""
    for name, number in numbers.items():
        twice = isinstance(number, Quantity) and number.unit is Unit.FLOPS
        if number.verdict is not Verdict.NOT_RUN and not twice:
            yield name, number


def _comparisons(name: str, quantity: Number, row: RowId | None) -> Iterator[Check]:
    """One check per counter; one check without `found` where no counter has a number."""
    if isinstance(quantity, ReceptiveField):
        yield _probed(name, quantity, row)
        return
    why = "; ".join(map(str, quantity.why)) or None
    for counter, found in quantity.measured.items() or ((None, None),):
        reason = quantity.reasons.get(counter or "")
        verdict = _verdict(quantity, found, explained=reason is not None)
        hint = reason or (why if verdict is Verdict.UNKNOWN else None)
        status = Status.EXACT if quantity.analytic is None else quantity.status
        yield Check(
            name, row, quantity.analytic, found, "formula", verdict, hint=hint, counter=counter,
            expected_status=status,
        )  # fmt: skip


def _probed(name: str, field: ReceptiveField, row: RowId | None) -> Check:
    """The check of a receptive field by the probe; `found` is the size if they match, else the probe's message."""
    expected = field.extent
    found = expected if field.verdict is Verdict.MATCH else field.found
    hint = "; ".join(map(str, field.why)) if field.verdict is Verdict.UNKNOWN else ""
    return Check(name, row, expected, found, "formula", field.verdict, hint=hint or None, counter="probe")


def _verdict(quantity: Quantity, found: Any, *, explained: bool) -> Verdict:
    """The verdict on one counter of a quantity; `explained` if the reason of its difference is known."""
    if explained:
        return Verdict.NOT_COUNTED
    agrees = quantity.verdict is Verdict.DIFFER and found == quantity.analytic
    return Verdict.MATCH if agrees else quantity.verdict
