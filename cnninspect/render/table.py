"""The table for terminals and pipes.

Lines are not laid out by rich's Table, which takes a third of a second for 500 rows, longer than the forward pass on
meta. rich is used to measure wide characters and to write colours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import IntEnum
from functools import partial
from operator import le

from rich.color import ColorSystem
from rich.style import Style

from cnninspect.render.checks import REASON
from cnninspect.render.numbers import EXCEEDS_INPUT
from cnninspect.render.page import Cell, Fact, Page, Screen, Tone
from cnninspect.render.sections import pages_of
from cnninspect.render.width import GAP, Fitted, fitted, pieces, text_width
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
    """Title, table and totals. On a terminal no line is wider than the terminal; elsewhere nothing is left out.

    A page that is higher than the terminal has short totals side by side and fewer rows; if few rows are left then,
    only the main totals.
    """
    view = view if screen.width is not None else replace(view, fold=bool(view.fold))
    pages = pages_of(document, view, screen.marks, full=screen.width is None)

    def page(lines: int, low: Low) -> tuple[str, int]:
        found = pages(lines)
        return page_text(found, screen, exact=view.exact, low=low), len(found.sheet.lines)

    found, rows = page(0, Low.NO)
    room = _room(document, screen)
    if room is None or view.fold is False or found.count("\n") <= room:
        return found
    for low in (Low.SHORT, Low.MAIN):
        found, left = _lowered(partial(page, low=low), room, folds=view.folds_to_height)
        if found.count("\n") <= room and left >= min(rows, (screen.height or 0) // _SHARE_OF_ROWS):
            break
    return found


def _lowered(page: Callable[[int], tuple[str, int]], room: int, *, folds: bool) -> tuple[str, int]:
    """The page with the most rows that fit, and their number; `page` makes it with some rows fewer.

    Fewer rows may need other remarks and columns, so that their number is searched for: `least` rows fewer do not fit,
    `most` do.
    """
    found = page(0)
    over = found[0].count("\n") - room
    if not folds or over <= 0:
        return found
    least, lines, most = 0, over, None
    for _ in range(_TRIES):
        other = page(lines)
        over = other[0].count("\n") - room
        if over <= 0:
            most, found = lines, other
        else:
            least, found = lines, other if most is None else found
        if over == 0 or (most is not None and most - least <= 1):
            break
        lines = lines + over if most is None else min(max(lines + over, least + 1), most - 1)
    return found


class Low(IntEnum):
    """How much is said below a table on a low screen: everything, short totals side by side, or the main ones."""

    NO = 0
    SHORT = 1
    MAIN = 2


_SHARE_OF_ROWS = 3
"""The part of the screen that rows have at least: a third."""

_TRIES = 8
"""Numbers of rows that are tried."""

_PROMPT = 1
"""Lines of the screen that the shell's prompt takes."""


def _room(document: Document, screen: Screen) -> int | None:
    """The number of lines of the screen that are left by the prompt and the notes, which are printed below the page."""
    if screen.height is None or screen.width is None:
        return None
    notes = (f"cnninspect: note: {note}" for note in document.notes)
    return screen.height - _PROMPT - sum(len(pieces(note, max(_SHORTEST_CELL, screen.width - 3))) for note in notes)


def page_text(parts: Page, screen: Screen, *, exact: bool = False, low: Low = Low.NO) -> str:
    """A page as text; with `exact`, no count is rounded to fit. If the screen is `low`, the totals are short."""
    found = fitted(parts.sheet, screen.width, screen.marks, exact=exact)
    totals = [fact for fact in _explained(parts, found) if fact.is_main or low is not Low.MAIN]
    reasons = parts.reasons if REASON in found.left_out else ()
    below = _side_by_side_facts(totals, screen) if low else []
    blocks = [
        [painted(line, Tone.STRONG, screen) for line in _wrapped(parts.title, screen, indent="")],
        _lead(
            [*parts.lead, *reasons], screen, most=_MOST_ON_LOW if low is Low.MAIN else len(parts.lead) + len(reasons)
        ),
        [*_table(found, screen), *_remarks(parts, found, screen, is_low=bool(low)), *below],
        [] if low else _facts(totals, screen),
        [f" {line}" for line in _drawn(parts.drawing, screen)],
        _wrapped(parts.closing, screen, indent="") if parts.closing else [],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


_MOST_ON_LOW = 4
"""Lines of the result of a comparison on a low screen."""


def _lead(lines: Sequence[str], screen: Screen, most: int) -> list[str]:
    """The verdict in its colour, and below it what differs."""
    tones = {screen.marks.differ: Tone.DIFFER, screen.marks.match: Tone.MATCH}
    tone = tones.get(lines[0].split()[0], Tone.PLAIN) if lines else Tone.PLAIN
    rest = [f"and {len(lines) - most} more"] if len(lines) > most else []
    found = [painted(line, tone, screen) for text in lines[:1] for line in _wrapped(text, screen)]
    return [*found, *(line for text in (*lines[1:most], *rest) for line in _wrapped(text, screen, indent="   "))]


def _drawn(lines: Sequence[str], screen: Screen) -> Sequence[str]:
    """The drawing; on a screen that is too narrow, half of its lines and columns."""
    while screen.width is not None and any(text_width(line) >= screen.width for line in lines):
        lines = [line[::2] for line in lines[::2]]
    return lines


def _wrapped(text: str, screen: Screen, indent: str = " ") -> list[str]:
    """The text, broken between words where it does not fit; below its first line with two spaces more."""
    if screen.width is None:
        return [indent + text]
    room = max(_SHORTEST_CELL, screen.width - len(indent) - 2)
    first, *others = pieces(text, room + 2 if text_width(text) <= room + 2 else room)
    return [indent + first, *(f"{indent}  {line}" for line in others)]


def _table(found: Fitted, screen: Screen) -> list[str]:
    """The lines of the table; the heading of the verdicts is the sign of a match."""
    if not found.sheet.lines:
        return []
    titles = (each.title or (screen.marks.match if each.name == "verdict" else "") for each in found.sheet.headings)
    heading = tuple(Cell(title, tone=Tone.QUIET) for title in titles)
    lines = (heading, *found.sheet.lines)
    return [text for cells in lines for text in line_of(cells, found, screen)]


def _remarks(parts: Page, found: Fitted, screen: Screen, *, is_low: bool) -> list[str]:
    """What the table leaves out and what its signs mean, below it."""
    if not parts.sheet.lines:
        return []
    said = [f"no room for {', '.join(found.left_out)}"] if found.left_out else []
    legend = _legend(found, parts.match, screen)
    if is_low:
        is_short = any(fact.short for fact in parts.facts) and not any("--no-fold" in text for text in parts.remarks)
        short = ["short to fit the screen: --no-fold shows all totals"] if is_short else []
        lines = _packed([*short, *parts.remarks, *said, *legend], screen)
    else:
        lines = [line for text in (*said, *parts.remarks) for line in _wrapped(text, screen)]
        lines += _packed(legend, screen)
    return [painted(line, Tone.QUIET, screen) for line in lines]


def _packed(items: Sequence[str], screen: Screen) -> list[str]:
    """The items side by side, as many to a line as fit."""
    lines: list[str] = []
    for item in items:
        longer = f"{lines[-1]}   {item}" if lines else ""
        if lines and (screen.width is None or text_width(longer) <= screen.width):
            lines[-1] = longer
        else:
            lines += _wrapped(item, screen)
    return lines


def _legend(found: Fitted, match: str, screen: Screen) -> list[str]:
    """The signs that occur in the table, with their meaning; empty if there is none but that of a match.

    A match that stands for a part of the row has its meaning in `match`.
    """
    marks = screen.marks
    columns = zip(found.sheet.headings, zip(*found.sheet.lines, strict=True), strict=False)
    texts = [(heading.shortens, {cell.text for cell in column}) for heading, column in columns]
    alone = {text.strip() for shortens, column in texts if not shortens for text in column}
    names = [text for shortens, column in texts if shortens for text in column]
    range_, blocks = f" {marks.ellipsis} ", re.compile(rf"(^|.* ){marks.times}\d+(,|$)")
    signs = (marks.lower, marks.upper, EXCEEDS_INPUT)
    starts = {text[: len(sign)] for _, column in texts for text in column for sign in signs}
    meanings = [
        (marks.differ in alone, marks.differ, "differs"),
        (marks.unknown in alone, marks.unknown, "unknown"),
        (marks.nothing in alone, marks.nothing, "nothing to count or compare"),
        (marks.lower in starts, marks.lower, "at least"),
        (marks.upper in starts, marks.upper, "at most"),
        (EXCEEDS_INPUT in starts, EXCEEDS_INPUT, "larger than the input"),
        (any(range_ in name.strip() for name in names), f"a{range_}b", "the sum from a to b"),
        (any(map(blocks.match, names)), f"{marks.times}N", "equal to the block above"),
        (found.is_rounded, "K, M, G", "rounded (--exact)"),
    ]
    said = [f"{sign} {meaning}" for occurs, sign, meaning in meanings if occurs]
    is_said = marks.match in alone and (said or match)
    return [f"{marks.match} {match or 'matches'}", *said] if is_said else said


def line_of(cells: Sequence[Cell], found: Fitted, screen: Screen) -> list[str]:
    """The cells side by side, without spaces at the end; cells wider than their columns go on in further lines."""
    texts = [cell.text for cell in cells]
    wide = [text_width(text) for text in texts]
    if all(map(le, wide, found.widths)):
        return [_side_by_side(texts, wide, cells, found, screen)]
    parts = [pieces(text, width) for text, width in zip(texts, found.widths, strict=True)]
    lines = [[each[index] if index < len(each) else "" for each in parts] for index in range(max(map(len, parts)))]
    return [_side_by_side(line, list(map(text_width, line)), cells, found, screen) for line in lines]


def _side_by_side(
    texts: Sequence[str], wide: Sequence[int], cells: Sequence[Cell], found: Fitted, screen: Screen
) -> str:
    """One line; `wide` are the widths of its texts."""
    last = max((index for index, text in enumerate(texts) if text), default=-1)
    line = []
    for index in range(last + 1):
        space = " " * (found.widths[index] - wide[index])
        padded = space + texts[index] if found.sheet.headings[index].right else texts[index] + space
        line.append(painted(padded.rstrip() if index == last else padded, cells[index].tone, screen))
    return " " + (" " * GAP).join(line)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - text_width(text))


def _explained(parts: Page, found: Fitted) -> list[Fact]:
    """The totals without the meaning of a sign that the legend below the table gives."""
    return [fact for fact in parts.facts if not (found.sheet.lines and fact.label.strip() == EXCEEDS_INPUT)]


def _facts(found: Sequence[Fact], screen: Screen) -> list[str]:
    """The totals: labels and two aligned columns; on a narrow terminal the second column goes below the first.

    Texts longer than _LONGEST_FIGURE in the first column do not widen it.
    """
    indent = max((text_width(fact.label) for fact in found), default=0) + 3
    figures = [text_width(fact.text) for fact in found if fact.aside]
    column = max((width for width in figures if width <= _LONGEST_FIGURE), default=0) + GAP
    lines = []
    for fact in found:
        both = f"{_padded(fact.text + ' ' * GAP, column)}{fact.aside}".rstrip()
        parts = [both]
        if screen.width is not None and indent + text_width(both) > screen.width:
            room = max(_SHORTEST_CELL, screen.width - indent)
            parts = [line for text in (fact.text, fact.aside) for line in pieces(text, room) if line]
        label = painted(_padded(f" {fact.label}", indent), _label_tone(fact), screen)
        starts = (label, *[" " * indent] * len(parts))
        lines += [start + painted(part, fact.tone, screen) for start, part in zip(starts, parts, strict=False)]
    return lines


def _label_tone(fact: Fact) -> Tone:
    return Tone.QUIET if fact.tone is Tone.PLAIN else fact.tone


def _side_by_side_facts(found: Sequence[Fact], screen: Screen) -> list[str]:
    """The totals in their short forms, as many to a line as fit; one longer than a line goes on in the next."""
    separator, width = screen.marks.separator, screen.width or 0
    lines: list[str] = []
    used = width
    for fact in found:
        label = fact.label.strip()
        first, *others = pieces(f"{label} {fact.brief}", max(_SHORTEST_CELL, width - 3))
        styled = painted(label, _label_tone(fact), screen) + painted(first.removeprefix(label), fact.tone, screen)
        if used + text_width(separator + first) <= width and not others:
            lines[-1] += painted(separator, Tone.QUIET, screen) + styled
            used += text_width(separator + first)
        else:
            lines += [f" {styled}", *(f"   {painted(other, fact.tone, screen)}" for other in others)]
            used = 3 + text_width(others[-1]) if others else 1 + text_width(first)
    return lines


def painted(text: str, tone: Tone, screen: Screen) -> str:
    """The text in the colour of its tone, where the screen shows colours."""
    if not screen.colour:
        return text
    style = _STYLES.get(tone)
    bar, rest = (text, "") if tone is not Tone.ACCENT else _bar_and_rest(text, screen)
    if style is None or not bar.strip():
        return text
    return style.render(bar, color_system=ColorSystem.STANDARD) + rest


def _bar_and_rest(text: str, screen: Screen) -> tuple[str, str]:
    """The bar at the start of the text, and the rest: a figure in a light colour cannot be read on white."""
    rest = text.lstrip(screen.marks.bar)
    return text[: len(text) - len(rest)], rest
