"""`cnninspect compare`."""

from __future__ import annotations

from typing import Annotated

import typer

from cnninspect.cli.expectations import BaselineOptions, BudgetOptions, ClaimOptions, ExpectationOptions
from cnninspect.cli.options import Common, OutputOptions, RunOptions
from cnninspect.cli.session import Session

Target = Annotated[
    str | None,
    typer.Argument(
        metavar="TARGET",
        show_default=False,
        help="As for summary, or a report saved as JSON. Without one: the targets of \\[tool.cnninspect.targets].",
    ),
]
Other = Annotated[
    str | None,
    typer.Argument(metavar="OTHER", show_default=False, help="Another TARGET, or a report saved as JSON."),
]


def compare(
    context: typer.Context,
    run: RunOptions,
    baseline: BaselineOptions,
    claims: ClaimOptions,
    budgets: BudgetOptions,
    output: OutputOptions,
    _common: Common,
    target: Target = None,
    other: Other = None,
) -> None:
    """Every formula against every measurement, and the network against what is expected; exit code 1 if any differ."""
    session = context.ensure_object(Session)
    expected = ExpectationOptions(baseline, claims, budgets)
    if target is None:
        from cnninspect.cli.many import compare_many

        raise typer.Exit(compare_many(context, run, expected, output, session))
    from cnninspect.cli.comparing import compare_target

    raise typer.Exit(compare_target(target, other, run, expected, output, session))
