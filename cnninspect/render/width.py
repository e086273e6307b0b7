"""How a table fits a terminal: bars and columns of little worth go first, names are shortened, counts are rounded.

No cell loses its meaning: a shortened name fits only one full name of its column, and a text that is still too wide
goes on in the next line of its column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len, set_cell_size

from cnninspect.render.page import Cell, Marks, Sheet, Worth

GAP = 2
"""Spaces between two columns."""

_EASY = 20
_SHORTEST = 10
"""Widths to which names are shortened: before other columns suffer, and when little else is left."""

_NARROWEST = 4
"""The width of a column whose texts go on in the next line."""


@dataclass(frozen=True)
class Fitted:
    """A table that fits: the widths of its columns, the titles left out, and whether counts are rounded."""

    sheet: Sheet
    widths: list[int]
    left_out: tuple[str, ...] = ()
    is_rounded: bool = False


def fitted(sheet: Sheet, width: int | None, marks: Marks, *, exact: bool = False) -> Fitted:
    """The table with every line at most `width` wide; all of it if `width` is None.

    With `exact`, no count is rounded.
    """
    if width is None or total(widths_of(sheet)) <= width:
        return Fitted(sheet, widths_of(sheet))
    whole, dropped, rounded = sheet, set[str](), False
    for step in _steps(sheet, exact=exact):
        sheet, rounded = step.sheet, rounded or step.rounds
        dropped |= set(step.dropped)
        found = _with_short_names(sheet, width, step.shortest, marks)
        if found is not None:
            break
    else:
        found = _with_short_names(sheet, width, _SHORTEST, marks, whatever=True) or sheet
    left_out = tuple(each.title or each.name for each in whole.headings if each.name in dropped)
    return Fitted(found, _squeezed(widths_of(found), width), left_out, rounded)


def widths_of(sheet: Sheet) -> list[int]:
    """The width of each column: that of its widest text or title."""
    texts = [{heading.title} for heading in sheet.headings]
    for found, column in zip(texts, zip(*sheet.lines, strict=True), strict=False):
        found.update(cell.text for cell in column)
    return [max(map(text_width, found)) for found in texts]


def text_width(text: str) -> int:
    """The characters of a terminal that a text is wide; rich is asked only where it may be another number."""
    return len(text) if text.isascii() and text.isprintable() else cell_len(text)


def total(widths: Sequence[int]) -> int:
    """The width of a line: a space before it and a gap between columns."""
    return 1 + sum(widths) + GAP * (len(widths) - 1)


@dataclass(frozen=True)
class _Step:
    """One more thing given up: the table without it, and the width to which its names may be shortened."""

    sheet: Sheet
    shortest: int = _EASY
    dropped: tuple[str, ...] = ()
    rounds: bool = False


def _steps(sheet: Sheet, *, exact: bool) -> Iterator[_Step]:
    """The table with less and less: no bars, no minor columns, rounded counts, shorter names, no other columns."""
    always = [index for index, each in enumerate(sheet.headings) if each.name in ("share", "where")]
    sheet = _with_short_cells(sheet, always)
    yield _Step(sheet)
    for step in _dropping(sheet, Worth.MINOR):
        sheet = step.sheet
        yield step
    for index in () if exact else _by_savings(sheet):
        sheet = _with_short_cells(sheet, _alike(sheet, index))
        yield _Step(sheet, rounds=True)
    yield _Step(sheet, _SHORTEST)
    for worth in (Worth.USUAL, Worth.LATE, Worth.MAIN):
        for step in _dropping(sheet, worth):
            sheet = step.sheet
            yield replace(step, shortest=_SHORTEST)


def _dropping(sheet: Sheet, worth: Worth) -> Iterator[_Step]:
    """The table without one more column of this worth at each step, from the right."""
    for index in reversed(range(len(sheet.headings))):
        heading = sheet.headings[index]
        if heading.worth is worth:
            sheet = sheet.without([index])
            yield _Step(sheet, dropped=(heading.name,))


def _by_savings(sheet: Sheet) -> list[int]:
    """The columns that have shorter texts, the one that saves most first."""
    before = widths_of(sheet)
    every = range(len(before))
    after = widths_of(_with_short_cells(sheet, every))
    return sorted((index for index in every if after[index] < before[index]), key=lambda i: after[i] - before[i])


def _alike(sheet: Sheet, index: int) -> list[int]:
    """The columns of the same number, which are read side by side: `MACs`, `MACs by torch`."""
    number = sheet.headings[index].title.partition(" by ")[0]
    return [other for other, each in enumerate(sheet.headings) if each.title.partition(" by ")[0] == number]


def _with_short_cells(sheet: Sheet, columns: Sequence[int]) -> Sheet:
    def short(index: int, cell: Cell) -> Cell:
        return cell if cell.short is None or index not in columns else replace(cell, text=cell.short)

    return Sheet(sheet.headings, tuple(tuple(map(short, range(len(line)), line)) for line in sheet.lines))


# --- names -----------------------------------------------------------------------------------------------------------


def _with_short_names(sheet: Sheet, width: int, shortest: int, marks: Marks, *, whatever: bool = False) -> Sheet | None:
    """The table with names shortened as far as `width` needs; None if they would be shorter than `shortest`.

    With `whatever`, the table with names as short as may be, also if it is still too wide.
    """
    widths = widths_of(sheet)
    named = [index for index, heading in enumerate(sheet.headings) if heading.shortens]
    columns = {index: _Names([line[index] for line in sheet.lines], marks.ellipsis) for index in named}
    while total(widths) > width:
        longest = max(named, key=lambda index: widths[index], default=None)
        if longest is None:
            break
        wanted = max(shortest, widths[longest] - (total(widths) - width), _second(widths, named, longest))
        reached = columns[longest].least(min(wanted, widths[longest] - 1), widths[longest] - 1)
        if widths[longest] <= shortest or reached is None:
            named.remove(longest)
            continue
        widths[longest] = reached
    if total(widths) > width and not whatever:
        return None
    return _replaced(sheet, {index: columns[index].at(widths[index]) for index in columns})


def _second(widths: Sequence[int], named: Sequence[int], longest: int) -> int:
    """The width of the next longest column of names: the longest is shortened to it before both are."""
    return max((widths[index] for index in named if index != longest), default=0)


def _replaced(sheet: Sheet, texts: dict[int, dict[str, str]]) -> Sheet:
    def cell(index: int, old: Cell) -> Cell:
        return replace(old, text=texts[index].get(old.text, old.text)) if index in texts else old

    return Sheet(sheet.headings, tuple(tuple(map(cell, range(len(line)), line)) for line in sheet.lines))


class _Names:
    """The names of one column; names that stand in a tree keep their indent. A text with a short form is no name."""

    def __init__(self, cells: Sequence[Cell], ellipsis: str):
        self.texts = list(dict.fromkeys(cell.text for cell in cells if cell.short is None))
        self.firm = max((text_width(cell.text) for cell in cells if cell.short is not None), default=0)
        self.names = list(dict.fromkeys(text.strip() for text in self.texts))
        self.ellipsis = ellipsis
        self._found: dict[int, dict[str, str] | None] = {}

    def least(self, width: int, below: int) -> int | None:
        """The smallest width from `width` to `below` at which no two names look alike; None if there is none."""
        return next((each for each in range(width, below + 1) if self._at(each) is not None), None)

    def at(self, width: int) -> dict[str, str]:
        """Text -> its form at this width."""
        return self._at(width) or {}

    def _at(self, width: int) -> dict[str, str] | None:
        if width not in self._found:
            self._found[width] = None if width < self.firm else self._shortened(width)
        return self._found[width]

    def _shortened(self, width: int) -> dict[str, str] | None:
        """Text -> its form at this width for texts that are wider; None if one would fit two names."""
        found = {}
        for text in self.texts:
            if text_width(text) > width:
                name = text.strip()
                indent = len(text) - len(text.lstrip())
                short = self._short(name, width - indent)
                if short is None:
                    return None
                found[text] = " " * indent + short
        return found

    def _short(self, name: str, width: int) -> str | None:
        """The name with an ellipsis near its middle, as only this name fits; None if there is no such form.

        The number of a use and the end of a range stay: `(Ten…hape) use 2`, `encod…yer_1 … 11`; of a range whose end is
        long both ends are shortened.
        """
        first, between, last = name.partition(f" {self.ellipsis} ")
        if len(last) > _SHORT_END:
            return self._short_range(first, between, last, width)
        after = _AFTER.search(name)
        kept = "" if after is None else after[0]
        room = width - text_width(self.ellipsis + kept)
        if room < _NARROWEST:
            return None
        stem = name.removesuffix(kept)
        alike = [other for other in self.names if other != name and len(other) >= room // 2]
        for tail in sorted(range(1, room), key=lambda tail: abs(tail - room // 2)):
            head, end = _start(stem, room - tail), _end(stem, tail)
            if not any(other.startswith(head) and other.endswith(end + kept) for other in alike):
                return f"{head.removesuffix(self.ellipsis)}{self.ellipsis}{end.removeprefix(self.ellipsis)}{kept}"
        return None

    def _short_range(self, first: str, between: str, last: str, width: int) -> str | None:
        """A range with both ends shortened; None if that fits another name, too."""
        room = width - text_width(between)
        left = min(text_width(first), max(room // 2, room - text_width(last)))
        ends = [(first, left), (last, room - left)]
        if any(space < min(text_width(text), _SHORT_END) for text, space in ends):
            return None
        one, other = (text if text_width(text) <= space else self._cut(text, space) for text, space in ends)
        head, tail = one.partition(self.ellipsis)[0], other.rpartition(self.ellipsis)[2]
        names = [each for each in self.names if each.startswith(head) and each.endswith(tail)]
        return f"{one}{between}{other}" if len(names) == 1 else None

    def _cut(self, text: str, width: int) -> str:
        room = width - text_width(self.ellipsis)
        return f"{_start(text, room - room // 2)}{self.ellipsis}{_end(text, room // 2)}"


_SHORT_END = 6
"""The width of an end of a range that is never shortened."""

_AFTER = re.compile(r"( use \d+| (…|\.\.) [^ ]+( [×x]\d+)?)+$")
"""What follows a name: the number of its use, or the end of a range and how often its blocks are repeated."""


def _start(text: str, width: int) -> str:
    return set_cell_size(text, width).rstrip()


def _end(text: str, width: int) -> str:
    while text_width(text) > width:
        text = text[1:]
    return text


# --- the last resort -------------------------------------------------------------------------------------------------


def _squeezed(widths: Sequence[int], width: int) -> list[int]:
    """Widths that add up to a line that fits: the widest column is made narrower, again and again."""
    left = list(widths)
    while total(left) > width and max(left) > _NARROWEST:
        left[left.index(max(left))] -= 1
    return left


def pieces(text: str, width: int) -> list[str]:
    """A text in parts that are at most `width` wide, to stand below each other; broken at spaces if there are any."""
    if text_width(text) <= width:
        return [text]
    found = []
    while text_width(text) > width:
        part = _longest_start(text, width)
        space = part.rfind(" ", 1) if part.strip() and " " in part.strip() else -1
        part = part[: space + 1] if space > 0 else part
        found.append(part.rstrip())
        text = text[len(part) :].lstrip()
    return [*found, text] if text else found


def _longest_start(text: str, width: int) -> str:
    count = next((end for end in range(len(text), 0, -1) if text_width(text[:end]) <= width), 1)
    return text[:count]
