"""Checks in words: their row, the user's own line, a sentence each; for annotations, test reports and assertions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from typing import Any

from cnninspect.render.numbers import label, sign, value_text
from cnninspect.render.screen import UNICODE
from cnninspect.report.document import Document, Report
from cnninspect.report.formula_checks import formula_checks
from cnninspect.report.quantities import Status, Verdict
from cnninspect.report.rows import TOTAL, Check, Row


def failed(checks: Sequence[Check]) -> list[Check]:
    """The checks that a reader must see: those that differ, then those that could not be made."""
    return [check for verdict in (Verdict.DIFFER, Verdict.UNKNOWN) for check in checks if check.verdict is verdict]


RUN = "run"
"""The name of the only check of a target that could not be checked."""


def count_sentence(checks: Sequence[Check]) -> str:
    """One sentence that counts the checks: `60 checks: 58 match, 2 differ.`"""
    if [check.name for check in checks] == [RUN]:
        return "not checked."
    counts = Counter(check.verdict for check in checks)
    words = [f"{counts[verdict]} {_WORDS.get(verdict, verdict.value)}" for verdict in Verdict if counts[verdict]]
    return f"{len(checks)} check{'s' if len(checks) != 1 else ''}: {', '.join(words) or 'none'}."


_WORDS = {Verdict.NOT_COUNTED: "not comparable", Verdict.NOT_RUN: "not run"}
"""Verdicts as readers call them: a counter that leaves work out, or counts more, cannot be compared with."""


def place(check: Check) -> str:
    """The check's row as messages name it."""
    if check.row is None:
        return TOTAL
    path = check.row.path or f"({check.row.kind})"
    return f"{path} call {check.row.call}" if check.row.call else path


def what(check: Check) -> str:
    """The number that was checked, as readers call it."""
    return label(check.name)


def checks_of(document: Document) -> tuple[Check, ...]:
    """The checks of a comparison; those of its formulas for any other report."""
    if not isinstance(document, Report):
        return ()
    return formula_checks(document) if document.checks is None else document.checks


def layer(check: Check) -> str:
    """`conv (Conv2d)`, `conv call 2 (Conv2d)`, `(F.relu)`, `total`."""
    is_named = check.row is not None and check.row.path and check.row.kind
    return f"{place(check)} ({check.kind})" if is_named else place(check)


def sentence(check: Check) -> str:
    """`conv (Conv2d), MACs: formula 13,824, torch 3,456`: layer, source, expected, found, and the reason if known."""
    if check.name == RUN:
        return f"not checked: {(check.hint or '').rstrip('.')}"
    reason = f" ({check.hint})" if check.hint else ""
    return f"{layer(check)}, {what(check)}: {_expected(check)}, {_found(check)}{reason}"


def grouped(checks: Iterable[Check], key: Callable[[Check], Hashable]) -> Collection[list[Check]]:
    """The checks with the same key together, in the order in which the keys come first."""
    groups: dict[Hashable, list[Check]] = {}
    for check in checks:
        groups.setdefault(key(check), []).append(check)
    return groups.values()


def _expected(check: Check) -> str:
    if check.name == "added":
        return f"not in the {check.source}"
    return f"{check.source} {_value(check, check.expected, check.expected_status)}"


def _found(check: Check) -> str:
    if check.name == "removed":
        return "not found"
    by = check.counter or ("measurement" if check.source == "formula" else "found")
    return f"{by} {_value(check, check.found, check.found_status)}"


def _value(check: Check, value: Any, status: Status) -> str:
    """A value with the sign of a bound."""
    return ("" if value is None else sign(status, UNICODE)) + value_text(check.name, value)


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
