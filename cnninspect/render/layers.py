"""The table of layers: which rows, under which names, in which columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cnninspect.quantities import Quantity
from cnninspect.render.cells import Context, Line
from cnninspect.render.columns import COLUMNS, COUNTERS, Column, counter_column
from cnninspect.render.screen import Marks
from cnninspect.render.sheet import Sheet
from cnninspect.render.view import View, select, shown_leaves
from cnninspect.report import Report, Row

READERS = {
    "summary": ("layer", "kind", "output_shape", "params", "macs", "share", "receptive_field", "verdict"),
    "flops": ("layer", "kind", "output_shape", "macs", COUNTERS, "share", "flops", "verdict", "reasons"),
}
"""What each command shows to readers."""

PROGRAMS = (
    "layer", "call", "kind", "input_shape", "output_shape", "params", "macs", COUNTERS, "flops", "neurons", "share",
    "receptive_field", "reasons", "status", "verdict",
)  # fmt: skip
"""What goes into a file for programs."""

NAMES = (*COLUMNS, COUNTERS)
"""What `--columns` takes in a table of layers."""


def layer_sheet(report: Report, view: View, marks: Marks, default: tuple[str, ...], *, whole: bool) -> Sheet:
    """The sheet of the rows that the view shows; `default` names the columns where the view names none.

    `whole` gives every name its whole path and shows every shape.
    """
    shown = select(report, view)
    lines = list(_lines(shown, marks, whole=whole))
    macs = report.totals.get("macs")
    context = Context(
        marks,
        macs if isinstance(macs, Quantity) else None,
        max((_count(line.row) for line in lines if line.is_part), default=0),
        _single(report),
        whole,
    )
    columns = list(_columns(view.columns or _without_empty(default, report), report))
    return Sheet(
        tuple(column.heading for column in columns),
        tuple(tuple(column.cell(line, context) for column in columns) for line in lines),
    )


def counters_of(report: Report) -> list[str]:
    """The counters that say anything about this report's MACs, in order of appearance."""
    return list(dict.fromkeys(name for row in report.rows if row.macs is not None for name in row.macs.measured))


def _columns(names: Iterable[str], report: Report) -> Iterator[Column]:
    for name in names:
        if name == COUNTERS:
            yield from (counter_column(counter) for counter in counters_of(report))
        else:
            yield COLUMNS[name]


def _without_empty(names: tuple[str, ...], report: Report) -> tuple[str, ...]:
    """The default columns without those that this report has nothing for."""
    fields = [row.receptive_field for row in report.rows if row.receptive_field is not None]
    empty = set()
    if not any(field.was_computed for field in fields):
        empty.add("receptive_field")
    if not any(row.macs is not None and row.macs.reasons for row in report.rows):
        empty.add("reasons")
    return tuple(name for name in names if name not in empty)


def _lines(shown: Report, marks: Marks, *, whole: bool) -> Iterator[Line]:
    """The rows as a tree; the root has no line of its own unless it is all there is."""
    parts = shown_leaves(shown)
    indents: list[int] = []
    for index, row in enumerate(shown.rows):
        above = -1 if row.parent is None else indents[row.parent]
        is_hidden_root = row.parent is None and index not in parts
        indents.append(-1 if is_hidden_root else above + 1)
        if not is_hidden_root:
            name = _name(row, shown.rows, marks, whole=whole)
            yield Line(row, name, indents[-1], index in parts)


def _name(row: Row, rows: tuple[Row, ...], marks: Marks, *, whole: bool) -> str:
    """A module by its path, from its caller on unless paths are `full`; a functional call by a sign."""
    if row.functional:
        return f"{row.path} {marks.nothing}".lstrip() if whole else marks.nothing
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
