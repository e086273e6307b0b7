"""The state of one command line: configuration, messages on stderr, progress, and errors with their exit codes."""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from textwrap import fill
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from cnninspect.cli.config_file import Config
from cnninspect.errors import CnninspectError, UsageError

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID
    from rich.status import Status


R = TypeVar("R")
INTERRUPTED = 130
MISUSE: Any = typer.BadParameter.__base__
"""The exception for a wrong command line; it is defined in click or Typer, depending on Typer's version."""

_SUGGESTION = re.compile(r"\.? \(?(?:Did you mean|Possible options:) (.*?)\??\)?$")


@dataclass
class Session:
    """The options `--quiet`, `--debug` and `--no-cache`, from before or after the command, and the configuration.

    `about` is the beginning of every note: the name of the target if there are several, else empty.
    """

    quiet: bool = False
    debug: bool = False
    cached: bool = True
    config: Config = field(default_factory=Config)
    about: str = ""
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Keep a note for the end; each is said once."""
        self.add_notes([f"note: {self.about}{text}"])

    def add_notes(self, notes: Sequence[str]) -> None:
        """Keep the notes that are new."""
        self.notes += [note for note in dict.fromkeys(notes) if note not in self.notes]

    def with_notes_of(self, run: Callable[[], R]) -> tuple[R, list[str]]:
        """The result of `run()`, and the notes that it left."""
        earlier, self.notes = self.notes, []
        try:
            return run(), self.notes
        finally:
            found, self.notes = self.notes, earlier
            self.add_notes(found)

    def say_notes(self) -> None:
        """Print the notes on stderr, unless `--quiet` is given: after the report, where a reader looks for them."""
        for note in () if self.quiet else self.notes:
            say(note)
        self.notes.clear()


def say(text: str) -> None:
    """Print one message that begins with `cnninspect:` on stderr; nothing if stderr is closed.

    It is one line; on a terminal it is wrapped between words.
    """
    if sys.stderr is None:
        return
    line = f"cnninspect: {' '.join(text.split())}"
    if sys.stderr.isatty():
        line = fill(line, shutil.get_terminal_size().columns - 1, subsequent_indent="  ", break_on_hyphens=False)
    line += "\n"
    encoding = sys.stderr.encoding or "ascii"
    sys.stderr.write(line.encode(encoding, "backslashreplace").decode(encoding))
    sys.stderr.flush()


def be_quiet(context: typer.Context, wanted: bool) -> bool:
    """Store `--quiet` in the session."""
    session = context.ensure_object(Session)
    session.quiet = session.quiet or wanted
    return wanted


def show_tracebacks(context: typer.Context, wanted: bool) -> bool:
    """Store `--debug` in the session."""
    session = context.ensure_object(Session)
    session.debug = session.debug or wanted
    return wanted


def do_without_cache(context: typer.Context, wanted: bool) -> bool:
    """Store `--no-cache` in the session."""
    session = context.ensure_object(Session)
    session.cached = session.cached and not wanted
    return wanted


def failed(error: BaseException, session: Session) -> int:
    """Print the message of an error, with `--debug` also the traceback, and return the exit code."""
    if session.debug:
        traceback.print_exception(error)
    message, code = explained(error)
    session.say_notes()
    say(message)
    return code


def explained(error: BaseException) -> tuple[str, int]:
    """The message and the exit code of an error."""
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
    """Typer's message in the form of ours: cause, nearest names, and where to find help."""
    message = _SUGGESTION.sub(r". Nearest: \1", " ".join(error.format_message().split())).rstrip(".")
    message = message[:1].lower() + message[1:].replace("Value error, ", "")
    message = _NO_NUMBER.sub(rf"\1: write a whole number{_from(error)}", message)
    command = error.ctx.command_path if error.ctx is not None else "cnninspect"
    what = "commands" if message.startswith("no such command") else "options"
    step = f"`{command} --help` lists the {what}."
    if wrong := _SURPLUS.fullmatch(message):
        step = _meant(command, error.ctx.params.get("target"), wrong[1] or wrong[2]) or step
    return f"{message}. {step}"


_NO_NUMBER = re.compile(
    r"^(invalid value for '\S+'(?: / '\S+')?): (?:Input should be .*|\S+ is not (?:a valid integer|in the range).*)$"
)
"""The words of pydantic and of click for a text that is no number, or is out of the range."""

_SURPLUS = re.compile(r"no such command '([^']+)'|got unexpected extra argument(?:\(s\))? \((\S+)\)")
"""A word in the place of a command, or after the last argument."""


def _from(error: Any) -> str:
    """` from 1` for an option whose least value is 1; empty if it has none."""
    param = getattr(error, "param", None)
    least = getattr(param, "min", getattr(getattr(param, "type", None), "min", None))
    return "" if least is None else f" from {least}"


def _meant(command: str, target: str | None, extra: str) -> str | None:
    """The command line that was meant: a target without a command, or two for a command that takes one."""
    from cnninspect.targets.resolve import resolve

    words = ("summary", extra) if target is None else ("compare", target, extra)
    if target is not None and command.rpartition(" ")[2] not in ("summary", "flops"):
        return None
    try:
        for each in words[1:]:
            resolve(each)
    except CnninspectError:
        return None
    return f"Write `cnninspect {' '.join(words)}`."


PATIENCE = 1.0
"""Seconds before a running step is shown."""


class Progress:
    """Shows the running step on stderr, if that is a terminal and the step takes more than a second.

    Call it with each step; leaving the context removes the display. A step of known length has a bar. It is drawn only
    when the step reports progress, and not from another thread, so that it does not disturb a timed run.
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
        """Report the step that begins, or that `done` of its `of` parts are finished."""
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
