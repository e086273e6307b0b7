"""The effective receptive field beside the theoretical one: table, sentences, a drawing in characters, a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cnninspect.render.fields import drawing_size, extents_text, position_facts, size_text
from cnninspect.render.page import UNICODE, Cell, Fact, Heading, Marks, Sheet, Tone, Worth
from cnninspect.report.document import FieldStudy
from cnninspect.report.parts import EffectiveField, EffectiveInput, Ends, InfluenceRegion, InputField
from cnninspect.report.quantities import Verdict
from cnninspect.report.rows import axis_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMES = {
    "theoretical": "theoretical field",
    "effective": "effective field",
}
_OTHERS = "{} of the influence"

_LEVELS = ((0.5, "█", "#"), (1 - 0.9545, "▓", "+"))
"""Influence, as a part of the largest, that a character stands for: more than half, and the effective field."""

_INSIDE = ("░", ".")


def effective_sheet(effective: EffectiveField, *, programs: bool = False) -> Sheet:
    """One line per region: its size along each axis, its pixels, and its share of all influence."""
    axes = axis_names(len(effective.inputs[0].image))
    headings = (
        Heading("input", "input"),
        Heading("region", "region", worth=Worth.KEPT),
        *(Heading(axis.replace(" ", "_"), axis, right=True, worth=Worth.KEPT) for axis in axes),
        Heading("pixels", "pixels", right=True),
        Heading("share", "influence", right=True, worth=Worth.KEPT, unit="percent" if programs else ""),
    )
    lines = tuple(
        (Cell(part.name, part.name, Tone.QUIET), *_line(region)) for part in effective.inputs for region in part.regions
    )
    sheet = Sheet(headings, lines)
    return sheet if programs or len(effective.inputs) > 1 else sheet.without([0])


def _line(region: InfluenceRegion) -> tuple[Cell, ...]:
    percent = round(100 * region.share, 2)
    return (
        Cell(region_text(region), region.name),
        *(Cell(str(extent), extent) for extent in region.size),
        Cell(f"{region.pixels:,}", region.pixels),
        Cell(f"{percent:.1f} %", percent),
    )


def region_text(region: InfluenceRegion) -> str:
    """The region in words."""
    return _NAMES.get(region.name) or _OTHERS.format(region.name)


def effective_facts(study: FieldStudy, marks: Marks) -> Iterator[Fact]:
    """The position and its theoretical field, the size of the effective one, its deviation, and the verdict."""
    assert study.effective is not None
    yield from position_facts(study.sights)
    for part in study.effective.inputs:
        about = "" if len(study.effective.inputs) == 1 else f" of input {part.name}"
        pixels = f", the root of its {part.effective.pixels:,} pixels" if len(part.image) == 2 else ""
        theoretical = f"theoretical {extents_text(_field_of(study, part))}"
        yield Fact("effective", f"{part.across:.1f} pixels across{about}{pixels}", theoretical)
        yield Fact("  deviation", _per_axis(part.deviation), f"{_per_axis(part.deviation_of_squares)} of squares")
        yield Fact("  outside", *_outside(part, marks))
    count = study.effective.samples
    drawn = f"over {count} random input{'s' if count > 1 else ''}"
    inputs = drawn if study.effective.drawn else "with the inputs given"
    yield Fact("measured", f"mean absolute gradient {inputs}", "Luo et al. 2016")
    bright, middle, inside = _signs(marks)
    yield Fact("drawn", f"{bright} over half of the largest influence, {middle} effective, {inside} theoretical field")


def _outside(part: EffectiveInput, marks: Marks) -> tuple[str, str, Tone]:
    """What is known of the pixels outside the theoretical field; the gradient is a second source for its ends."""
    if part.verdict is Verdict.DIFFER:
        return "pixels outside the theoretical field have an influence", marks.differ, Tone.DIFFER
    if part.verdict is Verdict.NOT_RUN:
        return "no pixel lies outside the theoretical field, so that nothing is checked", "", Tone.QUIET
    share = 1 - part.regions[0].share
    if share > 0:
        return (
            f"{100 * share:.2g} % through gates and statistics, 0 where the strict field ends",
            marks.match,
            Tone.PLAIN,
        )
    return "0 at every pixel outside the theoretical field", marks.match, Tone.PLAIN


def _per_axis(values: tuple[float, ...]) -> str:
    names = axis_names(len(values))
    return ", ".join(f"{value:.3g} {name}" for value, name in zip(values, names, strict=True))


def effective_drawing(study: FieldStudy, marks: Marks, fewer: int = 0) -> list[str]:
    """The influence on the last two axes of the first input: a character shows the largest in its pixels."""
    assert study.effective is not None
    part, field = study.effective.inputs[0], _field_of(study, study.effective.inputs[0])
    image = part.image[-2:]
    lines = part.influence if len(image) > 1 else (part.influence,)
    inside = [ends or (0, -1) for ends in field.local[-2:]]
    rows, columns = drawing_size(image, fewer)
    height = image[0] if len(image) > 1 else 1

    def sign(row: int, column: int) -> str:
        across, down = _pixels(column, columns, image[-1]), _pixels(row, rows, height)
        most = max(lines[y][x] for y in down for x in across)
        spans = (down, across) if len(image) > 1 else (across,)
        touches = all(
            span.start <= last and span.stop > first for span, (first, last) in zip(spans, inside, strict=True)
        )
        for (least, *_), each in zip(_LEVELS, _signs(marks), strict=False):
            if most > least:
                return each
        return _signs(marks)[-1] if touches else marks.nothing

    return ["".join(sign(row, column) for column in range(columns)) for row in range(rows)]


def _pixels(place: int, places: int, pixels: int) -> range:
    """The pixels that a character shows."""
    return range(place * pixels // places, max((place + 1) * pixels // places, place * pixels // places + 1))


def _signs(marks: Marks) -> tuple[str, ...]:
    which = 0 if marks is UNICODE else 1
    return (*(signs[which] for _, *signs in _LEVELS), _INSIDE[which])


def _field_of(study: FieldStudy, part: EffectiveInput) -> InputField:
    return next(field for field in study.sights[-1].inputs if field.name == part.name)


def draw_influence(axes: Axes, study: FieldStudy) -> None:
    """The influence in the first input as a heat map or curve, inside the theoretical field, with a box for each share.

    Colours and heights show the root of the influence: little of it would be seen otherwise.
    """
    import numpy as np
    from matplotlib import colormaps
    from matplotlib.patches import Patch

    assert study.effective is not None
    part = study.effective.inputs[0]
    field = _field_of(study, part)
    values = np.sqrt(np.asarray(part.influence))
    colours = ("0.35", "0.35", "#2b6cb0", "#2f855a", "#b7791f")
    if values.ndim == 1:
        axes.fill_between(np.arange(len(values)), values, step="mid", color="#b5367a", linewidth=0)
    else:
        # Little influence is see-through: the ground, which may be an image, is seen below.
        colours_of = colormaps["magma_r"](0.15 + 0.85 * values)
        colours_of[..., 3] = np.minimum(1, 1.5 * values)
        axes.imshow(colours_of, interpolation="none", zorder=2)
    signs = [Patch(facecolor="#b5367a", label=f"effective field: {part.across:.1f}")]
    for region, colour in zip(part.regions, colours, strict=True):
        if region.name != "effective":
            size = extents_text(field) if region.name == "theoretical" else size_text(region.size)
            signs.append(Patch(fill=False, edgecolor=colour, label=f"{region_text(region)}: {size}"))
            _outline(axes, region.box[-2:], colour, "-")
    ends = [each for each in field.endless[-2:] if each is not None]
    if ends != list(field.local[-2:]):
        _outline(axes, ends, colours[0], "--")
    axes.legend(handles=signs, loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, borderaxespad=0.0)


def _outline(axes: Axes, box: Sequence[Ends], colour: str, style: str) -> None:
    """A box of pixels: a rectangle, or two lines for one axis."""
    from matplotlib.patches import Rectangle

    (left, right), *rows = reversed(box)
    if not rows:
        for edge in (left - 0.5, right + 0.5):
            axes.axvline(edge, color=colour, linestyle=style, linewidth=1.0, zorder=3)
        return
    ((top, bottom),) = rows
    corner, size = (left - 0.5, top - 0.5), (right - left + 1, bottom - top + 1)
    axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=colour, linestyle=style, linewidth=1.2, zorder=3))
