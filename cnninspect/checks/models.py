"""Comparison of two networks: aligned layers with their numbers, and one check per number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from cnninspect.checks import with_checks
from cnninspect.checks.alignment import Pair, align
from cnninspect.checks.differences import Comparer
from cnninspect.checks.numbers import Tolerance
from cnninspect.report.document import Comparison, Report, formula_checks
from cnninspect.report.parts import AlignedRows, OtherNetwork
from cnninspect.report.quantities import Quantity, Status, Verdict, worst
from cnninspect.report.rows import Check, Row


def compare_models(report: Report, other: Report, tolerance: Tolerance | None = None) -> Comparison:
    """The report with a check for every number that both networks have, and with the aligned layers of both.

    The numbers of `other` are the expected ones. Names and kinds are not compared, because the code may be different.
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
    """The failed formula checks of one network: its numbers cannot be trusted in a comparison."""
    for check in formula_checks(report):
        if check.verdict is Verdict.DIFFER:
            yield replace(check, hint="; ".join(filter(None, (where, check.hint))) or None)


def _is_shown(pair: Pair) -> bool:
    """Whether the pair consists of leaves, or of a block that only one network has."""
    return pair.found is None or pair.expected is None or pair.found.is_leaf or pair.expected.is_leaf


def _aligned(pair: Pair, checks: Sequence[Check]) -> AlignedRows:
    """The pair as a part of the document: rows, numbers (this network first) and names of the differences."""
    here, there = (None if node is None else node.row for node in (pair.found, pair.expected))
    return AlignedRows(
        target=None if here is None else here.id,
        other=None if there is None else there.id,
        output_shape=(_shape(here), _shape(there)),
        params=(_count(here, "params"), _count(there, "params")),
        macs=(_count(here, "macs"), _count(there, "macs")),
        verdict=worst(check.verdict for check in checks) if checks else Verdict.MATCH,
        differs=tuple(check.name for check in checks if check.verdict is Verdict.DIFFER),
    )


def _shape(row: Row | None) -> Any:
    """The shapes of the row's outputs; None where they are not known exactly."""
    shape = None if row is None else row.output_shape
    return shape.value if shape is not None and shape.status is Status.EXACT else None


def _count(row: Row | None, name: str) -> Quantity | None:
    """The count with its status, without analytic and measured values; None if it is unknown."""
    count: Quantity | None = None if row is None else getattr(row, name)
    is_known = count is not None and count.value is not None and count.status is not Status.UNKNOWN
    return Quantity(count.value, count.unit, count.status) if count is not None and is_known else None
