"""Runs a model and writes its report: to stdout, to a file, and on GitHub to the summary of the step."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from cnninspect.checks import exit_code
from cnninspect.cli.flops import WorkOptions
from cnninspect.cli.kept import kept_report, refuse_unknown, report_key
from cnninspect.cli.options import OutputOptions, RunOptions
from cnninspect.cli.session import Progress, Session
from cnninspect.errors import LoadError, OutputError, UsageError
from cnninspect.files import cause_of, check_writable, write_whole
from cnninspect.inspection.tensors import inspect_checkpoint
from cnninspect.render import Format, render
from cnninspect.render.page import Derivations, OtherSide, Screen
from cnninspect.report.document import Checkpoint, Document, Report
from cnninspect.report.rows import layers_near
from cnninspect.report.selection import By, View, matches
from cnninspect.targets.checkpoint import checkpoint_at
from cnninspect.targets.grammar import dtype_name, parse_arguments, parse_inputs, parse_method

if TYPE_CHECKING:
    from cnninspect.inspection.accounts import Account, Addition, Inspected

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
    if command == "summary" and (found := checkpoint_report(target, run, session)) is not None:
        view = output.view(found.target["provider"])
        check_writable(output.output)
        note_if_none_fits(found, view, session)
        write(found, output, view)
        return exit_code(found, strict=output.strict)
    view = output.view(command)
    accounts = None if work is None else work.accounts(target, run)
    if work is not None:
        view = work.arranged(view)
    check_writable(output.output)
    derived = None
    if output.format == Format.HTML and view.by is By.LAYER and not run.no_run:
        report, derived = with_derivations(target, run, session, command, with_course(accounts))
    else:
        key = report_key(target, plugin_names(), asdict(run), command, {} if work is None else asdict(work))
        report = kept_report(key, session, lambda: inspected(target, run, session, command, accounts))
    note_if_none_fits(report, view, session)
    write(report, output, view, derived)
    return exit_code(report, strict=output.strict)


def checkpoint_report(target: str, run: RunOptions, session: Session, command: str = "summary") -> Checkpoint | None:
    """The report on the tensors of a checkpoint, for which torch is not imported; None for any other TARGET."""
    found = checkpoint_at(target)
    if found is None:
        return None
    if run != RunOptions(probe=run.probe):
        session.note(f"{target} holds tensors, and nothing runs: options that change the run have no effect on it.")
    report = inspect_checkpoint(found, command)
    for note in report.notes:
        session.note(note)
    return report


class Kept:
    """An account that adds nothing: it keeps what both sides found for the derivations."""

    needs_kernels: ClassVar[bool] = False
    found: Inspected

    def __call__(self, inspected: Inspected) -> Addition:
        """Nothing."""
        from cnninspect.inspection.accounts import Addition

        self.found = inspected
        return Addition()


def with_findings(
    target: str, run: RunOptions, session: Session, command: str, accounts: Accounts | None = None
) -> tuple[Report, Inspected]:
    """The report on TARGET, and what both sides found in the same run."""
    kept = Kept()
    found = inspected(target, run, session, command, lambda: [*([] if accounts is None else accounts()), kept])
    return found, kept.found


def with_derivations(
    target: str, run: RunOptions, session: Session, command: str, accounts: Accounts | None = None
) -> tuple[Report, Derivations]:
    """The report on TARGET, and the derivations of every row."""
    report, kept = with_findings(target, run, session, command, accounts)
    from cnninspect.explain.explanation import derivations

    found = derivations(report, kept.reach)
    return report, {row: [each.to_json() for each in layer.derivations] for row, layer in found.items()}


def with_course(accounts: Accounts | None) -> Accounts:
    """The accounts, and that of the course of the run, which an HTML page draws."""

    def found() -> Sequence[Account]:
        from cnninspect.inspection.accounts.course import Course

        return [*([] if accounts is None else accounts()), Course()]

    return found


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
    if options.call is not None:
        parse_method(options.call)
    _check_needs_no_run(target, options, command, session)
    dtype = None if options.dtype is None else dtype_name(options.dtype)
    refuse_unknown(target, plugin_names(), session)
    with running(target, session) as progress:
        from cnninspect.inspection.pipeline import inspect_model

        report = inspect_model(
            target,
            arguments=arguments,
            call=None if options.no_run else options.call,
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
            accounts=() if accounts is None or options.no_run else accounts(),
            run=not options.no_run,
        )
    for note in report.notes:
        session.note(note)
    return report


def _check_needs_no_run(target: str, options: RunOptions, command: str, session: Session) -> None:
    """Raises UsageError for a command that needs a run where none is wanted; a note names options without effect."""
    if not options.no_run:
        return
    if command not in ("summary", "compare"):
        raise UsageError(
            f"{command} needs a forward pass, which --no-run leaves out. "
            f"`cnninspect summary {shlex.quote(target)} --no-run` counts the parameters."
        )
    if options.of_a_run:
        session.note(f"nothing runs: {', '.join(options.of_a_run)} has no effect with --no-run.")


@contextlib.contextmanager
def running(target: str, session: Session) -> Iterator[Progress]:
    """The context in which code of the user runs: its prints go to stderr, its warnings become notes; shows progress.

    Raises LoadError for code that ends the process.
    """
    with Progress(shown=not session.quiet) as progress, _model_output(session), _warnings_as_notes(session):
        progress("importing torch")
        try:
            yield progress
        except SystemExit as end:
            raise LoadError(
                f"the code of {target} calls sys.exit({end.code!r}). Remove that call from the code that is run."
            ) from end


def _probe(options: RunOptions, command: str) -> bool | None:
    """Whether to probe on the CPU; None for `compare`, which does so by default if it is cheap enough."""
    return False if options.probe is None and command != "compare" else options.probe


def plugin_names() -> list[str]:
    """The names of the providers of plug-ins, which are not imported."""
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


ROOM = 2**20
"""Largest size of a step summary in bytes; GitHub does not show longer ones at all."""

_CUT = "\n\nThe rest is left out: GitHub limits the size. `--format json` has everything.\n"


def note_if_none_fits(document: Document, view: View, session: Session) -> None:
    """A note with names that exist if no row of the report fits `--filter`."""
    rows = document.rows if isinstance(document, Report) else ()
    if view.filter is not None and rows and not any(matches(view.filter, row.id) for row in rows):
        near = ", ".join(layers_near(rows, view.filter.strip("*?[]")))
        session.note(f"no row fits --filter {view.filter!r}. There are, for example, {near}.")


def write(
    report: Document,
    options: OutputOptions,
    view: View,
    derivations: Derivations | None = None,
    other: OtherSide | None = None,
) -> None:
    """Render the document and write it to the chosen output; raises OutputError."""
    rendered = partial(render, report, view=view, derivations=derivations, other=other)
    write_rendered(rendered, options.format, options.output)


def write_rendered(rendered: Callable[..., str], form: str, file: str | None) -> None:
    """Write the text of `rendered(form, screen=...)` to the file or stdout; for `github`, also the step summary."""
    screen = Screen.of(sys.stdout) if file is None and sys.stdout is not None else None
    put(rendered(form, screen=screen), file)
    if form == Format.GITHUB:
        append_step_summary(rendered(Format.MARKDOWN, screen=None))


def put(text: str, file: str | None) -> None:
    """Write to a file in one step, or to stdout if `file` is None; raises OutputError."""
    if file is None:
        to_stdout(text)
    else:
        write_whole(Path(file), text)


def to_stdout(text: str) -> None:
    """Write to stdout. A closed pipe (`| head`) is no error; other failures raise OutputError."""
    if sys.stdout is None:
        raise OutputError("cannot write to stdout: it is closed. Write to a file with -o FILE.")
    encoding = sys.stdout.encoding or "ascii"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_stdout()
    except OSError as error:
        _drop_stdout()
        raise OutputError(f"cannot write to stdout: {cause_of(error)}. Write to a file with -o FILE.") from error


def _drop_stdout() -> None:
    """Redirect stdout to nowhere, so that the interpreter does not fail at exit when it flushes the buffer."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def append_step_summary(markdown: str) -> None:
    """Append to the file that GITHUB_STEP_SUMMARY names, if it names one; raises OutputError."""
    name = os.environ.get("GITHUB_STEP_SUMMARY")
    if not name:
        return
    file = Path(name)
    try:
        room = ROOM - (file.stat().st_size if file.exists() else 0)
        with file.open("ab") as summary:
            summary.write(_fitting(f"{markdown}\n", room))
    except OSError as error:
        raise OutputError(
            f"cannot write {name}, which GITHUB_STEP_SUMMARY names: {cause_of(error)}. "
            "Name a file there that can be written, or unset it."
        ) from error


def _fitting(text: str, room: int) -> bytes:
    """The first complete lines that fit into `room` bytes, with a sentence at the end if lines are left out."""
    whole = text.encode()
    if len(whole) <= room:
        return whole
    cut = whole[: max(0, room - len(_CUT))]
    return cut[: cut.rfind(b"\n")] + _CUT.encode() if b"\n" in cut else b""
