"""The cells of the table of layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from cnninspect.errors import printable
from cnninspect.render.numbers import (
    EXCEEDS_INPUT,
    dimensions,
    field_text,
    number_cell,
    rounded,
    shapes_text,
    sign,
    tone_of,
)
from cnninspect.render.page import Cell, Marks, Tone
from cnninspect.report.quantities import Quantity, Shape, Status, Verdict
from cnninspect.report.rows import Row
from cnninspect.report.selection import Shares

BAR_WIDTH = 10
WIDEST_SHAPES = 24
_CERTAINTY = (Status.EXACT, Status.UPPER_BOUND, Status.LOWER_BOUND, Status.UNKNOWN)


@dataclass(frozen=True)
class Line:
    """One row of the table: `name` and `indent` in the tree; `is_part` if no row is shown below it.

    `verdict` is also that of rows inside it that are not shown. A row that stands for several has a `kind` of its own.
    """

    row: Row
    name: str
    indent: int
    is_part: bool
    shares: Shares
    verdict: Verdict
    kind: Cell | None = None


@dataclass(frozen=True)
class Context:
    """The settings of a table that its cells depend on.

    `single` is as in `shapes_text`. `full` if nothing may be shortened.
    """

    marks: Marks
    single: bool
    full: bool


def layer_cell(line: Line, _context: Context) -> Cell:
    """The row's name, indented below the row that calls it."""
    tone = Tone.QUIET if line.row.functional else Tone.PLAIN if line.is_part else Tone.STRONG
    return Cell("  " * line.indent + printable(line.name), line.row.path, tone)


def kind_cell(line: Line, _context: Context) -> Cell:
    """The name of the class or function; of a row that stands for several, how many these are."""
    return line.kind or Cell(printable(line.row.kind), line.row.kind, Tone.QUIET if _is_free(line.row) else Tone.PLAIN)


def output_cell(line: Line, context: Context) -> Cell:
    """The output shapes."""
    quantity = line.row.output_shape
    if quantity is None:
        return Cell("")
    if quantity.was_left_out:
        return Cell("not run", None, Tone.QUIET)
    if quantity.value is None:
        return Cell(context.marks.unknown, None, Tone.UNKNOWN)
    tone = Tone.QUIET if _is_free(line.row) and quantity.verdict is not Verdict.DIFFER else tone_of(quantity.verdict)
    return Cell(_shapes_text(quantity.value, context), _plain_shapes(quantity.value), tone)


def tensor_shape_cell(line: Line, _context: Context) -> Cell:
    """The shape of a checkpoint's tensor, all of its axes."""
    shape = line.row.output_shape
    return Cell("") if shape is None else Cell(shapes_text(shape.value, single=False), _plain_shapes(shape.value))


def word_cell(name: str) -> Callable[[Line, Context], Cell]:
    """The cell of a number that is a word, such as the file of a tensor."""

    def cell(line: Line, _context: Context) -> Cell:
        word = line.row.extra.get(name)
        return Cell("") if word is None else Cell(printable(str(word.value)), word.value, Tone.QUIET)

    return cell


def input_cell(line: Line, context: Context) -> Cell:
    """The input shapes."""
    shapes = line.row.input_shapes
    return Cell(_shapes_text(shapes, context), _plain_shapes(shapes))


def count_cell(name: str) -> Callable[[Line, Context], Cell]:
    """The cell of one of the row's numbers."""

    def cell(line: Line, context: Context) -> Cell:
        number = line.row.number(name)
        return number_cell(number if isinstance(number, Quantity) else None, context.marks)

    return cell


def part_cell(name: str, part: str) -> Callable[[Line, Context], Cell]:
    """The cell of one part of a number; empty for a row without the number."""

    def cell(line: Line, context: Context) -> Cell:
        number = line.row.extra.get(name)
        if number is None or number.value is None:
            return number_cell(number, context.marks)
        return number_cell(replace(number, value=number.parts.get(part, 0)), context.marks)

    return cell


def counter_cell(counter: str, unit: str = "macs") -> Callable[[Line, Context], Cell]:
    """The result of one counter in MACs or FLOPs; `not counted` for work that the counter does not know."""

    def cell(line: Line, context: Context) -> Cell:
        macs: Quantity | None = getattr(line.row, unit)
        if macs is None:
            return Cell("")
        found, explained = macs.measured.get(counter), counter in macs.reasons
        unchecked = explained or macs.verdict is Verdict.UNKNOWN
        if found is None or (found == 0 and unchecked):
            return Cell(context.marks.nothing if _is_nothing(macs) else "not counted", None, Tone.QUIET)
        if found == 0 and macs.analytic == 0:
            return Cell(context.marks.nothing, 0, Tone.QUIET)
        wrong = macs.verdict is Verdict.DIFFER and found != macs.analytic and not explained
        tone = Tone.DIFFER if wrong else Tone.QUIET if explained else Tone.PLAIN
        return Cell(f"{found:,}", found, tone, rounded(found))

    return cell


def reasons_cell(line: Line, _context: Context) -> Cell:
    """The reasons why counters differ."""
    reasons = "; ".join(line.row.macs.reasons.values()) if line.row.macs is not None else ""
    return Cell(reasons, reasons, Tone.QUIET)


def share_cell(line: Line, context: Context) -> Cell:
    """The row's share of all MACs in percent, with a bar for rows without rows below them."""
    macs, share = line.row.macs, line.shares.own
    if macs is None or share is None:
        return Cell("")
    if _is_nothing(macs):
        return Cell("", 0.0, Tone.QUIET)
    if share.percent is None:
        return Cell(context.marks.unknown, None, Tone.UNKNOWN)
    figure = f"{share.percent:.1f} %" if share.percent >= 0.1 else "<0.1 %"
    bar = _bar(share.percent, context) if line.is_part else ""
    figure = sign(share.status, context.marks) + figure
    return Cell(f"{bar:<{BAR_WIDTH}} {figure:>8}", _exact(share.percent, share.status), Tone.ACCENT, figure)


def cumulative_cell(line: Line, context: Context) -> Cell:
    """The share of all MACs of this row and all rows before it, in percent."""
    macs, share = line.row.macs, line.shares.cumulative
    if macs is None or share is None or _is_nothing(macs):
        return Cell("")
    if share.percent is None:
        return Cell(context.marks.unknown, None, Tone.UNKNOWN)
    figure = f"{sign(share.status, context.marks)}{share.percent:.1f} %"
    return Cell(figure, _exact(round(share.percent, 4), share.status), Tone.QUIET)


def _exact(percent: float, status: Status) -> float | None:
    """The number for programs, which see no sign: None for a bound."""
    return percent if status is Status.EXACT else None


def _is_nothing(count: Quantity) -> bool:
    return count.value == 0 and count.status is Status.EXACT


def field_cell(line: Line, context: Context) -> Cell:
    """The receptive field in input pixels, with a sign where it is larger than the input."""
    field = line.row.receptive_field
    if field is None or not field.was_computed:
        return Cell("")
    if not field.is_global and field.size is None:
        return Cell(context.marks.unknown, None, Tone.UNKNOWN)
    text = field_text(field)
    return Cell(f"{EXCEEDS_INPUT if field.exceeds_image else ''}{text}", text, tone_of(field.verdict))


def verdict_cell(line: Line, context: Context) -> Cell:
    """The row's verdict as one sign."""
    return verdict_sign(line.verdict, context.marks)


def verdict_sign(verdict: Verdict, marks: Marks) -> Cell:
    """The sign of a verdict, in its colour."""
    text, tone = {
        Verdict.MATCH: (marks.match, Tone.MATCH),
        Verdict.DIFFER: (marks.differ, Tone.DIFFER),
        Verdict.UNKNOWN: (marks.unknown, Tone.UNKNOWN),
    }.get(verdict, (marks.nothing, Tone.QUIET))
    return Cell(text, verdict.value, tone)


def status_cell(line: Line, _context: Context) -> Cell:
    """The status of the row's least certain number."""
    found = [number for number in line.row.quantities.values() if isinstance(number, Quantity)]
    statuses = [number.status for number in found if not number.was_left_out]
    if not statuses:
        return Cell("")
    status = max(statuses, key=_CERTAINTY.index)
    return Cell(status.value, status.value, Tone.QUIET if status is Status.EXACT else Tone.UNKNOWN)


def fact_cell(name: str) -> Callable[[Line, Context], Cell]:
    """The cell of the row's path, call, depth, leaf or functional."""

    def cell(line: Line, _context: Context) -> Cell:
        value = getattr(line.row, name)
        return Cell(str(value).lower() if isinstance(value, bool) else printable(str(value)), value)

    return cell


def hyperparameters_cell(line: Line, _context: Context) -> Cell:
    """The layer's hyper-parameters as `name=value`."""
    text = " ".join(f"{name}={_setting(value)}" for name, value in line.row.hyperparameters.items())
    return Cell(text, text, Tone.QUIET)


def _is_free(row: Row) -> bool:
    """Whether the row has no parameters or elements and exactly 0 MACs."""
    counts = [count for count in (row.params, row.macs, row.extra.get("elements")) if count is not None]
    return all(_is_nothing(count) for count in counts)


def _bar(percent: float, context: Context) -> str:
    """A bar in steps of an eighth of a character, at least one step long; a full bar is 100 %."""
    steps = len(context.marks.bar) - 1
    length = max(1, round(BAR_WIDTH * steps * percent / 100))
    full, rest = divmod(length, steps)
    return context.marks.bar[-1] * full + (context.marks.bar[rest] if rest else "")


def _shapes_text(shapes: Sequence[Shape], context: Context) -> str:
    """All shapes; if they are wider than WIDEST_SHAPES, the first shape and the number of the others."""
    text = shapes_text(shapes, single=context.single)
    if context.full or len(text) <= WIDEST_SHAPES or len(shapes) < 2:
        return text
    return f"{shapes_text(shapes[:1], single=context.single)} and {len(shapes) - 1} more"


def _plain_shapes(shapes: Iterable[Iterable[int]]) -> str:
    return ";".join(dimensions(tuple(shape)) for shape in shapes)


def _setting(value: object) -> str:
    return dimensions(value) if isinstance(value, (tuple, list)) and value else str(value)
