"""Checks in words: for annotations, reports of tests and failed assertions."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from cnninspect.render.findings import RUN, place, what
from cnninspect.render.values import value_text
from cnninspect.report.document import Check


def layer(check: Check) -> str:
    """`conv (Conv2d)`, `conv call 2 (Conv2d)`, `(F.relu)`, `total`."""
    return f"{place(check)} ({check.kind})" if check.kind and check.path else place(check)


def sentence(check: Check) -> str:
    """`conv (Conv2d), MACs: formula 13,824, torch 3,456`: layer, source, expected, found, and the reason if known."""
    if check.name == RUN:
        return f"not checked: {(check.hint or '').rstrip('.')}"
    reason = f" ({check.hint})" if check.hint else ""
    return f"{layer(check)}, {what(check)}: {_expected(check)}, {_found(check)}{reason}"


def grouped(checks: Iterable[Check], *names: str) -> Collection[list[Check]]:
    """The checks that agree in these attributes together, in the order in which they come first."""
    groups: dict[tuple[object, ...], list[Check]] = {}
    for check in checks:
        groups.setdefault(tuple(getattr(check, name) for name in names), []).append(check)
    return groups.values()


def _expected(check: Check) -> str:
    if check.name == "added":
        return f"not in the {check.source}"
    return f"{check.source} {value_text(check.name, check.expected)}"


def _found(check: Check) -> str:
    if check.name == "removed":
        return "not found"
    by = check.counter or ("measurement" if check.source == "formula" else "found")
    return f"{by} {value_text(check.name, check.found)}"
