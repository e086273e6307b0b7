"""What is said about receptive fields: in the cells of a table of layers, and in lines below it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cnninspect.render.cells import Context, Line, verdict_sign
from cnninspect.render.numbers import BEYOND, dimensions, field_text, per_axis
from cnninspect.render.page import Cell, Fact, Tone
from cnninspect.report.document import Report
from cnninspect.report.quantities import Status
from cnninspect.report.rows import ReceptiveField


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


def field_facts(report: Report) -> Iterator[Fact]:
    """The total, and what the signs in the column mean; nothing for a network without spatial axes."""
    total = report.totals.get("receptive_field")
    if isinstance(total, ReceptiveField):
        yield from _of_last_map(total)
        yield from _global(total, report)
    fields = [row.receptive_field for row in report.rows if row.receptive_field is not None]
    beyond = next((field for field in fields if field.exceeds_image), None)
    if beyond is not None:
        yield Fact(f"  {BEYOND}", f"larger than the input, {dimensions(beyond.image or ())}")
    yield from _without_rule(fields)


def _of_last_map(field: ReceptiveField) -> Iterator[Fact]:
    if field.size is not None:
        fixed = all(isinstance(extent, int) for extent in field.size)
        size = dimensions(field.size) if fixed else field_text(field)
        step = f", jump {per_axis(field.jump)}" if field.jump else ""
        padding = f", padding {per_axis(field.padding)}" if field.padding else ""
        where = f" ({field.layer})" if field.layer else ""
        yield Fact("field", f"{size}{step}{padding} at the last spatial map{where}")
    elif field.is_global:
        yield Fact("field", "global")


def _global(total: ReceptiveField, report: Report) -> Iterator[Fact]:
    """From where on every position sees the whole input: behind the last map, and strictly maybe earlier."""
    is_map = total.size is not None
    strict = f"counting gates and statistics from {total.cause} on" if is_map and total.cause else ""
    maps = [index for index, row in enumerate(report.rows) if is_map and row.leaf and row.receptive_field == total]
    behind = (row for row in report.rows[max(maps, default=-1) + 1 :] if row.leaf)
    first = next((row for row in behind if row.receptive_field is not None and row.receptive_field.is_global), None)
    if first is not None:
        yield Fact("  global", f"from {first.label} on", strict)
    elif strict:
        yield Fact("  global", strict)


def _without_rule(fields: list[ReceptiveField]) -> Iterator[Fact]:
    """The ops that leave fields unknown, with how many rows follow them."""
    causes = [field.cause for field in fields if field.status is Status.UNKNOWN and field.cause is not None]
    for cause in dict.fromkeys(causes):
        rows = causes.count(cause)
        yield Fact("  unknown", f"from {cause} on ({rows} row{'s' if rows > 1 else ''})", tone=Tone.UNKNOWN)
