"""The table of `compare`: one line for each check that did not pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cnninspect.render.cells import verdict_sign
from cnninspect.render.check_text import failed, lines_of, place, what
from cnninspect.render.numbers import change_text, sign, value_text
from cnninspect.render.page import Cell, Heading, Sheet, Tone
from cnninspect.render.screen import Marks
from cnninspect.report.document import Comparison, Report
from cnninspect.report.quantities import Status, Verdict
from cnninspect.report.rows import Check

REASON = "why"
"""The title of the column of reasons."""

_HEADINGS = (
    Heading("layer", "layer", kept=True),
    Heading("call", "call", right=True),
    Heading("kind", "kind"),
    Heading("what", "what", kept=True),
    Heading("expected", "expected", right=True, kept=True),
    Heading("source", "by", late=True),
    Heading("found", "found", right=True, kept=True),
    Heading("counter", "by"),
    Heading("change", "change", right=True),
    Heading("verdict", "", kept=True),
    Heading("reason", REASON),
    Heading("where", "in"),
)
HEADINGS = {heading.name: heading for heading in _HEADINGS}
READERS = ("layer", "kind", "what", "expected", "source", "found", "counter", "change", "verdict", "reason", "where")
PROGRAMS = tuple(HEADINGS)


def finding_sheet(report: Report, checks: Iterable[Check], columns: tuple[str, ...], marks: Marks) -> Sheet:
    """The sheet of these checks on the report."""
    line_of = lines_of(report)
    lines = (_cells(check, line_of(check), marks) for check in checks)
    headings = tuple(HEADINGS[name] for name in columns)
    return Sheet(headings, tuple(tuple(line[name] for name in columns) for line in lines))


def readers_sheet(report: Comparison, marks: Marks) -> Sheet:
    """The sheet of what did not pass, without columns that stay empty."""
    sheet = finding_sheet(report, failed(report.checks), READERS, marks)
    empty = [
        index
        for index, heading in enumerate(sheet.headings)
        if heading.name in _ON_DEMAND and not any(line[index].text for line in sheet.lines)
    ]
    return sheet.without(empty)


_ON_DEMAND = ("kind", "counter", "change", "reason", "where")


def reasons(report: Comparison) -> list[str]:
    """What the column of reasons says, for where it has no room: `conv1: out_channels 64 -> 96 (nets.py:41)`."""
    line_of = lines_of(report)
    layers: dict[str, dict[str, str | None]] = {}
    for check in failed(report.checks):
        if check.hint:
            layers.setdefault(check.hint, {})[_label(check)] = line_of(check)
    return [_reason(hint, found) for hint, found in layers.items()]


def _label(check: Check) -> str:
    return place(check) if check.row is None else check.row.label


def _reason(hint: str, layers: Mapping[str, str | None], shown: int = 3) -> str:
    """The reason of all these layers, and the line that they come from if it is the same."""
    names = ", ".join([*layers][:shown]) + (f" and {len(layers) - shown} more" if len(layers) > shown else "")
    lines = set(layers.values())
    where = lines.pop() if len(lines) == 1 else None
    return f"{names}: {hint}" + (f" ({where})" if where else "")


def _cells(check: Check, where: str | None, marks: Marks) -> dict[str, Cell]:
    wrong = Tone.DIFFER if check.verdict is Verdict.DIFFER else Tone.PLAIN
    return {
        "layer": Cell(place(check), check.path),
        "call": Cell(str(check.call), check.call),
        "kind": Cell(check.kind, check.kind),
        "what": Cell(what(check), check.name),
        "expected": _value_cell(check, check.expected, check.expected_status, Tone.PLAIN, marks),
        "source": Cell(check.source, check.source, Tone.QUIET),
        "found": _value_cell(check, check.found, check.found_status, wrong, marks),
        "counter": Cell(check.counter or "", check.counter, Tone.QUIET),
        "change": Cell(_change(check), _change(check), wrong),
        "verdict": verdict_sign(check.verdict, marks),
        "reason": Cell(check.hint or "", check.hint),
        "where": Cell(where or "", where, Tone.QUIET),
    }


def _change(check: Check) -> str:
    """How far the network has moved, where both ends are certain; a formula and its measurement are of one network."""
    certain = check.expected_status is check.found_status is Status.EXACT
    moved = certain and check.source != "formula" and check.verdict is not Verdict.UNKNOWN
    return change_text(check.expected, check.found) if moved else ""


def _value_cell(check: Check, value: Any, status: Status, tone: Tone, marks: Marks) -> Cell:
    if value is None:
        return Cell("") if check.name in ("added", "removed") else Cell(marks.unknown, None, Tone.UNKNOWN)
    text = value_text(check.name, value)
    plain = value if isinstance(value, (int, float)) else text.replace(", ", ";")
    return Cell(sign(status, marks) + text, plain, tone)
