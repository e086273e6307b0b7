"""`compare` without a TARGET: all targets of the configuration, in one process and one report."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import typer

from cnninspect.cli.compare import checked_target, code_of, update_baseline
from cnninspect.cli.options import ExpectationOptions, OutputOptions, RunOptions
from cnninspect.cli.output import view_of, write_rendered
from cnninspect.cli.session import Session, explained, say
from cnninspect.cli.settings import BUDGETS, TARGET, TARGETS, beside, filled
from cnninspect.errors import UsageError
from cnninspect.files import check_writable
from cnninspect.render.many import Outcome, render_many

_BY_SEVERITY = (0, 4, 1, 3, 2)
"""What was not checked at all outranks what was found to be wrong."""

_FILE = re.compile(r".+\.(py:.*|pt2|json)", re.IGNORECASE)


def compare_many(
    context: typer.Context,
    run: RunOptions,
    expected: ExpectationOptions,
    output: OutputOptions,
    session: Session,
) -> int:
    """Write what came of every target of the configuration, or their baselines, and return the worst exit code."""
    tables = session.config.values.get(TARGETS, {})
    if not tables:
        raise UsageError("no TARGET is given, and [tool.cnninspect.targets] of a pyproject.toml names none.")
    if expected.baseline.baseline is not None or expected.claims.claims is not None:
        raise UsageError("--baseline and --claims need a TARGET. Those of many stand in [tool.cnninspect.targets].")
    view = view_of(output, "compare")
    check_writable(output.output)
    entries = [_Entry(name, table, context, session) for name, table in tables.items()]
    with _importable(session.config.file):
        outcomes = [entry.outcome(run, expected, strict=output.strict) for entry in entries]
    code = max((outcome.code for outcome in outcomes), key=_BY_SEVERITY.index)
    if not expected.baseline.update_baseline:
        write_rendered(partial(render_many, outcomes, code=code, view=view), output)
    return code


class _Entry:
    """One target of the configuration: its table, which holds where the command line says nothing."""

    def __init__(self, name: str, table: Mapping[str, Any], context: typer.Context, session: Session):
        self.name = name
        self.table = table
        self.session = dataclasses.replace(session, about=f"{name}: ")
        self._filled = partial(filled, context=context, file=session.config.file)

    @property
    def target(self) -> str:
        """The TARGET; a file stands beside the configuration."""
        text = str(self.table[TARGET])
        return beside(self.session.config.file, text) if _FILE.fullmatch(text) else text

    def outcome(self, run: RunOptions, expected: ExpectationOptions, *, strict: bool) -> Outcome:
        """What came of the target; its failure is no reason not to go on with the next."""
        try:
            return self._checked(self._filled(run, self.table), self._expected(expected), strict=strict)
        except Exception as error:
            if self.session.debug:
                traceback.print_exception(error)
            message, code = explained(error)
            say(f"{self.name}: {message}")
            return Outcome(self.name, self.target, code, error=message)

    def _checked(self, run: RunOptions, expected: ExpectationOptions, *, strict: bool) -> Outcome:
        if expected.baseline.update_baseline:
            if expected.baseline.baseline is not None:
                update_baseline(self.target, run, expected.baseline.baseline, self.session)
            return Outcome(self.name, self.target, 0)
        report = checked_target(self.target, run, expected, self.session)
        return Outcome(self.name, self.target, code_of(report, self.session, strict=strict), report)

    def _expected(self, given: ExpectationOptions) -> ExpectationOptions:
        """What the command line and the tables hold the target against."""
        return ExpectationOptions(
            self._filled(given.baseline, self.table),
            self._filled(given.claims, self.table),
            self._filled(given.budgets, self.table.get(BUDGETS, {})),
        )


@contextlib.contextmanager
def _importable(file: Path | None) -> Iterator[None]:
    """The configuration's folder as a place for modules, like the working directory."""
    before = list(sys.path)
    if file is not None:
        sys.path.insert(0, str(file.parent))
    try:
        yield
    finally:
        sys.path[:] = before
