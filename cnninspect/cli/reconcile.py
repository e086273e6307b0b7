"""The command `reconcile`: which way of counting gives a published number."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

import typer

from cnninspect.cli.options import AnswerOptions, RunOptions
from cnninspect.cli.reports import plugin_names, running, write_rendered
from cnninspect.cli.session import Session
from cnninspect.errors import UsageError
from cnninspect.report.published import Published, Quantity
from cnninspect.targets.grammar import (
    dtype_name,
    parameter_dtype,
    parse_arguments,
    parse_inputs,
    parse_method,
    parse_target,
)

_PANEL = "Published numbers, with the digits that are printed; repeatable"


def _number(text: str) -> typer.models.OptionInfo:
    found: typer.models.OptionInfo = typer.Option(metavar="N", help=text, rich_help_panel=_PANEL)
    return found


@dataclass(frozen=True)
class PublishedOptions:
    """The published numbers, as they are written."""

    macs: Annotated[list[str], _number("Multiply-accumulates, or mult-adds, such as 4.09G.")] = field(
        default_factory=list
    )
    flops: Annotated[list[str], _number("Floating point operations, such as 8.2G.")] = field(default_factory=list)
    params: Annotated[list[str], _number("Parameters, such as 25.6M.")] = field(default_factory=list)
    activations: Annotated[list[str], _number("Elements of outputs, such as 11.1M.")] = field(default_factory=list)

    def parsed(self) -> list[Published]:
        """The numbers with their intervals; UsageError for none, or for a text that is no number."""
        found = []
        for quantity in Quantity:
            for text in getattr(self, quantity.value):
                try:
                    found.append(Published.of(quantity, text))
                except ValueError as error:
                    raise UsageError(f"--{quantity.value}: {error}.") from None
        if not found:
            raise UsageError(
                "reconcile needs a published number. Write, for example, --macs 4.09G or --flops 8.2G --params 25.6M."
            )
        return found


def report_reconciled(
    target: str, published: PublishedOptions, run: RunOptions, answer: AnswerOptions, session: Session
) -> int:
    """Write the explanations of the published numbers of TARGET; 0 if there is one, 1 if none fits."""
    form, file = answer.checked()
    wanted = published.parsed()
    arguments = parse_arguments(run.arg)
    parse_inputs(run.input)
    method = None if run.call is None else parse_method(run.call)
    dtype = None if run.dtype is None else parameter_dtype(dtype_name(run.dtype))
    parse_target(target, plugin_names())
    with running(target, session) as progress:
        from cnninspect.inspection.reconcile import reconcile
        from cnninspect.inspection.run import Options
        from cnninspect.targets.inputs import InputOptions

        inputs = InputOptions.of(None, run.input, run.inputs_from, run.batch_size)
        options = Options(inputs, run.device, dtype, run.train, progress)
        result = reconcile(target, wanted, arguments, method, options)
    from cnninspect.render.reconciled import render_result

    for note in result.notes:
        session.note(note)
    write_rendered(partial(render_result, result), form, file)
    return 0 if result.explanations else 1
