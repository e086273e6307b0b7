"""What a page is made of before it has a format: a table of cells, lines of totals; and what its screen can show."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TextIO


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


@dataclass(frozen=True)
class Marks:
    """The signs of a table; `bar` holds the eighths of a cell from empty to full."""

    match: str
    differ: str
    nothing: str
    unknown: str
    lower: str
    upper: str
    separator: str
    ellipsis: str
    bar: str


UNICODE = Marks("✓", "✗", "·", "?", "≥", "≤", " · ", "…", " ▏▎▍▌▋▊▉█")
ASCII = Marks("ok", "XX", "-", "?", ">=", "<=", " - ", "..", " #")


@dataclass(frozen=True)
class Screen:
    """Where a text goes. `width` is in columns; None means that nothing is ever shortened or left out."""

    width: int | None = None
    colour: bool = False
    unicode: bool = True

    @property
    def marks(self) -> Marks:
        """The signs that this screen can show."""
        return UNICODE if self.unicode else ASCII

    @classmethod
    def of(cls, stream: TextIO, environ: Mapping[str, str] = os.environ) -> Screen:
        """What `stream` can do: a terminal has a width and colours, a pipe or file neither.

        NO_COLOR and TERM=dumb turn colours off, FORCE_COLOR turns them on, in this order.
        """
        terminal = stream.isatty()
        dumb = environ.get("TERM") == "dumb"
        wanted = terminal or environ.get("FORCE_COLOR", "") not in ("", "0")
        return cls(
            width=shutil.get_terminal_size().columns if terminal else None,
            colour=wanted and not dumb and not environ.get("NO_COLOR"),
            unicode=not dumb and _encodes(stream, UNICODE),
        )


def _encodes(stream: TextIO, marks: Marks) -> bool:
    try:
        "".join(vars(marks).values()).encode(stream.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
