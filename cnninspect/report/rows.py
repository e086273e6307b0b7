"""The rows of a report, the ops that its totals miss, and the checks of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cnninspect.report.field import ReceptiveField
from cnninspect.report.quantities import Quantity, Shape, Status, Verdict
from cnninspect.report.row_id import RowId
from cnninspect.report.verdicts import worst

TOTAL = "total"
"""How JSON and messages name what a check of a total is about; inside, such a check has no row."""

RUN_NAMES = ("input", "dtype", "training")
"""The names of checks that compare how two networks ran."""

NUMBERS = ("output_shape", "params", "macs", "flops", "neurons", "receptive_field")
"""The numbers that every row may have."""


@dataclass(frozen=True)
class Row:
    """One use of a layer, or one functional call.

    `leaf` rows have no rows below them: their numbers add up to the totals. `parent` is the position of the calling
    module's row among the rows, None for the root. `computes` is False for a row that only moves data. `layer_like` is
    False for views and indexing, which have no counterpart among torch's layers and are shown on request. A number is
    None for a row without a tensor output. `where` is the line of the user's own files that makes the call,
    `nets.py:41`, relative to the working directory. `extra` holds the numbers that accounts add, by their names in the
    JSON.
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
        """What tells this row from every other row of the report."""
        return RowId(self.path, self.kind, self.call, self.functional)

    @property
    def label(self) -> str:
        """How messages name the row."""
        return self.id.label

    @property
    def quantities(self) -> dict[str, Quantity | ReceptiveField]:
        """Every number that the row has, by its name in the JSON."""
        named = {name: getattr(self, name) for name in NUMBERS}
        return {**{name: quantity for name, quantity in named.items() if quantity is not None}, **self.extra}

    @property
    def verdict(self) -> Verdict:
        """The row's worst verdict; `not_run` parts do not count."""
        return worst(quantity.verdict for quantity in self.quantities.values())


@dataclass(frozen=True)
class Uncounted:
    """An op that a total misses: how often it ran, and in which rows."""

    op: str
    calls: int
    rows: tuple[str, ...]
    quantity: str = "macs"


@dataclass(frozen=True)
class Check:
    """One thing that `compare` looked at.

    `row` is None for a check of a total or of the run. `counter` names the counter whose number is `found`, None where
    no counter is involved. `hint` is the reason, where it is known.
    A bound is no number: `expected_status` and `found_status` say which side of a check is one.
    """

    name: str
    row: RowId | None
    expected: Any
    found: Any
    source: str
    verdict: Verdict
    hint: str | None = None
    counter: str | None = None
    expected_status: Status = Status.EXACT
    found_status: Status = Status.EXACT

    @property
    def path(self) -> str:
        """The `path` of the JSON: the row's, or `total`."""
        return TOTAL if self.row is None else self.row.path

    @property
    def kind(self) -> str:
        """The `kind` of the JSON: the row's, or empty for a total."""
        return "" if self.row is None else self.row.kind

    @property
    def call(self) -> int:
        """The `call` of the JSON: the row's, or 0 for a total."""
        return 0 if self.row is None else self.row.call

    @property
    def is_of_run(self) -> bool:
        """Whether it compares how two networks ran, and no number of theirs."""
        return self.row is None and self.name in RUN_NAMES
