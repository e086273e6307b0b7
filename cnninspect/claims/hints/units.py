"""The right number in another unit: FLOPs for MACs, one sample for the batch."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from cnninspect.claims.cell import Cell
from cnninspect.claims.columns import Shapes
from cnninspect.claims.hints.evidence import Alternative, Evidence, output_of
from cnninspect.report.quantities import flops_from_macs, macs_from_flops


def factor_two(cell: Cell, _evidence: Evidence) -> Iterator[Alternative]:
    """A count in the unit of the other column."""
    if isinstance(cell.found, int):
        if cell.column == "macs":
            yield Alternative(f"these are FLOPs: 1 MAC is {flops_from_macs(1)} FLOPs", flops_from_macs(cell.found))
        elif cell.column == "flops":
            yield Alternative(f"these are MACs: 1 MAC is {flops_from_macs(1)} FLOPs", macs_from_flops(cell.found))


def batch(cell: Cell, evidence: Evidence) -> Iterator[Alternative]:
    """Counts of one sample for those of the batch; a batch that is not the run's."""
    if cell.column in ("macs", "flops", "neurons") and isinstance(cell.found, int):
        yield Alternative(
            f"this is for one sample; the run has a batch of {evidence.batch}", Fraction(cell.found, evidence.batch)
        )
    elif isinstance(cell.claimed, Shapes) and cell.row is not None and (right := output_of(cell.row)):
        claimed = cell.claimed.value[0]
        yield Alternative(f"the batch is {right[0]}, not {claimed[0]}", ((claimed[0], *right[1:]),))


def another_batch(cell: Cell, evidence: Evidence) -> Iterator[Alternative]:
    """Counts for the batch that the file's shapes are claimed with."""
    if cell.column in ("macs", "flops", "neurons") and isinstance(cell.found, int):
        for size in _claimed_batches(evidence):
            yield Alternative(
                f"this is for a batch of {size}; the run has {evidence.batch}",
                Fraction(cell.found * size, evidence.batch),
            )


def _claimed_batches(evidence: Evidence) -> set[int]:
    """The first dimensions of the shapes that are claimed with one more dimension than a sample has."""
    shapes = [
        (cell.claimed.value[0], output_of(cell.row))
        for cell in evidence.cells
        if isinstance(cell.claimed, Shapes) and cell.row is not None
    ]
    return {claimed[0] for claimed, right in shapes if right is not None and claimed[1:] == right[1:]}
