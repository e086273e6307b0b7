"""What every command that inspects one target does: check the options, run, judge, write."""

from __future__ import annotations

from collections.abc import Callable

from cnninspect.checks import exit_code
from cnninspect.cli.inspection import inspected
from cnninspect.cli.options import OutputOptions, RunOptions
from cnninspect.cli.output import view_of, write
from cnninspect.cli.session import Session
from cnninspect.files import check_writable
from cnninspect.report import Report


def report_on(
    target: str,
    run: RunOptions,
    output: OutputOptions,
    session: Session,
    command: str,
    judge: Callable[[Report], Report] | None = None,
) -> int:
    """Write the report on TARGET, after `judge` has added its checks, and return the exit code."""
    view = view_of(output, command)
    check_writable(output.output)
    report = inspected(target, run, session, command)
    if judge is not None:
        report = judge(report)
    write(report, output, view)
    return exit_code(report, strict=output.strict)
