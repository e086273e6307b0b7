"""Rows and their identities, receptive fields, ops without a formula, and the checks of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from cnninspect.errors import nearest_layers
from cnninspect.report.quantities import Quantity, Shape, Status, Verdict, worst
from cnninspect.report.reasons import Reason


@dataclass(frozen=True, order=True)
class RowId:
    """The identity of a row. `call` counts the uses of a module from 0; `functional` is True for a function.

    `path` is the module's path, "" for the root; for a functional call it is the path of the calling module. No path
    has a special meaning: a module may be called `total`.
    """

    path: str
    kind: str
    call: int = 0
    functional: bool = False

    @property
    def label(self) -> str:
        """The row's name in messages: `conv1`, `conv1 use 2`, `layer1.0 F.relu`."""
        name = " ".join(part for part in (self.path, self.kind if self.functional else "") if part) or f"({self.kind})"
        return f"{name} use {self.call + 1}" if self.call else name


GLOBAL = "global"
"""The extent of a field that covers every input position."""


@dataclass(frozen=True)
class ReceptiveField:
    """A receptive field in input pixels, per axis of the input.

    `size` entries are integers, or (min, max) where they depend on the output position; `jump` entries are integers or
    fractions written as strings. `size` is None where the local field is global. `cause` is the layer or op that makes
    the strict field global. Where gates or statistics are left out along some of the axes alone, `global_along` names
    by axis the layer or op from which on the strict field is global there, or None; else it is empty.

    The other fields do not count when two receptive fields are compared. `image` is the input's size along the same
    axes. `found` is the probe's message if it contradicts the field. `layer` is the row that a total is taken from.
    `why` says why a field is unknown or not checked.
    """

    size: tuple[Any, ...] | None = None
    jump: tuple[Any, ...] | None = None
    padding: tuple[Any, ...] | None = None
    status: Status = Status.UNKNOWN
    cause: str | None = None
    verdict: Verdict = Verdict.NOT_RUN
    image: tuple[int, ...] | None = field(default=None, compare=False)
    found: str | None = field(default=None, compare=False)
    layer: str | None = field(default=None, compare=False)
    why: tuple[Reason, ...] = field(default=(), compare=False)
    global_along: tuple[str | None, ...] = ()

    @property
    def is_global(self) -> bool:
        """Whether the local field covers every input position."""
        return self.size is None and self.status is Status.EXACT

    @property
    def extent(self) -> Any:
        """The size per axis, a range of sizes as a tuple, or `global`; None where neither is known."""
        if self.is_global or self.size is None:
            return GLOBAL if self.is_global else None
        return tuple(tuple(size) if isinstance(size, list) else size for size in self.size)

    @property
    def was_computed(self) -> bool:
        """Whether the field was computed, also if the result is unknown: it then has a cause or a verdict."""
        found = self.size is not None or self.cause is not None or self.is_global
        return found or self.verdict is not Verdict.NOT_RUN

    @property
    def axes_left_out(self) -> dict[str, tuple[str, ...]]:
        """Layer or op -> the axes alone along which gates or statistics from it on are left out: rows, columns."""
        named = list(zip(axis_names(len(self.global_along)), self.global_along, strict=True))
        causes = dict.fromkeys(cause for cause in self.global_along if cause is not None)
        return {cause: tuple(name for name, by in named if by == cause) for cause in causes}

    @property
    def named_cause(self) -> str | None:
        """The cause; where the strict field is global along some axes alone, with these: `norm along columns`."""
        along = (f"{cause} along {' and '.join(axes)}" for cause, axes in self.axes_left_out.items())
        return ", ".join(along) if self.global_along else self.cause

    @property
    def exceeds_image(self) -> bool:
        """Whether the field is larger than the input along some axis."""
        largest = [max(size) if isinstance(size, (tuple, list)) else size for size in self.size or ()]
        return any(size > pixels for size, pixels in zip(largest, self.image or (), strict=False))


_AXES = {1: ("positions",), 2: ("rows", "columns"), 3: ("planes", "rows", "columns")}
"""Number of spatial axes -> what lies along each of them."""


def axis_names(count: int) -> tuple[str, ...]:
    """What lies along each of this many spatial axes: rows, columns."""
    return _AXES.get(count, tuple(f"axis {index}" for index in range(count)))


Number = Quantity | ReceptiveField
"""The type of the numbers in rows and totals."""


TOTAL = "total"
"""The path of a check of a total in JSON and messages; the check itself has no row."""

RUN_NAMES = ("input", "dtype", "training")
"""The names of checks that compare the settings of two runs."""

NUMBERS = ("output_shape", "params", "macs", "flops", "neurons", "receptive_field")
"""The numbers that every row may have."""

_numbers_of = attrgetter(*NUMBERS)


@dataclass(frozen=True)
class Row:
    """One use of a layer, or one functional call.

    `leaf` rows have no rows below them: their numbers add up to the totals. `parent` is the index of the calling
    module's row, None for the root. `computes` is False for a row that only moves data. `layer_like` is False for views
    and indexing, which no layer of torch does; they are shown on request. A number is None for a row without a tensor
    output. `where` is the line of the user's code that makes the call, `nets.py:41`, relative to the working directory.
    `extra` maps names in the JSON to the numbers that accounts add.
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
        """The identity of the row, unique in the report."""
        return RowId(self.path, self.kind, self.call, self.functional)

    @property
    def label(self) -> str:
        """The row's name in messages."""
        return self.id.label

    @property
    def quantities(self) -> dict[str, Quantity | ReceptiveField]:
        """Name in the JSON -> number, for the numbers that the row has."""
        named = zip(NUMBERS, _numbers_of(self), strict=True)
        return {**{name: quantity for name, quantity in named if quantity is not None}, **self.extra}

    def number(self, name: str) -> Quantity | ReceptiveField | None:
        """The number with this name in the JSON; None if the row has none."""
        return getattr(self, name) if name in NUMBERS else self.extra.get(name)

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of the row's numbers."""
        numbers = (*_numbers_of(self), *self.extra.values())
        return worst([number.verdict for number in numbers if number is not None])


def layers_near(rows: Sequence[Row], wrong: str, *, functions: bool = True) -> list[str]:
    """At most three layers that a wrong name may mean, by their labels; without `functions` only modules."""
    asked = [row for row in rows if functions or not row.functional]
    leaves = [row for row in asked if row.leaf]
    counted = (row.label for row in leaves if row.params is not None and row.params.value)
    names = (known for row in asked for known in (row.path, row.label))
    return nearest_layers(wrong, names, {row.label: row.kind for row in leaves}, counted)


@dataclass(frozen=True)
class Uncounted:
    """An op that a total leaves out because no formula covers it: its number of calls, and its rows."""

    op: str
    calls: int
    rows: tuple[str, ...]
    quantity: str = "macs"


@dataclass(frozen=True)
class Check:
    """One comparison that `compare` made.

    `row` is None for a check of a total or of the run. `counter` is the counter that gave `found`, None where no
    counter is involved. `hint` is the reason of a difference, where it is known. `expected_status` and `found_status`
    say whether the two values are exact or bounds. `written` is the text of a claim,
    `where` its place: `claims.csv, line 3`.
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
    written: str | None = None
    where: str | None = None

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
        """Whether it compares the settings of two runs and not numbers."""
        return self.row is None and self.name in RUN_NAMES
