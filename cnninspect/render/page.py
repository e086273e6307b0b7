"""What a page is made of before it has a format: a table of cells, lines of totals, a picture in characters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Tone(str, Enum):
    """How a cell is meant; each format has its own way to show it."""

    PLAIN = "plain"
    STRONG = "strong"
    QUIET = "quiet"
    ACCENT = "accent"
    MATCH = "match"
    DIFFER = "differ"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Cell:
    """One cell: `text` for readers, `plain` for programs: an integer as it is, None where nothing is known."""

    text: str
    plain: Any = None
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True)
class Heading:
    """One column: `name` as in `--columns`, `title` for readers, `unit` where neither says it.

    `kept` columns stay when a terminal is too narrow for all of them; a `late` one goes after the others.
    """

    name: str
    title: str
    right: bool = False
    kept: bool = False
    unit: str = ""
    late: bool = False

    @property
    def plain(self) -> str:
        """The heading for programs: the name and unit, without spaces."""
        return f"{self.name}_{self.unit}" if self.unit else self.name


@dataclass(frozen=True)
class Sheet:
    """Headings and lines of as many cells each."""

    headings: tuple[Heading, ...]
    lines: tuple[tuple[Cell, ...], ...]

    def without(self, positions: Iterable[int]) -> Sheet:
        """The sheet without the columns at these positions."""
        left = [index for index in range(len(self.headings)) if index not in set(positions)]
        return Sheet(
            tuple(self.headings[index] for index in left),
            tuple(tuple(line[index] for index in left) for line in self.lines),
        )


@dataclass(frozen=True)
class Fact:
    """One line of the totals: a label, what it says, and a figure beside it."""

    label: str
    text: str
    aside: str = ""
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True)
class Page:
    """The parts of a document in reading order; `drawing` is a picture in lines of characters.

    `reasons` are for where there is no room for a column of them.
    """

    title: str
    sheet: Sheet
    facts: list[Fact]
    closing: str = ""
    drawing: Sequence[str] = ()
    reasons: Sequence[str] = ()
