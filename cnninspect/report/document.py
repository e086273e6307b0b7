"""The documents that commands make: plain data that round-trips through JSON, all that renderers and checks see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from cnninspect.report.json_form import from_json, to_json
from cnninspect.report.parts import (
    AlignedRows,
    Asked,
    BaselineFile,
    CounterConvention,
    Machine,
    MemoryDetails,
    OtherNetwork,
    Sight,
    Timing,
    VariedNetwork,
)
from cnninspect.report.quantities import Quantity, Verdict
from cnninspect.report.rows import Check, ReceptiveField, Row, Uncounted

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
    "assert_matches_formulas": Hook("the assertion that formulas and measurements agree"),
    "assert_within": Hook("the assertion that budgets hold"),
    "assert_matches_baseline": Hook("the assertion that a baseline holds"),
}
"""Where a document looks outward: to the rooms that show it and hold it against something."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """What every document has: which command made it with which versions, of what, in which run."""

    command: str
    tool: Mapping[str, Any]
    target: Mapping[str, Any]
    run: Mapping[str, Any]
    uncounted: tuple[Uncounted, ...] = ()
    notes: tuple[str, ...] = ()
    verdict: Verdict = Verdict.NOT_RUN

    def to_dict(self) -> dict[str, Any]:
        """The contract's JSON document as plain data."""
        return to_json({each.name: getattr(self, each.name) for each in fields(self)})

    @classmethod
    def from_dict(cls: type[D], data: Mapping[str, Any]) -> D:
        """The document that `to_dict` wrote, as its own type; ValueError for another schema version or another type."""
        found = from_json(data)
        kinds = (("varied", Variation), ("checks", Comparison), ("sights", FieldStudy))
        kind: type[Document] = next((kind for name, kind in kinds if name in found), Report)
        if not issubclass(kind, cls):
            raise ValueError(f"it holds a {kind.__name__}, not a {cls.__name__}")
        return kind(**{each.name: found[each.name] for each in fields(kind) if each.name in found})

    def __str__(self) -> str:
        return str(HOOKS["text"](self))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return str(HOOKS["html"](self))


@dataclass(frozen=True, kw_only=True, repr=False)
class Report(Document):
    """An inspection: every row, the totals, and what is not known. `summary` and `flops` make it.

    The accounts of `flops` fill the last fields: what each counter counts, the machine that rows wait for, a row for
    every ATen op, the unit of every class of work, where memory peaks, how often the model was timed.
    """

    totals: Mapping[str, Quantity | ReceptiveField]
    rows: tuple[Row, ...]
    counters: Mapping[str, CounterConvention] | None = None
    machine: Machine | None = None
    ops: tuple[Row, ...] | None = None
    classes: Mapping[str, str] | None = None
    memory: MemoryDetails | None = None
    timing: Timing | None = None

    @classmethod
    def of(cls: type[R], report: Report, **parts: Any) -> R:
        """A document of this type with everything that `report` has in common with it, and these parts."""
        common = {each.name: getattr(report, each.name) for each in fields(Report)}
        return cls(**{**common, **parts})

    @property
    def checks(self) -> tuple[Check, ...] | None:
        """The checks of a comparison; None for a report that was held against nothing."""
        return None

    def total(self, name: str) -> Quantity:
        """The total called `name` in the JSON, e.g. "macs"."""
        found = self.totals[name]
        assert isinstance(found, Quantity)
        return found

    def assert_matches_formulas(self, *, strict: bool = False) -> None:
        """AssertionError, with every finding, if a formula and a measurement differ; if `strict`, or one is unknown."""
        __tracebackhide__ = True
        HOOKS["assert_matches_formulas"](self, strict=strict)

    def assert_within(self, **limits: int | str) -> None:
        """AssertionError unless every budget holds: `max_params="5M"`, `max_layer_share="40%"`, `min_rf=200`."""
        __tracebackhide__ = True
        HOOKS["assert_within"](self, **limits)

    def assert_matches_baseline(self, baseline: str | Path, *, tolerance: str | None = None) -> None:
        """AssertionError, with every difference, unless the report is what a JSON file or a named baseline says."""
        __tracebackhide__ = True
        HOOKS["assert_matches_baseline"](self, baseline, tolerance=tolerance)


@dataclass(frozen=True, kw_only=True, repr=False)
class Comparison(Report):
    """A report that was held against something: its checks, and the baseline file or the other network, if any.

    `aligned` holds the rows of two networks side by side; None for a comparison with anything else.
    """

    checks: tuple[Check, ...] = ()
    baseline: BaselineFile | None = None
    other: OtherNetwork | None = None
    aligned: tuple[AlignedRows, ...] | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class FieldStudy(Report):
    """A report on receptive fields: `rf` makes it.

    `sights` are the nested regions that one position sees, the widest last; empty for a network without maps. `asked`
    is None where `rf` shows all layers.
    """

    sights: tuple[Sight, ...] = ()
    asked: Asked | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class Variation(Document):
    """What `rf --vary` found: one network for each setting of the arguments that vary."""

    varied: tuple[VariedNetwork, ...]
