"""Which rows and columns are shown: one choice, the same in every format. Totals are never affected."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from cnninspect.report.document import Report, Row


class Ops(str, Enum):
    """Which functional calls are rows: none, those that compute or stand for a layer, or also views and reshapes."""

    NONE = "none"
    COMPUTE = "compute"
    ALL = "all"


class By(str, Enum):
    """What a row stands for: one use of a layer, a module with all its uses, a kind of layer, an ATen op."""

    LAYER = "layer"
    MODULE = "module"
    KIND = "kind"
    OP = "op"


@dataclass(frozen=True)
class View:
    """What the reader asked to see; `columns` None means those that the command shows by default.

    `sort` is the name of a number, largest first, or `name` or `kind`; `top` keeps that many rows.
    """

    depth: int | None = None
    ops: Ops = Ops.COMPUTE
    columns: tuple[str, ...] | None = None
    by: By = By.LAYER
    sort: str | None = None
    top: int | None = None

    @property
    def is_tree(self) -> bool:
        """Whether rows stand below their callers, in the order in which they ran."""
        return self.by is By.LAYER and self.sort is None and self.top is None


def tree(report: Report, view: View) -> Report:
    """The report with only the rows that the view's depth and ops show; `parent` counts among them."""
    rows: list[Row] = []
    nearest: list[int | None] = []
    for row in report.rows:
        above = None if row.parent is None else nearest[row.parent]
        if fits_ops(row, view.ops) and fits_depth(row, report.rows, view.depth):
            nearest.append(len(rows))
            rows.append(replace(row, parent=above))
        else:
            nearest.append(above)
    return replace(report, rows=tuple(rows))


def shown_leaves(report: Report) -> set[int]:
    """The positions of rows without a row below them: the parts that make up the whole in this view."""
    return set(range(len(report.rows))) - {row.parent for row in report.rows if row.parent is not None}


def fits_ops(row: Row, ops: Ops) -> bool:
    """Whether the row is a module, or a call of the wanted ones."""
    return not row.functional or ops is Ops.ALL or (ops is Ops.COMPUTE and row.layer_like)


def fits_depth(row: Row, rows: tuple[Row, ...], depth: int | None) -> bool:
    """Whether the row is shallow enough, or has nothing above it but the root.

    Blocks in a list that is never called itself are the first rows on their way down, and stay visible at any depth.
    """
    if depth is None or row.depth <= depth:
        return True
    return depth > 0 and (row.parent is None or rows[row.parent].parent is None)
