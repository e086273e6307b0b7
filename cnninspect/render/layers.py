"""The table of layers: all columns, the default columns for readers and for programs, and the lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cnninspect.render import cells, fields, tensors
from cnninspect.render.cells import Context, Line
from cnninspect.render.numbers import label, rounded
from cnninspect.render.page import Cell, Heading, Marks, Place, Sheet, Tables, Worth
from cnninspect.report.document import Checkpoint, FieldStudy, Report
from cnninspect.report.folding import Folded, Repeat, lowered, without_repeats
from cnninspect.report.quantities import Unit, Verdict, worst
from cnninspect.report.rows import Row, RowId
from cnninspect.report.selection import NOT_SUMMED, By, View, select, shares, shown_leaves


@dataclass(frozen=True)
class Column:
    """A heading, and a function that returns the cell of a line."""

    heading: Heading
    cell: Callable[[Line, Context], Cell]


_TITLES = {
    "weights": "weights",
    "calls": "calls",
    "work": "work",
    "operations": "operations",
    "element_operations": "other operations",
    "backward_macs": "backward MACs",
    "nonzero": "nonzero",
    "effective_macs": "effective MACs",
    "output_bytes": "output bytes",
    "bytes_moved": "bytes moved",
    "intensity": "MACs per byte",
    "bound_by": "bound by",
    "latency": "ms",
    "latency_spread": "spread",
    "flops_per_second": "GFLOPs/s",
}
"""Number that an account adds -> title of its column."""

ADDED_NAMES = frozenset(_TITLES)

_UNITS = {"latency": "seconds", "latency_spread": "seconds"}

_WORTH = {"intensity": Worth.MINOR, "calls": Worth.USUAL, "work": Worth.USUAL}
"""Numbers that stand there unasked; the others stay on a narrow screen longer than the kind and the output."""


def added_column(name: str, title: str | None = None) -> Column:
    """The column of a number that an account added."""
    return Column(
        Heading(
            name,
            title or label(name),
            right=name not in ("work", "bound_by"),
            unit=_UNITS.get(name, ""),
            worth=_WORTH.get(name, Worth.LATE),
        ),
        cells.count_cell(name),
    )


def _backward(part: str) -> Callable[[Line, Context], Cell]:
    return cells.part_cell("backward_macs", part)


def _columns() -> Iterable[Column]:
    yield Column(Heading("layer", "layer", worth=Worth.KEPT, shortens=True), cells.layer_cell)
    yield Column(Heading("path", "path", worth=Worth.KEPT, shortens=True), cells.fact_cell("path"))
    yield Column(Heading("call", "call", right=True), cells.fact_cell("call"))
    yield Column(Heading("depth", "depth", right=True), cells.fact_cell("depth"))
    yield Column(Heading("leaf", "leaf"), cells.fact_cell("leaf"))
    yield Column(Heading("functional", "functional"), cells.fact_cell("functional"))
    yield Column(Heading("kind", "kind", shortens=True), cells.kind_cell)
    yield Column(Heading("input_shape", "input"), cells.input_cell)
    yield Column(Heading("output_shape", "output"), cells.output_cell)
    yield Column(Heading("dtype", "dtype"), cells.kind_cell)
    yield Column(Heading("shape", "shape"), cells.tensor_shape_cell)
    yield Column(Heading("elements", "elements", right=True, worth=Worth.MAIN), cells.count_cell("elements"))
    yield Column(Heading("bytes", "bytes", right=True, worth=Worth.MAIN), cells.count_cell("bytes"))
    yield Column(Heading("file", "file", worth=Worth.MINOR, shortens=True), cells.word_cell("file"))
    yield Column(Heading("params", "params", right=True, worth=Worth.MAIN), cells.count_cell("params"))
    yield Column(Heading("macs", "MACs", right=True, worth=Worth.MAIN), cells.count_cell("macs"))
    yield Column(Heading("flops", "FLOPs", right=True, worth=Worth.MINOR), cells.count_cell("flops"))
    yield Column(Heading("neurons", "neurons", right=True, worth=Worth.MINOR), cells.count_cell("neurons"))
    yield Column(Heading("share", "share", right=True, worth=Worth.MINOR, unit="percent"), cells.share_cell)
    yield Column(
        Heading("cumulative", "cumulative", right=True, worth=Worth.MINOR, unit="percent"), cells.cumulative_cell
    )
    yield from (added_column(*name_and_title) for name_and_title in _TITLES.items())
    yield Column(Heading("input_gradient_macs", "input gradients", right=True, worth=Worth.LATE), _backward("inputs"))
    yield Column(
        Heading("weight_gradient_macs", "weight gradients", right=True, worth=Worth.LATE), _backward("weights")
    )
    yield Column(Heading("op", "op", worth=Worth.KEPT, shortens=True), cells.kind_cell)
    yield Column(Heading("kernel_size", "kernel", right=True), fields.setting_cell("kernel_size"))
    yield Column(Heading("stride", "stride", right=True), fields.setting_cell("stride", usual=1))
    yield Column(Heading("dilation", "dilation", right=True), fields.setting_cell("dilation", usual=1))
    yield Column(Heading("receptive_field", "field", right=True, worth=Worth.MAIN), cells.field_cell)
    yield Column(Heading("jump", "jump", right=True), fields.part_of_field_cell("jump"))
    yield Column(Heading("field_padding", "padding", right=True), fields.part_of_field_cell("padding"))
    yield Column(Heading("probe", "probe"), fields.probe_cell)
    yield Column(Heading("receptive_field_verdict", "field"), fields.probe_cell)
    yield Column(Heading("global", "global by"), fields.cause_cell)
    yield Column(Heading("hyperparameters", "hyper-parameters", worth=Worth.MINOR), cells.hyperparameters_cell)
    yield Column(Heading("reasons", "why counters differ", worth=Worth.MINOR), cells.reasons_cell)
    yield Column(Heading("status", "status"), cells.status_cell)
    yield Column(Heading("verdict", "", worth=Worth.KEPT), cells.verdict_cell)


COLUMNS = {column.heading.name: column for column in _columns()}


def counter_column(name: str, unit: str = "macs") -> Column:
    """The column of one counter, in MACs or FLOPs."""
    heading = Heading(f"{unit}_{name}", f"{label(unit)} by {name}", right=True, worth=Worth.LATE)
    return Column(heading, cells.counter_cell(name, unit))


COUNTERS = "counters"
"""In `--columns`: one column per counter, in MACs."""

FLOPS_COUNTERS = "flops_counters"
"""In `--columns`: one column per counter, in FLOPs."""

ADDED = "added"
"""In `--columns`: one column per number that accounts added."""

NAMES = (*COLUMNS, COUNTERS, FLOPS_COUNTERS, ADDED)
"""All values of `--columns` in a table of layers."""

_SUMMARY = ("layer", "kind", "output_shape", "params", "weights", "macs", "share", "receptive_field", "verdict")
_UNPROBED = (*(name for name in _SUMMARY if name != "receptive_field"), "receptive_field")
"""The sign of the verdict stands before a field that it does not cover."""

_FIELD = (
    "layer", "kind", "output_shape", "kernel_size", "stride", "dilation", "receptive_field", "jump", "field_padding",
    "probe", "global",
)  # fmt: skip
_STAYS = "receptive_field"
"""The column of a field study that stays on the narrowest screen."""

_IDENTITY = {
    By.LAYER: ("layer", "kind", "output_shape"),
    By.MODULE: ("layer", "kind", "calls", "params"),
    By.KIND: ("kind", "calls", "params"),
    By.OP: ("op", "work", "calls"),
}
_WORK = (
    "macs", "nonzero", "effective_macs", "operations", "element_operations", "input_gradient_macs",
    "weight_gradient_macs", "output_bytes", "latency", "latency_spread", "flops_per_second", "bound_by", COUNTERS,
    "share", "cumulative", "flops", "intensity", "verdict", "reasons",
)  # fmt: skip
"""Columns that the user asked for stand first: a narrow terminal leaves out columns from the right."""

_ID = ("path", "call", "kind", "depth", "leaf", "functional")
_IDENTITY_FOR_PROGRAMS = {
    By.LAYER: (*_ID, "input_shape", "output_shape"),
    By.MODULE: ("path", "kind"),
    By.KIND: ("kind",),
    By.OP: ("op",),
}
_COUNTS = ("params", "macs", COUNTERS, "flops", FLOPS_COUNTERS, "neurons", "share")


def readers(report: Report, view: View) -> tuple[str, ...]:
    """The default columns for readers: of `rf`; of `flops` and of grouped or sorted rows; else of `summary`."""
    if isinstance(report, Checkpoint):
        return tensors.READERS
    if isinstance(report, FieldStudy):
        return _FIELD
    if report.run.get("ran") is False:
        return ("layer", "kind", "params", "weights", "verdict")
    if report.command != "flops" and view.is_tree:
        return _UNPROBED if has_unprobed(report) else _SUMMARY
    which = (*_IDENTITY[view.by], *_sorted_by(view))
    return (*which, *(name for name in _WORK if name not in which))


def has_unprobed(report: Report) -> bool:
    """Whether the probe has not checked some receptive field."""
    fields = [row.receptive_field for row in report.rows if row.receptive_field is not None]
    return any(field.was_computed and field.verdict is Verdict.NOT_RUN for field in fields)


def _sorted_by(view: View) -> tuple[str, ...]:
    """The number that rows are sorted by, unless the default columns have it."""
    usual = (*_IDENTITY[view.by], "macs")
    return () if view.sort is None or view.sort not in COLUMNS or view.sort in usual else (view.sort,)


def programs(report: Report, view: View) -> tuple[str, ...]:
    """The default columns of a CSV file: numbers that add up; the others, such as ratios, only on request."""
    if isinstance(report, Checkpoint):
        return tensors.PROGRAMS
    if isinstance(report, FieldStudy):
        return (*_ID, *(name for name in _FIELD if name not in ("layer", "kind")))
    extra = [number for row in (*report.rows, *(report.ops or ())) for number in row.extra.items()]
    added = dict.fromkeys(name for name, number in extra if number.unit.adds_up and name not in NOT_SUMMED)
    words = [name for name, number in extra if number.unit is Unit.CLASS]
    after = ("receptive_field", "receptive_field_verdict", "reasons", "status", "verdict")
    return (*_IDENTITY_FOR_PROGRAMS[view.by], *_COUNTS, *dict.fromkeys(("calls", *added, *words)), *after)


def chosen_columns(names: Iterable[str], shown: Report) -> Iterator[Column]:
    """The columns of these names; `counters`, `flops_counters` and `added` are replaced by their columns."""
    for name in names:
        if name == COUNTERS:
            yield from (counter_column(counter) for counter in counters_of(shown))
        elif name == FLOPS_COUNTERS:
            yield from (counter_column(counter, "flops") for counter in counters_of(shown))
        elif name == ADDED:
            yield from (COLUMNS.get(added) or added_column(added) for added in _added(shown))
        elif name == "layer" and isinstance(shown, Checkpoint):
            yield replace(COLUMNS[name], heading=replace(COLUMNS[name].heading, title="tensor"))
        elif name == _STAYS and isinstance(shown, FieldStudy):
            yield replace(COLUMNS[name], heading=replace(COLUMNS[name].heading, worth=Worth.KEPT))
        else:
            yield COLUMNS[name]


def counters_of(report: Report) -> list[str]:
    """The counters with a result in this report, in order of appearance."""
    return list(dict.fromkeys(name for row in report.rows if row.macs is not None for name in row.macs.measured))


def without_empty(names: tuple[str, ...], shown: Report) -> tuple[str, ...]:
    """The default columns without those that would be empty."""
    fields = [row.receptive_field for row in shown.rows if row.receptive_field is not None]
    added = _added(shown)
    empty = set(ADDED_NAMES.difference(added))
    if not any(field.was_computed for field in fields):
        empty |= {"receptive_field", "receptive_field_verdict"}
    if all(field.verdict is Verdict.NOT_RUN for field in fields):
        empty.add("probe")
    if not any(field.cause or field.global_along for field in fields):
        empty.add("global")
    if not any(row.macs is not None and row.macs.reasons for row in shown.rows):
        empty.add("reasons")
    if "file" not in added:
        empty.add("file")
    if "backward_macs" not in added:
        empty |= {"input_gradient_macs", "weight_gradient_macs"}
    return tuple(name for name in names if name not in empty)


def _added(report: Report) -> list[str]:
    """The numbers that accounts added to these rows, in order of appearance."""
    return list(dict.fromkeys(name for row in report.rows for name in row.extra))


def layer_sheet(
    report: Report, view: View, marks: Marks, default: tuple[str, ...], *, full: bool, parts: bool = False
) -> Sheet:
    """The table of the rows that the view shows, as by `tables` without folding to a height."""
    return tables(report, view, marks, default, full=full, parts=parts)(0)[0]


def tables(
    report: Report, view: View, marks: Marks, default: tuple[str, ...], *, full: bool, parts: bool = False
) -> Tables:
    """Returns a function: lines to leave out -> the table of the rows that the view shows, and remarks on it.

    `default` are the columns if the view names none. With `full`, names are full paths and all shapes are shown. With
    `parts`, rows that have rows below them are left out, so that the sum of a column is its total.
    """
    selected, verdicts, context = select(report, view), _verdicts(report), Context(marks, _single(report), full)
    folds = view.folds and not (full and view.fold is None)
    whole = without_repeats(selected) if folds else Folded(selected, rows=len(selected.rows))
    hides_root = _hides_root(selected, view)

    def table(left_out: int) -> tuple[Sheet, list[str]]:
        found = lowered(whole, left_out) if left_out > 0 else whole
        columns = list(chosen_columns(view.columns or without_empty(default, found.report), found.report))
        every = _lines(found, verdicts, marks, full=full, hides_root=hides_root)
        shown = [line for line in every if line.is_part or not parts]
        lines = tuple(tuple(column.cell(line, context) for column in columns) for line in shown)
        headings = tuple(column.heading for column in columns)
        places = tuple(Place(line.row.id, line.indent) for line in shown)
        return Sheet(headings, lines, places), _remarks(found, report, headings, is_lower=left_out > 0)

    return table


def _hides_root(selected: Report, view: View) -> bool:
    """Whether the root is a row that was not asked for: the tree always has it."""
    return view.is_tree and view.is_partial and not any(view.wants(row.id, row.verdict) for row in selected.rows[:1])


def _remarks(found: Folded, report: Report, headings: Sequence[Heading], *, is_lower: bool) -> list[str]:
    """How the rows that a folded table leaves out can be seen, and whether its fields are checked."""
    said, names = [], [heading.name for heading in headings]
    if len(found.report.rows) < found.rows:
        why = "" if is_lower else " where blocks are equal"
        said.append(f"folded{why}: --no-fold shows all {found.rows - 1} rows")
    if has_unprobed(report) and "receptive_field" in names and "verdict" not in names:
        said.append("fields not checked: --probe checks them")
    return said


def meaning_of_match(report: Report, view: View) -> str:
    """What the sign of a match stands for, if it leaves out a number in the table; else empty."""
    columns = view.columns or readers(report, view)
    leaves_out = has_unprobed(report) and {"receptive_field", "verdict"} <= set(columns)
    return "all but the field: --probe checks it" if leaves_out else ""


def _verdicts(report: Report) -> dict[RowId, Verdict]:
    """The verdict of each row and of everything inside it."""
    found = [[row.verdict] for row in report.rows]
    for index in reversed(range(len(found))):
        parent = report.rows[index].parent
        if parent is not None:
            found[parent].append(worst(found[index]))
    return {row.id: worst(verdicts) for row, verdicts in zip(report.rows, found, strict=True)}


def _lines(
    found: Folded, verdicts: Mapping[RowId, Verdict], marks: Marks, *, full: bool, hides_root: bool
) -> Iterator[Line]:
    """The rows as a tree; the root has no line unless it is the only row and not hidden."""
    shown = found.report
    parts = shown_leaves(shown)
    indents: list[int] = []
    for index, (row, own) in enumerate(zip(shown.rows, shares(shown), strict=True)):
        above = -1 if row.parent is None else indents[row.parent]
        is_part = index in parts
        is_hidden_root = row.parent is None and (not is_part or hides_root)
        indents.append(-1 if is_hidden_root else above + 1)
        if is_hidden_root:
            continue
        name, kind, hidden = _name(row, shown.rows, marks, full=full), None, [row.id] if is_part else []
        if repeat := found.repeats.get(index):
            hidden = [each.id for each in repeat.hidden]
            last = replace(repeat.named[-1], parent=row.parent)
            name, kind = _repeated(repeat, name, _name(last, shown.rows, marks, full=full), marks)
        verdict = worst([row.verdict, *(verdicts[each] for each in hidden if each in verdicts)])
        yield Line(row, name, indents[-1], is_part, own, verdict, kind)


def _repeated(repeat: Repeat, first: str, last: str, marks: Marks) -> tuple[str, Cell]:
    """(name, kind) of a row that stands for several, from the name of the first to that of the last.

    `encoder_layer_1 … 11` and `×11, each 7,087,872` for blocks equal to the one above, with the parameters of one;
    `… 14 more` for other rows.
    """
    if not repeat.blocks:
        return f"{marks.ellipsis} {len(repeat.named)} more", Cell("")
    times, each = f"{marks.times}{repeat.blocks}", repeat.each
    kind = Cell(f"{times}, each {each:,}", short=f"{times}, each {rounded(each)}") if each else Cell(times, short=times)
    return _span(first, last, marks), kind


def _span(first: str, last: str, marks: Marks) -> str:
    """The names from first to last, what they share said once: `encoder_layer_1 … 11`, `4.conv … 7.conv`."""
    stem = first.rstrip("0123456789")
    rest = last.removeprefix(stem) if stem and last.removeprefix(stem).isdigit() else last
    return first if first == last else f"{first} {marks.ellipsis} {rest}"


def _name(row: Row, rows: tuple[Row, ...], marks: Marks, *, full: bool) -> str:
    """The path of a module, relative to its caller unless `full`; a sign for a functional call."""
    if row.functional:
        return f"{row.path} {marks.nothing}".lstrip() if full or row.parent is None else marks.nothing
    path = row.path or f"({row.kind})"
    caller = "" if row.parent is None else rows[row.parent].path
    if not full and caller:
        path = path.removeprefix(f"{caller}.")
    return f"{path} use {row.call + 1}" if row.call else path


def _single(report: Report) -> bool:
    """Whether the batch size of every input is 1, so that shapes are shown without it."""
    shapes = [item["shape"] for item in report.run.get("inputs", ())]
    return all(len(shape) > 1 and shape[0] == 1 for shape in shapes)
