"""The table for terminals and pipes.

Lines are not laid out by rich's Table, which takes a third of a second for 500 rows, longer than the forward pass on
meta. rich is used to measure wide characters and to write colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.style import Style

from cnninspect.render.checks import REASON
from cnninspect.render.numbers import EXCEEDS_INPUT
from cnninspect.render.page import Cell, Fact, Page, Screen, Tone
from cnninspect.render.sections import page_of
from cnninspect.render.width import GAP, Fitted, fitted, pieces
from cnninspect.report.document import Document
from cnninspect.report.selection import View

_STYLES = {
    Tone.STRONG: Style(bold=True),
    Tone.QUIET: Style(dim=True),
    Tone.ACCENT: Style(color="cyan"),
    Tone.MATCH: Style(color="green"),
    Tone.DIFFER: Style(color="red", bold=True),
    Tone.UNKNOWN: Style(bold=True),
}
_SHORTEST_CELL = 8
_LONGEST_FIGURE = 48


def render(document: Document, view: View, screen: Screen) -> str:
    """Title, table and totals. On a terminal no line is wider than the terminal; elsewhere nothing is left out."""
    view = view if screen.width is not None else replace(view, fold=bool(view.fold))
    text = page_text(page_of(document, view, screen.marks, full=screen.width is None), screen, exact=view.exact)
    excess = 0 if screen.height is None else text.count("\n") + _PROMPT - screen.height
    if excess > 0 and view.folds_to_height:
        lower = replace(view, lines=excess)
        text = page_text(page_of(document, lower, screen.marks, full=False), screen, exact=view.exact)
    return text


_PROMPT = 1
"""Lines of the screen that the shell's prompt takes."""


def page_text(parts: Page, screen: Screen, *, exact: bool = False) -> str:
    """A page as text; with `exact`, no count is rounded to fit."""
    found = fitted(parts.sheet, screen.width, screen.marks, exact=exact)
    blocks = [
        [painted(line, Tone.STRONG, screen) for line in _wrapped(parts.title, screen, indent="")],
        [*_table(found, screen), *_remarks(parts, found, screen)],
        _reasons(parts.reasons, screen) if REASON in found.left_out else [],
        _facts(parts.facts, screen),
        [f" {line}" for line in parts.drawing],
        _wrapped(parts.closing, screen, indent="") if parts.closing else [],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _wrapped(text: str, screen: Screen, indent: str = " ") -> list[str]:
    """The text, broken between words where it does not fit; below its first line with two spaces more."""
    if screen.width is None:
        return [indent + text]
    room = max(_SHORTEST_CELL, screen.width - len(indent) - 2)
    first, *others = pieces(text, room + 2 if cell_len(text) <= room + 2 else room)
    return [indent + first, *(f"{indent}  {line}" for line in others)]


def _reasons(reasons: Sequence[str], screen: Screen) -> list[str]:
    """The reasons, wrapped to the width of the screen."""
    return [line for reason in reasons for line in _wrapped(reason, screen)]


def _table(found: Fitted, screen: Screen) -> list[str]:
    """The lines of the table; the heading of the verdicts is the sign of a match."""
    if not found.sheet.lines:
        return []
    titles = (each.title or (screen.marks.match if each.name == "verdict" else "") for each in found.sheet.headings)
    heading = tuple(Cell(title, tone=Tone.QUIET) for title in titles)
    lines = (heading, *found.sheet.lines)
    return [text for cells in lines for text in _line(cells, found, screen)]


def _remarks(parts: Page, found: Fitted, screen: Screen) -> list[str]:
    """What the table leaves out and what its signs mean, below it."""
    if not parts.sheet.lines:
        return []
    said = [f"left out at this width: {', '.join(found.left_out)}"] if found.left_out else []
    lines = [line for text in (*said, *parts.remarks) for line in _wrapped(text, screen)]
    return [painted(line, Tone.QUIET, screen) for line in (*lines, *_packed(_legend(found, screen), screen))]


def _packed(items: Sequence[str], screen: Screen) -> list[str]:
    """The items side by side, as many to a line as fit."""
    lines: list[str] = []
    for item in items:
        longer = f"{lines[-1]}   {item}" if lines else ""
        if lines and (screen.width is None or cell_len(longer) <= screen.width):
            lines[-1] = longer
        else:
            lines.append(f" {item}")
    return lines


def _legend(found: Fitted, screen: Screen) -> list[str]:
    """The signs that occur in the table, with their meaning; empty if there is none but that of a match."""
    marks = screen.marks
    cells = [
        (heading, cell) for line in found.sheet.lines for heading, cell in zip(found.sheet.headings, line, strict=True)
    ]
    alone = {cell.text.strip() for heading, cell in cells if not heading.shortens}
    starts = {cell.text[: len(sign)] for _, cell in cells for sign in (marks.lower, marks.upper, EXCEEDS_INPUT)}
    meanings = [
        (marks.differ in alone, marks.differ, "differs"),
        (marks.unknown in alone, marks.unknown, "unknown"),
        (marks.nothing in alone, marks.nothing, "nothing to count or compare"),
        (marks.lower in starts, marks.lower, "at least"),
        (marks.upper in starts, marks.upper, "at most"),
        (EXCEEDS_INPUT in starts, EXCEEDS_INPUT, "larger than the input"),
        (found.is_rounded, "K, M, G", "rounded; or --exact"),
    ]
    said = [f"{sign} {meaning}" for occurs, sign, meaning in meanings if occurs]
    return [f"{marks.match} matches", *said] if said and marks.match in alone else said


def _line(cells: Sequence[Cell], found: Fitted, screen: Screen) -> list[str]:
    """The cells side by side, without spaces at the end; cells wider than their columns go on in further lines."""
    parts = [pieces(cell.text, width) for cell, width in zip(cells, found.widths, strict=True)]
    return [
        _side_by_side([each[index] if index < len(each) else "" for each in parts], cells, found, screen)
        for index in range(max(map(len, parts)))
    ]


def _side_by_side(texts: Sequence[str], cells: Sequence[Cell], found: Fitted, screen: Screen) -> str:
    last = max((index for index, text in enumerate(texts) if text), default=-1)
    line = []
    for index in range(last + 1):
        padded = _padded(texts[index], found.widths[index], right=found.sheet.headings[index].right)
        line.append(painted(padded.rstrip() if index == last else padded, cells[index].tone, screen))
    return " " + (" " * GAP).join(line)


def _padded(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - cell_len(text))
    return space + text if right else text + space


def _facts(found: Sequence[Fact], screen: Screen) -> list[str]:
    """The totals: labels and two aligned columns; on a narrow terminal the second column goes below the first.

    Texts longer than _LONGEST_FIGURE in the first column do not widen it.
    """
    indent = max((cell_len(fact.label) for fact in found), default=0) + 3
    figures = [cell_len(fact.text) for fact in found if fact.aside]
    column = indent + max((width for width in figures if width <= _LONGEST_FIGURE), default=0) + GAP
    lines = []
    for fact in found:
        label = _padded(f" {fact.label}", indent, right=False)
        both = f"{_padded(label + fact.text + ' ' * GAP, column, right=False)}{fact.aside}".rstrip()
        if screen.width is None or cell_len(both) <= screen.width:
            parts = [both]
        else:
            room = max(_SHORTEST_CELL, screen.width - indent)
            below = [line for text in (fact.text, fact.aside) for line in pieces(text, room) if line]
            parts = [label + below[0], *(" " * indent + line for line in below[1:])]
        lines += [painted(part, fact.tone, screen) for part in parts]
    return lines


def painted(text: str, tone: Tone, screen: Screen) -> str:
    """The text in the colour of its tone, where the screen shows colours."""
    style = _STYLES.get(tone)
    if not screen.colour or style is None or not text.strip():
        return text
    return style.render(text, color_system=ColorSystem.STANDARD)
