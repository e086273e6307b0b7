"""Why a claim is wrong: the usual slips, recognised by working out what each of them leads to."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cnninspect.claims.cell import Cell
from cnninspect.claims.hints import misplaced, slips, windows
from cnninspect.claims.hints.evidence import Alternative, Evidence
from cnninspect.report.reasons import ask

Proposal = Callable[[Cell, Evidence], Iterator[Alternative]]

_PROPOSALS: tuple[Proposal, ...] = (
    misplaced.factor_two,
    misplaced.batch,
    misplaced.another_batch,
    misplaced.same_row,
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
"""In the order in which they explain a claim: the first whose result is what is claimed gives the hint."""

_RIVALS: tuple[Proposal, ...] = (misplaced.factor_two, misplaced.batch, misplaced.an_earlier_stage, slips.propose)
"""Slips as usual as each other, which the same number may come from: two groups, and FLOPs for MACs."""


_ADDED: list[Proposal] = []


def hint(propose: Proposal) -> Proposal:
    """Enters a slip that claims may hold: a function that yields what a number would be after it. Asked last."""
    _ADDED.append(propose)
    return propose


def hint_for(cell: Cell, evidence: Evidence) -> str | None:
    """The slip that leads to exactly what a wrong cell claims, or each of them that may; None where none does.

    An error in the search, or in a plug-in's slip, costs the hint, which then names it, and never the check.
    """
    found = ask("the search for the slip", _usual_slip, cell, evidence)
    for propose in _ADDED:
        found = found or ask(f"the hint {propose.__name__}", _explained, cell, evidence, propose)
    return None if found is None else str(found)


def _usual_slip(cell: Cell, evidence: Evidence) -> str | None:
    """The words of the first usual slip that leads to what is claimed, with its rivals."""
    for propose in _PROPOSALS:
        if words := _explained(cell, evidence, propose):
            later = _RIVALS[_RIVALS.index(propose) + 1 :] if propose in _RIVALS else ()
            return ", or ".join(filter(None, (words, *(_explained(cell, evidence, rival) for rival in later))))
    return None


def _explained(cell: Cell, evidence: Evidence, propose: Proposal) -> str | None:
    """The words of the first of the proposed slips that leads to what is claimed."""
    return next((words for words, value in propose(cell, evidence) if cell.claimed.admits(value)), None)
