"""What one position of a layer sees: a table of nested regions, sentences, and a drawing in characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnninspect.render.numbers import dimensions, field_text
from cnninspect.render.page import Cell, Fact, Heading, Sheet, Tone
from cnninspect.render.screen import Marks
from cnninspect.report.parts import Ends, Sight
from cnninspect.report.quantities import Status
from cnninspect.report.rows import ReceptiveField

_AXES = {1: ("positions",), 2: ("rows", "columns"), 3: ("planes", "rows", "columns")}
"""What the axes of an input are called, by their number."""


def sight_sheet(sights: Sequence[Sight]) -> Sheet:
    """One line for each region, numbered from the innermost: the layer, its position, its size and its pixels."""
    axes = _axes(sights[-1])
    beyond = any(sight.inputs[0].endless != sight.inputs[0].local for sight in sights)
    headings = (
        Heading("number", "", right=True, kept=True),
        Heading("layer", "layer", kept=True),
        Heading("at", "at"),
        Heading("receptive_field", "field", right=True, kept=True),
        *(Heading(axis, axis, right=True, kept=True) for axis in axes),
        *(Heading(f"endless_{axis}", f"{axis} without ends", right=True) for axis in axes),
    )
    sheet = Sheet(headings, tuple(_line(number, sight) for number, sight in enumerate(sights, 1)))
    return sheet if beyond else sheet.without(range(len(headings) - len(axes), len(headings)))


def _line(number: int, sight: Sight) -> tuple[Cell, ...]:
    seen = sight.inputs[0]
    local, endless = ([_ends(ends) for ends in form] for form in (seen.local, seen.endless))
    at, size = ",".join(map(str, sight.at)), size_text(sight)
    return (
        Cell(str(number), number, Tone.ACCENT),
        Cell(sight.layer, sight.layer),
        Cell(at, at, Tone.QUIET),
        Cell(size, size),
        *(Cell(text, text) for text in local),
        *(Cell("" if text == inside else text, text, Tone.QUIET) for text, inside in zip(endless, local, strict=True)),
    )


def size_text(sight: Sight) -> str:
    """How many pixels of the first input a sight sees without ends: `435`, `31x91`, or `global`."""
    seen = sight.inputs[0]
    if seen.is_global:
        return field_text(ReceptiveField(status=Status.EXACT))
    return field_text(ReceptiveField(size=tuple(map(_extent, seen.endless))))


def sight_facts(sights: Sequence[Sight]) -> Iterator[Fact]:
    """What the position sees of every input, strictly too where that is more."""
    sight = sights[-1]
    where = f" at {','.join(map(str, sight.at))} of {dimensions(sight.positions)}" if sight.at else ""
    yield Fact("position", f"{sight.layer} ({sight.row.kind}){where}")
    for seen in sight.inputs:
        name = f"input {seen.name}, {dimensions(seen.image)}"
        yield Fact("sees", _sentence(seen.local), f"of {name}")
        if seen.strict != seen.local:
            yield Fact("  strictly", _sentence(seen.strict), "counting gates and statistics")


def _sentence(parts: Sequence[Ends | None]) -> str:
    if None in parts:
        return "nothing"
    names = _AXES.get(len(parts), tuple(f"axis {index}" for index in range(len(parts))))
    return ", ".join(f"{name} {_ends(ends)}" for name, ends in zip(names, parts, strict=True))


def _axes(sight: Sight) -> tuple[str, ...]:
    count = len(sight.inputs[0].image)
    return _AXES.get(count, tuple(f"axis_{index}" for index in range(count)))


def _ends(ends: Ends | None) -> str:
    return "none" if ends is None else f"{ends[0]}..{ends[1]}"


def _extent(ends: Ends | None) -> int:
    return 0 if ends is None else ends[1] - ends[0] + 1


WIDTH, HEIGHT = 48, 24
"""Characters of a whole row, and lines, at most; half as many lines as characters are as high."""

_LEAST = 3


def drawing(sights: Sequence[Sight], marks: Marks) -> list[str]:
    """The regions of the first input, numbered as in their table; lines of characters, the input's last two axes.

    What one character covers belongs to the innermost region that it touches.
    """
    regions = [sight.inputs[0] for sight in sights]
    image = regions[0].image[-2:]
    rows, columns = _size(image)
    grid = [[marks.nothing] * columns for _ in range(rows)]
    for number in range(len(regions), 0, -1):
        ends = [each for each in regions[number - 1].local[-2:] if each is not None]
        if len(ends) == len(image):
            across = _covered(ends[-1], image[-1], columns)
            for row in range(rows) if len(image) == 1 else _covered(ends[0], image[0], rows):
                grid[row][across.start : across.stop] = [str(number)] * len(across)
    return ["".join(line) for line in grid]


def _size(image: Sequence[int]) -> tuple[int, int]:
    """Lines and characters that keep the proportions of an image as far as they can."""
    width = min(WIDTH, image[-1])
    if len(image) == 1:
        return 1, width
    high = image[0] / image[1] / 2
    if width * high > HEIGHT:
        width = min(max(_LEAST, round(HEIGHT / high)), image[1])
    return min(max(_LEAST, round(width * high)), image[0], HEIGHT), width


def _covered(ends: Sequence[int], pixels: int, characters: int) -> range:
    """The characters that touch the pixels from the first to the last."""
    first, last = ends
    return range(first * characters // pixels, last * characters // pixels + 1)
