"""Find and read `[tool.cnninspect]`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnninspect.config.schema import Place, Schema, read_table
from cnninspect.errors import UsageError

NAME = "pyproject.toml"
TABLE = "cnninspect"


@dataclass(frozen=True)
class Config:
    """What a file says, by key; `file` is None without one."""

    file: Path | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


def read_config(schema: Schema, start: Path | None = None) -> Config:
    """The configuration of the nearest pyproject.toml with a `[tool.cnninspect]`, from `start` (here) upwards.

    Raises UsageError for a file that cannot be read, for an unknown key and for a wrong value.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        file = folder / NAME
        tool = _tool(file) if file.is_file() else {}
        if TABLE in tool:
            return Config(file, read_table(tool[TABLE], schema, Place(shown(file))))
    return Config()


def _tool(file: Path) -> Mapping[str, Any]:
    """The file's `tool` table. A file that does not even name ours is nobody's mistake here, whatever it holds."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
        tool = tomllib.loads(text).get("tool") if TABLE in text else None
        return tool if isinstance(tool, Mapping) else {}
    except OSError as error:
        raise UsageError(f"cannot read {shown(file)}: {(error.strerror or str(error)).lower()}.") from None
    except ValueError as error:
        raise UsageError(f"{shown(file)} is not TOML: {str(error).rstrip('.')}.") from None


def shown(file: Path) -> str:
    """The file's path as messages name it: from here."""
    return os.path.relpath(file)
