"""Writes files so that they are never incomplete, and keeps small ones between runs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

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


# -- the cache -------------------------------------------------------------------------------------------------------

MOST_KEPT = 200 * 2**20
"""Bytes that the cache may take; the entries that were not used for longest are removed first."""

FOLDER_VARIABLE = "CNNINSPECT_CACHE_DIR"
"""Environment variable with another folder for the cache; if it is empty, nothing is kept."""


def cache_folder() -> Path | None:
    """The folder of the cache, which may not exist yet; None if nothing is to be kept."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named is not None:
        return Path(named) if named else None
    from platformdirs import user_cache_path

    return user_cache_path("cnninspect", appauthor=False)


def kept(key: Any) -> Any:
    """The value that was kept under a key, both plain data; None if there is none, or its file is damaged."""
    file = _file_of(key)
    if file is None:
        return None
    try:
        digest, _, text = file.read_text(encoding="utf-8").partition("\n")
        entry = json.loads(text) if sha256(text.encode()).hexdigest() == digest else {}
    except (OSError, ValueError):
        return None
    if entry.get("key") != json.loads(json.dumps(key)):
        return None
    with contextlib.suppress(OSError):
        os.utime(file)
    return entry["value"]


def keep(key: Any, value: Any) -> None:
    """Keep a value under a key for later runs; nothing happens where the folder cannot be written."""
    file = _file_of(key)
    if file is None:
        return
    text = json.dumps({"key": key, "value": value})
    with contextlib.suppress(OSError, OutputError):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, f"{sha256(text.encode()).hexdigest()}\n{text}")
        _remove_oldest(MOST_KEPT)


def cache_entries() -> list[tuple[Path, os.stat_result]]:
    """The files of the cache, those that were used last first."""
    folder = cache_folder()
    found = []
    for file in folder.glob("*.json") if folder is not None else ():
        with contextlib.suppress(OSError):  # Another process may have removed it.
            found.append((file, file.stat()))
    return sorted(found, key=lambda entry: entry[1].st_mtime, reverse=True)


def clear_cache() -> int:
    """Removes all entries, and returns their number; raises OutputError if one cannot be removed."""
    entries = cache_entries()
    for file, _ in entries:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"cannot remove {file}: {cause_of(error)}. Remove the folder {file.parent}.") from error
    return len(entries)


def _remove_oldest(most: int) -> None:
    taken = 0
    for file, about in cache_entries():
        taken += about.st_size
        if taken > most:
            file.unlink(missing_ok=True)


def _file_of(key: Any) -> Path | None:
    folder = cache_folder()
    return None if folder is None else folder / f"{sha256(json.dumps(key).encode()).hexdigest()[:32]}.json"
