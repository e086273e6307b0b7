"""Two networks side by side: one line per layer that costs anything, the totals, and whether the numbers agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cnninspect.plain_data import quantity_from_dict
from cnninspect.quantities import Quantity, Verdict
from cnninspect.receptive_field import ReceptiveField
from cnninspect.render.cells import verdict_sign
from cnninspect.render.fact import Fact
from cnninspect.render.findings import summary
from cnninspect.render.numbers import bounded, field_text, label, mebibytes
from cnninspect.render.screen import Marks
from cnninspect.render.sheet import Cell, Heading, Sheet, Tone
from cnninspect.render.values import change_text, value_text
from cnninspect.render.view import Ops, View
from cnninspect.report import Report

_HEADINGS = (
    Heading("layer", "layer", kept=True),
    Heading("kind", "kind"),
    Heading("output_shape", "output"),
    Heading("params", "params", right=True),
    Heading("macs", "MACs", right=True, kept=True),
    Heading("other_layer", "against", kept=True),
    Heading("other_kind", "kind"),
    Heading("other_output_shape", "output"),
    Heading("other_params", "params", right=True),
    Heading("other_macs", "MACs", right=True, kept=True),
    Heading("params_ratio", "params ratio", right=True),
    Heading("ratio", "MACs ratio", right=True),
    Heading("verdict", "", kept=True),
)
HEADINGS = {heading.name: heading for heading in _HEADINGS}
READERS = ("layer", "params", "macs", "other_layer", "other_params", "other_macs", "ratio", "verdict")
_TOTALS = ("params", "macs", "flops", "neurons", "activation_bytes", "total_bytes", "peak_memory")


def side_by_side(report: Report, view: View, marks: Marks, *, whole: bool = False) -> Sheet:
    """The sheet of aligned layers: all of them if it is the `whole`, or else those with parameters or MACs."""
    columns = view.columns or (tuple(HEADINGS) if whole else READERS)
    everything = whole or view.ops is Ops.ALL
    entries = [entry for entry in report.extra["aligned"] if everything or _costs(entry)]
    lines = (_cells(entry, marks) for entry in entries)
    return Sheet(
        tuple(HEADINGS[name] for name in columns), tuple(tuple(line[name] for name in columns) for line in lines)
    )


def totals_beside(report: Report, marks: Marks) -> Iterator[Fact]:
    """One fact per total: both values, the change from the first to the second and their ratio."""
    others = report.extra["other"]["totals"]
    for name in _TOTALS:
        here = report.totals.get(name)
        if isinstance(here, Quantity) and name in others:
            there = quantity_from_dict(others[name])
            beside = f"{_total(here, marks)} against {_total(there, marks)}"
            tone = Tone.PLAIN if here.value == there.value else Tone.DIFFER
            yield Fact(label(name), beside, _movement(here.value, there.value), tone)
    field = report.totals.get("receptive_field")
    if isinstance(field, ReceptiveField) and field.was_computed and others.get("receptive_field"):
        other = ReceptiveField.from_dict(others["receptive_field"])
        if other.was_computed:
            yield Fact("field", f"{_field(field, marks)} against {_field(other, marks)}")


def closing(report: Report) -> str:
    """`Same numbers. 41 checks: 41 match.`"""
    words = {Verdict.MATCH: "Same numbers.", Verdict.DIFFER: "Different numbers."}
    return f"{words.get(report.verdict, 'The same numbers as far as they are known.')} {summary(report)}"


def _movement(here: Any, there: Any) -> str:
    """`-88.7 %, ratio 0.1131`, or `the same`."""
    if here == there:
        return "the same" if here is not None else ""
    ratio = _ratio_text(here, there)
    return ", ".join(filter(None, (change_text(here, there), f"ratio {ratio}" if ratio else "")))


def _field(field: ReceptiveField, marks: Marks) -> str:
    return field_text(field) if field.size is not None or field.is_global else marks.unknown


def _total(quantity: Quantity, marks: Marks) -> str:
    in_bytes = quantity.unit.value == "bytes" and quantity.value is not None
    return mebibytes(quantity.value) if in_bytes else bounded(quantity, marks)


def _costs(entry: Mapping[str, Any]) -> bool:
    """Whether the layer has parameters or MACs in one of the networks, or may have."""
    present = [index for index, side in enumerate((entry["target"], entry["other"])) if side is not None]
    return any(entry[name][index] != 0 for name in ("params", "macs") for index in present)


def _cells(entry: Mapping[str, Any], marks: Marks) -> dict[str, Cell]:
    cells = {"verdict": verdict_sign(Verdict(entry["verdict"]), marks)}
    for index, (prefix, place) in enumerate((("", entry["target"]), ("other_", entry["other"]))):
        cells[f"{prefix}layer"] = Cell("" if place is None else _name(place), place and place["path"])
        cells[f"{prefix}kind"] = Cell("" if place is None else place["kind"], place and place["kind"])
        for name in ("output_shape", "params", "macs"):
            value = entry[name][index]
            cells[f"{prefix}{name}"] = Cell("") if place is None else _number(name, value, marks)
    cells["ratio"] = _ratio(*entry["macs"])
    cells["params_ratio"] = _ratio(*entry["params"])
    return cells


def _name(place: Mapping[str, Any]) -> str:
    """A module by its path, a functional call by its kind too."""
    name = place["path"] or f"({place['kind']})"
    if "." in place["kind"]:
        name = f"{place['path']} {place['kind']}".lstrip()
    return f"{name} call {place['call']}" if place["call"] else name


def _number(name: str, value: Any, marks: Marks) -> Cell:
    if value is None:
        return Cell(marks.unknown, None, Tone.UNKNOWN)
    if value == 0:
        return Cell(marks.nothing, 0, Tone.QUIET)
    return Cell(value_text(name, value), value if isinstance(value, int) else value_text(name, value))


def _ratio(here: Any, there: Any) -> Cell:
    text = _ratio_text(here, there)
    return Cell(text, text)


def _ratio_text(here: Any, there: Any) -> str:
    """The second divided by the first, to four digits."""
    return f"{there / here:.4g}" if isinstance(here, int) and isinstance(there, int) and here else ""
