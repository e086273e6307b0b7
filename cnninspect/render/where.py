"""The line in the user's own files that a check is about."""

from __future__ import annotations

from collections.abc import Callable

from cnninspect.report.document import Document, Report
from cnninspect.report.rows import Check, Row


def lines_of(document: Document) -> Callable[[Check], str | None]:
    """A function: check -> the source line that it points at, `nets.py:41`; None if there is none.

    For a row without a line that is the line of its caller; for a layer that the report does not have, of the nearest
    module around it; for a total, of the whole network.
    """
    rows = document.rows if isinstance(document, Report) else ()
    calls = {row.id: row for row in rows}
    modules = {row.path: row for row in reversed(rows) if not row.functional}

    def line(check: Check) -> str | None:
        row = None if check.row is None else calls.get(check.row)
        path = "" if check.row is None else check.row.path
        while row is None and path:
            row = modules.get(path)
            path = path.rpartition(".")[0]
        return _line(row or modules.get(""), rows)

    return line


def _line(row: Row | None, rows: tuple[Row, ...]) -> str | None:
    while row is not None and row.where is None and row.parent is not None:
        row = rows[row.parent]
    return None if row is None else row.where
