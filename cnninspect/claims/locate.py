"""Which row of the report a claim is about."""

from __future__ import annotations

from cnninspect.claims.read import Claim
from cnninspect.errors import nearest
from cnninspect.report.document import Report
from cnninspect.report.quantities import Verdict
from cnninspect.report.row_id import RowId
from cnninspect.report.rows import Check, Row


def locate(claim: Claim, report: Report) -> Row | Check:
    """The row that the claim names, or the failed check that says what there is instead.

    A kind chooses among the functions that a module calls; a module is found by its path, whatever its kind.
    """
    here = [row for row in report.rows if row.path == claim.layer]
    uses = [row for row in here if row.kind == claim.kind] or ([row for row in here if not row.functional])
    if not uses or (not claim.layer and uses[0].kind != claim.kind):
        return _missing(claim, report, here)
    found = next((row for row in uses if row.call == claim.call), None)
    return found or _used_less(claim, uses)


def _missing(claim: Claim, report: Report, here: list[Row]) -> Check:
    if here:
        near = nearest(claim.kind, dict.fromkeys(row.kind for row in here if row.functional))
        words = f"nothing of kind {claim.kind!r} is called there"
    else:
        near = nearest(claim.layer, dict.fromkeys(row.path for row in report.rows if row.path))
        words = f"no layer is called {claim.layer!r}"
    hint = f"{words}. Nearest: {', '.join(near)}" if near else words
    return _check(claim, "layer", claim.layer or claim.kind, None, hint)


def _used_less(claim: Claim, uses: list[Row]) -> Check:
    times = len(uses)
    hint = f"{uses[0].label} runs {times} time{'s' if times > 1 else ''}, and the first is call 0"
    return _check(claim, "call", claim.call, times - 1, hint)


def _check(claim: Claim, name: str, expected: object, found: object, hint: str) -> Check:
    return Check(name, RowId(claim.layer, claim.kind, claim.call), expected, found, "claim", Verdict.DIFFER, hint)
