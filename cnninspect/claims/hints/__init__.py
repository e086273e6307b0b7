"""Why a claim is wrong: computes the result of each usual slip and compares it with the claim.

A slip is a typical mistake in a hand calculation, such as leaving out the bias.
"""

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
