"""Which rows of a sweep are wanted, and where each goes: to a file that can be read again, or as text."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TextIO

from cnninspect.cli.reports import to_stdout
from cnninspect.cli.session import Session
from cnninspect.cli.sweep import TABLE
from cnninspect.cli.sweep.condition import Condition, sorted_rows
from cnninspect.cli.sweep.plan import Planned
from cnninspect.cli.sweep.rows_file import RowsFile, append, form_of_lines, opened
from cnninspect.render.page import Screen
from cnninspect.render.swept import Layout
from cnninspect.report.swept import SweptModel

MOST_NAMES = 5
"""Models that a message names."""


@dataclass(frozen=True)
class Chosen:
    """Which rows are wanted, and in which order; without a key as they come."""

    where: Condition | None = None
    key: str | None = None

    def fits(self, row: SweptModel) -> bool:
        """Whether the row is surely wanted."""
        return self.where is None or self.where(row) is True

    def of(self, rows: Iterable[SweptModel]) -> list[SweptModel]:
        """The wanted rows in their order."""
        found = [row for row in rows if self.fits(row)]
        return found if self.key is None else sorted_rows(found, self.key)

    def say_unknown(self, rows: Iterable[SweptModel], session: Session) -> None:
        """A note on rows that are left out because a number is unknown, and on there being none."""
        if self.where is None:
            return
        unknown = [row.target for row in rows if self.where(row) is None]
        if unknown:
            others = f" and {len(unknown) - MOST_NAMES} more" if len(unknown) > MOST_NAMES else ""
            names = f"{', '.join(unknown[:MOST_NAMES])}{others}"
            session.note(f"left out, because --where asks for a number that is not known of them: {names}.")
        if not any(map(self.fits, rows)):
            session.note("no row fits --where.")


class Writer(Protocol):
    """Where the rows go."""

    def kept(self) -> list[SweptModel]:
        """The rows that are there already."""

    def begin(self, rows: Sequence[SweptModel]) -> None:
        """Begin with these rows, which are there already."""

    def add(self, row: SweptModel) -> None:
        """Write one row that is done."""

    def interrupted(self, done: str, session: Session) -> None:
        """Write what is not written yet, and a note on how to go on; `done` says how many rows there are."""

    def finish(self, rows: Sequence[SweptModel]) -> None:
        """Leave these rows, in this order."""


class FileWriter:
    """A file that holds every row until the sweep is done, and then those that are wanted."""

    def __init__(self, file: RowsFile):
        self._file = file
        self.kept, self.begin, self.add, self.finish = file.kept, file.begin, file.add, file.finish

    def interrupted(self, done: str, session: Session) -> None:
        """Close the file; its rows stay."""
        self._file.close()
        session.note(f"{self._file.lines} has the rows of {done}. The same command with --resume goes on.")


class TextWriter:
    """Rows as text on stdout, or a table in a file: at once, or at the end if they are to be sorted."""

    def __init__(self, form: str, path: Path | None, plans: Sequence[Planned], chosen: Chosen):
        self._form, self._path, self._chosen = form, path, chosen
        self._targets = [plan.target for plan in plans]
        self._screen = Screen() if path is not None or sys.stdout is None else Screen.of(sys.stdout)
        self._layout = Layout(self._targets, self._screen)
        self._rows: list[SweptModel] = []
        self._file: TextIO | None = None

    def kept(self) -> list[SweptModel]:
        """Text is not read again."""
        return []

    def begin(self, _rows: Sequence[SweptModel]) -> None:
        """The headings."""
        if self._path is not None:
            self._file = opened(self._path, "")
        if self._chosen.key is None:
            self._put(self._head(self._layout))

    def add(self, row: SweptModel) -> None:
        """The row, if it is wanted and need not be sorted."""
        self._rows.append(row)
        if self._chosen.key is None and self._chosen.fits(row):
            self._put(self._line(row, self._layout))

    def interrupted(self, done: str, session: Session) -> None:
        """The rows that wait to be sorted."""
        self.finish(self._chosen.of(self._rows))
        if self._form == TABLE or self._path is None:
            session.note(f"the rows of {done} are done. With -o FILE.csv, --resume would go on.")

    def finish(self, rows: Sequence[SweptModel]) -> None:
        """All rows if they wait to be sorted, and the remarks below the table."""
        layout = self._layout
        if self._chosen.key is not None:
            layout = Layout(self._targets, self._screen, rows)
            self._put(self._head(layout) + "".join(self._line(row, layout) for row in rows))
        if self._form == TABLE:
            self._put(layout.remarks())
        if self._file is not None:
            self._file.close()

    def _head(self, layout: Layout) -> str:
        return layout.heading() if self._form == TABLE else form_of_lines(self._form).head

    def _line(self, row: SweptModel, layout: Layout) -> str:
        return layout.line(row) if self._form == TABLE else form_of_lines(self._form).write(row)

    def _put(self, text: str) -> None:
        """Write at once, so that it is there whatever happens next."""
        if self._file is None:
            to_stdout(text)
        else:
            append(self._file, text)
