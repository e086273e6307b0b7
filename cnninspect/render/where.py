"""The line in the user's own files that a check is about."""

from __future__ import annotations

from collections.abc import Callable

from cnninspect.checks.formulas import TOTAL
from cnninspect.report.document import Check, Report, Row


def lines_of(report: Report) -> Callable[[Check], str | None]:
    """What tells for a check on this report the own line that it is about, `nets.py:41`; None if there is none.

    A row without a line goes by the row that calls it, a layer that is not there by what is around it, a total by the
    whole network.
    """
    rows = report.rows
    calls = {(row.path, row.kind, row.call): row for row in rows}
    modules = {row.path: row for row in reversed(rows) if not row.functional}

    def line(check: Check) -> str | None:
        row = calls.get((check.path, check.kind, check.call))
        path = "" if check.path == TOTAL and not check.kind else check.path
        while row is None and path:
            row = modules.get(path)
            path = path.rpartition(".")[0]
        return _line(row or modules.get(""), rows)

    return line


def _line(row: Row | None, rows: tuple[Row, ...]) -> str | None:
    while row is not None and row.where is None and row.parent is not None:
        row = rows[row.parent]
    return None if row is None else row.where
