"""What a hint can be drawn from: the report, and everything else that the same file claims."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

from cnninspect.claims.cell import Cell
from cnninspect.report.document import Report, Row
from cnninspect.report.quantities import Quantity, Shape, Verdict


class Alternative(NamedTuple):
    """What a number would be after a slip, and the slip in words."""

    words: str
    value: Any


class Evidence:
    """The report and the cells that are claimed about it."""

    def __init__(self, report: Report, cells: Sequence[Cell]):
        self.report = report
        self.cells = cells

    @cached_property
    def leaves(self) -> tuple[Row, ...]:
        """The rows that have none below them, in the order in which they ran."""
        return tuple(row for row in self.report.rows if row.leaf)

    @cached_property
    def _positions(self) -> dict[int, int]:
        return {id(leaf): position for position, leaf in enumerate(self.leaves)}

    @cached_property
    def batch(self) -> int:
        """The samples of the run: the first dimension of its first input."""
        inputs = self.report.run.get("inputs") or [{"shape": ()}]
        return int(inputs[0]["shape"][0]) if inputs[0]["shape"] else 1

    @cached_property
    def _wrong(self) -> dict[tuple[int, str], Cell]:
        wrong = [cell for cell in self.cells if cell.judge()[0] is Verdict.DIFFER]
        return {(id(cell.row), cell.column): cell for cell in wrong}

    def wrong(self, row: Row, column: str) -> Cell | None:
        """The claim about a number of a row, if it is wrong."""
        return self._wrong.get((id(row), column))

    def below(self, row: Row | None) -> list[Row]:
        """The leaves that a row's numbers, or the totals, add up; a leaf's is itself."""
        if row is None:
            return list(self.leaves)
        return [row] if row.leaf else [leaf for leaf in self.leaves if any(above is row for above in self._path(leaf))]

    def up_to(self, row: Row | None) -> list[Row]:
        """The leaves that ran until a row was done, or all of them for the totals."""
        last = self.below(row)[-1]
        return [*self.before(last)[::-1], last]

    def before(self, row: Row) -> list[Row]:
        """The leaves that ran before a leaf, the latest first."""
        return list(self.leaves[: self._positions[id(row)]][::-1])

    def after(self, row: Row) -> list[Row]:
        """The leaves that ran after a leaf, in order."""
        return list(self.leaves[self._positions[id(row)] + 1 :])

    def _path(self, row: Row) -> list[Row]:
        """The row and all above it."""
        found = [row]
        while row.parent is not None:
            row = self.report.rows[row.parent]
            found.append(row)
        return found


def output_of(row: Row) -> Shape | None:
    """The shape of a row's only output; None where it has several or none."""
    shapes = row.output_shape.value if isinstance(row.output_shape, Quantity) else None
    return shapes[0] if shapes and len(shapes) == 1 else None
