"""Runs a sweep: which rows are still true, which models are left, and where each row goes as soon as it is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cnninspect.checks import DISAGREEMENT, INCOMPLETE
from cnninspect.cli.options import RunOptions
from cnninspect.cli.session import Session, say
from cnninspect.cli.sweep import PARQUET, TABLE, SweepOptions
from cnninspect.cli.sweep.condition import NUMBERS, check_column, parse_where, sorted_rows
from cnninspect.cli.sweep.meter import Meter, rate_text, span
from cnninspect.cli.sweep.plan import Planned, planned, request_for
from cnninspect.cli.sweep.process import end_all
from cnninspect.cli.sweep.rows_file import ENDINGS, RowsFile, check_parquet
from cnninspect.cli.sweep.workers import Workers
from cnninspect.cli.sweep.writers import MOST_NAMES, Chosen, FileWriter, TextWriter, Writer
from cnninspect.errors import LoadError, UsageError
from cnninspect.files import check_writable, write_whole
from cnninspect.report.quantities import Verdict
from cnninspect.report.swept import SweptModel


def report_sweep(words: Sequence[str], run: RunOptions, options: SweepOptions, session: Session) -> int:
    """Inspect every model that the words stand for, write its row, and return the exit code."""
    form, path = _checked(options)
    chosen = Chosen(None if options.where is None else parse_where(options.where), options.sort)
    try:
        plans = planned(words, run, session, options.timeout)
        writer = FileWriter(RowsFile(path, form)) if path and form != TABLE else TextWriter(form, path, plans, chosen)
        rows = _inspect(plans, writer, run, options, session)
    finally:
        end_all()
    found = chosen.of(rows.values())
    writer.finish(found)
    chosen.say_unknown(rows.values(), session)
    if options.plot is not None:
        _plot(found, *options.plot, session)
    return _code([rows[plan.target] for plan in plans], options, session)


def _checked(options: SweepOptions) -> tuple[str, Path | None]:
    """(the format, by default that of the file's ending; the file). UsageError for options that do not fit."""
    ending = Path(options.output or "").suffix.lower()
    form = options.format or (ENDINGS.get(ending) if ending else TABLE)
    if form is None:
        known = ", ".join(f"*{each}" for each in ENDINGS)
        raise UsageError(f"-o {options.output}: a sweep has no format for the ending {ending}. Name it {known}.")
    if form == PARQUET:
        check_parquet()
    if form == PARQUET and options.output is None:
        raise UsageError("parquet is no text for the terminal. Give -o FILE.parquet.")
    if options.resume and (options.output is None or form == TABLE):
        raise UsageError("--resume needs the file to go on with: -o FILE.csv, FILE.jsonl or FILE.parquet.")
    if options.retry and not options.resume:
        raise UsageError("--retry inspects again what failed before: give --resume, too.")
    if options.sort is not None:
        sorted_rows([], options.sort)
    if options.plot is not None:
        _check_plot(*options.plot)
    Workers(options.jobs, options.backend, options.scheduler).check()
    check_writable(options.output)
    return form, None if options.output is None else Path(options.output)


def _check_plot(x: str, y: str, file: str) -> None:
    """Raises UsageError for columns or a file that cannot be plotted."""
    for column in (x, y):
        check_column("--plot", column, NUMBERS)
    if Path(file).suffix.lower().lstrip(".") not in ("svg", "html"):
        raise UsageError(f"--plot {file}: the name of the file must end in .svg or .html.")
    if find_spec("matplotlib") is None:
        raise UsageError("--plot needs matplotlib. Install it with: `python -m pip install matplotlib`.")
    check_writable(file)


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
        others = f" and {len(failed) - MOST_NAMES} more" if len(failed) > MOST_NAMES else ""
        names = ", ".join(failed[:MOST_NAMES])
        say(f"{len(failed)} of {_models(len(rows))} failed: {names}{others}. The rows say why.")
        return LoadError.exit_code
    if options.strict and any(row.verdict == Verdict.DIFFER.value for row in rows):
        return DISAGREEMENT
    return INCOMPLETE if options.strict and any(row.is_incomplete for row in rows) else 0
