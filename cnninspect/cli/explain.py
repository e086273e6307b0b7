"""What `explain` does: inspect once, derive what was asked for, write it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnninspect.checks import exit_code, with_checks
from cnninspect.cli.options import OutputOptions, RunOptions
from cnninspect.cli.reports import note_if_none_fits, with_findings, write
from cnninspect.cli.session import Session
from cnninspect.errors import UsageError
from cnninspect.files import check_writable
from cnninspect.report.document import Report
from cnninspect.report.rows import Row
from cnninspect.report.selection import Level, View

if TYPE_CHECKING:
    from cnninspect.explain.document import Explanation
    from cnninspect.inspection.accounts import Inspected

COMMAND = "explain"
FORMATS = ("table", "json", "markdown", "latex", "html")


@dataclass(frozen=True)
class ExplainOptions:
    """What is said of each layer."""

    level: Annotated[
        Level | None,
        typer.Option(
            metavar="|".join(each.value for each in Level),
            case_sensitive=False,
            help="The formulas and their numbers, or also every symbol and source; full for each LAYER.",
            rich_help_panel="Derivation",
            show_default=False,
        ),
    ] = None
    matrix: Annotated[
        bool,
        typer.Option("--matrix", help="Small convolutions as the matrices they are.", rich_help_panel="Derivation"),
    ] = False
    numbers: Annotated[
        bool,
        typer.Option(
            "--numbers", help="With --matrix: the weights' own numbers, on --device cpu.", rich_help_panel="Derivation"
        ),
    ] = False
    against: Annotated[
        str | None,
        typer.Option(
            metavar="OTHER",
            help="Beside it a layer of TARGET, another TARGET, or 'TARGET LAYER', with the ratios.",
            rich_help_panel="Derivation",
            show_default=False,
        ),
    ] = None
    claims: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="A sheet of hand calculations, corrected: each wrong cell with its slip and the right derivation.",
            rich_help_panel="Derivation",
            show_default=False,
        ),
    ] = None


def explain_target(
    target: str,
    layers: Sequence[str],
    run: RunOptions,
    options: ExplainOptions,
    output: OutputOptions,
    session: Session,
) -> int:
    """Write the derivations of the layers, by default of all, and return the exit code."""
    check_format(output.format)
    if options.claims is not None:
        return _correct_sheet(target, layers, run, options, output, session)
    if options.numbers and not (options.matrix and run.device not in ("auto", "meta")):
        raise UsageError("--numbers fills a matrix with weights, and meta has none. Give --matrix --device cpu too.")
    view = output.view(COMMAND)
    check_writable(output.output)
    report, kept = with_findings(target, run, session, COMMAND)
    from cnninspect.explain.explanation import explained

    level = options.level or (None if options.against is None else Level.SHORT)
    document = explained(report, kept.reach, layers, level, view)
    note_if_none_fits(report, view, session)
    if options.matrix:
        document = _with_matrices(document, report, kept if options.numbers else None)
    if options.against is not None:
        document = _with_other(document, report, kept, options.against, level, run, session, view)
    write(document, output, view)
    return exit_code(report, strict=output.strict)


def _correct_sheet(
    target: str, layers: Sequence[str], run: RunOptions, options: ExplainOptions, output: OutputOptions,
    session: Session,
) -> int:  # fmt: skip
    """Write the sheet of hand calculations with its corrections; 1 if a cell is wrong."""
    if layers or options.matrix or options.numbers or options.against is not None:
        raise UsageError("--claims prints the sheet. Leave out LAYER, --matrix, --numbers and --against.")
    from cnninspect.claims.read import read_claims

    claims = read_claims(str(options.claims))
    view = output.view(COMMAND)
    check_writable(output.output)
    report, kept = with_findings(target, run, session, COMMAND)
    from cnninspect.claims.judge import check_claims
    from cnninspect.explain.explanation import corrected

    comparison = with_checks(report, check_claims(report, claims))
    document = corrected(report, kept.reach, comparison.checks or ())
    write(replace(document, verdict=comparison.verdict), output, view)
    return exit_code(comparison, strict=output.strict)


def _with_other(
    document: Explanation, report: Report, kept: Inspected, name: str, level: Level | None, run: RunOptions,
    session: Session, view: View,
) -> Explanation:  # fmt: skip
    """The explanation with OTHER beside it: a layer of the same network where one is called so, else a network."""
    from cnninspect.explain.against import side_by_side
    from cnninspect.explain.explanation import explained

    if any(name in (row.path, row.label) for row in report.rows):
        others, reach, layers = report, kept.reach, [name]
    else:
        target, *layers = name.split()
        others, found = with_findings(target, replace(run, arg=[]), session, COMMAND)
        reach = found.reach
    other = explained(others, reach, layers, level, view)
    return side_by_side(document, other, _rows(document, report), _rows(other, others))


def _rows(document: Explanation, report: Report) -> list[Row]:
    """The rows that are explained."""
    known = {row.id: row for row in report.rows}
    return [known[layer.row] for layer in document.layers]


def _with_matrices(document: Explanation, report: Report, kept: Inspected | None) -> Explanation:
    """The explanation with the matrices of its convolutions, with the numbers of the run's weights if there is one."""
    from cnninspect.explain.matrix import with_matrices

    weights = None
    if kept is not None:
        modules: dict[str, Any] = dict(getattr(kept.run.model, "named_modules", dict)())
        weights = {
            layer.row: modules[layer.row.path].weight.detach().cpu().numpy()
            for layer in document.layers
            if hasattr(modules.get(layer.row.path), "weight") and not layer.row.functional
        }
    try:
        return with_matrices(document, report, weights)
    except ValueError as error:
        raise UsageError(f"--matrix: {error}.") from None


def refuse_options_of_tables(output: OutputOptions, is_given: Callable[[str], bool]) -> None:
    """UsageError for options of the command line that mean nothing for derivations; a configuration may have them."""
    given = [f"--{name}" for name in ("fold", "containers") if getattr(output, name) and is_given(name)]
    if given:
        hint = "--depth and --filter show less"
        raise UsageError(f"explain works out every row. Leave out {' and '.join(given)}; {hint}.")


def check_format(name: str) -> None:
    """UsageError for a format that holds no derivations, before a model is built."""
    if name not in FORMATS:
        raise UsageError(f"--format {name} cannot hold derivations. Use {', '.join(FORMATS[:-1])} or {FORMATS[-1]}.")
