"""`cnninspect compare`."""

from __future__ import annotations

import typer

from cnninspect.cli.options import Common, OutputOptions, RunOptions, Target
from cnninspect.cli.session import Session


def compare(context: typer.Context, target: Target, run: RunOptions, output: OutputOptions, _common: Common) -> None:
    """Every formula against every measurement; exit code 1 if any two differ."""
    from cnninspect.checks import check_formulas
    from cnninspect.cli.reporting import report_on

    session = context.ensure_object(Session)
    raise typer.Exit(report_on(target, run, output, session, "compare", judge=check_formulas))
