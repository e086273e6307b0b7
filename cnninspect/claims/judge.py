"""Compares a report with claims: finds the row of each claim, and makes one check per cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnninspect import plugins
from cnninspect.claims.cell import Cell, Count
from cnninspect.claims.hints import hint_for
from cnninspect.claims.hints.evidence import Evidence, number_of
from cnninspect.claims.read import Claim
from cnninspect.errors import nearest
from cnninspect.report.document import Report
from cnninspect.report.quantities import Verdict
from cnninspect.report.rows import Check, Row, RowId


def check_claims(report: Report, claims: Sequence[Claim]) -> tuple[Check, ...]:
    """One check for every cell of the claims; one failed check for a claim about a layer that does not exist."""
    plugins.load()
    placed = [part for claim in claims for part in _placed(claim, report)]
    evidence = Evidence(report, [part for part in placed if isinstance(part, Cell)])
    return tuple(part if isinstance(part, Check) else _check(part, evidence) for part in placed)


def _placed(claim: Claim, report: Report) -> Iterator[Cell | Check]:
    row = None if claim.row is None else locate(claim.row, report)
    if isinstance(row, Check):
        yield row
    elif row is not None and not claim.cells:
        yield Check("layer", row.id, row.path, row.path, "claim", Verdict.MATCH)
    else:
        for column, claimed in claim.cells.items():
            yield Cell.of(row, column, claimed, number_of(report, row, column), claim.written.get(column, ""))


def _check(cell: Cell, evidence: Evidence) -> Check:
    verdict, words = cell.judge()
    if verdict is Verdict.DIFFER:
        words = "; ".join(filter(None, (cell.slip, hint_for(cell, evidence) or words))) or None
    elif verdict is Verdict.MATCH and isinstance(cell.claimed, Count) and cell.claimed.value != cell.found:
        words = "rounds to the claim"
    place = None if cell.row is None else cell.row.id
    return Check(
        cell.column, place, cell.claimed.value, cell.found, "claim", verdict, words, found_status=cell.found_status,
        written=cell.written or None,
    )  # fmt: skip


def locate(claimed: RowId, report: Report) -> Row | Check:
    """The row that the claim names, or a failed check with the nearest names.

    A kind selects among the functions that a module calls; a module is found by its path, whatever its kind.
    """
    here = [row for row in report.rows if row.path == claimed.path]
    uses = [row for row in here if row.kind == claimed.kind] or ([row for row in here if not row.functional])
    if not uses or (not claimed.path and uses[0].kind != claimed.kind):
        return _missing(claimed, report, here)
    found = next((row for row in uses if row.call == claimed.call), None)
    return found or _used_less(claimed, uses)


def _missing(claimed: RowId, report: Report, here: list[Row]) -> Check:
    if here:
        near = nearest(claimed.kind, dict.fromkeys(row.kind for row in here if row.functional))
        words = f"this module does not call {claimed.kind!r}"
    else:
        near = nearest(claimed.path, dict.fromkeys(row.path for row in report.rows if row.path))
        words = f"no layer is called {claimed.path!r}"
    hint = f"{words}. Nearest: {', '.join(near)}" if near else words
    return Check("layer", claimed, claimed.path or claimed.kind, None, "claim", Verdict.DIFFER, hint)


def _used_less(claimed: RowId, uses: list[Row]) -> Check:
    times = len(uses)
    hint = f"{uses[0].label} runs {times} time{'s' if times > 1 else ''}, and the first is call 0"
    return Check("call", claimed, claimed.call, times - 1, "claim", Verdict.DIFFER, hint)
