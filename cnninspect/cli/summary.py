"""`cnninspect summary`."""

from __future__ import annotations

import typer

from cnninspect.cli.options import Common, OutputOptions, RunOptions, Target
from cnninspect.cli.session import Session


def summary(context: typer.Context, target: Target, run: RunOptions, output: OutputOptions, _common: Common) -> None:
    """One row per layer: output shape, params, MACs, receptive field, each analytic and measured."""
    from cnninspect.cli.reporting import report_on

    raise typer.Exit(report_on(target, run, output, context.ensure_object(Session), "summary"))
