"""The command `sweep`: its options; `run.py` runs it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from cnninspect.cli.options import OutputFile, check_offered
from cnninspect.cli.sweep.condition import NUMBERS, check_column, sorted_rows
from cnninspect.cli.sweep.rows_file import ENDINGS, FORMATS, PARQUET, TABLE, check_parquet
from cnninspect.cli.sweep.workers import Backend, Workers
from cnninspect.errors import UsageError
from cnninspect.files import check_writable

_HOW = "Runs"
_ROWS = "Rows"


def _format(text: str) -> str:
    """The name of a format in any case; raises UsageError for others, also for formats of other commands."""
    check_offered(text.lower(), FORMATS)
    return text.lower()


def _check_plot(x: str, y: str, file: str) -> None:
    """Raises UsageError for columns or a file that cannot be plotted."""
    for column in (x, y):
        check_column("--plot", column, NUMBERS)
    if Path(file).suffix.lower().lstrip(".") not in ("svg", "html"):
        raise UsageError(f"--plot {file}: the name of the file must end in .svg or .html.")
    if find_spec("matplotlib") is None:
        raise UsageError("--plot needs matplotlib. Install it with: `python -m pip install matplotlib`.")
    check_writable(file)


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

    def checked(self) -> tuple[str, Path | None]:
        """(the format, by default that of the file's ending; the file). UsageError for options that do not fit."""
        ending = Path(self.output or "").suffix.lower()
        form = self.format or (ENDINGS.get(ending) if ending else TABLE)
        if form is None:
            known = ", ".join(f"*{each}" for each in ENDINGS)
            raise UsageError(f"-o {self.output}: a sweep has no format for the ending {ending}. Name it {known}.")
        if form == PARQUET:
            check_parquet()
        if form == PARQUET and self.output is None:
            raise UsageError("parquet is no text for the terminal. Give -o FILE.parquet.")
        if self.resume and (self.output is None or form == TABLE):
            raise UsageError("--resume needs the file to go on with: -o FILE.csv, FILE.jsonl or FILE.parquet.")
        if self.retry and not self.resume:
            raise UsageError("--retry inspects again what failed before: give --resume, too.")
        if self.sort is not None:
            sorted_rows([], self.sort)
        if self.plot is not None:
            _check_plot(*self.plot)
        Workers(self.jobs, self.backend, self.scheduler).check()
        check_writable(self.output)
        return form, None if self.output is None else Path(self.output)
