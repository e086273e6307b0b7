"""`cnninspect compare`."""

from __future__ import annotations

from typing import Annotated

import typer

from cnninspect.cli.expectations import BaselineOptions, BudgetOptions, ClaimOptions, ExpectationOptions
from cnninspect.cli.options import Common, OutputOptions, RunOptions, Target
from cnninspect.cli.session import Session

Other = Annotated[
    str | None,
    typer.Argument(metavar="OTHER", show_default=False, help="Another TARGET, or a report saved as JSON."),
]


def compare(
    context: typer.Context,
    target: Target,
    run: RunOptions,
    baseline: BaselineOptions,
    claims: ClaimOptions,
    budgets: BudgetOptions,
    output: OutputOptions,
    _common: Common,
    other: Other = None,
) -> None:
    """Every formula against every measurement, and the network against what is expected; exit code 1 if any differ."""
    from cnninspect.cli.comparing import compare_target

    session = context.ensure_object(Session)
    expected = ExpectationOptions(baseline, claims, budgets)
    raise typer.Exit(compare_target(target, other, run, expected, output, session))
