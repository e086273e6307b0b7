"""What stands in the cells of a table about receptive fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cnninspect.render.cells import Context, Line, verdict_sign
from cnninspect.render.numbers import per_axis
from cnninspect.render.sheet import Cell, Tone


def setting_cell(name: str, usual: int | None = None) -> Callable[[Line, Context], Cell]:
    """The cell of a hyper-parameter per axis; quiet where it has its usual value."""

    def cell(line: Line, _context: Context) -> Cell:
        value = line.row.hyperparameters.get(name)
        if value is None:
            return Cell("")
        text = per_axis(value) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
        return Cell(text, text, Tone.QUIET if text == str(usual) else Tone.PLAIN)

    return cell


def part_of_field_cell(name: str) -> Callable[[Line, Context], Cell]:
    """The cell of the field's `jump` or `padding`."""

    def cell(line: Line, _context: Context) -> Cell:
        field = line.row.receptive_field
        values: Sequence[Any] | None = None if field is None else getattr(field, name)
        if not values:
            return Cell("")
        return Cell(per_axis(values), per_axis(values))

    return cell


def cause_cell(line: Line, _context: Context) -> Cell:
    """What makes the strict field global, or the field unknown."""
    field = line.row.receptive_field
    cause = None if field is None else field.cause
    return Cell(cause or "", cause, Tone.QUIET)


def probe_cell(line: Line, context: Context) -> Cell:
    """What the probe says of the field."""
    field = line.row.receptive_field
    return Cell("") if field is None else verdict_sign(field.verdict, context.marks)
