"""Selection, grouping and order of the rows that are shown, the same in every format. Totals do not depend on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any

from cnninspect.report.document import Report
from cnninspect.report.quantities import Quantity, Unit, Verdict, in_flops
from cnninspect.report.rows import TOTAL, ReceptiveField, Row, RowId
from cnninspect.report.sums import Share, share, total_of, with_ratios


class Ops(str, Enum):
    """The functional calls that are shown: none, those that compute or stand for a layer, or all, also views."""

    NONE = "none"
    COMPUTE = "compute"
    ALL = "all"


class Level(str, Enum):
    """How much is said: the formula with its numbers, or also every step, the symbols and the sources."""

    SHORT = "short"
    FULL = "full"


class By(str, Enum):
    """What one row sums: one use of a layer, all uses of a module, all layers of a kind, all calls of an ATen op."""

    LAYER = "layer"
    MODULE = "module"
    KIND = "kind"
    OP = "op"


@dataclass(frozen=True)
class View:
    """The rows and columns that the user asked for; `columns` is None for the default columns of the command.

    `sort` is the name of a number, largest first, or `name` or `kind`. `top` is the number of rows to keep. `filter` is
    a part of a row's name or kind, or a pattern for it. CSV files contain rows of `containers` only on request, because
    these repeat the sums of other rows.

    Only readers fold: `fold` is None if a terminal folds and a file does not. With `exact`, no count is rounded.
    """

    depth: int | None = None
    ops: Ops = Ops.COMPUTE
    columns: tuple[str, ...] | None = None
    by: By = By.LAYER
    sort: str | None = None
    top: int | None = None
    containers: bool = False
    filter: str | None = None
    only_differences: bool = False
    fold: bool | None = None
    exact: bool = False

    @property
    def is_tree(self) -> bool:
        """Whether rows stand below their callers, in the order in which they ran."""
        return self.by is By.LAYER and self.sort is None and self.top is None

    @property
    def is_partial(self) -> bool:
        """Whether only some of the rows are asked for."""
        return self.filter is not None or self.only_differences

    @property
    def folds(self) -> bool:
        """Whether equal blocks are folded."""
        return self.fold is not False and self.is_tree and not self.is_partial

    @property
    def folds_to_height(self) -> bool:
        """Whether deep rows give way to the height of the screen."""
        return self.folds and self.depth is None

    def wants_check(self, row: RowId | None, verdict: Verdict) -> bool:
        """Whether a check of this row, or of a total, passes the filter, `only_differences` and the depth."""
        place = row or RowId(TOTAL, "")
        return self.wants(place, verdict) and (self.depth is None or row is None or depth_of(place) <= self.depth)

    def wants(self, row: RowId, verdict: Verdict) -> bool:
        """Whether the filter and `only_differences` let the row pass."""
        return (self.filter is None or matches(self.filter, row)) and (
            not self.only_differences or verdict is Verdict.DIFFER
        )


def depth_of(row: RowId) -> int:
    """The depth of a row in the module tree: 0 for the root, one more for a functional call."""
    return (row.path.count(".") + 1 if row.path else 0) + row.functional


def matches(pattern: str, row: RowId) -> bool:
    """Whether the pattern is in the row's label or kind, or with `*?[` matches one of them or the end of the path."""
    names = [name.lower() for name in (row.label, row.path, row.path.rpartition(".")[2], row.kind)]
    if any(letter in pattern for letter in "*?["):
        return any(fnmatchcase(name, pattern.lower()) for name in names)
    return any(pattern.lower() in name for name in names)


def tree(report: Report, view: View) -> Report:
    """The report with only the rows that the view's depth and ops select; `parent` is an index into these rows."""
    rows: list[Row] = []
    nearest: list[int | None] = []
    for row in report.rows:
        above = None if row.parent is None else nearest[row.parent]
        asked = row.parent is None or not view.is_partial or view.wants(row.id, row.verdict)
        if asked and fits_ops(row, view.ops) and fits_depth(row, report.rows, view.depth):
            nearest.append(len(rows))
            rows.append(row if row.parent == above else replace(row, parent=above))
        else:
            nearest.append(above)
    return _with_course(replace(report, rows=tuple(rows)), nearest)


def _with_course(shown: Report, nearest: Sequence[int | None]) -> Report:
    """The report with its graph and its memory over the run by the rows that are shown.

    `nearest` has for every row of the whole report itself, or else the nearest row above it that is shown. A shown row
    without rows below it stands for all that it contains; other rows that are not shown have no part in the graph.
    """
    flow, alive = shown.dataflow, shown.live_bytes
    if flow is None or alive is None:
        return shown
    ends = shown_leaves(shown)
    standing = [row if row in ends else None for row in nearest]
    rows = tuple(nearest[row] or 0 for row in alive.rows)
    return replace(shown, dataflow=flow.among(standing), live_bytes=replace(alive, rows=rows))


def shown_leaves(report: Report) -> set[int]:
    """The indices of rows without rows below them in this view; their numbers add up to the totals."""
    return set(range(len(report.rows))) - {row.parent for row in report.rows if row.parent is not None}


def fits_ops(row: Row, ops: Ops) -> bool:
    """Whether the row is a module, or a functional call that `ops` selects.

    Whatever adds to a total is shown with those that compute: the first use of a parameter, bytes that are moved. Not
    so a time, which every call takes, and which is measured as a whole, too.
    """
    if not row.functional or ops is not Ops.COMPUTE:
        return not row.functional or ops is Ops.ALL
    numbers = [number for number in (row.params, *row.extra.values()) if number is not None]
    counts = [number for number in numbers if number.unit.adds_up and number.unit is not Unit.SECONDS]
    return row.layer_like or any(count.value for count in counts)


def fits_depth(row: Row, rows: tuple[Row, ...], depth: int | None) -> bool:
    """Whether the row is at most `depth` deep, or stands directly below the root.

    Blocks in a ModuleList, which is never called itself, stand directly below the root and are shown at any depth >= 1.
    """
    if depth is None or row.depth <= depth:
        return True
    return depth > 0 and (row.parent is None or rows[row.parent].parent is None)


TEXT_KEYS: dict[str, Callable[[Row], str]] = {"name": lambda row: row.path, "kind": lambda row: row.kind}
"""The sort keys that are texts, sorted alphabetically."""

NOT_SUMMED = ("latency_spread",)
"""Numbers in a unit that adds up whose sum means nothing."""


def select(report: Report, view: View) -> Report:
    """The report with the rows that the view shows, in its order; `ops` is None if the ops are themselves the rows."""
    if view.is_tree:
        return tree(report, view)
    rows = in_order([row for row in parts(report, view) if view.wants(row.id, row.verdict)], view)
    ops = None if view.by is By.OP else report.ops
    return replace(report, rows=tuple(rows if view.top is None else rows[: view.top]), ops=ops)


def parts(report: Report, view: View) -> list[Row]:
    """The rows that add up to the totals, in execution order; ValueError for `By.OP` in a report without ops."""
    if view.by is By.OP:
        if report.ops is None:
            raise ValueError("this report has no rows for ATen ops; inspect the model with the account ByOp")
        return list(report.ops)
    if view.by is By.MODULE:
        return _by_module(report, view)
    folded = [replace(row, parent=None) for row in _folded(report.rows, view.depth) if fits_ops(row, view.ops)]
    if view.by is By.LAYER:
        return folded
    return [group_of("", kind, rows, report) for kind, rows in _grouped(folded, lambda row: row.kind).items()]


def _folded(rows: tuple[Row, ...], depth: int | None) -> Iterator[Row]:
    """The leaf rows; leaves that are too deep are replaced by their container at the depth limit."""
    below: dict[int | None, list[int]] = {}
    for index, row in enumerate(rows):
        below.setdefault(row.parent, []).append(index)

    def parts_of(index: int) -> Iterator[Row]:
        children = below.get(index, ())
        if children and all(fits_depth(rows[child], rows, depth) for child in children):
            for child in children:
                yield from parts_of(child)
        else:
            yield rows[index]

    for index in below.get(None, ()):
        yield from parts_of(index)


def _by_module(report: Report, view: View) -> list[Row]:
    """One row per module with the sum of its own calls; at the view's depth, with the sum of everything inside it."""
    kinds = {row.path: row.kind for row in reversed(report.rows) if not row.functional}

    def path(row: Row) -> str:
        return ".".join(row.path.split(".")[: view.depth])

    grouped = _grouped(_folded(report.rows, None), path)
    groups = [group_of(path, kinds.get(path, ""), rows, report) for path, rows in grouped.items()]
    return [group for group in groups if view.ops is Ops.ALL or group.layer_like]


def _grouped(rows: Iterable[Row], key: Callable[[Row], str]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def group_of(path: str, kind: str, rows: Sequence[Row], report: Report) -> Row:
    """One row with the sums of several rows of the report."""
    macs = _sum("macs", rows)
    names = dict.fromkeys(name for row in rows for name, number in row.extra.items() if number.unit.adds_up)
    sums = {name: _sum(name, rows) for name in names if name not in NOT_SUMMED}
    group = Row(
        path=path, call=0, kind=kind, depth=path.count(".") + 1 if path else 0, leaf=True, functional=False,
        hyperparameters={}, input_shapes=(), output_shape=None, params=_sum("params", rows), macs=macs,
        flops=None if macs is None else in_flops(macs), neurons=_sum("neurons", rows), receptive_field=None,
        computes=any(row.computes for row in rows), layer_like=any(row.layer_like for row in rows),
        extra={"calls": Quantity(len(rows), Unit.CALLS), **{name: sum_ for name, sum_ in sums.items() if sum_}},
    )  # fmt: skip
    return with_ratios(group, report.machine)


def _sum(name: str, rows: Iterable[Row]) -> Quantity | None:
    found = [number for row in rows if isinstance(number := row.quantities.get(name), Quantity)]
    return total_of(found[0].unit, found) if found else None


def in_order(rows: list[Row], view: View) -> list[Row]:
    """The rows sorted by the view's key; without a key by MACs for `top`, kinds and ops, else in execution order."""
    key = view.sort or ("macs" if view.top is not None or view.by in (By.KIND, By.OP) else None)
    if key is None:
        return rows
    if key in TEXT_KEYS:
        return sorted(rows, key=TEXT_KEYS[key])
    return sorted(rows, key=lambda row: rank(row.quantities.get(key)))


def rank(number: Any) -> tuple[int, float]:
    """A sort key: unknown values first, because they may be the largest, then the largest; rows without it last.

    A global field is larger than any other.
    """
    if isinstance(number, ReceptiveField) and number.was_computed:
        extents = [max(size) if isinstance(size, (tuple, list)) else size for size in number.size or ()]
        return (1, -max(extents)) if extents else (0, 0)
    if not isinstance(number, Quantity):
        return 2, 0
    return (0, 0) if number.value is None else (1, -number.value)


@dataclass(frozen=True)
class Shares:
    """A row's share of all MACs, and the cumulative share up to this row; None for a row without MACs."""

    own: Share | None
    cumulative: Share | None


def shares(shown: Report) -> list[Shares]:
    """The shares of each row of a view in the network's MACs; only rows without rows below them are accumulated."""
    total, leaves = shown.totals.get("macs"), shown_leaves(shown)
    reached = Quantity(0, Unit.MACS)
    found = []
    for index, row in enumerate(shown.rows):
        if row.macs is None or not isinstance(total, Quantity):
            found.append(Shares(None, None))
            continue
        if index in leaves:
            reached = total_of(Unit.MACS, [reached, Quantity(row.macs.value, Unit.MACS, row.macs.status)])
        found.append(Shares(share(row.macs, total), share(reached, total) if index in leaves else None))
    return found


@dataclass(frozen=True)
class Cut:
    """The effect of `top` and of a filter: how many of all `rows` are `shown`, and the sum of their MACs."""

    shown: int
    rows: int
    macs: Quantity


def cut(report: Report, view: View) -> Cut | None:
    """The effect of the view's `top` and filter; None where all rows are shown."""
    if view.top is None and not view.is_partial:
        return None
    flat = view if not view.is_tree else replace(view, sort="name")
    shown, everything = select(report, flat).rows, parts(report, flat)
    if len(shown) >= len(everything) and not view.is_partial:
        return None
    macs = total_of(Unit.MACS, [row.macs for row in shown if row.macs is not None])
    return Cut(len(shown), len(everything), macs)
