"""Checks in words: for annotations, reports of tests and failed assertions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable
from typing import Any

from cnninspect.render.findings import RUN, place, what
from cnninspect.render.numbers import sign
from cnninspect.render.screen import UNICODE
from cnninspect.render.values import value_text
from cnninspect.report.document import Document, Report
from cnninspect.report.formula_checks import formula_checks
from cnninspect.report.quantities import Status
from cnninspect.report.rows import Check


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
