"""The right number in the wrong place: in another unit, of another batch or row, in another order, cut off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import permutations

from cnninspect.claims.cell import Cell, Count, Shapes, value_of
from cnninspect.claims.hints.evidence import Alternative, Evidence, output_of
from cnninspect.report.quantities import Quantity, Verdict, flops_from_macs, macs_from_flops
from cnninspect.report.rows import Row


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


def another_order(cell: Cell, _evidence: Evidence) -> Iterator[Alternative]:
    """The sizes of a map in another order, or flattened."""
    right = output_of(cell.row) if cell.row is not None else None
    if cell.column == "output_shape" and right is not None and 2 < len(right) <= 5:
        for sizes in permutations(right[1:]):
            yield Alternative("the sizes stand in another order; shapes are [N, C, H, W]", ((right[0], *sizes),))


def neighbour(cell: Cell, evidence: Evidence) -> Iterator[Alternative]:
    """The same number of a row that may be mistaken for this one: those before it first, then those after it."""
    if cell.row is None or not cell.row.leaf or cell.column == "kind":
        return
    for words, rows in (("an earlier", evidence.before(cell.row)), ("a later", evidence.after(cell.row))):
        for row in _near(cell.row, rows):
            if value := value_of(getattr(row, cell.column)):
                yield Alternative(f"this is the number of {row.label}, {words} row", value)


def _near(row: Row, others: Sequence[Row]) -> list[Row]:
    """The next of the rows and the next two of the same kind: in a large network some row has any usual number."""
    alike = [other for other in others if other.kind == row.kind]
    return [*others[:1], *alike[:2]]


def rounding(cell: Cell, _evidence: Evidence) -> Iterator[Alternative]:
    """A number that was cut off where it should be rounded, or rounded without saying so."""
    if not isinstance(cell.claimed, Count) or not isinstance(cell.found, int):
        return
    unit = 2 * cell.claimed.number.slack
    if unit:
        yield Alternative("cut off, not rounded", cell.found // unit * unit)
        return
    for digits in range(1, len(str(cell.found)) - 2):
        yield Alternative(
            "rounded; a rounded number is claimed with a suffix, such as 4.09G", round(cell.found, -digits)
        )


def total_of_claims(cell: Cell, evidence: Evidence) -> Iterator[Alternative]:
    """A total that adds up the file's own rows, of which some are wrong or missing."""
    claimed = [other for other in evidence.cells if other.column == cell.column and other.row is not None]
    counts = [other.claimed.number.value for other in claimed if isinstance(other.claimed, Count)]
    if cell.row is not None or not isinstance(cell.number, Quantity) or not counts:
        return
    wrong = [other.label for other in claimed if other.judge()[0] is Verdict.DIFFER]
    there = {id(other.row) for other in claimed}
    missing = [row.label for row in evidence.leaves if value_of(getattr(row, cell.column)) and id(row) not in there]
    if wrong or missing:
        words = f"of which these are wrong: {_some(wrong)}" if wrong else f"without {_some(missing)}"
        yield Alternative(f"adds up the rows claimed, {words}", sum(counts))


def _some(names: list[str], shown: int = 3) -> str:
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest} more" if rest > 0 else "")
