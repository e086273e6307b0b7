"""The command `sweep`: its options; `run.py` runs it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Annotated

import typer

from cnninspect.cli.options import OutputFile, check_offered

TABLE, CSV, LINES, PARQUET = FORMATS = ("table", "csv", "jsonl", "parquet")

_HOW = "Runs"
_ROWS = "Rows"


class Backend(str, Enum):
    """Clusters that can inspect models."""

    DASK = "dask"
    RAY = "ray"


def _format(text: str) -> str:
    """The name of a format in any case; raises UsageError for others, also for formats of other commands."""
    check_offered(text.lower(), FORMATS)
    return text.lower()


@dataclass(frozen=True)
class SweepOptions:
    """How many at once and how long, which rows in which order, and where they go."""

    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", metavar="N", min=1, help="Models at once, each in its own process; default 1.",
                     show_default=False, rich_help_panel=_HOW),
    ] = None  # fmt: skip
    timeout: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0.001, help="Longest time for one model, which then fails.",
                     rich_help_panel=_HOW),
    ] = 600  # fmt: skip
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Keep the rows of FILE that have the same options and versions, and go on.",
                     rich_help_panel=_HOW),
    ] = False  # fmt: skip
    retry: Annotated[
        bool,
        typer.Option("--retry", help="With --resume: inspect again what failed.", rich_help_panel=_HOW),
    ] = False
    backend: Annotated[
        Backend | None,
        typer.Option(metavar="dask|ray", case_sensitive=False, help="Let a cluster inspect the models.",
                     rich_help_panel=_HOW),
    ] = None  # fmt: skip
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Address of the cluster, such as tcp://host:8786.", rich_help_panel=_HOW),
    ] = None
    where: Annotated[
        str | None,
        typer.Option(metavar="CONDITION", help="Only rows for which it holds: 'macs < 1G and field > 200'.",
                     rich_help_panel=_ROWS),
    ] = None  # fmt: skip
    sort: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Sort rows at the end, largest number first; -COLUMN: smallest first.",
                     rich_help_panel=_ROWS),
    ] = None  # fmt: skip
    plot: Annotated[
        tuple[str, str, str] | None,
        typer.Option(metavar="X Y FILE.svg|html", help="Plot two columns, such as macs params, with the Pareto front.",
                     rich_help_panel=_ROWS, show_default=False),
    ] = None  # fmt: skip
    format: Annotated[
        str | None,
        typer.Option("--format", "-f", metavar="NAME", parser=_format, rich_help_panel="Output",
                     help=f"Format of the rows: {', '.join(FORMATS)}. Default: by the ending of FILE, else a table."),
    ] = None  # fmt: skip
    output: OutputFile = None
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Exit with 4 if a number is a bound or unknown.", rich_help_panel="Output"),
    ] = False
