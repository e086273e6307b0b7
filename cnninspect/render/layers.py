"""The table of layers: its rows, under which names, in the columns that were chosen."""

from __future__ import annotations

from collections.abc import Iterator

from cnninspect.render.cells import Context, Line
from cnninspect.render.columns import chosen_columns, without_empty
from cnninspect.render.page import Sheet
from cnninspect.render.screen import Marks
from cnninspect.report.document import Report
from cnninspect.report.quantities import Quantity, Unit
from cnninspect.report.rows import Row
from cnninspect.report.selection import View, select, shown_leaves
from cnninspect.report.sums import total_of


def layer_sheet(
    report: Report, view: View, marks: Marks, default: tuple[str, ...], *, whole: bool, parts: bool = False
) -> Sheet:
    """The sheet of the rows that the view shows; `default` names the columns where the view names none.

    `whole` gives every name its whole path and shows every shape. `parts` leaves out each row that has a row below it:
    the sum of a column is then its total.
    """
    shown = select(report, view)
    lines = [line for line in _lines(shown, marks, whole=whole) if line.is_part or not parts]
    macs = report.totals.get("macs")
    context = Context(
        marks,
        macs if isinstance(macs, Quantity) else None,
        max((_count(line.row) for line in lines if line.is_part), default=0),
        _single(report),
        whole,
    )
    columns = list(chosen_columns(view.columns or without_empty(default, shown), shown))
    return Sheet(
        tuple(column.heading for column in columns),
        tuple(tuple(column.cell(line, context) for column in columns) for line in lines),
    )


def _lines(shown: Report, marks: Marks, *, whole: bool) -> Iterator[Line]:
    """The rows as a tree; the root has no line of its own unless it is all there is."""
    parts = shown_leaves(shown)
    indents: list[int] = []
    reached = Quantity(0, Unit.MACS)
    for index, row in enumerate(shown.rows):
        above = -1 if row.parent is None else indents[row.parent]
        is_part = index in parts
        is_hidden_root = row.parent is None and not is_part
        indents.append(-1 if is_hidden_root else above + 1)
        if is_part and row.macs is not None:
            reached = total_of(Unit.MACS, [reached, row.macs])
        if not is_hidden_root:
            name = _name(row, shown.rows, marks, whole=whole)
            yield Line(row, name, indents[-1], is_part, reached if is_part else None)


def _name(row: Row, rows: tuple[Row, ...], marks: Marks, *, whole: bool) -> str:
    """A module by its path, from its caller on unless paths are `full`; a functional call by a sign."""
    if row.functional:
        return f"{row.path} {marks.nothing}".lstrip() if whole or row.parent is None else marks.nothing
    path = row.path or f"({row.kind})"
    caller = "" if row.parent is None else rows[row.parent].path
    if not whole and caller:
        path = path.removeprefix(f"{caller}.")
    return f"{path} call {row.call}" if row.call else path


def _count(row: Row) -> int:
    return 0 if row.macs is None or row.macs.value is None else int(row.macs.value)


def _single(report: Report) -> bool:
    """Whether every input is one sample, so that a leading 1 says nothing."""
    shapes = [item["shape"] for item in report.run.get("inputs", ())]
    return all(len(shape) > 1 and shape[0] == 1 for shape in shapes)
