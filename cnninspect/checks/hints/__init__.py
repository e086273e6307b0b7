"""Why a claim is wrong: the usual slips, recognised by working out what each of them leads to."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cnninspect.checks.claims.cell import Cell
from cnninspect.checks.hints import elsewhere, receptive, slips, stages, striding, units
from cnninspect.checks.hints.evidence import Alternative, Evidence

_PROPOSALS: tuple[Callable[[Cell, Evidence], Iterator[Alternative]], ...] = (
    units.factor_two,
    units.batch,
    units.another_batch,
    stages.same_row,
    stages.another_stage,
    stages.the_row_before,
    elsewhere.total_of_claims,
    striding.moved_costs,
    slips.propose,
    receptive.propose,
    elsewhere.another_order,
    stages.another_size,
    elsewhere.rounding,
    elsewhere.neighbour,
)
"""In the order in which they explain a claim: the first whose result is what is claimed gives the hint."""


def hint_for(cell: Cell, evidence: Evidence) -> str | None:
    """The slip that leads to exactly what a wrong cell claims; None where no known one does."""
    for propose in _PROPOSALS:
        for words, value in propose(cell, evidence):
            if cell.claimed.admits(value):
                return words
    return None
