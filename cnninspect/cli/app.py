"""The commands, and `run`, through which every command line goes.

A command here is only its signature. Its code is in a file that is imported when the command runs, so that help and
completion are fast.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Annotated, Any, TypeVar, get_type_hints

import typer
from typer.main import get_command

from cnninspect.cli.completion import complete_layer, complete_target, whole_words
from cnninspect.cli.explain import ExplainOptions
from cnninspect.cli.flops import WorkOptions
from cnninspect.cli.formula import VaryOptions
from cnninspect.cli.help import WIDEST, Command, Group
from cnninspect.cli.options import (
    AnswerOptions,
    BaselineOptions,
    BudgetOptions,
    ClaimOptions,
    Common,
    ExpectationOptions,
    ListOptions,
    OutputOptions,
    RunOptions,
    Target,
)
from cnninspect.cli.reconcile import PublishedOptions
from cnninspect.cli.rf import FieldOptions
from cnninspect.cli.session import INTERRUPTED, Progress, Session, failed
from cnninspect.cli.settings import Source, config, configured, source
from cnninspect.cli.solve import RankOptions, SettingOptions, SizeOptions
from cnninspect.cli.sweep import SweepOptions
from cnninspect.render import Format
from cnninspect.render.page import Screen
from cnninspect.report.json_form import SCHEMA_VERSION
from cnninspect.version import __version__

Result = TypeVar("Result")


def expanded(command: Callable[..., Result]) -> Callable[..., Result]:
    """`command` with its dataclass parameters replaced by one keyword per field."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if dataclasses.is_dataclass(hint)}
    parameters = inspect.signature(command).parameters

    @functools.wraps(command)
    def wrapper(**values: Any) -> Result:
        for name, group in groups.items():
            fields = [field.name for field in dataclasses.fields(group)]
            values[name] = group(**{field: values.pop(field) for field in fields})
        return command(**values)

    plain = [
        parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in parameters.items()
        if name not in groups
    ]
    options = [option for group in groups.values() for option in _options(group)]
    wrapper.__dict__["__signature__"] = inspect.Signature([*plain, *options])
    wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in (*plain, *options)}
    del wrapper.__dict__["__wrapped__"]
    return wrapper


def _options(group: Any) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for field in dataclasses.fields(group):
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        yield inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hints[field.name]
        )


app = typer.Typer(
    name="cnninspect",
    cls=Group,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cnninspect {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
@expanded
def cnninspect(
    context: typer.Context,
    _common: Common,
    _version: Annotated[
        bool, typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Version.")
    ] = False,
) -> None:
    """Inspect a network: every number by formula and by measurement."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


def summary(context: typer.Context, target: Target, run: RunOptions, output: OutputOptions, _common: Common) -> None:
    """One row per layer: output shape, params, MACs, receptive field, each analytic and measured."""
    from cnninspect.cli.reports import report_on

    raise typer.Exit(report_on(target, run, output, context.ensure_object(Session), "summary"))


def flops(
    context: typer.Context,
    target: Target,
    run: RunOptions,
    work: WorkOptions,
    output: OutputOptions,
    _common: Common,
) -> None:
    """Arithmetic by layer, kind or op, with all counters side by side; on request also training, memory and time."""
    from cnninspect.cli.reports import report_on

    raise typer.Exit(report_on(target, run, output, context.ensure_object(Session), "flops", work))


CompareTarget = Annotated[
    str | None,
    typer.Argument(
        metavar="TARGET",
        show_default=False,
        help="As for summary, or a report saved as JSON. Without one: the targets of \\[tool.cnninspect.targets].",
        autocompletion=complete_target,
    ),
]
Other = Annotated[
    str | None,
    typer.Argument(
        metavar="OTHER",
        show_default=False,
        help="Another TARGET, or a report saved as JSON.",
        autocompletion=complete_target,
    ),
]


def compare(
    context: typer.Context,
    run: RunOptions,
    baseline: BaselineOptions,
    claims: ClaimOptions,
    budgets: BudgetOptions,
    output: OutputOptions,
    _common: Common,
    target: CompareTarget = None,
    other: Other = None,
) -> None:
    """Check formulas against measurements, and the network against expectations; exit code 1 if any differ."""
    session = context.ensure_object(Session)
    expected = ExpectationOptions(baseline, claims, budgets)
    if target is None:
        from cnninspect.cli.compare import compare_many

        raise typer.Exit(compare_many(context, run, expected, output, session))
    from cnninspect.cli.compare import compare_target

    raise typer.Exit(compare_target(target, other, run, expected, output, session))


Layer = Annotated[
    str | None,
    typer.Argument(
        metavar="LAYER",
        show_default=False,
        help="A layer by its path, or 'path F.relu' for a functional call.",
        autocompletion=complete_layer,
    ),
]


def rf(
    context: typer.Context,
    target: Target,
    run: RunOptions,
    field: FieldOptions,
    output: OutputOptions,
    _common: Common,
    layer: Layer = None,
) -> None:
    """Receptive fields: of all layers, of one position, as a picture, and for several values of arguments."""
    from cnninspect.cli.rf import report_fields

    raise typer.Exit(report_fields(target, layer, run, field, output, context.ensure_object(Session)))


Solved = Annotated[
    str | None,
    typer.Argument(
        metavar="LAYER", show_default=False, help="conv, conv-transpose or pool; conv if a chain comes without."
    ),
]


def solve(
    sizes: SizeOptions,
    settings: SettingOptions,
    ranks: RankOptions,
    answer: AnswerOptions,
    _common: Common,
    layer: Solved = None,
) -> None:
    """All settings of a layer that turn one size into another; if there are none, the nearest sizes."""
    from cnninspect.cli.solve import report_solutions

    raise typer.Exit(report_solutions(layer, sizes, settings, ranks, answer))


Layers = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[LAYER]...",
        show_default=False,
        help="Layers by their paths; a container stands for all in it.",
        autocompletion=complete_layer,
    ),
]


def explain(
    context: typer.Context,
    target: Target,
    run: RunOptions,
    derivation: ExplainOptions,
    output: OutputOptions,
    _common: Common,
    layers: Layers = None,
) -> None:
    """Where every number of a layer comes from: the formula, the numbers put in, the result, the measurement."""
    from cnninspect.cli.explain import explain_target, refuse_options_of_tables

    refuse_options_of_tables(output, lambda name: source(name, {}, context) is Source.COMMAND_LINE)
    raise typer.Exit(explain_target(target, layers or (), run, derivation, output, context.ensure_object(Session)))


def formula(
    context: typer.Context,
    target: Target,
    vary: VaryOptions,
    run: RunOptions,
    answer: AnswerOptions,
    _common: Common,
) -> None:
    """Params, MACs, neurons and field as exact formulas in constructor arguments and input sizes."""
    from cnninspect.cli.formula import report_formula

    raise typer.Exit(report_formula(target, run, vary, answer, context.ensure_object(Session)))


def reconcile(
    context: typer.Context,
    target: Target,
    published: PublishedOptions,
    run: RunOptions,
    answer: AnswerOptions,
    _common: Common,
) -> None:
    """Which unit, counter, input, batch or head gives a published number; exit code 1 if none does."""
    from cnninspect.cli.reconcile import report_reconciled

    raise typer.Exit(report_reconciled(target, published, run, answer, context.ensure_object(Session)))


Pattern = Annotated[
    str,
    typer.Argument(metavar="PATTERN", show_default=False, help="Part of a name, or a pattern such as 'timm:vit_*'."),
]


Swept = Annotated[
    list[str],
    typer.Argument(
        metavar="PATTERN|TARGET...",
        show_default=False,
        help="Patterns such as 'timm:vit_*', TARGETs, or functions that return a dict or list of models.",
    ),
]


def sweep(context: typer.Context, words: Swept, run: RunOptions, rows: SweepOptions, _common: Common) -> None:
    """Many models into one table: a row each with the totals of its summary, written as it is done."""
    from cnninspect.cli.sweep.run import report_sweep

    raise typer.Exit(report_sweep(words, run, rows, context.ensure_object(Session)))


def models(context: typer.Context, text: ListOptions, _common: Common, pattern: Pattern = "") -> None:
    """List the models of all providers; each name is a TARGET."""
    from cnninspect.cli.reports import put

    session = context.ensure_object(Session)
    with Progress(shown=not session.quiet) as progress:
        progress("asking the providers")
        from cnninspect.cli.kept import model_names

        names = model_names(pattern, session)
    form, file = text.checked()
    width = Screen.of(sys.stdout).width if file is None and sys.stdout is not None else None
    lines = "".join(f"{name}\n" for name in names) if width is None else side_by_side(names, width)
    put(listed(names) if form == Format.JSON else lines, file)


Action = Annotated[
    str, typer.Argument(metavar="info|clear", show_default=False, help="Say what is kept, or remove all of it.")
]


def cache(text: ListOptions, _common: Common, action: Action = "info") -> None:
    """The reports and lists of names that are kept between runs."""
    from cnninspect.cli.kept import cache_report
    from cnninspect.cli.reports import put

    form, file = text.checked()
    put(cache_report(action, form), file)


def side_by_side(names: Sequence[str], width: int) -> str:
    """Names for a terminal: those of each provider below its own name, in columns, and their numbers at the end."""
    of_provider = {name: [each.partition(":")[2] for each in group] for name, group in groupby(names, _provider)}
    text = ""
    for provider, found in of_provider.items():
        column = max(map(len, found)) + 2
        count = max(1, width // column)
        rows = -(-len(found) // count)
        lines = ["".join(f"{name:<{column}}" for name in found[row::rows]).rstrip() for row in range(rows)]
        text += f"{provider}:\n" + "".join(f"  {line}\n" for line in lines) + "\n"
    counts = ", ".join(f"{provider} {len(found)}" for provider, found in of_provider.items())
    first = names[0]
    return f"{text}{len(names)} model{'s' if len(names) > 1 else ''}: {counts}. Each is a TARGET, as {first}.\n"


def _provider(name: str) -> str:
    return name.partition(":")[0]


def listed(names: Sequence[str]) -> str:
    """Names of models as JSON."""
    entries = [dict(zip(("provider", "name"), name.split(":", 1), strict=True)) for name in names]
    return json.dumps({"schema_version": SCHEMA_VERSION, "command": "models", "models": entries}, indent=2) + "\n"


for command in (summary, flops, compare, rf, explain, formula, sweep, reconcile, config):
    app.command(cls=Command)(expanded(configured(command)))
app.command(cls=Command)(expanded(models))
app.command(cls=Command)(expanded(solve))
app.command(cls=Command)(expanded(cache))


def run(arguments: Sequence[str]) -> int:
    """The exit code of one command line. Every failure becomes a message on stderr here, and only here."""
    session = Session()
    try:
        with whole_words(os.environ):
            code = get_command(app).main(list(arguments), "cnninspect", standalone_mode=False, obj=session)
        session.say_notes()
    except (Exception, KeyboardInterrupt) as error:
        return failed(error, session)
    except SystemExit:
        # Typer raises this after shell completion, and if the pipe of a help text is closed; neither is a failure.
        return 0
    return failed(KeyboardInterrupt(), session) if code == INTERRUPTED else int(code or 0)
