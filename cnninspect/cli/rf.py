"""`cnninspect rf`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from cnninspect.cli.options import Common, OutputOptions, RunOptions, Target
from cnninspect.cli.session import Session

Layer = Annotated[
    str | None,
    typer.Argument(
        metavar="LAYER", show_default=False, help="A layer by its path, or 'path F.relu' for a functional call."
    ),
]

_PANEL = "Receptive field"


@dataclass(frozen=True)
class SightOptions:
    """Which position of which layer, what to draw of it, and what to vary."""

    at: Annotated[
        str | None,
        typer.Option(
            metavar="Y,X", help="Position of the layer's output, from 0; else its centre.", rich_help_panel=_PANEL
        ),
    ] = None
    picture: Annotated[
        str | None,
        typer.Option(metavar="FILE.svg|png", help="Draw the nested regions of the input.", rich_help_panel=_PANEL),
    ] = None
    image: Annotated[
        str | None, typer.Option(metavar="FILE", help="Draw them over this picture.", rich_help_panel=_PANEL)
    ] = None
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=A,B,C", help="One line for each value of a constructor argument. Repeatable.",
            rich_help_panel=_PANEL,
        ),
    ] = None  # fmt: skip


def rf(
    context: typer.Context,
    target: Target,
    run: RunOptions,
    sights: SightOptions,
    output: OutputOptions,
    _common: Common,
    layer: Layer = None,
) -> None:
    """Receptive fields: how they grow, what one position sees, a picture of it, and what arguments change."""
    from cnninspect.cli.fields import report_fields

    raise typer.Exit(report_fields(target, layer, run, sights, output, context.ensure_object(Session)))
