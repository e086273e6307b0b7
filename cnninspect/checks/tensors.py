"""Two checkpoints compared by the names of their tensors: what was added, removed, and changed in type or shape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cnninspect.checks import with_checks
from cnninspect.report.document import Checkpoint, Comparison, formula_checks
from cnninspect.report.parts import OtherNetwork
from cnninspect.report.quantities import Status, Verdict
from cnninspect.report.rows import Check, Row, RowId


def compare_checkpoints(report: Checkpoint, other: Checkpoint, source: str = "other") -> Comparison:
    """The report with a check of each tensor's type and shape; those of `other` are the expected ones.

    Tensors are told apart by name, so that a renamed one is removed and added. Values are neither read nor compared.
    """
    own = [
        replace(check, hint=f"in {side.target['name']}")
        for side in (report, other)
        for check in formula_checks(side)
        if check.verdict is Verdict.DIFFER
    ]
    found = with_checks(report, [*own, *differences(other, report, source)])
    return replace(found, other=OtherNetwork(other.tool, other.target, other.run, other.totals))


def differences(expected: Checkpoint, found: Checkpoint, source: str) -> Iterator[Check]:
    """The checks of all tensors of both, in their order, and of the elements of all."""
    before, after = ({row.path: row for row in report.rows if row.leaf} for report in (expected, found))
    for name in {**before, **after}:
        yield from _tensor(before.get(name), after.get(name), source)
    yield _check("elements", None, _elements(expected), _elements(found), source)


def _tensor(before: Row | None, after: Row | None, source: str) -> Iterator[Check]:
    if before is not None and after is not None:
        yield _check("dtype", after.id, _type(before), _type(after), source)
        yield _check("output_shape", after.id, _shape(before), _shape(after), source)
    elif before is not None:
        yield Check("removed", before.id, _said(before), None, source, Verdict.DIFFER)
    elif after is not None:
        yield Check("added", after.id, None, _said(after), source, Verdict.DIFFER)


def _check(name: str, row: RowId | None, expected: Any, found: Any, source: str) -> Check:
    """The check of two values; unknown where a file with one of them is missing."""
    verdict = Verdict.MATCH if expected == found else Verdict.DIFFER
    is_known = expected is not None and found is not None
    hint = None if is_known else "a file that holds it is missing"
    return Check(name, row, expected, found, source, verdict if is_known else Verdict.UNKNOWN, hint=hint)


def _type(row: Row) -> str | None:
    return None if row.output_shape is None else row.kind


def _shape(row: Row) -> Any:
    return None if row.output_shape is None else row.output_shape.value


def _said(row: Row) -> str:
    """`float32 8x4`: what one side alone has."""
    return " ".join((row.kind, "x".join(map(str, () if row.output_shape is None else row.output_shape.value[0]))))


def _elements(report: Checkpoint) -> int | None:
    """The elements of all tensors; None where some are not known."""
    total = report.total("elements")
    return total.value if total.status is Status.EXACT else None
