"""Hold a report against claims: find the row that each is about, and make one check for each cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnninspect.claims.cell import Cell, Count
from cnninspect.claims.hints import hint_for
from cnninspect.claims.hints.evidence import Evidence
from cnninspect.claims.read import Claim
from cnninspect.errors import nearest
from cnninspect.report.document import Report
from cnninspect.report.quantities import Verdict
from cnninspect.report.rows import Check, Row, RowId


def check_claims(report: Report, claims: Sequence[Claim]) -> tuple[Check, ...]:
    """One check for every cell of the claims, and a failed one for a claim about a layer that is not there."""
    placed = [part for claim in claims for part in _placed(claim, report)]
    evidence = Evidence(report, [part for part in placed if isinstance(part, Cell)])
    return tuple(part if isinstance(part, Check) else _check(part, evidence) for part in placed)


def _placed(claim: Claim, report: Report) -> Iterator[Cell | Check]:
    row = None if claim.is_total else locate(claim, report)
    if isinstance(row, Check):
        yield row
    elif row is not None and not claim.cells:
        yield Check("layer", row.id, row.path, row.path, "claim", Verdict.MATCH)
    else:
        for column, claimed in claim.cells.items():
            yield Cell.of(row, column, claimed, report)


def _check(cell: Cell, evidence: Evidence) -> Check:
    verdict, words = cell.judge()
    if verdict is Verdict.DIFFER:
        words = hint_for(cell, evidence) or words
    elif verdict is Verdict.MATCH and isinstance(cell.claimed, Count) and cell.claimed.value != cell.found:
        words = "rounds to the claim"
    place = None if cell.row is None else cell.row.id
    return Check(
        cell.column, place, cell.claimed.value, cell.found, "claim", verdict, words, found_status=cell.found_status
    )


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
    return _absent(claim, "layer", claim.layer or claim.kind, None, hint)


def _used_less(claim: Claim, uses: list[Row]) -> Check:
    times = len(uses)
    hint = f"{uses[0].label} runs {times} time{'s' if times > 1 else ''}, and the first is call 0"
    return _absent(claim, "call", claim.call, times - 1, hint)


def _absent(claim: Claim, name: str, expected: object, found: object, hint: str) -> Check:
    return Check(name, RowId(claim.layer, claim.kind, claim.call), expected, found, "claim", Verdict.DIFFER, hint)
