"""What every command that inspects one target does: check the options, run, write."""

from __future__ import annotations

from cnninspect.checks import exit_code
from cnninspect.cli.inspection import inspected
from cnninspect.cli.options import OutputOptions, RunOptions
from cnninspect.cli.output import view_of, write
from cnninspect.cli.session import Session
from cnninspect.files import check_writable


def report_on(
    target: str,
    run: RunOptions,
    output: OutputOptions,
    session: Session,
    command: str,
) -> int:
    """Write the report on TARGET and return the exit code."""
    view = view_of(output, command)
    check_writable(output.output)
    report = inspected(target, run, session, command)
    write(report, output, view)
    return exit_code(report, strict=output.strict)
