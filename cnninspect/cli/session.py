"""What holds for one command line: its configuration, what it says on stderr, and how it fails."""

from __future__ import annotations

import re
import sys
import traceback
from dataclasses import dataclass, field
from typing import Any

import typer

from cnninspect.config.file import Config
from cnninspect.errors import CnninspectError, UsageError

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
        f"an error in cnninspect itself: {type(error).__name__}: {reason.rstrip('.')}. --debug shows the traceback.",
        CnninspectError.exit_code,
    )


def _misused(error: Any) -> str:
    """Typer's message in our words: what is wrong, what is nearest, where to look."""
    message = _SUGGESTION.sub(r". Nearest: \1", " ".join(error.format_message().split())).rstrip(".")
    message = message[:1].lower() + message[1:].replace("Value error, ", "")
    command = error.ctx.command_path if error.ctx is not None else "cnninspect"
    return f"{message}. `{command} --help` lists what there is."
