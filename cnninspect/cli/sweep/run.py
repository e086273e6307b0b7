"""Runs a sweep: which rows are still true, which models are left, and where each row goes as soon as it is done."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TextIO

from cnninspect.checks import DISAGREEMENT, INCOMPLETE
from cnninspect.cli.options import RunOptions
from cnninspect.cli.reports import to_stdout
from cnninspect.cli.session import Session, say
from cnninspect.cli.sweep import SweepOptions
from cnninspect.cli.sweep.condition import Condition, parse_where, sorted_rows
from cnninspect.cli.sweep.meter import Meter, rate_text, span
from cnninspect.cli.sweep.plan import Planned, planned, request_for
from cnninspect.cli.sweep.process import end_all
from cnninspect.cli.sweep.rows_file import (
    TABLE,
    RowsFile,
    append,
    form_of_lines,
    opened,
)
from cnninspect.cli.sweep.workers import Workers
from cnninspect.errors import LoadError
from cnninspect.files import write_whole
from cnninspect.render.page import Screen
from cnninspect.render.swept import Layout
from cnninspect.report.quantities import Verdict
from cnninspect.report.swept import SweptModel

_MOST_NAMES = 5


def report_sweep(words: Sequence[str], run: RunOptions, options: SweepOptions, session: Session) -> int:
    """Inspect every model that the words stand for, write its row, and return the exit code."""
    form, path = options.checked()
    chosen = _Chosen(None if options.where is None else parse_where(options.where), options.sort)
    try:
        plans = planned(words, run, session, options.timeout)
        writer = _FileWriter(RowsFile(path, form)) if path and form != TABLE else _TextWriter(form, path, plans, chosen)
        rows = _inspect(plans, writer, run, options, session)
    finally:
        end_all()
    found = chosen.of(rows.values())
    writer.finish(found)
    chosen.say_unknown(rows.values(), session)
    if options.plot is not None:
        _plot(found, *options.plot, session)
    return _code([rows[plan.target] for plan in plans], options, session)


def _plot(rows: Sequence[SweptModel], x: str, y: str, file: str, session: Session) -> None:
    """Draw the rows, with a note on those that have no place in the plot."""
    from cnninspect.render.scatter import plot, points

    found = points(rows, x, y)
    without = len(rows) - len(found)
    if without:
        session.note(f"not in the plot, because {x} or {y} is unknown or global: {_models(without)}.")
    if not found:
        session.note(f"nothing is plotted, and {file} is not written.")
        return
    write_whole(Path(file), plot(found, x, y, Path(file).suffix.lower().lstrip(".")))


def _inspect(
    plans: Sequence[Planned], writer: Writer, run: RunOptions, options: SweepOptions, session: Session
) -> dict[str, SweptModel]:
    """Target -> row, those of the file that are still true among them; each new row is written at once."""
    rows = _still_true(writer.kept() if options.resume else [], plans, retry=options.retry)
    todo = {plan.target: plan for plan in plans if plan.target not in rows}
    writer.begin(list(rows.values()))
    requests = [request_for(plan, run) for plan in todo.values()]
    workers = Workers(options.jobs, options.backend, options.scheduler)
    with Meter(len(todo), shown=not session.quiet) as meter:
        try:
            for answer in workers.answers(requests, options.timeout, debug=session.debug):
                row = _row(answer, todo[answer["request"]["target"]])
                rows[row.target] = row
                meter.hide()
                writer.add(row)
                meter.step(failed=row.error is not None)
        except KeyboardInterrupt:
            meter.hide()
            writer.interrupted(f"{sum(plan.target in rows for plan in plans):,} of {len(plans):,} models", session)
            raise
    _say_time(len(todo), len(plans) - len(todo), meter.seconds, session)
    order = {plan.target: place for place, plan in enumerate(plans)}
    return dict(sorted(rows.items(), key=lambda item: order.get(item[0], -1)))


def _still_true(found: Iterable[SweptModel], plans: Sequence[Planned], *, retry: bool) -> dict[str, SweptModel]:
    """The rows of the file without those that other options or versions made; rows of other targets stay."""
    by_target = {plan.target: plan for plan in plans}

    def is_true(row: SweptModel) -> bool:
        plan = by_target.get(row.target)
        if plan is None:
            return True
        return (row.options, row.versions) == (plan.options, plan.versions) and not (retry and row.error is not None)

    return {row.target: row for row in found if is_true(row)}


def _row(answer: Mapping[str, Any], plan: Planned) -> SweptModel:
    """The row of an answer; that of a failure has the first sentence of the reason."""
    if "row" in answer:
        return SweptModel.from_dict(answer["row"])
    return SweptModel(
        plan.target, plan.provider, seconds=answer.get("seconds"), error=" ".join(answer["error"].split()),
        options=answer.get("options", plan.options), versions=answer.get("versions", plan.versions),
    )  # fmt: skip


def _say_time(done: int, kept: int, seconds: float, session: Session) -> None:
    before = f"; {kept:,} were in the file" if kept else ""
    session.note(f"{_models(done)} in {span(seconds)}, {rate_text(done, seconds)}{before}." if done else
                 f"all {_models(kept)} were in the file.")  # fmt: skip


def _models(count: int) -> str:
    return f"{count:,} model{'' if count == 1 else 's'}"


def _code(rows: Sequence[SweptModel], options: SweepOptions, session: Session) -> int:
    """3 if a model failed, which is said; with --strict 1 for a number that differs, 4 for an incomplete one."""
    failed = [row.target for row in rows if row.error is not None]
    if failed:
        session.say_notes()
        others = f" and {len(failed) - _MOST_NAMES} more" if len(failed) > _MOST_NAMES else ""
        names = ", ".join(failed[:_MOST_NAMES])
        say(f"{len(failed)} of {_models(len(rows))} failed: {names}{others}. The rows say why.")
        return LoadError.exit_code
    if options.strict and any(row.verdict == Verdict.DIFFER.value for row in rows):
        return DISAGREEMENT
    return INCOMPLETE if options.strict and any(row.is_incomplete for row in rows) else 0


@dataclass(frozen=True)
class _Chosen:
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
            others = f" and {len(unknown) - _MOST_NAMES} more" if len(unknown) > _MOST_NAMES else ""
            names = f"{', '.join(unknown[:_MOST_NAMES])}{others}"
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


class _FileWriter:
    """A file that holds every row until the sweep is done, and then those that are wanted."""

    def __init__(self, file: RowsFile):
        self._file = file
        self.kept, self.begin, self.add, self.finish = file.kept, file.begin, file.add, file.finish

    def interrupted(self, done: str, session: Session) -> None:
        """Close the file; its rows stay."""
        self._file.close()
        session.note(f"{self._file.lines} has the rows of {done}. The same command with --resume goes on.")


class _TextWriter:
    """Rows as text on stdout, or a table in a file: at once, or at the end if they are to be sorted."""

    def __init__(self, form: str, path: Path | None, plans: Sequence[Planned], chosen: _Chosen):
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
