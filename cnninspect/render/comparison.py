"""Two networks side by side: layers with parameters or MACs or with differences, totals, and the verdict.

Every difference that affects the exit code has a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnninspect.render.cells import verdict_sign
from cnninspect.render.checks import count_sentence, sentence
from cnninspect.render.numbers import change_text, field_text, label, number_cell, value_text, with_unit
from cnninspect.render.page import Cell, Fact, Heading, Marks, Sheet, Tone, Worth
from cnninspect.report.document import Comparison
from cnninspect.report.parts import AlignedRows
from cnninspect.report.quantities import Quantity, Status, Verdict
from cnninspect.report.rows import Check, ReceptiveField
from cnninspect.report.selection import Ops, View

_HEADINGS = (
    Heading("layer", "layer", worth=Worth.KEPT, shortens=True),
    Heading("kind", "kind", shortens=True),
    Heading("output_shape", "output"),
    Heading("params", "params", right=True, worth=Worth.MAIN),
    Heading("macs", "MACs", right=True, worth=Worth.KEPT),
    Heading("other_layer", "against", worth=Worth.KEPT, shortens=True),
    Heading("other_kind", "kind", shortens=True),
    Heading("other_output_shape", "output"),
    Heading("other_params", "params", right=True, worth=Worth.MAIN),
    Heading("other_macs", "MACs", right=True, worth=Worth.KEPT),
    Heading("params_ratio", "params ratio", right=True),
    Heading("ratio", "MACs ratio", right=True),
    Heading("verdict", "", worth=Worth.KEPT),
    Heading("differs", "in what"),
)
HEADINGS = {heading.name: heading for heading in _HEADINGS}
READERS = ("layer", "params", "macs", "other_layer", "other_params", "other_macs", "ratio", "verdict", "differs")
_TOTALS = ("params", "macs", "flops", "neurons", "activation_bytes", "total_bytes", "peak_memory")


def side_by_side(report: Comparison, view: View, marks: Marks, *, full: bool = False) -> Sheet:
    """The table of aligned layers: all of them if `full`, else those that have parameters or MACs or that differ."""
    columns = view.columns or (tuple(HEADINGS) if full else READERS)
    everything = full or view.ops is Ops.ALL
    shown = [pair for pair in report.aligned or () if everything or _costs(pair) or pair.verdict is Verdict.DIFFER]
    pairs = _sorted([pair for pair in shown if view.wants_check(pair.target or pair.other, pair.verdict)], view)
    if not (view.columns or full or any(pair.differs for pair in pairs)):
        columns = tuple(name for name in columns if name != "differs")
    lines = (_cells(pair, marks) for pair in pairs)
    return Sheet(
        tuple(HEADINGS[name] for name in columns), tuple(tuple(line[name] for name in columns) for line in lines)
    )


def _sorted(pairs: list[AlignedRows], view: View) -> list[AlignedRows]:
    """The pairs in the view's order: by name or kind of the first network's layer, or the largest number first."""
    if view.sort in ("params", "macs"):
        return sorted(pairs, key=lambda pair: -max(_known(count) for count in getattr(pair, str(view.sort))))
    if view.sort is None:
        return pairs
    named = [(pair.target or pair.other, pair) for pair in pairs]
    attribute = "path" if view.sort == "name" else "kind"
    return [pair for _, pair in sorted(named, key=lambda each: str(getattr(each[0], attribute)))]


def _known(count: Quantity | None) -> int:
    """The value; for an unknown one a number larger than any, because it may be the largest."""
    return 0 if count is None else 2**100 if count.value is None else int(count.value)


def totals_of_both(report: Comparison, marks: Marks) -> Iterator[Fact]:
    """Differences between the runs (input, dtype, training); then the totals, with their change from first to second.

    Other totals and formulas follow where they differ.
    """
    failing = [check for check in report.checks if check.verdict is Verdict.DIFFER]
    totals = [check for check in failing if check.row is None and check.source != "formula"]
    yield from (_total_fact(check) for check in totals if check.is_of_run)
    for name in _TOTALS:
        here, there = _both(report, name)
        if isinstance(here, Quantity) and isinstance(there, Quantity):
            both = f"{with_unit(here, marks)} against {with_unit(there, marks)}"
            tone = Tone.PLAIN if here.value == there.value else Tone.DIFFER
            yield Fact(label(name), both, _change(here, there), tone)
    yield from _fields(report, marks)
    yield from (
        _total_fact(check) for check in totals if not (check.is_of_run or check.name in (*_TOTALS, "receptive_field"))
    )
    yield from (Fact("formula", sentence(check), tone=Tone.DIFFER) for check in failing if check.source == "formula")


def _both(report: Comparison, name: str) -> tuple[Any, Any]:
    """The total of this name of each network; None where a network does not have it."""
    return report.totals.get(name), None if report.other is None else report.other.totals.get(name)


def _fields(report: Comparison, marks: Marks) -> Iterator[Fact]:
    """The line of the receptive field, where it was computed for both networks."""
    here, there = _both(report, "receptive_field")
    if not (isinstance(here, ReceptiveField) and isinstance(there, ReceptiveField)):
        return
    if here.was_computed and there.was_computed:
        tone = Tone.PLAIN if here.extent == there.extent else Tone.DIFFER
        yield Fact("field", f"{_field(here, marks)} against {_field(there, marks)}", tone=tone)


def _total_fact(check: Check) -> Fact:
    """The line of a failed check of a total; its `expected` value is that of the other network."""
    here, there = (value_text(check.name, value) for value in (check.found, check.expected))
    return Fact(label(check.name), f"{here} against {there}", change_text(check.found, check.expected), Tone.DIFFER)


def closing(report: Comparison) -> str:
    """The last sentence: `Same numbers. 41 checks: 41 match.`"""
    words = {Verdict.MATCH: "Same numbers.", Verdict.DIFFER: "Different numbers."}
    return f"{words.get(report.verdict, 'The same numbers as far as they are known.')} {count_sentence(report.checks)}"


def _change(here: Quantity, there: Quantity) -> str:
    """The change: `-88.7 %, ratio 0.1131` or `the same`; empty unless both are exact."""
    if not here.status is there.status is Status.EXACT:
        return ""
    if here.value == there.value:
        return "the same"
    ratio = _ratio_text(here.value, there.value)
    return ", ".join(filter(None, (change_text(here.value, there.value), f"ratio {ratio}" if ratio else "")))


def _field(field: ReceptiveField, marks: Marks) -> str:
    return field_text(field) if field.size is not None or field.is_global else marks.unknown


def _costs(pair: AlignedRows) -> bool:
    """Whether the layer has parameters or MACs in one of the networks, or these are unknown."""
    present = [index for index, side in enumerate((pair.target, pair.other)) if side is not None]
    counts = [both[index] for both in (pair.params, pair.macs) for index in present]
    return any(count is None or count.value != 0 or count.status is not Status.EXACT for count in counts)


def _cells(pair: AlignedRows, marks: Marks) -> dict[str, Cell]:
    cells = {"verdict": verdict_sign(pair.verdict, marks)}
    for index, (prefix, row) in enumerate((("", pair.target), ("other_", pair.other))):
        cells[f"{prefix}layer"] = Cell("" if row is None else row.label, row and row.path)
        cells[f"{prefix}kind"] = Cell("" if row is None else row.kind, row and row.kind)
        shapes, params, macs = pair.output_shape[index], pair.params[index], pair.macs[index]
        cells[f"{prefix}output_shape"] = Cell("") if row is None else _shapes(shapes, marks)
        cells[f"{prefix}params"] = Cell("") if row is None else _count(params, marks)
        cells[f"{prefix}macs"] = Cell("") if row is None else _count(macs, marks)
    cells["differs"] = _differs(pair)
    cells["ratio"] = _ratio(*pair.macs)
    cells["params_ratio"] = _ratio(*pair.params)
    return cells


def _differs(pair: AlignedRows) -> Cell:
    """The names of the numbers that differ, or `no counterpart` for a layer that only one network has."""
    alone = pair.target is None or pair.other is None
    text = "no counterpart" if pair.differs and alone else ", ".join(map(label, pair.differs))
    return Cell(text, ";".join(pair.differs), Tone.QUIET)


def _shapes(shapes: Any, marks: Marks) -> Cell:
    if shapes is None:
        return Cell(marks.unknown, None, Tone.UNKNOWN)
    return Cell(value_text("output_shape", shapes), value_text("output_shape", shapes))


def _count(count: Quantity | None, marks: Marks) -> Cell:
    """A count; its value for programs is None unless it is exact."""
    if count is None:
        return Cell(marks.unknown, None, Tone.UNKNOWN)
    cell = number_cell(count, marks)
    return cell if count.status is Status.EXACT else Cell(cell.text, None, cell.tone)


def _ratio(here: Quantity | None, there: Quantity | None) -> Cell:
    exact = here is not None and there is not None and here.status is there.status is Status.EXACT
    text = _ratio_text(here.value, there.value) if exact and here is not None and there is not None else ""
    return Cell(text, text)


def _ratio_text(here: int, there: int) -> str:
    """The second divided by the first, to four digits."""
    return f"{there / here:.4g}" if here else ""
