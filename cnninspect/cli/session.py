"""What holds for one command line: its configuration, what it says on stderr, its signs of life, and how it fails."""

from __future__ import annotations

import os
import re
import sys
import threading
import traceback
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

import typer

from cnninspect.config.file import Config
from cnninspect.errors import CnninspectError, UsageError

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID
    from rich.status import Status


INTERRUPTED = 130
MISUSE: Any = typer.BadParameter.__base__
"""What a wrong command line raises; its home is click or Typer, depending on Typer's version."""

_SUGGESTION = re.compile(r"\.? \(?(?:Did you mean|Possible options:) (.*?)\??\)?$")


@dataclass
class Session:
    """Set by `--quiet` and `--debug`, wherever they stand on the command line, and by the configuration.

    `about` is what notes begin with: the name of the target, where there are many.
    """

    quiet: bool = False
    debug: bool = False
    config: Config = field(default_factory=Config)
    about: str = ""

    def note(self, text: str) -> None:
        """Tell the reader something that is no error."""
        if not self.quiet:
            say(f"note: {self.about}{text}")


def say(text: str) -> None:
    """One line on stderr, marked as ours; nothing where stderr is closed."""
    if sys.stderr is None:
        return
    line = f"cnninspect: {' '.join(text.split())}\n"
    encoding = sys.stderr.encoding or "ascii"
    sys.stderr.write(line.encode(encoding, "backslashreplace").decode(encoding))
    sys.stderr.flush()


def be_quiet(context: typer.Context, wanted: bool) -> bool:
    """Take note of `--quiet`."""
    session = context.ensure_object(Session)
    session.quiet = session.quiet or wanted
    return wanted


def show_tracebacks(context: typer.Context, wanted: bool) -> bool:
    """Take note of `--debug`."""
    session = context.ensure_object(Session)
    session.debug = session.debug or wanted
    return wanted


def failed(error: BaseException, session: Session) -> int:
    """Say what went wrong and return the exit code; the traceback is shown under `--debug` only."""
    if session.debug:
        traceback.print_exception(error)
    message, code = explained(error)
    say(message)
    return code


def explained(error: BaseException) -> tuple[str, int]:
    """The sentence that says what went wrong, and the exit code."""
    if isinstance(error, CnninspectError):
        return str(error), error.exit_code
    if isinstance(error, MISUSE):
        return _misused(error), UsageError.exit_code
    if isinstance(error, KeyboardInterrupt):
        return "interrupted.", INTERRUPTED
    if isinstance(error, MemoryError):
        return (
            "out of memory. A run on --device meta needs none for weights and activations.",
            CnninspectError.exit_code,
        )
    reason = " ".join(str(error).split()) or "no message"
    return (
        f"an error in cnninspect itself: {type(error).__name__}: {reason.rstrip('.')}. "
        "Please report it; --debug shows the traceback.",
        CnninspectError.exit_code,
    )


def _misused(error: Any) -> str:
    """Typer's message in our words: what is wrong, what is nearest, where to look."""
    message = _SUGGESTION.sub(r". Nearest: \1", " ".join(error.format_message().split())).rstrip(".")
    message = message[:1].lower() + message[1:].replace("Value error, ", "")
    command = error.ctx.command_path if error.ctx is not None else "cnninspect"
    return f"{message}. `{command} --help` lists what there is."


PATIENCE = 1.0
"""Seconds that a step may take before it is named."""


class Progress:
    """Names the step that runs, once it takes more than a second, where stderr is a terminal.

    Call it with each step; leaving the context removes the sign. A step that says how much of it is done has a bar,
    drawn when it says so and never in between, so that nothing runs beside what is timed.
    """

    def __init__(self, *, shown: bool):
        self.shown = shown and sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._status: Status | None = None
        self._timer: threading.Timer | None = None
        self._bar: tuple[str, Bar, TaskID] | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def __call__(self, step: str, done: int = 0, of: int = 0) -> None:
        """The step that begins now, or how far it is."""
        if of and self.shown:
            self._advance(step, done, of)
            return
        self._stop()
        if self.shown:
            self._timer = threading.Timer(PATIENCE, self._show, [step])
            self._timer.daemon = True
            self._timer.start()

    def _advance(self, step: str, done: int, of: int) -> None:
        if self._bar is None or self._bar[0] != step:
            self._stop()
            self._bar = self._started(step, of)
        _, bar, task = self._bar
        bar.update(task, completed=done)
        bar.refresh()

    def _started(self, step: str, of: int) -> tuple[str, Bar, TaskID]:
        from rich.console import Console
        from rich.progress import Progress as Bar

        bar = Bar(console=Console(stderr=True), auto_refresh=False, transient=True)
        bar.start()
        return step, bar, bar.add_task(step, total=of)

    def _show(self, step: str) -> None:
        from rich.console import Console
        from rich.markup import escape

        self._status = Console(stderr=True).status(escape(step))
        self._status.start()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
            self._timer = None
        if self._status is not None:
            self._status.stop()
            self._status = None
        if self._bar is not None:
            self._bar[1].stop()
            self._bar = None
