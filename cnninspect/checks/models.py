"""Two networks side by side: which layer stands for which, what each costs, and whether the numbers are the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from cnninspect.checks.alignment import Pair, align
from cnninspect.checks.differences import Comparison
from cnninspect.checks.formulas import check_formulas, with_checks
from cnninspect.checks.tolerance import Tolerance
from cnninspect.checks.tree import Node
from cnninspect.report.document import Check, Report
from cnninspect.report.plain_data import plain
from cnninspect.report.quantities import Quantity, Status, Verdict
from cnninspect.report.verdicts import worst


def compare_models(report: Report, other: Report, tolerance: Tolerance | None = None) -> Report:
    """The report with a check for every number that `other` has too, and both networks' layers side by side.

    What `other` has is what is expected. Names and kinds are no numbers: a network may be written in another way. The
    document gets `other` (its target, run and totals) and `aligned`, one entry per layer with the numbers of both.
    """
    comparison = Comparison("other", tolerance or Tolerance(), by_numbers=True)
    runs = list(comparison.runs(other, report))
    judged = list(comparison.rows(align(other.rows, report.rows, through_blocks=True), runs))
    checks = [
        *runs,
        *(check for _, of_pair in judged for check in of_pair),
        *comparison.totals(other, report),
        *_wrong(report, ""),
        *_wrong(other, "in the other network"),
    ]
    document = other.to_dict()
    extra = {
        "other": {name: document[name] for name in ("tool", "target", "run", "totals")},
        "aligned": [plain(_entry(pair, of_pair)) for pair, of_pair in judged if _is_shown(pair)],
    }
    return with_checks(replace(report, extra={**report.extra, **extra}), checks)


def _wrong(report: Report, where: str) -> Iterator[Check]:
    """The formulas that a measurement contradicts: numbers that are not known to be the same as any other."""
    for check in check_formulas(report).checks or ():
        if check.verdict is Verdict.DIFFER:
            yield replace(check, hint="; ".join(filter(None, (where, check.hint))) or None)


def _is_shown(pair: Pair) -> bool:
    """Leaves beside leaves, and blocks that only one network has."""
    return pair.found is None or pair.expected is None or pair.found.is_whole or pair.expected.is_whole


def _entry(pair: Pair, checks: Sequence[Check]) -> dict[str, Any]:
    """Where the layer stands in each network and its numbers there, this network first, and what differs."""
    both = pair.found, pair.expected
    numbers = {name: [_number(node, name) for node in both] for name in ("output_shape", "params", "macs")}
    verdict = worst(check.verdict for check in checks) if checks else Verdict.MATCH
    differs = [check.name for check in checks if check.verdict is Verdict.DIFFER]
    places = {"target": _place(pair.found), "other": _place(pair.expected)}
    return {**places, **numbers, "verdict": verdict.value, "differs": differs}


def _place(node: Node | None) -> dict[str, Any] | None:
    return None if node is None else {"path": node.row.path, "call": node.row.call, "kind": node.row.kind}


def _number(node: Node | None, name: str) -> Any:
    """The number, None where there is none or it is not known exactly."""
    quantity: Quantity | None = None if node is None else getattr(node.row, name)
    return quantity.value if quantity is not None and quantity.status is Status.EXACT else None
