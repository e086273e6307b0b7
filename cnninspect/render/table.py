"""The table for terminals and pipes.

Lines are not laid out by rich's Table, which takes a third of a second for 500 rows, longer than the forward pass on
meta. rich is used to measure wide characters and to write colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from rich.cells import cell_len, set_cell_size
from rich.color import ColorSystem
from rich.style import Style

from cnninspect.render.checks import REASON
from cnninspect.render.page import Cell, Fact, Heading, Page, Screen, Sheet, Tone
from cnninspect.render.sections import page_of
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
_GAP = 2
_SHORTEST_CELL = 8
_LONGEST_FIGURE = 48


def render(document: Document, view: View, screen: Screen) -> str:
    """Title, table and totals. On a terminal no line is wider than the terminal; elsewhere nothing is left out."""
    return page_text(page_of(document, view, screen.marks, full=screen.width is None), screen)


def page_text(parts: Page, screen: Screen) -> str:
    """A page as text."""
    table, left_out = _table(parts, screen)
    blocks = [
        [painted(_cut(parts.title, screen), Tone.STRONG, screen)],
        table,
        _reasons(parts.reasons, screen) if REASON in left_out else [],
        _facts(parts.facts, screen),
        [f" {line}" for line in parts.drawing],
    ]
    if parts.closing:
        blocks.append([parts.closing] if screen.width is None else wrap(parts.closing, screen.width))
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _reasons(reasons: Sequence[str], screen: Screen) -> list[str]:
    """The reasons, wrapped to the width of the screen."""
    width = max(_SHORTEST_CELL, (screen.width or 0) - 1)
    return [f" {line}" for reason in reasons for line in wrap(reason, width, subsequent_indent="  ")]


def _table(parts: Page, screen: Screen) -> tuple[list[str], list[str]]:
    """The lines of the table, with a last line that names the columns left out; and the titles of these."""
    if not parts.sheet.lines:
        return [], []
    sheet, left_out = _fitting(parts.sheet, screen.width)
    widths = _widths(sheet)
    if screen.width is not None and _total(widths) > screen.width:
        sheet = _shortened(sheet, widths, screen.width, screen.marks.ellipsis)
        widths = _widths(sheet)
    heading = tuple(Cell(heading.title, tone=Tone.QUIET) for heading in sheet.headings)
    lines = [_line(cells, sheet.headings, widths, screen) for cells in (heading, *sheet.lines)]
    if left_out:
        lines.append(painted(_cut(f" left out at this width: {', '.join(left_out)}", screen), Tone.QUIET, screen))
    return lines, left_out


def _fitting(sheet: Sheet, width: int | None) -> tuple[Sheet, list[str]]:
    """The table without the columns that do not fit, from the right, and the titles of these."""
    widths = dict(enumerate(_widths(sheet)))
    dropped: list[int] = []
    for index in sorted(widths, key=lambda index: (sheet.headings[index].late, -index)):
        if width is None or _total(list(widths.values())) <= width:
            break
        if not sheet.headings[index].kept:
            dropped.append(index)
            del widths[index]
    dropped.sort()
    return sheet.without(dropped), [sheet.headings[index].title for index in dropped]


def _shortened(sheet: Sheet, widths: Sequence[int], width: int, ellipsis: str) -> Sheet:
    """The table with the cells of its widest column shortened so that every line fits."""
    widest = max(range(len(widths)), key=lambda index: widths[index])
    room = max(_SHORTEST_CELL, widths[widest] - (_total(widths) - width))

    def cut(line: tuple[Cell, ...]) -> tuple[Cell, ...]:
        cell = line[widest]
        short = Cell(_cut_middle(cell.text, room, ellipsis), cell.plain, cell.tone)
        return (*line[:widest], short, *line[widest + 1 :])

    return Sheet(sheet.headings, tuple(cut(line) for line in sheet.lines))


def _widths(sheet: Sheet) -> list[int]:
    texts = [[heading.title for heading in sheet.headings], *([cell.text for cell in line] for line in sheet.lines)]
    return [max(cell_len(text) for text in column) for column in zip(*texts, strict=True)]


def _total(widths: Sequence[int]) -> int:
    """The width of a line: a space before it and a gap between columns."""
    return 1 + sum(widths) + _GAP * (len(widths) - 1)


def _line(cells: Sequence[Cell], headings: Sequence[Heading], widths: Sequence[int], screen: Screen) -> str:
    """The cells side by side, without spaces at the end."""
    last = max((index for index, cell in enumerate(cells) if cell.text), default=-1)
    texts = []
    for index in range(last + 1):
        padded = _padded(cells[index].text, widths[index], right=headings[index].right)
        texts.append(painted(padded.rstrip() if index == last else padded, cells[index].tone, screen))
    return " " + (" " * _GAP).join(texts)


def _padded(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - cell_len(text))
    return space + text if right else text + space


def _facts(found: Sequence[Fact], screen: Screen) -> list[str]:
    """The totals: labels and two aligned columns; on a narrow terminal the second column goes below the first.

    Texts longer than _LONGEST_FIGURE in the first column do not widen it.
    """
    indent = max((cell_len(fact.label) for fact in found), default=0) + 3
    figures = [cell_len(fact.text) for fact in found if fact.aside]
    column = indent + max((width for width in figures if width <= _LONGEST_FIGURE), default=0) + _GAP
    lines = []
    for fact in found:
        label = _padded(f" {fact.label}", indent, right=False)
        both = f"{_padded(label + fact.text + ' ' * _GAP, column, right=False)}{fact.aside}".rstrip()
        if screen.width is None or cell_len(both) <= screen.width:
            parts = [both]
        else:
            room = max(_SHORTEST_CELL, screen.width - indent)
            below = [line for text in (fact.text, fact.aside) for line in wrap(text, room)]
            parts = [label + below[0], *(" " * indent + line for line in below[1:])]
        lines += [painted(part, fact.tone, screen) for part in parts]
    return lines


def painted(text: str, tone: Tone, screen: Screen) -> str:
    """The text in the colour of its tone, where the screen shows colours."""
    style = _STYLES.get(tone)
    if not screen.colour or style is None or not text.strip():
        return text
    return style.render(text, color_system=ColorSystem.STANDARD)


def _cut(text: str, screen: Screen) -> str:
    """The text, shortened with an ellipsis at its end if it does not fit on one line of the terminal."""
    if screen.width is None or cell_len(text) <= screen.width:
        return text
    ellipsis = screen.marks.ellipsis
    return set_cell_size(text, max(0, screen.width - cell_len(ellipsis))) + ellipsis


def _cut_middle(text: str, width: int, ellipsis: str) -> str:
    """The text, with its middle replaced by an ellipsis if it is wider than `width`."""
    if cell_len(text) <= width:
        return text
    room = width - cell_len(ellipsis)
    head, tail = set_cell_size(text, room // 2), text
    while cell_len(tail) > room - room // 2:
        tail = tail[1:]
    return head + ellipsis + tail
