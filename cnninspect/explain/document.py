"""What `explain` says, as plain data: for each layer the derivation of every number, and the sums of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from cnninspect.explain.expression import PYTHON, Expression, Value, substituted, symbols, written
from cnninspect.report.document import Document
from cnninspect.report.json_form import SCHEMA_VERSION
from cnninspect.report.json_rows import check_to_json, plain
from cnninspect.report.quantities import Status, Verdict
from cnninspect.report.rows import Check, RowId
from cnninspect.report.selection import Level

QUANTITIES = ("output_shape", "params", "macs", "neurons", "flops", "memory", "receptive_field")
"""The numbers that are derived."""


@dataclass(frozen=True)
class Formula:
    """A number and how it is worked out: `name` is what stands left of the equals sign."""

    name: str
    tree: Expression
    value: Value

    def to_json(self) -> dict[str, Any]:
        """The formula with names and with numbers, each an expression that Python evaluates, and its value."""
        return {
            "symbolic": written(self.tree, PYTHON),
            "substituted": written(substituted(self.tree), PYTHON),
            "value": _plain(self.value),
        }


@dataclass(frozen=True)
class Derivation:
    """One number of a layer.

    `quantity` is its name in the JSON, `axis` that of an output size or a field, `output` which of several outputs.
    `formula` is None where none gives the number; `words` then say where it comes from, or why it is unknown. `parts`
    are what the formula is the sum of (weight and bias), `jump` goes with a receptive field.
    """

    quantity: str
    name: str
    value: Any
    formula: Formula | None = None
    axis: int | None = None
    output: int = 0
    measured: Mapping[str, Any] = field(default_factory=dict)
    verdict: Verdict = Verdict.NOT_RUN
    source: str = ""
    words: str = ""
    parts: tuple[Formula, ...] = ()
    jump: Formula | None = None
    status: Status = Status.EXACT

    def to_json(self) -> dict[str, Any]:
        """The contract's derivation."""
        found = {"symbolic": None, "substituted": None} if self.formula is None else self.formula.to_json()
        return {
            "quantity": self.quantity,
            **({} if self.axis is None else {"axis": self.axis}),
            **({"output": self.output} if self.output else {}),
            "name": self.name,
            **found,
            "value": plain(self.value),
            "measured": plain(self.measured),
            "verdict": self.verdict.value,
            **({} if self.status is Status.EXACT else {"status": self.status.value}),
            "source": self.source,
            **({"words": self.words} if self.words else {}),
            **({"parts": {part.name: part.to_json() for part in self.parts}} if self.parts else {}),
            **({} if self.jump is None else {"jump": self.jump.to_json()}),
        }


@dataclass(frozen=True)
class Aside:
    """Something worth knowing about a layer beside its numbers, with the formula it follows from."""

    words: str
    formula: Formula | None = None


@dataclass(frozen=True)
class Term:
    """A symbol of the formulas: its value and what it stands for."""

    name: str
    value: Value
    meaning: str


Place = tuple[int, int]
"""Row and column."""


@dataclass(frozen=True)
class Matrix:
    """The matrix of a convolution: where it is not 0, the index of the weight that stands there.

    `entries` is empty for a matrix that is too large to read; `values` are the weights' own, None where only their
    symbols are wanted.
    """

    rows: int
    columns: int
    entries: Mapping[Place, tuple[int, ...]]
    is_transposed: bool = False
    values: Mapping[Place, float] | None = None

    def cell(self, row: int, column: int) -> str | None:
        """What stands at a place: `w0,2`, a number, or None for a 0. Single channels have no index of their own."""
        index = self.entries.get((row, column))
        if index is None:
            return None
        if self.values is not None:
            return f"{self.values[row, column]:.3g}"
        channels = () if all(each[:2] == (0, 0) for each in self.entries.values()) else index[:2]
        return "w" + ",".join(map(str, (*channels, *index[2:])))

    def cells(self) -> list[list[str | None]]:
        """All of it, row by row."""
        return [[self.cell(row, column) for column in range(self.columns)] for row in range(self.rows)]

    def to_json(self) -> dict[str, Any]:
        """Its size, and every entry that is not 0 with row and column."""
        entries = [[*place, self.cell(*place)] for place in sorted(self.entries)]
        return {"rows": self.rows, "columns": self.columns, "transposed": self.is_transposed, "entries": entries}


@dataclass(frozen=True)
class LayerDerivation:
    """All that is derived of one row.

    `terms` are the symbols of its formulas, `level` says how much is shown. `keeps_shape` says that the output has the
    shape of an input.
    """

    row: RowId
    derivations: tuple[Derivation, ...]
    terms: tuple[Term, ...] = ()
    asides: tuple[Aside, ...] = ()
    where: str | None = None
    matrix: Matrix | None = None
    level: Level = Level.SHORT
    keeps_shape: bool = False

    def of(self, quantity: str) -> list[Derivation]:
        """The derivations of one quantity, in order."""
        return [each for each in self.derivations if each.quantity == quantity]

    @property
    def names(self) -> dict[str, Value]:
        """The value of every name in the formulas, results of other formulas (`Hout`) included."""
        found = [formula for each in self.derivations for formula in (each.formula, *each.parts, each.jump)]
        return names_in(*found, *(aside.formula for aside in self.asides))

    def to_json(self) -> dict[str, Any]:
        """The contract's layer."""
        return {
            "path": self.row.path,
            "call": self.row.call,
            "kind": self.row.kind,
            "functional": self.row.functional,
            "names": {name: _plain(value) for name, value in self.names.items()},
            "derivations": [each.to_json() for each in self.derivations],
            **({"asides": [_aside_to_json(each) for each in self.asides]} if self.asides else {}),
            **({} if self.where is None else {"where": self.where}),
            **({} if self.matrix is None else {"matrix": self.matrix.to_json()}),
        }


def _plain(value: Value) -> int | float | str:
    """A number as JSON holds it: a fraction as a word, as jumps are written."""
    return str(value) if isinstance(value, Fraction) else value


def _aside_to_json(aside: Aside) -> dict[str, Any]:
    return {"words": aside.words, **({} if aside.formula is None else aside.formula.to_json())}


@dataclass(frozen=True)
class Compared:
    """A number of both sides and the second's share of the first's; `formula` is the ratio as an expression, if any.

    The size of an output along an axis is `output_shape[1]`, and `called` what the second side calls it.
    """

    quantity: str
    values: tuple[int, int]
    ratio: Fraction | None = None
    formula: Formula | None = None
    called: str = ""

    def to_json(self) -> dict[str, Any]:
        """Both values, and the ratio as a fraction."""
        found = {} if self.formula is None else self.formula.to_json()
        ratio = None if self.ratio is None else str(self.ratio)
        return {"quantity": self.quantity, "values": list(self.values), **found, "value": ratio}


@dataclass(frozen=True)
class Against:
    """What stands beside an explanation: another network's layers, and the ratios, whose symbols are `terms`."""

    target: Mapping[str, Any]
    layers: tuple[LayerDerivation, ...]
    compared: tuple[Compared, ...]
    terms: tuple[Term, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The other's layers, and what was compared."""
        return {
            "target": plain(self.target),
            "layers": [layer.to_json() for layer in self.layers],
            "ratios": [each.to_json() for each in self.compared],
            "names": {each.name: {"value": _plain(each.value), "meaning": each.meaning} for each in self.terms},
        }


@dataclass(frozen=True)
class Correction:
    """A cell of a sheet of hand calculations: its check, and for a wrong cell the derivations of the right number."""

    check: Check
    derivations: tuple[Derivation, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The contract's check with the text of the cell, and the derivations."""
        return {**check_to_json(self.check), "derivations": [each.to_json() for each in self.derivations]}


@dataclass(frozen=True, kw_only=True, repr=False)
class Explanation(Document):
    """The derivations of some layers, and with all of them the totals as sums.

    `sheet` is a corrected sheet of hand calculations; there are no layers beside it.
    """

    layers: tuple[LayerDerivation, ...]
    totals: tuple[Derivation, ...] = ()
    against: Against | None = None
    sheet: tuple[Correction, ...] | None = None

    def only(self, quantities: Sequence[str]) -> Explanation:
        """The explanation of these numbers alone, without layers that have none of them."""

        def of(layers: Sequence[LayerDerivation]) -> tuple[LayerDerivation, ...]:
            left = (replace(layer, derivations=_only(layer.derivations, quantities)) for layer in layers)
            return tuple(layer for layer in left if any(each.value != 0 for each in layer.derivations))

        against = self.against
        if against is not None:
            compared = tuple(each for each in against.compared if each.quantity in quantities)
            against = replace(against, layers=of(against.layers), compared=compared)
        return replace(self, layers=of(self.layers), totals=_only(self.totals, quantities), against=against)

    def to_dict(self) -> dict[str, Any]:
        """The contract's JSON document as plain data."""
        return {
            "schema_version": SCHEMA_VERSION,
            "command": self.command,
            "tool": dict(self.tool),
            "target": plain(self.target),
            "run": plain(self.run),
            "layers": [layer.to_json() for layer in self.layers],
            "totals": [each.to_json() for each in self.totals],
            **({} if self.against is None else {"against": self.against.to_json()}),
            **({} if self.sheet is None else {"sheet": [each.to_json() for each in self.sheet]}),
            "notes": list(self.notes),
            "verdict": self.verdict.value,
        }


def _only(derivations: Sequence[Derivation], quantities: Sequence[str]) -> tuple[Derivation, ...]:
    return tuple(each for each in derivations if each.quantity in quantities)


def names_in(*formulas: Formula | None) -> dict[str, Value]:
    """The symbols of formulas, in the order in which a reader meets them."""
    found: dict[str, Value] = {}
    for each in formulas:
        if each is not None:
            found.update({name: value for name, value in symbols(each.tree).items() if name not in found})
    return found
