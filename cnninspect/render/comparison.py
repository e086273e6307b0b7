"""Two networks side by side: the layers that cost anything or differ, the totals, and whether the numbers agree.

Whatever makes the numbers differ has a line, so that the exit code is never without its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cnninspect.checks.differences import RUN_NAMES
from cnninspect.checks.formulas import TOTAL
from cnninspect.checks.numbers import extent
from cnninspect.render.cells import verdict_sign
from cnninspect.render.fact import Fact
from cnninspect.render.findings import summary
from cnninspect.render.numbers import field_text, label, with_unit
from cnninspect.render.screen import Marks
from cnninspect.render.sheet import Cell, Heading, Sheet, Tone
from cnninspect.render.values import change_text, value_text
from cnninspect.render.view import Ops, View
from cnninspect.render.words import sentence
from cnninspect.report.document import Check, Report
from cnninspect.report.field import ReceptiveField
from cnninspect.report.plain_data import quantity_from_dict
from cnninspect.report.quantities import Quantity, Status, Verdict

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
    Heading("differs", "in what"),
)
HEADINGS = {heading.name: heading for heading in _HEADINGS}
READERS = ("layer", "params", "macs", "other_layer", "other_params", "other_macs", "ratio", "verdict", "differs")
_TOTALS = ("params", "macs", "flops", "neurons", "activation_bytes", "total_bytes", "peak_memory")


def side_by_side(report: Report, view: View, marks: Marks, *, whole: bool = False) -> Sheet:
    """The sheet of aligned layers: all if it is the `whole`, or else those that have parameters or MACs or differ."""
    columns = view.columns or (tuple(HEADINGS) if whole else READERS)
    everything = whole or view.ops is Ops.ALL
    entries = [entry for entry in report.extra["aligned"] if everything or _costs(entry) or not _is_same(entry)]
    if not (view.columns or whole or any(entry.get("differs") for entry in entries)):
        columns = tuple(name for name in columns if name != "differs")
    lines = (_cells(entry, marks) for entry in entries)
    return Sheet(
        tuple(HEADINGS[name] for name in columns), tuple(tuple(line[name] for name in columns) for line in lines)
    )


def totals_beside(report: Report, marks: Marks) -> Iterator[Fact]:
    """What the networks ran on where that differs; then one fact per total, with its change from first to second.

    Totals that are not always shown, and formulas that are contradicted, follow where they make the numbers differ.
    """
    failing = [check for check in report.checks or () if check.verdict is Verdict.DIFFER]
    totals = [check for check in failing if check.path == TOTAL and check.source != "formula"]
    others = report.extra["other"]["totals"]
    yield from (_beside(check) for check in totals if check.name in RUN_NAMES)
    for name in _TOTALS:
        here = report.totals.get(name)
        if isinstance(here, Quantity) and name in others:
            there = quantity_from_dict(others[name])
            beside = f"{with_unit(here, marks)} against {with_unit(there, marks)}"
            tone = Tone.PLAIN if here.value == there.value else Tone.DIFFER
            yield Fact(label(name), beside, _movement(here, there), tone)
    yield from _fields(report, marks)
    yield from (_beside(check) for check in totals if check.name not in (*RUN_NAMES, *_TOTALS, "receptive_field"))
    yield from (Fact("formula", sentence(check), tone=Tone.DIFFER) for check in failing if check.source == "formula")


def _fields(report: Report, marks: Marks) -> Iterator[Fact]:
    """The fact about the receptive field, where both networks have it."""
    here, there = report.totals.get("receptive_field"), report.extra["other"]["totals"].get("receptive_field")
    if isinstance(here, ReceptiveField) and here.was_computed and there:
        other = ReceptiveField.from_dict(there)
        if other.was_computed:
            tone = Tone.PLAIN if extent(here) == extent(other) else Tone.DIFFER
            yield Fact("field", f"{_field(here, marks)} against {_field(other, marks)}", tone=tone)


def _beside(check: Check) -> Fact:
    """A failed check of a total; what the other network has is what was expected of this one."""
    here, there = (value_text(check.name, value) for value in (check.found, check.expected))
    return Fact(label(check.name), f"{here} against {there}", change_text(check.found, check.expected), Tone.DIFFER)


def closing(report: Report) -> str:
    """`Same numbers. 41 checks: 41 match.`"""
    words = {Verdict.MATCH: "Same numbers.", Verdict.DIFFER: "Different numbers."}
    return f"{words.get(report.verdict, 'The same numbers as far as they are known.')} {summary(report)}"


def _movement(here: Quantity, there: Quantity) -> str:
    """`-88.7 %, ratio 0.1131`, or `the same`; nothing where one of them is not known exactly."""
    if not here.status is there.status is Status.EXACT:
        return ""
    if here.value == there.value:
        return "the same"
    ratio = _ratio_text(here.value, there.value)
    return ", ".join(filter(None, (change_text(here.value, there.value), f"ratio {ratio}" if ratio else "")))


def _field(field: ReceptiveField, marks: Marks) -> str:
    return field_text(field) if field.size is not None or field.is_global else marks.unknown


def _costs(entry: Mapping[str, Any]) -> bool:
    """Whether the layer has parameters or MACs in one of the networks, or may have."""
    present = [index for index, side in enumerate((entry["target"], entry["other"])) if side is not None]
    return any(entry[name][index] != 0 for name in ("params", "macs") for index in present)


def _is_same(entry: Mapping[str, Any]) -> bool:
    return Verdict(entry["verdict"]) is not Verdict.DIFFER


def _cells(entry: Mapping[str, Any], marks: Marks) -> dict[str, Cell]:
    cells = {"verdict": verdict_sign(Verdict(entry["verdict"]), marks)}
    for index, (prefix, place) in enumerate((("", entry["target"]), ("other_", entry["other"]))):
        cells[f"{prefix}layer"] = Cell("" if place is None else _name(place), place and place["path"])
        cells[f"{prefix}kind"] = Cell("" if place is None else place["kind"], place and place["kind"])
        for name in ("output_shape", "params", "macs"):
            value = entry[name][index]
            cells[f"{prefix}{name}"] = Cell("") if place is None else _number(name, value, marks)
    cells["differs"] = _differs(entry)
    cells["ratio"] = _ratio(*entry["macs"])
    cells["params_ratio"] = _ratio(*entry["params"])
    return cells


def _differs(entry: Mapping[str, Any]) -> Cell:
    """What is not the same: numbers, or the layer itself, which only one of the networks has."""
    names = entry.get("differs", ())
    alone = entry["target"] is None or entry["other"] is None
    text = "no counterpart" if names and alone else ", ".join(map(label, names))
    return Cell(text, ";".join(names), Tone.QUIET)


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
