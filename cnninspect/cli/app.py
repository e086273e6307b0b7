"""The command line: its commands, and the one way in and out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from typer.main import get_command

from cnninspect.cli import compare, config, flops, models, rf, summary
from cnninspect.cli.expand import expanded
from cnninspect.cli.failures import INTERRUPTED, failed
from cnninspect.cli.options import Common
from cnninspect.cli.session import Session
from cnninspect.cli.settings import configured
from cnninspect.version import __version__

app = typer.Typer(
    name="cnninspect",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="TARGET: NAME, PROVIDER:NAME, package.module:attr, path/to/file.py:attr or path/model.pt2.",
)
for command in (summary.summary, flops.flops, compare.compare, rf.rf, config.config):
    app.command()(expanded(configured(command)))
app.command()(expanded(models.models))


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
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Version.")
    ] = False,
) -> None:
    """Inspect a network: every number by formula and by measurement."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


def run(arguments: Sequence[str]) -> int:
    """The exit code of one command line; every failure becomes one sentence on stderr here and nowhere else."""
    session = Session()
    try:
        code = get_command(app).main(list(arguments), "cnninspect", standalone_mode=False, obj=session)
    except (Exception, KeyboardInterrupt) as error:
        return failed(error, session)
    except SystemExit:
        # Typer ends shell completion like this, and a help text whose reader has gone; neither is a finding.
        return 0
    return failed(KeyboardInterrupt(), session) if code == INTERRUPTED else int(code or 0)
