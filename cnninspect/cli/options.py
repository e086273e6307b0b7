"""The options that commands share, in groups, each with its default."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import typer

from cnninspect.cli.session import be_quiet, show_tracebacks
from cnninspect.render import Format, Ops

Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        show_default=False,
        help="NAME, PROVIDER:NAME, package.module:attr, path/to/file.py:attr or path/model.pt2.",
    ),
]

_MODEL = "Model and input"
_OUTPUT = "Output"


@dataclass(frozen=True)
class RunOptions:
    """How to build the model and what to run it on."""

    arg: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=VALUE", help="Constructor argument, a Python literal. Repeatable.", rich_help_panel=_MODEL
        ),
    ] = field(default_factory=list)
    input: Annotated[
        list[str],
        typer.Option(
            metavar="[NAME=]SHAPE[:DTYPE]",
            help="Input tensor, such as 1x3x224x224 or ids=2x77:int64. Repeatable; else the model's own default.",
            rich_help_panel=_MODEL,
        ),
    ] = field(default_factory=list)
    inputs_from: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.py:FN",
            help="Function that returns the inputs: a tuple, or (args, kwargs).",
            rich_help_panel=_MODEL,
        ),
    ] = None
    batch_size: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="First dimension of default inputs.", rich_help_panel=_MODEL)
    ] = None
    device: Annotated[
        str,
        typer.Option(
            metavar="auto|meta|cpu|cuda[:N]|mps",
            help="Where to run; auto is the cheapest that can produce what was asked.",
            rich_help_panel=_MODEL,
        ),
    ] = "auto"
    dtype: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of parameters and floating inputs.", rich_help_panel=_MODEL)
    ] = None
    train: Annotated[bool, typer.Option("--train/--eval", help="Mode of the model.", rich_help_panel=_MODEL)] = False
    probe: Annotated[
        bool | None,
        typer.Option(
            "--probe/--no-probe",
            help="Check receptive fields with NaN on the CPU; compare does, unless it costs too much.",
            show_default=False,
            rich_help_panel=_MODEL,
        ),
    ] = None


@dataclass(frozen=True)
class OutputOptions:
    """What to show and where."""

    depth: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Rows down to this depth of the tree.", rich_help_panel=_OUTPUT),
    ] = None
    ops: Annotated[
        Ops,
        typer.Option(help="Functional calls: those that compute, or also views and reshapes.", rich_help_panel=_OUTPUT),
    ] = Ops.COMPUTE
    columns: Annotated[
        str | None, typer.Option(metavar="A,B,C", help="Columns of tables and CSV, in order.", rich_help_panel=_OUTPUT)
    ] = None
    format: Annotated[
        Format, typer.Option(help="How to write the report; else as FILE ends.", rich_help_panel=_OUTPUT)
    ] = Format.TABLE
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write there instead of to stdout.", rich_help_panel=_OUTPUT
        ),
    ] = None
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 4 if a number is incomplete.", rich_help_panel=_OUTPUT)
    ] = False


@dataclass(frozen=True)
class Common:
    """What can stand before the command or after it."""

    quiet: Annotated[bool, typer.Option("--quiet", "-q", callback=be_quiet, help="Only errors on stderr.")] = False
    debug: Annotated[bool, typer.Option("--debug", callback=show_tracebacks, help="Tracebacks of failures.")] = False
