"""What every command that inspects one target does: check the options, run, write."""

from __future__ import annotations

from cnninspect.checks import exit_code
from cnninspect.cli.inspection import inspected
from cnninspect.cli.options import OutputOptions, RunOptions
from cnninspect.cli.output import view_of, write
from cnninspect.cli.session import Session
from cnninspect.cli.work import WorkOptions
from cnninspect.files import check_writable


def report_on(
    target: str,
    run: RunOptions,
    output: OutputOptions,
    session: Session,
    command: str,
    work: WorkOptions | None = None,
) -> int:
    """Write the report on TARGET, with what `work` asks for, and return the exit code."""
    view = view_of(output, command)
    accounts = None if work is None else work.accounts()
    if work is not None:
        view = work.arranged(view)
    check_writable(output.output)
    report = inspected(target, run, session, command, accounts)
    write(report, output, view)
    return exit_code(report, strict=output.strict)
