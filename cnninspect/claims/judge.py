"""Compares a report with claims: finds the row of each claim, makes one check per cell, and explains a wrong one.

A slip is a typical mistake in a hand calculation, such as leaving out the bias. The result of each usual slip is
computed and compared with the claim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from cnninspect.claims import misplaced, slips, windows
from cnninspect.claims.cell import Cell, Count, Setting
from cnninspect.claims.evidence import Alternative, Evidence, number_of, padding_of
from cnninspect.claims.read import Claim
from cnninspect.errors import nearest
from cnninspect.plugins import load
from cnninspect.report.document import Report
from cnninspect.report.quantities import Verdict
from cnninspect.report.reasons import ask
from cnninspect.report.rows import Check, Row, RowId, layers_near


def check_claims(report: Report, claims: Sequence[Claim]) -> tuple[Check, ...]:
    """One check for every cell of the claims; one failed check for a claim about a layer that does not exist."""
    load()
    placed = [(part, claim.where) for claim in claims for part in _placed(claim, report)]
    evidence = Evidence(report, [part for part, _ in placed if isinstance(part, Cell)])
    return tuple(
        replace(part if isinstance(part, Check) else _check(part, evidence), where=where or None)
        for part, where in placed
    )


def _placed(claim: Claim, report: Report) -> Iterator[Cell | Check]:
    row = None if claim.row is None else locate(claim.row, report)
    if isinstance(row, Check):
        yield row
    elif row is not None and not claim.cells:
        yield Check("layer", row.id, row.path, row.path, "claim", Verdict.MATCH)
    else:
        for column, claimed in claim.cells.items():
            number = number_of(report, row, column)
            if row is not None and isinstance(claimed, Setting) and isinstance(claimed.value, str):
                numbers = padding_of(claimed.value, row)
                # What a word stands for may depend on the framework: then nothing is known about it.
                claimed, number = (claimed, None) if numbers is None else (Setting(numbers), number)
            yield Cell.of(row, column, claimed, number, claim.written.get(column, ""))


def _check(cell: Cell, evidence: Evidence) -> Check:
    verdict, words = cell.judge()
    if verdict is Verdict.DIFFER:
        words = "; ".join(filter(None, (cell.slip, words or hint_for(cell, evidence)))) or None
    elif verdict is Verdict.MATCH and isinstance(cell.claimed, Count) and cell.claimed.value != cell.found:
        words = "rounds to the claim"
    place = None if cell.row is None else cell.row.id
    return Check(
        cell.column, place, cell.claimed.value, cell.found, "claim", verdict, words, found_status=cell.found_status,
        written=cell.written or None,
    )  # fmt: skip


def locate(claimed: RowId, report: Report) -> Row | Check:
    """The row that the claim names, or a failed check with the nearest names.

    A kind selects among the functions that a module calls; a module is found by its path, whatever its kind. A name
    that no module has may be a row's label: `F.relu`, `layer1.0 F.relu`, `conv1 use 2`.
    """
    here = [row for row in report.rows if row.path == claimed.path]
    if not here and (labelled := _labelled(claimed, report)):
        # A label with a use names one row, whatever call that is.
        exact = labelled[0].call > 0
        found = next((row for row in labelled if exact or row.call == claimed.call), None)
        return found or _used_less(claimed, labelled)
    uses = [row for row in here if row.kind == claimed.kind] or ([row for row in here if not row.functional])
    if not uses or (not claimed.path and uses[0].kind != claimed.kind):
        return _missing(claimed, report, here)
    found = next((row for row in uses if row.call == claimed.call), None)
    return found or _used_less(claimed, uses)


def _labelled(claimed: RowId, report: Report) -> list[Row]:
    """The rows with the claimed name as their label, or all uses of a function so called."""
    rows = [row for row in report.rows if claimed.kind in ("", row.kind)]
    exact = [row for row in rows if row.call and row.label == claimed.path]
    return exact or [row for row in rows if replace(row.id, call=0).label == claimed.path and row.functional]


def _missing(claimed: RowId, report: Report, here: list[Row]) -> Check:
    if here:
        near = nearest(claimed.kind, dict.fromkeys(row.kind for row in here if row.functional))
        words = f"this module does not call {claimed.kind!r}"
    else:
        near = layers_near(report.rows, claimed.path, functions=False)
        words = f"no layer is called {claimed.path!r}"
    hint = f"{words}. Nearest: {', '.join(near)}" if near else words
    return Check("layer", claimed, claimed.path or claimed.kind, None, "claim", Verdict.DIFFER, hint)


def _used_less(claimed: RowId, uses: list[Row]) -> Check:
    times = len(uses)
    hint = f"{uses[0].label} runs {times} time{'s' if times > 1 else ''}, and its first use is call 0"
    return Check("call", claimed, claimed.call, times - 1, "claim", Verdict.DIFFER, hint)


Proposal = Callable[[Cell, Evidence], Iterator[Alternative]]

_PROPOSALS: tuple[Proposal, ...] = (
    misplaced.factor_two,
    misplaced.batch,
    misplaced.another_batch,
    misplaced.same_row,
    misplaced.wrong_input,
    misplaced.an_earlier_stage,
    misplaced.the_row_before,
    misplaced.total_of_claims,
    windows.moved,
    slips.propose,
    windows.propose,
    misplaced.a_later_stage,
    misplaced.another_order,
    misplaced.another_size,
    misplaced.rounding,
    misplaced.neighbour,
)
"""Functions that propose slips, in order: the first slip whose result equals the claim gives the hint."""

_RIVALS: tuple[Proposal, ...] = (misplaced.factor_two, misplaced.batch, misplaced.an_earlier_stage, slips.propose)
"""Equally usual slips that can lead to the same number (two groups; FLOPs for MACs): all that fit are named."""


_ADDED: list[Proposal] = []


def hint(propose: Proposal) -> Proposal:
    """Registers a function that yields the results of slips. Registered functions are tried after the built-in ones."""
    _ADDED.append(propose)
    return propose


def hint_for(cell: Cell, evidence: Evidence) -> str | None:
    """The slip, or several, whose result equals the claim of a wrong cell; None if there is none.

    An error in the search or in a plug-in becomes the text of the hint; the check itself is not affected.
    """
    found = ask("the search for the slip", _usual_slip, cell, evidence)
    for propose in _ADDED:
        found = found or ask(f"the hint {propose.__name__}", _explained, cell, evidence, propose)
    return None if found is None else str(found)


def _usual_slip(cell: Cell, evidence: Evidence) -> str | None:
    """The text of the first built-in slip whose result equals the claim, and of its rivals that fit, too."""
    for propose in _PROPOSALS:
        if words := _explained(cell, evidence, propose):
            later = _RIVALS[_RIVALS.index(propose) + 1 :] if propose in _RIVALS else ()
            return ", or ".join(filter(None, (words, *(_explained(cell, evidence, rival) for rival in later))))
    return None


def _explained(cell: Cell, evidence: Evidence, propose: Proposal) -> str | None:
    """The text of the first of the proposed slips whose result equals the claim."""
    return next((words for words, value in propose(cell, evidence) if cell.claimed.admits(value)), None)
