"""Hold a report against claims: one check for each cell, with a hint where it is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnninspect.claims.cell import Cell
from cnninspect.claims.columns import Count
from cnninspect.claims.hints import hint_for
from cnninspect.claims.hints.evidence import Evidence
from cnninspect.claims.locate import locate
from cnninspect.claims.read import Claim
from cnninspect.report.document import Report
from cnninspect.report.quantities import Verdict
from cnninspect.report.rows import Check


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
    return Check(cell.column, place, cell.claimed.value, cell.found, "claim", verdict, words)
