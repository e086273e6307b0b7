"""Receptive fields: cells and totals of the layer table, the field of one position, and the table of `rf --vary`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cnninspect.render.cells import Context, Line, verdict_sign
from cnninspect.render.numbers import EXCEEDS_INPUT, dimensions, field_text, number_cell, per_axis
from cnninspect.render.page import Cell, Fact, Heading, Marks, Sheet, Tone, Worth
from cnninspect.report.document import Report, Variation
from cnninspect.report.parts import Ends, InputField, PositionField, VariedNetwork
from cnninspect.report.quantities import Status
from cnninspect.report.rows import ReceptiveField, axis_names


def setting_cell(name: str, usual: int | None = None) -> Callable[[Line, Context], Cell]:
    """The cell of a hyper-parameter per axis, in the quiet tone if it is `usual`."""

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
    """The layer or op that makes the strict field global, along which axes if not all, or the field unknown."""
    field = line.row.receptive_field
    cause = None if field is None else field.named_cause
    return Cell(cause or "", cause, Tone.QUIET)


def probe_cell(line: Line, context: Context) -> Cell:
    """The probe's verdict on the field."""
    field = line.row.receptive_field
    return Cell("") if field is None else verdict_sign(field.verdict, context.marks)


def field_facts(report: Report) -> Iterator[Fact]:
    """The field of the network, and a legend of the signs in the column; empty for a network without spatial axes."""
    total = report.totals.get("receptive_field")
    if isinstance(total, ReceptiveField):
        yield from _of_last_map(total)
        yield from _global(total, report)
    fields = [row.receptive_field for row in report.rows if row.receptive_field is not None]
    beyond = next((field for field in fields if field.exceeds_image), None)
    if beyond is not None:
        yield Fact(f"  {EXCEEDS_INPUT}", f"larger than the input, {dimensions(beyond.image or ())}")
    yield from _without_rule(fields)


def _of_last_map(field: ReceptiveField) -> Iterator[Fact]:
    if field.size is not None:
        fixed = all(isinstance(extent, int) for extent in field.size)
        size = dimensions(field.size) if fixed else field_text(field)
        step = f", jump {per_axis(field.jump)}" if field.jump else ""
        padding = f", padding {per_axis(field.padding)}" if field.padding else ""
        where = f" ({field.layer})" if field.layer else ""
        yield Fact("field", f"{size}{step}{padding} at the last spatial map{where}", short=f"{size}{step}{where}")
    elif field.is_global:
        yield Fact("field", "global")


def _global(total: ReceptiveField, report: Report) -> Iterator[Fact]:
    """The first layer after the last spatial map whose field is global, and the causes of a global strict field."""
    is_map = total.size is not None
    strict = f"counting gates and statistics from {total.cause} on" if is_map and total.cause else ""
    if total.global_along:
        strict = "; ".join(
            f"along {' and '.join(axes)}, counting gates and statistics from {cause} on"
            for cause, axes in total.axes_left_out.items()
        )
    maps = [index for index, row in enumerate(report.rows) if is_map and row.leaf and row.receptive_field == total]
    behind = (row for row in report.rows[max(maps, default=-1) + 1 :] if row.leaf)
    first = next((row for row in behind if row.receptive_field is not None and row.receptive_field.is_global), None)
    if first is not None:
        yield Fact("  global", f"from {first.label} on", strict, is_main=False)
    elif strict:
        yield Fact("  global", strict)


def _without_rule(fields: list[ReceptiveField]) -> Iterator[Fact]:
    """The ops that make fields unknown, each with the number of rows that it affects."""
    causes = [field.cause for field in fields if field.status is Status.UNKNOWN and field.cause is not None]
    for cause in dict.fromkeys(causes):
        rows = causes.count(cause)
        yield Fact("  unknown", f"from {cause} on ({rows} row{'s' if rows > 1 else ''})", tone=Tone.UNKNOWN)


def position_sheet(fields: Sequence[PositionField]) -> Sheet:
    """One line per nested field, numbered from the innermost: layer, position, size, and first and last pixels."""
    axes = axis_names(len(fields[-1].inputs[0].image))
    beyond = any(field.inputs[0].endless != field.inputs[0].local for field in fields)
    headings = (
        Heading("number", "", right=True, worth=Worth.KEPT),
        Heading("layer", "layer", worth=Worth.KEPT, shortens=True),
        Heading("at", "at"),
        Heading("receptive_field", "field", right=True, worth=Worth.KEPT),
        *(Heading(axis.replace(" ", "_"), axis, right=True, worth=Worth.KEPT) for axis in axes),
        *(Heading("endless_" + axis.replace(" ", "_"), f"{axis} without ends", right=True) for axis in axes),
    )
    sheet = Sheet(headings, tuple(_position_line(number, field) for number, field in enumerate(fields, 1)))
    return sheet if beyond else sheet.without(range(len(headings) - len(axes), len(headings)))


def _position_line(number: int, field: PositionField) -> tuple[Cell, ...]:
    part = field.inputs[0]
    local, endless = ([_ends(ends) for ends in form] for form in (part.local, part.endless))
    at, size = ",".join(map(str, field.at)), extents_text(field.inputs[0])
    return (
        Cell(str(number), number, Tone.STRONG),
        Cell(field.layer, field.layer),
        Cell(at, at, Tone.QUIET),
        Cell(size, size),
        *(Cell(text, text) for text in local),
        *(Cell("" if text == inside else text, text, Tone.QUIET) for text, inside in zip(endless, local, strict=True)),
    )


def extents_text(part: InputField) -> str:
    """The size of the unclipped field in one input: `435`, `31x91`, or `global`."""
    if part.is_global:
        return field_text(ReceptiveField(status=Status.EXACT))
    return size_text(tuple(map(_extent, part.endless)))


def size_text(size: tuple[int, ...]) -> str:
    """`435` where all axes have the same size, else `31x91`."""
    return field_text(ReceptiveField(size=size))


def position_facts(fields: Sequence[PositionField]) -> Iterator[Fact]:
    """The field of the position in every input, and its strict field where that is larger."""
    field = fields[-1]
    where = f" at {','.join(map(str, field.at))} of {dimensions(field.positions)}" if field.at else ""
    yield Fact("position", f"{field.layer} ({field.row.kind}){where}")
    for part in field.inputs:
        name = f"input {part.name}, {dimensions(part.image)}"
        yield Fact("sees", _sentence(part.local), f"of {name}")
        if part.strict != part.local:
            yield Fact("  strictly", _sentence(part.strict), "counting gates and statistics")


def _sentence(parts: Sequence[Ends | None]) -> str:
    if None in parts:
        return "nothing"
    names = axis_names(len(parts))
    return ", ".join(f"{name} {_ends(ends)}" for name, ends in zip(names, parts, strict=True))


def _ends(ends: Ends | None) -> str:
    return "none" if ends is None else f"{ends[0]}..{ends[1]}"


def _extent(ends: Ends | None) -> int:
    return 0 if ends is None else ends[1] - ends[0] + 1


WIDTH, HEIGHT = 48, 24
"""The largest drawing, in characters and lines; a character is about twice as high as wide."""

_LEAST = 3
_LOWEST = 10
"""Lines of a drawing on a low screen."""


def drawing(fields: Sequence[PositionField], marks: Marks, fewer: int = 0) -> list[str]:
    """A drawing of the fields in the first input's last two axes, as lines of text; numbers as in `position_sheet`.

    A character shows the innermost field that touches its pixels. `fewer` lines than HEIGHT fit the screen.
    """
    regions = [field.inputs[0] for field in fields]
    image = regions[0].image[-2:]
    rows, columns = drawing_size(image, fewer)
    grid = [[marks.nothing] * columns for _ in range(rows)]
    for number in range(len(regions), 0, -1):
        ends = [each for each in regions[number - 1].local[-2:] if each is not None]
        if len(ends) == len(image):
            across = _covered(ends[-1], image[-1], columns)
            for row in range(rows) if len(image) == 1 else _covered(ends[0], image[0], rows):
                grid[row][across.start : across.stop] = [str(number)] * len(across)
    return ["".join(line) for line in grid]


def drawing_size(image: Sequence[int], fewer: int = 0) -> tuple[int, int]:
    """Lines and characters of a drawing, in about the proportions of the image; `fewer` lines than HEIGHT fit."""
    height = max(_LOWEST, HEIGHT - fewer)
    width = min(WIDTH, image[-1])
    if len(image) == 1:
        return 1, width
    high = image[0] / image[1] / 2
    if width * high > height:
        width = min(max(_LEAST, round(height / high)), image[1])
    return min(max(_LEAST, round(width * high)), image[0], height), width


def _covered(ends: Sequence[int], pixels: int, characters: int) -> range:
    """The indices of the characters that touch the pixels from the first to the last."""
    first, last = ends
    return range(first * characters // pixels, last * characters // pixels + 1)


def varied_sheet(variation: Variation, marks: Marks) -> Sheet:
    """One line per network: the varied arguments, and the layer's field, output size, params and MACs."""
    names = tuple(variation.varied[0].arguments)
    headings = (
        *(Heading(name, name, right=True, worth=Worth.KEPT) for name in names),
        Heading("receptive_field", "field", right=True, worth=Worth.KEPT),
        Heading("jump", "jump", right=True),
        Heading("padding", "padding", right=True),
        Heading("map", "map", worth=Worth.KEPT),
        Heading("params", "params", right=True, worth=Worth.KEPT),
        Heading("macs", "MACs", right=True, worth=Worth.KEPT),
        Heading("layer", "layer", shortens=True),
    )
    return Sheet(headings, tuple(_network_line(network, marks) for network in variation.varied))


def _network_line(network: VariedNetwork, marks: Marks) -> tuple[Cell, ...]:
    field = network.receptive_field
    known = field.size is not None or field.is_global
    text = field_text(field) if known else marks.unknown if field.was_computed else ""
    positions = dimensions(network.map) if network.map else ""
    return (
        *(Cell(str(value), value if isinstance(value, int) else str(value)) for value in network.arguments.values()),
        Cell(text, text),
        *(Cell(per_axis(part), per_axis(part)) if part else Cell("") for part in (field.jump, field.padding)),
        Cell(positions, positions),
        *(number_cell(number, marks) for number in (network.params, network.macs)),
        Cell(network.layer, network.layer),
    )
