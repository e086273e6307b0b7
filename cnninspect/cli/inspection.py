"""The steps of every command that runs a model: check the options, run, print the notes, write."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cnninspect.checks import exit_code
from cnninspect.cli.flops import WorkOptions
from cnninspect.cli.options import OutputOptions, RunOptions
from cnninspect.cli.output import view_of, write
from cnninspect.cli.session import Progress, Session
from cnninspect.errors import LoadError
from cnninspect.files import check_writable
from cnninspect.report.document import Report
from cnninspect.targets.grammar import dtype_name, parse_arguments, parse_inputs, parse_target

if TYPE_CHECKING:
    from cnninspect.inspection.accounts import Account

    Accounts = Callable[[], Sequence[Account]]


def report_on(
    target: str,
    run: RunOptions,
    output: OutputOptions,
    session: Session,
    command: str,
    work: WorkOptions | None = None,
) -> int:
    """Write the report on TARGET, with the rows and accounts of `work`, and return the exit code."""
    view = view_of(output, command)
    accounts = None if work is None else work.accounts()
    if work is not None:
        view = work.arranged(view)
    check_writable(output.output)
    report = inspected(target, run, session, command, accounts)
    write(report, output, view)
    return exit_code(report, strict=output.strict)


def inspected(
    target: str,
    options: RunOptions,
    session: Session,
    command: str,
    accounts: Accounts | None = None,
    sizes: Mapping[str, int] | None = None,
) -> Report:
    """The report on TARGET. Errors in the options are found before torch is imported.

    `accounts` is called after torch is imported, and returns the accounts to add. `sizes` are other sizes of the first
    input.
    """
    arguments = parse_arguments(options.arg)
    parse_inputs(options.input)
    dtype = None if options.dtype is None else dtype_name(options.dtype)
    parse_target(target, _plugin_names())
    with Progress(shown=not session.quiet) as progress, _model_output(session), _warnings_as_notes(session):
        progress("importing torch")
        from cnninspect.inspection.pipeline import inspect_model

        try:
            report = inspect_model(
                target,
                arguments=arguments,
                inputs=options.input,
                inputs_from=options.inputs_from,
                batch_size=options.batch_size,
                sizes=sizes,
                device=options.device,
                dtype=dtype,
                training=options.train,
                probe=_probe(options, command),
                command=command,
                progress=progress,
                accounts=() if accounts is None else accounts(),
            )
        except SystemExit as end:
            raise LoadError(
                f"the code of {target} calls sys.exit({end.code!r}). Remove that call from the code that is run."
            ) from end
    for note in report.notes:
        session.note(note)
    return report


def _probe(options: RunOptions, command: str) -> bool | None:
    """Whether to probe on the CPU; None for `compare`, which does so by default if it is cheap enough."""
    return False if options.probe is None and command != "compare" else options.probe


def _plugin_names() -> list[str]:
    from importlib.metadata import entry_points

    return [entry.name for entry in entry_points(group="cnninspect.models")]


@contextlib.contextmanager
def _model_output(session: Session) -> Iterator[None]:
    """Redirects prints of the model's code to stderr, or with --quiet to nowhere: stdout holds only the report."""
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(open(os.devnull, "w")) if session.quiet else sys.stderr
        stack.enter_context(contextlib.redirect_stdout(sink))
        yield


@contextlib.contextmanager
def _warnings_as_notes(session: Session) -> Iterator[None]:
    """Shows each Python warning once, as a note of one line."""
    seen: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        text = f"{category.__name__}: {message}"
        if text not in seen:
            seen.add(text)
            session.note(text)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield
