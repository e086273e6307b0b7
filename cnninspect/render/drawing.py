"""Nested regions over the input as a picture made of characters: a digit for each, the innermost in front."""

from __future__ import annotations

from collections.abc import Sequence

from cnninspect.render.screen import Marks
from cnninspect.report.parts import Sight

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
