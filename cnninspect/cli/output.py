"""Writes reports to stdout or a file, and on GitHub to the summary of the step."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cnninspect.cli.options import OutputOptions
from cnninspect.errors import OutputError, UsageError, nearest
from cnninspect.files import cause_of, write_whole
from cnninspect.render import Format, render
from cnninspect.render.page import Screen
from cnninspect.render.sections import column_names
from cnninspect.report.document import Document
from cnninspect.report.selection import View

ROOM = 2**20
"""Largest size of a step summary in bytes; GitHub does not show longer ones at all."""

_CUT = "\n\nThe rest is left out: GitHub limits the size. `--format json` has everything.\n"


def view_of(options: OutputOptions, command: str, *, of_two: bool = False) -> View:
    """The rows and columns that the options ask for; UsageError for a column that `command` does not have."""
    if options.columns is None:
        return View(options.depth, options.ops, containers=options.containers)
    known = column_names(command, of_two=of_two)
    names = tuple(name.strip() for name in options.columns.split(","))
    for name in names:
        if name not in known:
            near = nearest(name, known)
            hint = f"Nearest: {', '.join(near)}." if near else f"Columns: {', '.join(known)}."
            raise UsageError(f"--columns: no column is called {name!r}. {hint}")
    return View(options.depth, options.ops, names, containers=options.containers)


def write(report: Document, options: OutputOptions, view: View) -> None:
    """Render the document and write it to the chosen output; raises OutputError."""
    write_rendered(partial(render, report, view=view), options)


def write_rendered(rendered: Callable[..., str], options: OutputOptions) -> None:
    """Write the text of `rendered(format, screen=...)` to the chosen output; for `github`, also the step summary."""
    screen = Screen.of(sys.stdout) if options.output is None and sys.stdout is not None else None
    put(rendered(options.format, screen=screen), options.output)
    if options.format == Format.GITHUB:
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
