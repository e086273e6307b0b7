"""Where a report goes: stdout or a file, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path

from cnninspect.cli.options import OutputOptions
from cnninspect.errors import OutputError, UsageError
from cnninspect.render import Screen, View, render
from cnninspect.render.document import column_names
from cnninspect.report import Report
from cnninspect.targets.nearest import nearest


def view_of(options: OutputOptions, command: str) -> View:
    """The rows and columns that the options ask for; UsageError for a column that `command` does not have."""
    if options.columns is None:
        return View(options.depth, options.ops)
    known = column_names(command)
    names = tuple(name.strip() for name in options.columns.split(","))
    for name in names:
        if name not in known:
            near = nearest(name, known)
            hint = f"Nearest: {', '.join(near)}." if near else f"Columns: {', '.join(known)}."
            raise UsageError(f"--columns: no column is called {name!r}. {hint}")
    return View(options.depth, options.ops, names)


def check_writable(file: str | None) -> None:
    """OutputError if a file cannot be written; asked before the model runs."""
    if file is None:
        return
    path = Path(file)
    if path.is_dir():
        raise OutputError(f"cannot write {file}: it is a directory.")
    if not path.parent.is_dir():
        raise OutputError(f"cannot write {file}: there is no directory {path.parent}.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise OutputError(f"cannot write {file}: permission denied.")


def write(report: Report, options: OutputOptions, view: View) -> None:
    """Render the report and put it where the options say; OutputError if that fails."""
    if options.output is None:
        if sys.stdout is None:
            raise OutputError("cannot write to stdout: it is closed.")
        to_stdout(render(report, options.format, view=view, screen=Screen.of(sys.stdout)))
    else:
        _to_file(Path(options.output), render(report, options.format, view=view))


def to_stdout(text: str) -> None:
    """Write to stdout. A reader that has seen enough (`| head`) is no error; OutputError for a full disk."""
    encoding = sys.stdout.encoding or "ascii"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_stdout()
    except OSError as error:
        _drop_stdout()
        raise OutputError(f"cannot write to stdout: {_reason(error)}.") from error


def _drop_stdout() -> None:
    """Let what is left in the buffer go nowhere, so that the interpreter does not complain about it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _to_file(path: Path, text: str) -> None:
    """Write beside the file and put it in place in one step, so that it is never half there."""
    if path.exists() and not path.is_file():
        return _write(path, text, path)
    path = path.resolve()
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        _write(beside, text, path)
        if path.exists():
            shutil.copymode(path, beside)
        os.replace(beside, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {_reason(error)}.") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()
    return None


def _write(path: Path, text: str, wanted: Path) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise OutputError(f"cannot write {wanted}: {_reason(error)}.") from error


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
