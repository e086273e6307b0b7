"""Finds `[tool.cnninspect]`, reads it, and checks its keys and values against a schema."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from cnninspect.errors import UsageError, nearest
from cnninspect.files import cause_of

NAME = "pyproject.toml"
TABLE = "cnninspect"


@dataclass(frozen=True)
class Config:
    """The values of a configuration file by key; `file` is None if there is no file."""

    file: Path | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


def read_config(schema: Schema, start: Path | None = None) -> Config:
    """The configuration in the nearest pyproject.toml with `[tool.cnninspect]`, in `start` or a folder above it.

    `start` is the working directory by default. Raises UsageError for an unreadable file, unknown key or wrong value.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        file = folder / NAME
        tool = _tool(file) if file.is_file() else {}
        if TABLE in tool:
            return Config(file, read_table(tool[TABLE], schema, Place(shown(file))))
    return Config()


def _tool(file: Path) -> Mapping[str, Any]:
    """The file's `tool` table. A file without the word cnninspect is not parsed, so its errors do not matter here."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
        tool = tomllib.loads(text).get("tool") if TABLE in text else None
        return tool if isinstance(tool, Mapping) else {}
    except OSError as error:
        raise UsageError(f"cannot read {shown(file)}: {cause_of(error)}. Make it readable, or run elsewhere.") from None
    except ValueError as error:
        raise UsageError(f"{shown(file)} is not TOML: {str(error).rstrip('.')}. Correct the file.") from None


def shown(file: Path) -> str:
    """The file's path in messages, relative to the working directory."""
    return os.path.relpath(file)


class WrongValue(ValueError):
    """A value of the wrong type; the message completes the sentence `KEY must be ...`."""


Reader = Callable[[Any], Any]
"""A function: value in TOML -> option. Raises WrongValue, or another ValueError with a complete message."""


@dataclass(frozen=True)
class Each:
    """A table of tables with arbitrary names. A string in place of a table stands for a table with the key `short`."""

    schema: Schema
    short: str


Schema = Mapping[str, "Reader | Each | Schema"]
"""Key, with dashes -> the reader of its value, or the schema of its table."""


@dataclass(frozen=True)
class Place:
    """A table's file and name, for messages: `pyproject.toml: [tool.cnninspect.budgets]`."""

    file: str
    table: str = "tool.cnninspect"

    def below(self, key: str) -> Place:
        """The place of a table in this one."""
        return Place(self.file, f"{self.table}.{key}")

    def __str__(self) -> str:
        return f"{self.file}: [{self.table}]"


def read_table(table: Any, schema: Schema, place: Place) -> dict[str, Any]:
    """Key, with dashes -> value, for the keys of a table, which may be written with underscores.

    Raises UsageError, with place and key, for an unknown key or a wrong value.
    """
    _check_is_table(table, place)
    found: dict[str, Any] = {}
    for written, value in table.items():
        key = str(written).replace("_", "-")
        if key not in schema:
            raise UsageError(f"{place} has no key {written!r}. {_nearest(str(written), schema)}")
        if key in found:
            raise UsageError(f"{place} has {key!r} twice, with a dash and with an underscore. Keep one of them.")
        found[key] = _value(value, schema[key], place, key)
    return found


def _value(value: Any, entry: Reader | Each | Schema, place: Place, key: str) -> Any:
    if isinstance(entry, Mapping):
        return read_table(value, entry, place.below(key))
    if isinstance(entry, Each):
        return _each(value, entry, place.below(key))
    try:
        return entry(value)
    except WrongValue as error:
        raise UsageError(f"{place} {key} must be {error}, not {_shown(value)}.") from None
    except ValueError as error:
        raise UsageError(f"{place} {key}: {error}.") from None


def _each(table: Any, entry: Each, place: Place) -> dict[str, dict[str, Any]]:
    _check_is_table(table, place)
    found = {}
    for name, value in table.items():
        whole = {entry.short: value} if isinstance(value, str) else value
        found[name] = read_table(whole, entry.schema, place.below(name))
        if entry.short not in found[name]:
            raise UsageError(
                f'{place.below(name)} lacks the key {entry.short!r}. Write {entry.short} = "resnet18" there.'
            )
    return found


def _check_is_table(table: Any, place: Place) -> None:
    if not isinstance(table, Mapping):
        raise UsageError(f"{place} must be a table, not {_shown(table)}. Write [{place.table}] and its keys below.")


def _nearest(key: str, schema: Schema) -> str:
    near = nearest(key, schema)
    return f"Nearest: {', '.join(near)}." if near else f"Keys: {', '.join(schema)}."


def _shown(value: Any) -> str:
    """A value as text in a message, in about the form of TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    return "a table" if isinstance(value, Mapping) else repr(value)


# --- readers ------------------------------------------------------------------------------------------------------


def text(value: Any) -> str:
    """A string."""
    if not isinstance(value, str):
        raise WrongValue("a string")
    return value


def truth(value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise WrongValue("true or false")
    return value


def whole(least: int | None = None) -> Reader:
    """The reader of a whole number that is not less than `least`."""
    words = "a whole number" if least is None else f"a whole number from {least}"

    def read(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or (least is not None and value < least):
            raise WrongValue(words)
        return value

    return read


def choice(options: type[Enum]) -> Reader:
    """The reader of one of an enumeration's values."""
    names = [str(option.value) for option in options]

    def read(value: Any) -> Enum:
        if value not in names:
            raise WrongValue(f"one of {', '.join(names)}")
        return options(value)

    return read


def texts(value: Any) -> list[str]:
    """A list of strings."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise WrongValue("a list of strings")
    return value


def arguments(value: Any) -> dict[str, Any]:
    """A table of numbers, strings, booleans and lists of these."""
    if not isinstance(value, Mapping) or not all(map(_is_literal, value.values())):
        raise WrongValue("a table of numbers, strings, true, false and lists of them")
    return dict(value)


def _is_literal(value: Any) -> bool:
    return all(map(_is_literal, value)) if isinstance(value, list) else isinstance(value, (bool, int, float, str))


def size(value: Any, words: str) -> str:
    """The text of a number or size; `words` describe the expected form in the message of WrongValue."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise WrongValue(words)
    return str(value)
