"""Every failure as one sentence and an exit code."""

from __future__ import annotations

import re
import traceback

import typer

from cnninspect.cli.session import Session, say
from cnninspect.errors import CnninspectError, UsageError

INTERRUPTED = 130
_DID_YOU_MEAN = re.compile(r"\.? \(?Did you mean (.*?)\?\)?$")


def failed(error: BaseException, session: Session) -> int:
    """Say what went wrong and return the exit code; the traceback is shown under `--debug` only."""
    if session.debug:
        traceback.print_exception(error)
    message, code = _verdict_on(error)
    say(message)
    return code


def _verdict_on(error: BaseException) -> tuple[str, int]:
    if isinstance(error, CnninspectError):
        return str(error), error.exit_code
    if isinstance(error, typer.TyperException):
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


def _misused(error: typer.TyperException) -> str:
    """Typer's message in our words: what is wrong, what is nearest, where to look."""
    message = _DID_YOU_MEAN.sub(r". Nearest: \1", " ".join(error.format_message().split())).rstrip(".?")
    message = message[:1].lower() + message[1:].replace("Value error, ", "")
    near = getattr(error, "possibilities", None)
    if near:
        message = f"{message.partition(' (Possible')[0]}. Nearest: {', '.join(near)}"
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "cnninspect"
    return f"{message}. `{command} --help` lists what there is."
