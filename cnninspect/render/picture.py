"""Nested receptive fields over the input as a picture; matplotlib is imported only when a picture is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

from cnninspect.errors import UsageError, error_text
from cnninspect.render.effective import draw_influence
from cnninspect.render.fields import extents_text
from cnninspect.render.numbers import dimensions
from cnninspect.report.document import FieldStudy
from cnninspect.report.parts import Ends, InputField, PositionField

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = ("svg", "png")
"""The file types of a picture."""

_BEYOND = 0.6
"""The largest margin of a picture beyond the input, on each side, as a fraction of the input's size."""

_SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "cnninspect",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9.0,
}

Colour = tuple[float, float, float, float]
Style = dict[str, Any]


def picture(study: FieldStudy, kind: str, image: str | None = None) -> bytes:
    """The study's nested fields as the bytes of an SVG or PNG file, over the centre crop of `image` if one is given.

    The same study gives the same bytes. Raises UsageError for a study without fields or an unreadable image.
    """
    if not study.sights:
        raise UsageError("--picture: no layer has spatial positions to show. Name a LAYER that depends on the input.")
    from matplotlib import rc_context, rcParams

    content = BytesIO()
    with rc_context():
        rcParams.update(_SETTINGS)
        metadata = {"Date": None} if kind == "svg" else {}
        _figure(study, image).savefig(
            content, format=kind, dpi=160, bbox_inches="tight", metadata=metadata, facecolor="white"
        )
    return content.getvalue()


def _figure(study: FieldStudy, image: str | None) -> Figure:
    from matplotlib.figure import Figure

    fields, last = study.sights, study.sights[-1]
    if study.effective is not None:
        shown = study.effective.inputs[0].name
        fields = (replace(last, inputs=tuple(part for part in last.inputs if part.name == shown)),)
    regions = [field.inputs[0] for field in fields]
    colours = _colours(len(regions))
    size = regions[-1].image[-2:]
    figure = Figure(figsize=(5.6, 1.2 + 0.25 * len(regions)) if len(size) == 1 else (5.6, 5.6))
    axes = figure.add_subplot()
    if study.effective is not None:
        _ground(axes, size, image)
        draw_influence(axes, study)
        _frame(axes, regions, size)
    elif len(size) == 1:
        _bars(axes, regions, size[0], colours)
        _legend(axes, fields, colours)
    else:
        _boxes(axes, regions, (size[0], size[1]), colours, image)
        _legend(axes, fields, colours)
    at = f" at {','.join(map(str, last.at))} of {dimensions(last.positions)}" if last.at else ""
    axes.set_title(f"{study.target['name']}: what {last.layer}{at} sees", loc="left", fontsize=10)
    axes.set_xlabel(f"pixels of input {regions[-1].name}, {dimensions(regions[-1].image)}")
    return figure


def _colours(count: int) -> list[Colour]:
    """Colours from dark for the innermost field to light for the outermost."""
    from matplotlib import colormaps

    return [colormaps["plasma"](0.05 + 0.8 * step / max(1, count - 1)) for step in range(count)]


def _boxes(axes: Axes, regions: Sequence[InputField], size: Ends, colours: Sequence[Colour], image: str | None) -> None:
    """The input with one rectangle per field: filled where it is clipped to the input, dashed without clipping."""
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    halo = [] if image is None else [withStroke(linewidth=3.4, foreground="white")]
    _ground(axes, size, image)
    for region, colour in reversed(list(zip(regions, colours, strict=True))):
        dashed: Style = {"fill": False, "edgecolor": colour, "linestyle": (0, (4, 2)), "linewidth": 1.0}
        filled: Style = {"facecolor": (*colour[:3], 0.18), "edgecolor": colour, "linewidth": 1.8, "path_effects": halo}
        for form, style in ((region.endless, dashed), (region.local, filled)):
            rows, columns = form[-2:]
            if rows is not None and columns is not None:
                (top, bottom), (left, right) = rows, columns
                axes.add_patch(Rectangle((left - 0.5, top - 0.5), right - left + 1, bottom - top + 1, **style))
    _frame(axes, regions, size)


def _ground(axes: Axes, size: Sequence[int], image: str | None) -> None:
    """The input: grey, or the middle of the image."""
    from matplotlib.patches import Rectangle

    if len(size) == 1:
        axes.axvspan(-0.5, size[0] - 0.5, facecolor="0.94", edgecolor="none")
        return
    height, width = size
    if image is None:
        axes.add_patch(Rectangle((-0.5, -0.5), width, height, facecolor="0.94", edgecolor="none"))
    else:
        axes.imshow(_middle(image, height / width), extent=(-0.5, width - 0.5, height - 0.5, -0.5), cmap="gray")


def _frame(axes: Axes, regions: Sequence[InputField], size: Sequence[int]) -> None:
    """Limits and ticks, and the border of the input."""
    from matplotlib.patches import Rectangle

    axes.set_xlim(*_limits(regions, -1, size[-1]))
    if len(size) > 1:
        height, width = size
        axes.add_patch(Rectangle((-0.5, -0.5), width, height, fill=False, edgecolor="0.25", linewidth=1.0))
        axes.set_ylim(*reversed(_limits(regions, -2, height)))
        axes.set_aspect("equal")
    axes.set_yticks(_ticks(size[0]) if len(size) > 1 else [])
    _plain_frame(axes, size[-1])


def _bars(axes: Axes, regions: Sequence[InputField], size: int, colours: Sequence[Colour]) -> None:
    """One bar per field for an input with one axis, the innermost on top."""
    _ground(axes, [size], None)
    for line, (region, colour) in enumerate(zip(regions, colours, strict=True)):
        for (ends, *_), alpha in ((region.endless, 0.3), (region.local, 1.0)):
            if ends is not None:
                first, last = ends
                axes.barh(line, last - first + 1, left=first - 0.5, height=0.7, color=(*colour[:3], alpha))
    axes.set_ylim(len(regions) - 0.4, -0.6)
    _frame(axes, regions, [size])


def _limits(regions: Sequence[InputField], axis: int, size: int) -> tuple[float, float]:
    """The limits of a picture along an axis: the input, and up to _BEYOND of its size on each side."""
    ends = [ends for region in regions if (ends := region.endless[axis]) is not None]
    most = size * _BEYOND
    first = max(min([0, *(first for first, _ in ends)]), -most)
    last = min(max([size - 1, *(last for _, last in ends)]), size - 1 + most)
    margin = 0.03 * size
    return first - 0.5 - margin, last + 0.5 + margin


def _ticks(size: int) -> list[int]:
    """The first pixel, quarters, and the last."""
    return sorted({0, size // 4, size // 2, 3 * size // 4, size - 1})


def _plain_frame(axes: Axes, width: int) -> None:
    axes.set_xticks(_ticks(width))
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=2, labelsize=8)


def _legend(axes: Axes, fields: Sequence[PositionField], colours: Sequence[Colour]) -> None:
    """A legend of layers and field sizes beside the picture, the innermost first."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    names = [f"{field.layer}: {extents_text(field.inputs[0])}" for field in fields]
    signs: list[Any] = [
        Patch(facecolor=(*colour[:3], 0.35), edgecolor=colour, linewidth=1.5, label=name)
        for name, colour in zip(names, colours, strict=True)
    ]
    if any(field.inputs[0].endless != field.inputs[0].local for field in fields):
        signs.append(Line2D([], [], color="0.4", linestyle=(0, (4, 2)), linewidth=1.0, label="beyond the input"))
    axes.legend(handles=signs, loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, borderaxespad=0.0)


def _middle(file: str, ratio: float) -> Any:
    """The largest centre crop of an image file whose height is `ratio` times its width."""
    from matplotlib.image import imread

    try:
        pixels = imread(file)
    except Exception as error:
        # matplotlib and Pillow raise whatever their decoders do.
        raise UsageError(
            f"--image {file} cannot be read as a picture: {error_text(error)}. Give a PNG or JPEG."
        ) from None
    height, width = pixels.shape[:2]
    high, wide = (max(1, pixels) for pixels in (min(height, round(width * ratio)), min(width, round(height / ratio))))
    top, left = (height - high) // 2, (width - wide) // 2
    return pixels[top : top + high, left : left + wide]
