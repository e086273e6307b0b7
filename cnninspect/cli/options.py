"""The options that commands share, in groups, each with its default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from cnninspect.cli.completion import complete_columns, complete_dtype, complete_target
from cnninspect.cli.session import be_quiet, do_without_cache, show_tracebacks
from cnninspect.errors import UsageError, nearest
from cnninspect.files import check_writable
from cnninspect.plugins import load
from cnninspect.render import Format, format_of, names
from cnninspect.report.document import CHECKPOINT
from cnninspect.report.rows import NUMBERS
from cnninspect.report.selection import TEXT_KEYS, Ops, View

Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        show_default=False,
        help="NAME, PROVIDER:NAME, package.module:attr, path/file.py:attr, path/model.pt2 or a folder (config.json).",
        autocompletion=complete_target,
    ),
]


def format_name(text: str, offered: Sequence[str] = ()) -> str:
    """The name itself if it is a format, also of a plug-in; raises BadParameter for other names.

    The message lists the formats that the command offers, all if it offers any.
    """
    name = text.lower()
    notes = () if name in names() else load()
    if name not in names():
        raise typer.BadParameter(" ".join((f"{text!r} is not one of {', '.join(offered or names())}.", *notes)))
    return name


_MODEL = "Model and input"
_OUTPUT = "Output"
_BASELINE = "Against a baseline"
_CLAIMS = "Against claims"
_BUDGETS = "Against budgets"


OutputFile = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write there instead of to stdout.", rich_help_panel=_OUTPUT),
]


def format_option(formats: Sequence[str], noun: str) -> Any:
    """The option `--format` with these names; `noun` says of what. Plug-ins add to a list of all names."""
    offered = () if tuple(formats) == names() else formats

    def parser(text: str) -> str:
        return format_name(text, offered)

    return typer.Option(
        "--format",
        "-f",
        metavar="NAME",
        parser=parser,
        help=f"Format of the {noun}: {', '.join(formats)}. Default: by the ending of FILE, else a table.",
        rich_help_panel=_OUTPUT,
    )


@dataclass(frozen=True)
class RunOptions:
    """The arguments of the model, its inputs, and the device."""

    arg: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=VALUE",
            help="Constructor argument: a literal or package.module:Class; config.depth=2 changes a part. Repeatable.",
            rich_help_panel=_MODEL,
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
            help="Device of the run; auto is the cheapest that can give the requested numbers.",
            rich_help_panel=_MODEL,
        ),
    ] = "auto"
    dtype: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Type of parameters and floating point inputs.",
            autocompletion=complete_dtype,
            rich_help_panel=_MODEL,
        ),
    ] = None
    train: Annotated[
        bool, typer.Option("--train/--eval", help="Mode of the model; default eval.", rich_help_panel=_MODEL)
    ] = False
    probe: Annotated[
        bool | None,
        typer.Option(
            "--probe/--no-probe",
            help="Check receptive fields with NaN on the CPU; default only for compare, if it is cheap enough.",
            show_default=False,
            rich_help_panel=_MODEL,
        ),
    ] = None
    call: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD",
            help="Run this method instead of forward: encode_image, 'generate(max_new_tokens=4)'.",
            rich_help_panel=_MODEL,
        ),
    ] = None
    no_run: Annotated[
        bool,
        typer.Option(
            "--no-run",
            help="Count parameters without a forward pass, also of modules without one; for summary and compare.",
            rich_help_panel=_MODEL,
        ),
    ] = False

    @property
    def of_a_run(self) -> list[str]:
        """The options among the given ones that have an effect only on a run."""
        names = ("input", "inputs_from", "batch_size", "probe", "call")
        return [f"--{name.replace('_', '-')}" for name in names if getattr(self, name)]


@dataclass(frozen=True)
class OutputOptions:
    """Rows, columns, format and output file."""

    depth: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=0, help="Show rows down to this depth of the module tree.", rich_help_panel=_OUTPUT
        ),
    ] = None
    ops: Annotated[
        Ops,
        typer.Option(
            metavar="|".join(each.value for each in Ops),
            case_sensitive=False,
            help="Show functional calls: none, those that compute, or all with views and reshapes.",
            rich_help_panel=_OUTPUT,
        ),
    ] = Ops.COMPUTE
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,C",
            help="Columns of tables and CSV, in order.",
            autocompletion=complete_columns,
            rich_help_panel=_OUTPUT,
        ),
    ] = None
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Sort rows by name, kind or a number, largest first.", rich_help_panel=_OUTPUT
        ),
    ] = None
    filter: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN", help="Only rows whose name or kind fits, such as 'conv*'.", rich_help_panel=_OUTPUT
        ),
    ] = None
    only_differences: Annotated[
        bool,
        typer.Option("--only-differences", help="Only rows with a number that differs.", rich_help_panel=_OUTPUT),
    ] = False
    fold: Annotated[
        bool | None,
        typer.Option(
            "--fold/--no-fold",
            help="Equal blocks in one row; on a terminal also deep rows, to fit its height. Default: on a terminal.",
            show_default=False,
            rich_help_panel=_OUTPUT,
        ),
    ] = None
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Never round a count to fit the terminal.", rich_help_panel=_OUTPUT),
    ] = False
    containers: Annotated[
        bool,
        typer.Option(
            "--containers", help="CSV: add the modules that contain others, with their sums.", rich_help_panel=_OUTPUT
        ),
    ] = False
    format: Annotated[str, format_option(names(), "report")] = Format.TABLE.value
    output: OutputFile = None
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 4 if a number is a bound or unknown.", rich_help_panel=_OUTPUT)
    ] = False

    def view(self, command: str, *, of_two: bool = False) -> View:
        """The rows and columns that the options ask for; UsageError for a column that `command` does not have.

        The table of a checkpoint is that of no command: it is called CHECKPOINT.
        """
        from cnninspect.render.sections import column_names, names_of_headings

        names = None if self.columns is None else tuple(name.strip() for name in self.columns.split(","))
        if names is not None and "" in names:
            raise UsageError(
                f"--columns {self.columns!r} has an empty name. Write names, for example layer,params,macs."
            )
        known = column_names(command, of_two=of_two)
        _check_known("--columns", "column", names or (), known, names_of_headings(known))
        if self.sort is not None and command != "flops":
            _check_known("--sort", "number", [self.sort], _sort_keys(command, of_two=of_two))
        return View(
            self.depth, self.ops, names, containers=self.containers,
            sort=self.sort, filter=self.filter, only_differences=self.only_differences,
            fold=self.fold, exact=self.exact,
        )  # fmt: skip


def _sort_keys(command: str, *, of_two: bool) -> tuple[str, ...]:
    """The values of `--sort`; `flops`, which has more, checks its own."""
    if command == CHECKPOINT:
        return (*TEXT_KEYS, "elements", "bytes")
    if of_two:
        return (*TEXT_KEYS, "params", "macs")
    return (*TEXT_KEYS, *(name for name in NUMBERS if name != "output_shape"))


def _check_known(
    option: str, noun: str, names: Sequence[str], known: Sequence[str], called: Mapping[str, str] | None = None
) -> None:
    """Raises UsageError, with the nearest names, for a name that is not known; `called` are other words for them."""
    for name in names:
        if name not in known:
            near = nearest(name, known)
            hint = f"Nearest: {', '.join(near)}." if near else f"It takes {', '.join(known)}."
            if called and name in called:
                hint = f"The heading {name} is that of {called[name]}."
            raise UsageError(f"{option}: there is no {noun} {name!r}. {hint}")


ANSWER_FORMATS = (Format.TABLE.value, Format.JSON.value, Format.CSV.value, Format.MARKDOWN.value, Format.HTML.value)
LIST_FORMATS = (Format.TABLE.value, Format.JSON.value)


@dataclass(frozen=True)
class ShownOptions(OutputOptions):
    """The options of reports, as `config` shows them; its own list is a table or JSON."""

    format: Annotated[str, format_option(LIST_FORMATS, "list")] = Format.TABLE.value


@dataclass(frozen=True)
class AnswerOptions:
    """How `solve` and `formula` write their answer, and where."""

    format: Annotated[str | None, format_option(ANSWER_FORMATS, "answer")] = None
    output: OutputFile = None

    def checked(self) -> tuple[str, str | None]:
        """(the format, by default that of the file's ending; the file). UsageError for a format that is not offered."""
        return _checked(self.format, self.output, ANSWER_FORMATS)


@dataclass(frozen=True)
class ListOptions:
    """How `models` writes its list, and where."""

    format: Annotated[str | None, format_option(LIST_FORMATS, "list")] = None
    output: OutputFile = None

    def checked(self) -> tuple[str, str | None]:
        """(the format, by default that of the file's ending; the file). UsageError for a format that is not offered."""
        return _checked(self.format, self.output, LIST_FORMATS)


def _checked(name: str | None, file: str | None, formats: Sequence[str]) -> tuple[str, str | None]:
    ending = Path(file or "").suffix.lower()
    found = name or (format_of(ending) if ending else Format.TABLE.value)
    if found is None:
        raise UsageError(f"-o {file}: no format has the ending {ending}. Give --format, or a file such as out.json.")
    check_offered(found, formats)
    check_writable(file)
    return found, file


def check_offered(form: str, formats: Sequence[str]) -> None:
    """Raises UsageError for a format that a command does not write."""
    if form not in formats:
        raise UsageError(f"this command has no --format {form}. Choose among {', '.join(formats)}.")


def _limit(metavar: str, text: str) -> Any:
    return typer.Option(metavar=metavar, help=text, rich_help_panel=_BUDGETS)


@dataclass(frozen=True)
class BaselineOptions:
    """The baseline or the revision, and the tolerance."""

    baseline: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Baseline, or any report saved as JSON.", rich_help_panel=_BASELINE),
    ] = None
    update_baseline: Annotated[
        bool,
        typer.Option(
            "--update-baseline",
            help="Write the baseline without checking anything; exit with 0.",
            rich_help_panel=_BASELINE,
        ),
    ] = False
    since: Annotated[
        str | None,
        typer.Option(
            metavar="REV",
            help="Compare with TARGET as it was at this git revision, such as origin/main.",
            rich_help_panel=_BASELINE,
        ),
    ] = None
    tolerance: Annotated[
        str | None,
        typer.Option(
            metavar="1%|macs=1%,params=0",
            help="Allowed difference from the baseline, REV or OTHER. Shapes and receptive fields have no tolerance.",
            rich_help_panel=_BASELINE,
        ),
    ] = None


@dataclass(frozen=True)
class ClaimOptions:
    """The claims file."""

    claims: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Table of claimed numbers, one row per layer: CSV, Markdown, JSON or YAML.",
            rich_help_panel=_CLAIMS,
        ),
    ] = None


@dataclass(frozen=True)
class BudgetOptions:
    """The upper and lower limits for the network."""

    max_params: Annotated[str | None, _limit("SIZE", "Largest number of parameters, such as 5M.")] = None
    max_macs: Annotated[str | None, _limit("SIZE", "Largest number of multiply-accumulates, such as 600M.")] = None
    max_flops: Annotated[str | None, _limit("SIZE", "Largest number of FLOPs, such as 1.2G.")] = None
    max_peak_memory: Annotated[
        str | None, _limit("BYTES", "Largest peak memory of the forward pass, such as 200MB.")
    ] = None
    min_rf: Annotated[str | None, _limit("PIXELS", "Smallest receptive field, on every axis.")] = None
    max_rf: Annotated[str | None, _limit("PIXELS", "Largest receptive field, on every axis.")] = None
    max_layer_share: Annotated[
        str | None, _limit("PERCENT", "Largest share of one layer in all MACs, such as 40%.")
    ] = None


@dataclass(frozen=True)
class ExpectationOptions:
    """All expectations that a network can be compared with."""

    baseline: BaselineOptions
    claims: ClaimOptions
    budgets: BudgetOptions


@dataclass(frozen=True)
class Common:
    """Options that may be given before or after the command."""

    quiet: Annotated[bool, typer.Option("--quiet", "-q", callback=be_quiet, help="Print only errors on stderr.")] = (
        False
    )
    debug: Annotated[
        bool, typer.Option("--debug", callback=show_tracebacks, help="Show the traceback of a failure.")
    ] = False
    no_cache: Annotated[
        bool, typer.Option("--no-cache", callback=do_without_cache, help="Neither read nor write kept reports.")
    ] = False
