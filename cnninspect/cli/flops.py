"""`cnninspect flops`."""

from __future__ import annotations

import typer

from cnninspect.cli.options import Common, OutputOptions, RunOptions, Target
from cnninspect.cli.session import Session
from cnninspect.cli.work import WorkOptions


def flops(
    context: typer.Context,
    target: Target,
    run: RunOptions,
    work: WorkOptions,
    output: OutputOptions,
    _common: Common,
) -> None:
    """Where the arithmetic is, with every counter side by side; on request also training, memory and time."""
    from cnninspect.cli.reporting import report_on

    raise typer.Exit(report_on(target, run, output, context.ensure_object(Session), "flops", work))
