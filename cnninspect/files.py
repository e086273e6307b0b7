"""Writes files so that they are never incomplete."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from cnninspect.errors import OutputError

_ELSEWHERE = "Name a file somewhere else."


def check_writable(file: str | None) -> None:
    """Raises OutputError if a file cannot be written; called before the model runs."""
    if file is None:
        return
    if not file:
        raise OutputError("the name of the file to write is empty. Give it a name.")
    path = Path(file)
    if path.is_dir():
        raise OutputError(f"cannot write {file}: it is a directory. Name a file in it.")
    if not path.parent.is_dir():
        make = f"`mkdir -p {path.parent}` makes it"
        raise OutputError(f"cannot write {file}: there is no directory {path.parent}. {make}.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise OutputError(f"cannot write {file}: permission denied. Name a file that you may write.")


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a temporary file and rename it, so that the file is never incomplete; raises OutputError."""
    if path.exists() and not path.is_file():
        return _write(path, content, path)
    path = path.resolve()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        _write(temporary, content, path)
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {cause_of(error)}. {_ELSEWHERE}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return None


def cause_of(error: OSError) -> str:
    """The system's message as a part of a sentence: `permission denied`."""
    return (error.strerror or type(error).__name__).lower()


def _write(path: Path, content: str | bytes, wanted: Path) -> None:
    try:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise OutputError(f"cannot write {wanted}: {cause_of(error)}. {_ELSEWHERE}") from error
