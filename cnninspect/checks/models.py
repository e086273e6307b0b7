"""Two networks side by side: which layer stands for which, what each costs, and whether the numbers are the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from cnninspect.checks import with_checks
from cnninspect.checks.alignment import Pair, align
from cnninspect.checks.differences import Comparer
from cnninspect.checks.numbers import Tolerance
from cnninspect.checks.tree import Node
from cnninspect.report.document import Comparison, Report, formula_checks
from cnninspect.report.parts import AlignedRows, OtherNetwork
from cnninspect.report.quantities import Quantity, Status, Verdict, worst
from cnninspect.report.rows import Check


def compare_models(report: Report, other: Report, tolerance: Tolerance | None = None) -> Comparison:
    """The report with a check for every number that `other` has too, and both networks' layers side by side.

    What `other` has is what is expected. Names and kinds are no numbers: a network may be written in another way.
    """
    comparer = Comparer("other", tolerance or Tolerance(), by_numbers=True)
    runs = list(comparer.runs(other, report))
    judged = list(comparer.rows(align(other.rows, report.rows, through_blocks=True), runs))
    checks = [
        *runs,
        *(check for _, of_pair in judged for check in of_pair),
        *comparer.totals(other, report),
        *_wrong(report, ""),
        *_wrong(other, "in the other network"),
    ]
    return replace(
        with_checks(report, checks),
        other=OtherNetwork(other.tool, other.target, other.run, other.totals),
        aligned=tuple(_aligned(pair, of_pair) for pair, of_pair in judged if _is_shown(pair)),
    )


def _wrong(report: Report, where: str) -> Iterator[Check]:
    """The formulas that a measurement contradicts: numbers that are not known to be the same as any other."""
    for check in formula_checks(report):
        if check.verdict is Verdict.DIFFER:
            yield replace(check, hint="; ".join(filter(None, (where, check.hint))) or None)


def _is_shown(pair: Pair) -> bool:
    """Leaves beside leaves, and blocks that only one network has."""
    return pair.found is None or pair.expected is None or pair.found.is_whole or pair.expected.is_whole


def _aligned(pair: Pair, checks: Sequence[Check]) -> AlignedRows:
    """The rows of both networks with their numbers, this network first, and what differs."""
    both = pair.found, pair.expected
    shapes, params, macs = ((_number(both[0], name), _number(both[1], name)) for name in _NUMBERS)
    verdict = worst(check.verdict for check in checks) if checks else Verdict.MATCH
    differs = tuple(check.name for check in checks if check.verdict is Verdict.DIFFER)
    target, other = (None if node is None else node.row.id for node in both)
    return AlignedRows(target, other, shapes, params, macs, verdict, differs)


_NUMBERS = ("output_shape", "params", "macs")


def _number(node: Node | None, name: str) -> Any:
    """The number, None where there is none or it is not known exactly."""
    quantity: Quantity | None = None if node is None else getattr(node.row, name)
    return quantity.value if quantity is not None and quantity.status is Status.EXACT else None
