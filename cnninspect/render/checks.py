"""Checks as sentences with their row and source line, and the table of failed checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cnninspect.errors import printable
from cnninspect.render.cells import verdict_sign
from cnninspect.render.numbers import change_text, label, sign, value_text
from cnninspect.render.page import UNICODE, Cell, Fact, Heading, Marks, Sheet, Tone, Worth
from cnninspect.report.document import Comparison, Document, Report, formula_checks
from cnninspect.report.quantities import Status, Verdict
from cnninspect.report.rows import TOTAL, Check, Row
from cnninspect.report.selection import View, rank


def failed(checks: Sequence[Check]) -> list[Check]:
    """The checks that did not pass: those that differ, then those that are unknown."""
    return [check for verdict in (Verdict.DIFFER, Verdict.UNKNOWN) for check in checks if check.verdict is verdict]


MANY = 20
"""More unknown checks than this with one reason are no lines of a table for readers."""


def without_alike(checks: Sequence[Check]) -> list[Check]:
    """The checks without those that are unknown for a reason that many share: one line below the table counts them."""
    shared = Counter(check.hint for check in checks if check.verdict is Verdict.UNKNOWN)
    return [check for check in checks if check.verdict is not Verdict.UNKNOWN or shared[check.hint] <= MANY]


RUN = "run"
"""The name of the single check of a target that could not be loaded or run."""


def count_sentence(checks: Sequence[Check]) -> str:
    """One sentence that counts the checks: `60 checks: 58 match, 2 differ.`"""
    if [check.name for check in checks] == [RUN]:
        return "not checked."
    counts = Counter(check.verdict for check in checks)
    words = [f"{counts[verdict]} {_WORDS.get(verdict, verdict.value)}" for verdict in Verdict if counts[verdict]]
    return f"{len(checks)} check{'s' if len(checks) != 1 else ''}: {', '.join(words) or 'none'}."


_WORDS = {Verdict.NOT_COUNTED: "not comparable", Verdict.NOT_RUN: "not run"}
"""Verdicts in words. A counter with another convention is not comparable."""


def row_name(check: Check) -> str:
    """The name of the check's row in messages: `conv`, `conv use 2`, `total`."""
    if check.row is None:
        return TOTAL
    path = check.row.path or f"({check.row.kind})"
    return f"{path} use {check.row.call + 1}" if check.row.call else path


def number_name(check: Check) -> str:
    """The name of the checked number for readers: `output shape`, `MACs`."""
    return label(check.name)


def checks_of(document: Document) -> tuple[Check, ...]:
    """The checks of a comparison; those of its formulas for any other report."""
    if not isinstance(document, Report):
        return ()
    return formula_checks(document) if document.checks is None else document.checks


def row_title(check: Check) -> str:
    """The row with its kind: `conv (Conv2d)`, `conv use 2 (Conv2d)`, `(F.relu)`, `total`."""
    is_named = check.row is not None and check.row.path and check.row.kind
    return f"{row_name(check)} ({check.kind})" if is_named else row_name(check)


def sentence(check: Check) -> str:
    """`conv (Conv2d), MACs: formula 13,824, torch 3,456`: layer, source, expected, found, and the reason if known."""
    if check.name == RUN:
        return f"not checked: {(check.hint or '').rstrip('.')}"
    reason = f" ({check.hint})" if check.hint else ""
    return f"{row_title(check)}, {number_name(check)}: {_expected(check)}, {_found(check)}{reason}"


def grouped(checks: Iterable[Check], key: Callable[[Check], Hashable]) -> Collection[list[Check]]:
    """Groups of checks with the same key, in the order of each key's first check."""
    groups: dict[Hashable, list[Check]] = {}
    for check in checks:
        groups.setdefault(key(check), []).append(check)
    return groups.values()


def _expected(check: Check) -> str:
    if check.name == "added":
        return f"not in the {check.source}"
    return f"{check.source} {_value(check, check.expected, check.expected_status)}"


def _found(check: Check) -> str:
    if check.name == "removed":
        return "not found"
    by = check.counter or ("measurement" if check.source == "formula" else "found")
    return f"{by} {_value(check, check.found, check.found_status)}"


def _value(check: Check, value: Any, status: Status) -> str:
    """A value, after `≥` or `≤` if it is a bound."""
    return ("" if value is None else sign(status, UNICODE)) + value_text(check.name, value)


def lines_of(document: Document) -> Callable[[Check], str | None]:
    """Returns a function: check -> source line of its row, `nets.py:41`; None if there is none.

    A claim has its line in the claims file: `claims.csv, line 3`. A row without a line has the line of its
    caller; a layer that is not in the report, that of the nearest enclosing module; a total, that of the network.
    """
    rows = document.rows if isinstance(document, Report) else ()
    calls = {row.id: row for row in rows}
    modules = {row.path: row for row in reversed(rows) if not row.functional}

    def line(check: Check) -> str | None:
        if check.where is not None:
            return check.where
        row = None if check.row is None else calls.get(check.row)
        path = "" if check.row is None else check.row.path
        while row is None and path:
            row = modules.get(path)
            path = path.rpartition(".")[0]
        return _line(row or modules.get(""), rows)

    return line


def _line(row: Row | None, rows: tuple[Row, ...]) -> str | None:
    while row is not None and row.where is None and row.parent is not None:
        row = rows[row.parent]
    return None if row is None else row.where


REASON = "why"
"""The title of the column of reasons."""

_HEADINGS = (
    Heading("layer", "layer", worth=Worth.KEPT, shortens=True),
    Heading("call", "call", right=True),
    Heading("kind", "kind", shortens=True),
    Heading("what", "what", worth=Worth.KEPT),
    Heading("expected", "expected", right=True, worth=Worth.KEPT),
    Heading("source", "by", worth=Worth.LATE),
    Heading("found", "found", right=True, worth=Worth.KEPT),
    Heading("counter", "by"),
    Heading("change", "change", right=True),
    Heading("verdict", "", worth=Worth.KEPT),
    Heading("reason", REASON),
    Heading("where", "in"),
)
HEADINGS = {heading.name: heading for heading in _HEADINGS}
READERS = ("layer", "kind", "what", "expected", "source", "found", "counter", "change", "verdict", "reason", "where")
PROGRAMS = tuple(HEADINGS)


def finding_sheet(report: Report, checks: Iterable[Check], columns: tuple[str, ...], marks: Marks) -> Sheet:
    """The table of these checks."""
    line_of = lines_of(report)
    lines = (_cells(check, line_of(check), marks) for check in checks)
    headings = tuple(HEADINGS[name] for name in columns)
    return Sheet(headings, tuple(tuple(line[name] for name in columns) for line in lines))


def readers_sheet(report: Comparison, checks: Iterable[Check], marks: Marks) -> Sheet:
    """The table of failed checks for readers, without optional columns that are empty."""
    checks = tuple(checks)
    sheet = finding_sheet(report, checks, READERS, marks)
    if any(check.where is not None for check in checks):
        # A claim is mended in its line: the column stays, if need be without the name of the file.
        kept = (replace(each, worth=Worth.KEPT) if each.name == "where" else each for each in sheet.headings)
        sheet = replace(sheet, headings=tuple(kept))
    empty = [
        index
        for index, heading in enumerate(sheet.headings)
        if heading.name in _ON_DEMAND and not any(line[index].text for line in sheet.lines)
    ]
    return sheet.without(empty)


def whole_sheet(report: Comparison, view: View, marks: Marks) -> tuple[Sheet, list[Check]]:
    """The table of all checks that the view asks for, those that match too, and the check of each line."""
    found = chosen(report, report.checks, view)
    if view.columns:
        return finding_sheet(report, found, view.columns, marks), found
    return readers_sheet(report, found, marks), found


_ON_DEMAND = ("kind", "counter", "change", "reason", "where")


def chosen(report: Report, checks: Iterable[Check], view: View) -> list[Check]:
    """The checks that the view lets pass, in its order: by name or kind, or the largest number of their rows first."""
    found = [check for check in checks if view.wants_check(check.row, check.verdict)]
    key = view.sort or ("macs" if view.top is not None else None)
    if key in ("name", "kind"):
        found.sort(key=row_name if key == "name" else lambda check: check.kind)
    elif key is not None:
        rows = {row.id: row for row in report.rows}
        found.sort(key=lambda check: rank(rows[check.row].quantities.get(key) if check.row in rows else None))
    return found[: view.top]


def shown(found: Sequence[Check], checks: Sequence[Check]) -> Iterator[Fact]:
    """How many findings the view shows, if it hides some."""
    if len(found) < len(checks):
        yield Fact("shown", f"{len(found)} of {len(checks)} findings", tone=Tone.QUIET)


def compared(checks: Sequence[Check]) -> Iterator[Fact]:
    """One line per source: how many of each number were compared; below it those that could not be, and why."""
    for of_source in grouped(checks, lambda check: check.source):
        decided = [check for check in of_source if check.verdict in (Verdict.MATCH, Verdict.DIFFER)]
        numbers = dict.fromkeys(
            (number_name(check) if check.row else f"{TOTAL}s", check.row, check.name) for check in decided
        )
        counts = Counter(name for name, *_ in numbers)
        text = ", ".join(f"{name} {count}" for name, count in counts.items())
        yield Fact(of_source[0].source, text or "nothing was compared", _counters(decided), is_main=False)
        rest = [check for check in of_source if check.verdict not in (Verdict.MATCH, Verdict.DIFFER)]
        for alike in grouped(rest, lambda check: (check.verdict, check.hint)):
            yield Fact("", _not_compared(alike), tone=Tone.QUIET)


def lead(checks: Sequence[Check], marks: Marks) -> list[str]:
    """How many checks differ; empty if none does."""
    count = sum(check.verdict is Verdict.DIFFER for check in checks)
    if not count or [check.name for check in checks] == [RUN]:
        return []
    return [f"{marks.differ} {count:,} of {len(checks):,} checks differ{'s' if count == 1 else ''}."]


_LEAST = 4
"""Findings that are shown on the lowest screen."""


def cut(sheet: Sheet, marks: Marks, left_out: int) -> tuple[Sheet, list[str]]:
    """The table with so many findings fewer, one line for the rest, and the remark on them."""
    keep, every = max(_LEAST, len(sheet.lines) - left_out), len(sheet.lines)
    if not left_out or keep >= every:
        return sheet, []
    rest = sheet.lines[keep - 1 :]
    texts = {"layer": Cell(f"{marks.ellipsis} {len(rest)} more"), "verdict": rest[0][_place(sheet, "verdict")]}
    line = tuple(texts.get(heading.name, Cell("")) for heading in sheet.headings)
    return replace(sheet, lines=(*sheet.lines[: keep - 1], line)), [f"folded: --no-fold shows all {every} findings"]


def _place(sheet: Sheet, name: str) -> int:
    return next((index for index, heading in enumerate(sheet.headings) if heading.name == name), 0)


def _counters(checks: Sequence[Check]) -> str:
    """How many numbers each counter gave: `by hooks 21, storage 21, torch 8`."""
    counts = Counter(check.counter for check in checks if check.counter)
    return f"by {', '.join(f'{name} {count}' for name, count in counts.items())}" if counts else ""


def _not_compared(alike: Sequence[Check]) -> str:
    """`3 MACs not comparable: fvcore does not count aten.fft_rfft2 (conv, mix and 1 more)`."""
    first = alike[0]
    names = ", ".join(dict.fromkeys(number_name(check) for check in alike))
    rows = list(dict.fromkeys(_label(check) for check in alike))
    shown = ", ".join(rows[:2]) + (f" and {len(rows) - 2} more" if len(rows) > 2 else "")
    why = first.hint or "no formula or no measurement"
    return f"{len(alike)} {_WORDS.get(first.verdict, first.verdict.value)}: {names} of {shown}: {why}"


def reasons(report: Comparison) -> list[str]:
    """The reasons as lines, for a table without room for the column: `conv1: out_channels 64 -> 96 (nets.py:41)`."""
    line_of = lines_of(report)
    layers: dict[str, dict[str, str | None]] = {}
    for check in failed(report.checks):
        if check.hint:
            layers.setdefault(check.hint, {})[_label(check)] = line_of(check)
    return [_reason(hint, found) for hint, found in layers.items()]


def _label(check: Check) -> str:
    return row_name(check) if check.row is None else printable(check.row.label)


def _reason(hint: str, layers: Mapping[str, str | None], shown: int = 3) -> str:
    """The layers, their common reason, and their source line if all have the same."""
    names = ", ".join([*layers][:shown]) + (f" and {len(layers) - shown} more" if len(layers) > shown else "")
    lines = set(layers.values())
    where = lines.pop() if len(lines) == 1 else None
    return f"{names}: {hint}" + (f" ({where})" if where else "")


def _cells(check: Check, where: str | None, marks: Marks) -> dict[str, Cell]:
    wrong = Tone.DIFFER if check.verdict is Verdict.DIFFER else Tone.PLAIN
    return {
        "layer": Cell(printable(row_name(check)), check.path),
        "call": Cell(str(check.call), check.call),
        "kind": Cell(printable(check.kind) if check.row is None or check.row.path else "", check.kind),
        "what": Cell(number_name(check), check.name),
        "expected": _value_cell(check, check.expected, check.expected_status, Tone.PLAIN, marks),
        "source": Cell(check.source, check.source, Tone.QUIET),
        "found": _value_cell(check, check.found, check.found_status, wrong, marks),
        "counter": Cell(check.counter or "", check.counter, Tone.QUIET),
        "change": Cell(_change(check), _change(check), wrong),
        "verdict": verdict_sign(check.verdict, marks),
        "reason": Cell(check.hint or "", check.hint),
        "where": Cell(where or "", where, Tone.QUIET, None if check.where is None else check.where.rpartition(", ")[2]),
    }


def _change(check: Check) -> str:
    """The change from expected to found in percent; empty for bounds and for a formula and its measurement."""
    certain = check.expected_status is check.found_status is Status.EXACT
    moved = certain and check.source != "formula" and check.verdict is not Verdict.UNKNOWN
    return change_text(check.expected, check.found) if moved else ""


def _value_cell(check: Check, value: Any, status: Status, tone: Tone, marks: Marks) -> Cell:
    if value is None:
        return Cell("") if check.name in ("added", "removed") else Cell(marks.unknown, None, Tone.UNKNOWN)
    text = value_text(check.name, value)
    plain = value if isinstance(value, (int, float)) else text.replace(", ", ";")
    return Cell(sign(status, marks) + text, plain, tone)
