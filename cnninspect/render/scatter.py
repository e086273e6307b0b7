"""Two numbers of many models as a picture: a point each, its name, and the Pareto front; needs matplotlib."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from io import StringIO
from math import isfinite
from typing import TYPE_CHECKING, Any

from cnninspect.render import html
from cnninspect.render.numbers import MIB, mebibytes, rounded
from cnninspect.render.page import Cell, Fact, Heading, Page, Sheet
from cnninspect.report.swept import SweptModel, number_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = ("svg", "html")
"""The file types of a plot."""

_AXES = {
    "params": "parameters",
    "macs": "MACs",
    "activations": "activations",
    "peak_memory": "peak memory in MiB",
    "field": "receptive field in pixels",
    "seconds": "seconds of the inspection",
}
"""Column -> the words at its axis."""

_MORE_IS_BETTER = ("field",)
_MOST_NAMES = 40
"""Points that all have names; of more, those of the front have."""

_WIDE = 20
"""The ratio of the largest to the smallest number from which an axis is logarithmic."""

_SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "cnninspect",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 8.0,
}


@dataclass(frozen=True)
class Point:
    """A model in the plot; `is_best` if no other one is better in one number and as good in the other."""

    row: SweptModel
    x: float
    y: float
    is_best: bool = False

    @property
    def name(self) -> str:
        """The target without its provider, which the plot has no room for."""
        return self.row.target.rpartition(":")[2]


def points(rows: Sequence[SweptModel], x: str, y: str) -> list[Point]:
    """The models of which both numbers are known and finite, with the Pareto front marked.

    On the front a model has fewer parameters, MACs or bytes, or a larger field, than all that are as good in the other
    number.
    """
    found = [(row, number_of(row, x), number_of(row, y)) for row in rows]
    known = [(row, a, b) for row, a, b in found if a is not None and b is not None and isfinite(a) and isfinite(b)]
    costs = {id(row): (_cost(a, x), _cost(b, y)) for row, a, b in known}
    best = _front(list(costs.values()))
    return [Point(row, a, b, costs[id(row)] in best) for row, a, b in known]


def _cost(number: float, column: str) -> float:
    return -number if column in _MORE_IS_BETTER else number


def _front(costs: Sequence[tuple[float, float]]) -> set[tuple[float, float]]:
    """The pairs that no other pair undercuts in one number without exceeding it in the other."""
    front: set[tuple[float, float]] = set()
    least = float("inf")
    for pair in sorted(set(costs)):
        if pair[1] < least:
            least = pair[1]
            front.add(pair)
    return front


def plot(found: Sequence[Point], x: str, y: str, kind: str) -> str:
    """The plot as SVG, or as a page of HTML with a table of the front. The same points give the same text."""
    from matplotlib import rc_context, rcParams

    content = StringIO()
    with rc_context():
        rcParams.update(_SETTINGS)
        _figure(found, x, y).savefig(content, format="svg", bbox_inches="tight", metadata={"Date": None})
    titles = [_title(point, x, y) for point in found]
    drawing = re.sub(r'<g id="point(\d+)">', lambda match: match[0] + titles[int(match[1])], content.getvalue())
    return drawing if kind == "svg" else _page(found, drawing[drawing.index("<svg") :], x, y)


def _title(point: Point, x: str, y: str) -> str:
    """What a browser shows at the point."""
    return f"<title>{escape(point.row.target)}: {_text(point.x, x)} {x}, {_text(point.y, y)} {y}</title>"


def _text(number: float, column: str) -> str:
    if column == "peak_memory":
        return mebibytes(round(number))
    return f"{number:,.2f}" if column == "seconds" else f"{round(number):,}"


def _figure(found: Sequence[Point], x: str, y: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 6.0))
    axes = figure.add_subplot()
    scales = [MIB if column == "peak_memory" else 1 for column in (x, y)]
    places = [(point.x / scales[0], point.y / scales[1]) for point in found]
    for index, (point, (across, up)) in enumerate(zip(found, places, strict=True)):
        style: dict[str, Any] = (
            {"color": "#c2410c", "markersize": 5.5} if point.is_best else {"color": "#64748b", "markersize": 4}
        )
        axes.plot(across, up, "o", gid=f"point{index}", markeredgewidth=0, zorder=3 if point.is_best else 2, **style)
    best = sorted({place for point, place in zip(found, places, strict=True) if point.is_best})
    axes.plot(*zip(*best, strict=True), color="#c2410c", linewidth=0.8, alpha=0.6, zorder=1)
    _dress(axes, places, (x, y))
    _name_points(axes, found, places)
    return figure


def _dress(axes: Axes, places: Sequence[tuple[float, float]], columns: tuple[str, str]) -> None:
    """Scales, ticks in few characters, words at the axes."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    for index, (axis, column) in enumerate(zip((axes.xaxis, axes.yaxis), columns, strict=True)):
        numbers = [place[index] for place in places]
        if min(numbers) > 0 and max(numbers) / min(numbers) > _WIDE:
            (axes.set_xscale if index == 0 else axes.set_yscale)("log")
            axis.set_minor_formatter(NullFormatter())
        axis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value)))
        axis.set_label_text(_AXES[column])
    axes.grid(visible=True, color="0.92", zorder=0)
    for spine in ("top", "right"):
        axes.spines[spine].set_visible(False)
    better = ["larger" if column in _MORE_IS_BETTER else "smaller" for column in columns]
    front = f"on the line: those of which none is {better[0]} in {columns[0]} and {better[1]} in {columns[1]}"
    axes.set_title(f"{len(places)} models; {front}", loc="left", fontsize=9)


def _tick(value: float) -> str:
    """A number at an axis: `10M`, `2.5K`, `0.3`."""
    return re.sub(r"\.?0+(?=[KMGTPE]$)", "", rounded(round(value))) if value >= 1 else f"{value:g}"


Box = tuple[float, float, float, float]


def _name_points(axes: Axes, found: Sequence[Point], places: Sequence[tuple[float, float]]) -> None:
    """Names beside the points: those of the front first, others where they cover no name."""
    shown = [place for point, place in zip(found, places, strict=True) if point.is_best or len(found) <= _MOST_NAMES]
    taken = [_box_of(axes, place) for place in shown]
    order = sorted(range(len(found)), key=lambda index: (not found[index].is_best, places[index]))
    for index in order:
        point = found[index]
        if not point.is_best and len(found) > _MOST_NAMES:
            continue
        box, shift, side = _free_place(axes, places[index], point.name, taken)
        if box is None and not point.is_best:
            continue
        taken += [] if box is None else [box]
        axes.annotate(
            point.name, places[index], shift, textcoords="offset points", ha=side, va="center", fontsize=6.5,
            color="#7c2d12" if point.is_best else "0.35",
        )  # fmt: skip


_SIDES = ((5, 0, "left"), (-5, 0, "right"), (5, 7, "left"), (5, -7, "left"), (-5, 7, "right"), (-5, -7, "right"))
"""Where a name may stand: points to the right and up, and which end of it is there."""


def _box_of(axes: Axes, place: tuple[float, float]) -> Box:
    """The box of a point, in points of the picture."""
    across, up = axes.transData.transform(place) * 72 / axes.figure.dpi
    return (across - 2, up - 2, across + 2, up + 2)


def _free_place(
    axes: Axes, place: tuple[float, float], name: str, taken: Sequence[Box]
) -> tuple[Box | None, tuple[float, float], str]:
    """(the box of the name, where it stands, its end there); the box is None if all places are taken."""
    across, up = axes.transData.transform(place) * 72 / axes.figure.dpi
    width, height = 3.7 * len(name), 7.5
    for right, above, side in _SIDES:
        left = across + right - (width if side == "right" else 0)
        box = (left, up + above - height / 2, left + width, up + above + height / 2)
        if not any(box[0] < o[2] and o[0] < box[2] and box[1] < o[3] and o[1] < box[3] for o in taken):
            return box, (right, above), side
    return None, _SIDES[0][:2], _SIDES[0][2]


def _page(found: Sequence[Point], drawing: str, x: str, y: str) -> str:
    """A page with the drawing, and the models of the front in a table."""
    best = sorted((point for point in found if point.is_best), key=lambda point: point.x)
    headings = (Heading("target", "target"), Heading(x, x, right=True), Heading(y, y, right=True))
    lines = tuple((Cell(point.row.target), Cell(_text(point.x, x)), Cell(_text(point.y, y))) for point in best)
    page = Page(f"{len(found)} models: {x} and {y}", Sheet(headings, lines), [Fact("", "the Pareto front")])
    shown = drawing.replace("<svg ", '<svg style="max-width: 100%; height: auto; background: white" ', 1)
    return html.page_text([page]).replace('<table class="rows">', f'{shown}\n<table class="rows">', 1)
