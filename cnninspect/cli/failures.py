"""Every failure as one sentence and an exit code."""

from __future__ import annotations

import re
import traceback
from typing import Any

import typer

from cnninspect.cli.session import Session, say
from cnninspect.errors import CnninspectError, UsageError

INTERRUPTED = 130
MISUSE: Any = typer.BadParameter.__base__
"""What a wrong command line raises; its home is click or Typer, depending on Typer's version."""

_SUGGESTION = re.compile(r"\.? \(?(?:Did you mean|Possible options:) (.*?)\??\)?$")


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
