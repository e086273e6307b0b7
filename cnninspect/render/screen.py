"""What the place that shows a text can do: its width, colours and characters."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO


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
