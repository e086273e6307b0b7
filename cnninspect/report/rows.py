"""The rows of a report and how messages name them, their fields, ops that totals miss, checks of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cnninspect.report.quantities import Quantity, Shape, Status, Verdict, worst
from cnninspect.report.reasons import Reason


@dataclass(frozen=True, order=True)
class RowId:
    """The identity of a row: `call` is the number of the use, from 0; `functional` tells a function from a module.

    `path` is the module's path, "" for the root; a functional call carries the path of the module that calls it. No
    path has a special meaning: a module may be called `total`.
    """

    path: str
    kind: str
    call: int = 0
    functional: bool = False

    @property
    def label(self) -> str:
        """How messages name the row: `conv1`, `conv1 call 2`, `layer1.0 F.relu`."""
        name = " ".join(part for part in (self.path, self.kind if self.functional else "") if part) or f"({self.kind})"
        return f"{name} call {self.call}" if self.call else name


GLOBAL = "global"
"""The extent of a field that covers every input position."""


@dataclass(frozen=True)
class ReceptiveField:
    """A receptive field in input pixels, per axis of the input.

    `size` entries are integers, or (min, max) where they depend on the output's position; `jump` entries are integers
    or fractions written as strings. `size` is None where the local field itself is global. `cause` names what makes
    the strict field global. The rest plays no part when two fields are compared: `image` is the input's size along the
    same axes, `found` says in words what a probe found against the field, `layer` names the call that a total is of,
    `why` holds the reasons of a field that is not known or not checked.
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

    @property
    def is_global(self) -> bool:
        """Whether the local field itself covers every input position."""
        return self.size is None and self.status is Status.EXACT

    @property
    def extent(self) -> Any:
        """The size per axis, `global`, or None where neither is known."""
        return GLOBAL if self.is_global else self.size

    @property
    def was_computed(self) -> bool:
        """Whether anybody tried to find it: a field without size that has a cause or a verdict was tried."""
        found = self.size is not None or self.cause is not None or self.is_global
        return found or self.verdict is not Verdict.NOT_RUN

    @property
    def exceeds_image(self) -> bool:
        """Whether some position would see more than the input has along some axis."""
        largest = [max(size) if isinstance(size, (tuple, list)) else size for size in self.size or ()]
        return any(size > pixels for size, pixels in zip(largest, self.image or (), strict=False))


Number = Quantity | ReceptiveField
"""Whatever may stand in a row or among the totals."""


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
