"""The parts of a page, the same for every format: a table of cells, lines of totals; and the output screen."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any, TextIO

from cnninspect.report.rows import RowId

if TYPE_CHECKING:
    from cnninspect.report.document import Report


class Tone(str, Enum):
    """The emphasis of a cell; each format shows it in its own way."""

    PLAIN = "plain"
    STRONG = "strong"
    QUIET = "quiet"
    ACCENT = "accent"
    MATCH = "match"
    DIFFER = "differ"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Cell:
    """One cell: `text` for readers; `plain` for programs, for example the integer, None if unknown.

    `short` is the text where `text` does not fit: `4.49G` for a count, the percentage without its bar for a share.
    """

    text: str
    plain: Any = None
    tone: Tone = Tone.PLAIN
    short: str | None = None


class Worth(IntEnum):
    """What a column is worth: on a narrow terminal MINOR columns are left out first, KEPT ones never."""

    MINOR = 0
    USUAL = 1
    LATE = 2
    MAIN = 3
    KEPT = 4


@dataclass(frozen=True)
class Heading:
    """One column: `name` as in `--columns`, `title` for readers, `unit` if the name does not tell it.

    The texts of a column that `shortens` are names, whose middle may be left out.
    """

    name: str
    title: str
    right: bool = False
    worth: Worth = Worth.USUAL
    unit: str = ""
    shortens: bool = False

    @property
    def plain(self) -> str:
        """The heading for programs: the name and unit, without spaces."""
        return f"{self.name}_{self.unit}" if self.unit else self.name


@dataclass(frozen=True)
class Place:
    """Where a line stands in the tree of layers: its row, and its depth below the lines above it, from 0."""

    row: RowId
    depth: int


@dataclass(frozen=True)
class Sheet:
    """A table: headings, and lines with one cell per heading; `places` are those of the lines in a table of layers."""

    headings: tuple[Heading, ...]
    lines: tuple[tuple[Cell, ...], ...]
    places: tuple[Place, ...] = ()

    def without(self, positions: Iterable[int]) -> Sheet:
        """The sheet without the columns at these positions."""
        left = [index for index in range(len(self.headings)) if index not in set(positions)]
        return Sheet(
            tuple(self.headings[index] for index in left),
            tuple(tuple(line[index] for index in left) for line in self.lines),
            self.places,
        )


@dataclass(frozen=True)
class Fact:
    """One line of the totals: a label, a text, and a second text beside it; `short` says both on a low screen.

    On the lowest screens only those that are `is_main` are shown.
    """

    label: str
    text: str
    aside: str = ""
    tone: Tone = Tone.PLAIN
    short: str = ""
    is_main: bool = True

    @property
    def brief(self) -> str:
        """The short form, else both texts."""
        return self.short or ", ".join(filter(None, (self.text, self.aside)))


@dataclass(frozen=True)
class Page:
    """The parts of a document in reading order; `drawing` holds lines of text.

    `lead` is the result of a comparison of two networks, line by line.
    `reasons` are shown below the table if the column of reasons does not fit. `remarks` say what the table leaves out,
    `match` what the sign of a match stands for, if not for the whole row.
    """

    title: str
    sheet: Sheet
    facts: list[Fact]
    closing: str = ""
    drawing: Sequence[str] = ()
    reasons: Sequence[str] = ()
    remarks: Sequence[str] = ()
    match: str = ""
    lead: Sequence[str] = ()


Tables = Callable[[int], tuple[Sheet, list[str]]]
"""Lines to leave out of a table so that it fits the screen -> the table, and the remarks on it."""


@dataclass(frozen=True)
class Marks:
    """The signs of a table; `bar` holds the characters of a bar from empty to full."""

    match: str
    differ: str
    nothing: str
    unknown: str
    lower: str
    upper: str
    separator: str
    ellipsis: str
    times: str
    bar: str


UNICODE = Marks("✓", "✗", "·", "?", "≥", "≤", " · ", "…", "×", " ▏▎▍▌▋▊▉█")
ASCII = Marks("ok", "XX", "-", "?", ">=", "<=", " - ", "..", "x", " #")


@dataclass(frozen=True)
class Screen:
    """The output device. `width` is in characters; None means that nothing is shortened or left out.

    `height` is in lines; None means that a table may be of any length.
    """

    width: int | None = None
    colour: bool = False
    unicode: bool = True
    height: int | None = None

    @property
    def marks(self) -> Marks:
        """The signs that this screen can show."""
        return UNICODE if self.unicode else ASCII

    @classmethod
    def of(cls, stream: TextIO, environ: Mapping[str, str] = os.environ) -> Screen:
        """The abilities of `stream`: a terminal has a width and colours, a pipe or file has neither.

        NO_COLOR and TERM=dumb turn colours off, FORCE_COLOR turns them on, in this order.
        """
        terminal = stream.isatty()
        dumb = environ.get("TERM") == "dumb"
        size = shutil.get_terminal_size() if terminal else None
        wanted = terminal or environ.get("FORCE_COLOR", "") not in ("", "0")
        return cls(
            width=None if size is None else size.columns,
            colour=wanted and not dumb and not environ.get("NO_COLOR"),
            unicode=not dumb and _encodes(stream, UNICODE),
            height=None if size is None else size.lines,
        )


Derivations = Mapping[RowId, Sequence[Mapping[str, Any]]]
"""The derivations of each row, as in the JSON of `explain`: what the numbers of an HTML page open."""


@dataclass(frozen=True)
class OtherSide:
    """The second network of a comparison, for the HTML page; a saved report has no derivations."""

    report: Report
    derivations: Derivations | None = None


def _encodes(stream: TextIO, marks: Marks) -> bool:
    try:
        "".join(vars(marks).values()).encode(stream.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
