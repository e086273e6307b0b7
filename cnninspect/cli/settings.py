"""Options from the configuration: each shared option is a key; its value is used if the command line has none.

`cnninspect config` shows the resulting values.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from textwrap import fill
from types import NoneType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

import typer

from cnninspect.checks import KINDS, Kind
from cnninspect.cli.config_file import (
    Config,
    Each,
    Reader,
    Schema,
    WrongValue,
    arguments,
    choice,
    read_config,
    shown,
    size,
    text,
    texts,
    truth,
    whole,
)
from cnninspect.cli.options import (
    LIST_FORMATS,
    BaselineOptions,
    BudgetOptions,
    ClaimOptions,
    Common,
    OutputOptions,
    RunOptions,
    ShownOptions,
    check_offered,
)
from cnninspect.cli.session import Session
from cnninspect.errors import UsageError
from cnninspect.plugins import load
from cnninspect.render import endings, format_of, names
from cnninspect.report.json_form import SCHEMA_VERSION
from cnninspect.report.quantities import parse_count, parse_memory, parse_share

if TYPE_CHECKING:
    from cnninspect.render.page import Screen

Result = TypeVar("Result")
Group = TypeVar("Group")
"""A dataclass of options."""

BUDGETS = "budgets"
TARGETS = "targets"
TARGET = "target"

_RENAMED = {"arg": "arguments", "input": "inputs"}
_FILES = ("output", "inputs_from", "baseline", "claims")
_NEVER = ("update_baseline", "since")
"""Options that have no key, because they must be given on the command line."""


class Source(str, Enum):
    """Where an option's value comes from."""

    COMMAND_LINE = "command line"
    FILE = "file"
    DEFAULT = "default"


def schema() -> Schema:
    """The keys of `[tool.cnninspect]`."""
    run, budgets = _keys(RunOptions), {key_of(name): _budget(kind) for name, kind in KINDS.items()}
    target: Schema = {TARGET: text, **run, **_keys(BaselineOptions), **_keys(ClaimOptions), BUDGETS: budgets}
    return {**run, **_keys(OutputOptions), BUDGETS: budgets, TARGETS: Each(target, TARGET)}


def _keys(group: type) -> dict[str, Reader]:
    hints = get_type_hints(group, include_extras=True)
    return {key_of(name): _READERS.get(name) or _reader(hint) for name, hint in hints.items() if name not in _NEVER}


def _format(value: Any) -> str:
    """The reader of a format's name."""
    if isinstance(value, str) and value not in names():
        load()
    if value not in names():
        raise WrongValue(f"one of {', '.join(names())}")
    return str(value)


_READERS: dict[str, Reader] = {"arg": arguments, "format": _format}
"""The readers of options whose type does not determine the reader."""


def key_of(name: str) -> str:
    """The key of an option, by the name of its field."""
    return _RENAMED.get(name, name.replace("_", "-"))


def _reader(hint: Any) -> Reader:
    """The reader for a field's type, which is annotated with the option."""
    declared, option = get_args(hint)[:2]
    if get_origin(declared) is list:
        return texts
    kind = next(kind for kind in get_args(declared) or (declared,) if kind is not NoneType)
    if issubclass(kind, Enum):
        return choice(kind)
    return {bool: truth, str: text}.get(kind) or whole(option.min)


def _budget(kind: Kind) -> Reader:
    """The reader of a limit: checks it and returns its text, as on the command line."""
    words = _LIMITS[kind.parse]

    def read(value: Any) -> str:
        written = size(value, words)
        kind.parse(written)
        return written

    return read


_LIMITS: dict[Callable[[str], Any], str] = {
    parse_count: 'a whole number or a size such as "5M"',
    parse_memory: 'a number of bytes or a size such as "200MB"',
    parse_share: 'a share such as "40%"',
}
"""Parser of a limit -> the form of the limit in messages."""


def table_of(group: type, config: Config) -> Mapping[str, Any]:
    """The file's values for a group of options, by key; empty for groups that only targets may set."""
    if group is BudgetOptions:
        budgets: Mapping[str, Any] = config.values.get(BUDGETS, {})
        return budgets
    return config.values if issubclass(group, (RunOptions, OutputOptions)) else {}


def configured(command: Callable[..., Result]) -> Callable[..., Result]:
    """`command` with the file's values for options that the command line does not give.

    Budgets are limits for TARGET: they are not used if it is compared with another network.
    """

    @functools.wraps(command)
    def wrapper(**values: Any) -> Result:
        context: typer.Context = values["context"]
        config = context.ensure_object(Session).config = read_config(schema())
        groups = {
            name: with_configured(value, table_of(type(value), config), context, config.file)
            for name, value in values.items()
            if dataclasses.is_dataclass(value) and not (isinstance(value, BudgetOptions) and values.get("other"))
        }
        for name, group in groups.items():
            if isinstance(group, OutputOptions) and source("format", config.values, context) is Source.DEFAULT:
                groups[name] = _as_its_file_is_called(group)
        return command(**{**values, **groups})

    return wrapper


def _as_its_file_is_called(output: OutputOptions) -> OutputOptions:
    """The options with the format for the ending of the output file; a table for a file without an ending.

    Raises UsageError for an unknown ending.
    """
    suffix = Path(output.output or "").suffix.lower()
    if not suffix:
        return output
    notes = () if format_of(suffix) is not None else load()
    found = format_of(suffix)
    if found is None:
        hint = f"Name it *{', *'.join(endings())}, or give --format."
        raise UsageError(" ".join((f"-o {output.output}: no format has the ending {suffix}. {hint}", *notes)))
    return dataclasses.replace(output, format=found)


def with_configured(group: Group, table: Mapping[str, Any], context: typer.Context, file: Path | None) -> Group:
    """The group with the table's values for options that the command line does not give."""
    changed = {
        field.name: _as_option(field.name, table[key_of(field.name)], file)
        for field in dataclasses.fields(group)  # type: ignore[arg-type]
        if source(field.name, table, context) is Source.FILE
    }
    return dataclasses.replace(group, **changed)  # type: ignore[type-var]


def source(name: str, table: Mapping[str, Any], context: typer.Context) -> Source:
    """The origin of an option's value: the command line, else the table in the file, else the default."""
    given = context.get_parameter_source(name)
    if given is not None and given.name == "COMMANDLINE":
        return Source.COMMAND_LINE
    return Source.FILE if key_of(name) in table else Source.DEFAULT


def _as_option(name: str, value: Any, file: Path | None) -> Any:
    """A value of the file in the form of the command line; file names are relative to the configuration's folder."""
    if name == "arg":
        return [f"{argument}={literal!r}" for argument, literal in value.items()]
    return beside_config(file, value) if name in _FILES else value


def beside_config(file: Path | None, name: str) -> str:
    """The path, relative to the working directory, of a file that is named relative to the configuration's folder."""
    return name if file is None else os.path.relpath(file.parent / name)


class Setting(NamedTuple):
    """One value in use, and its origin."""

    key: str
    value: Any
    source: str


def config(
    context: typer.Context, run: RunOptions, output: ShownOptions, budgets: BudgetOptions, _common: Common
) -> None:
    """Show the options that a command would use here, with those given to this one, and the origin of each."""
    from cnninspect.cli.reports import put
    from cnninspect.render import Format
    from cnninspect.render.page import Screen

    found = context.ensure_object(Session).config
    if any(source(name, found.values, context) is Source.COMMAND_LINE for name in ("format", "output")):
        check_offered(output.format, LIST_FORMATS)
    settings = [
        *_options(run, context, found),
        *_options(output, context, found),
        *_options(budgets, context, found, f"{BUDGETS}."),
        *_targets(found),
    ]
    screen = Screen() if output.output is not None or sys.stdout is None else Screen.of(sys.stdout)
    text = _json(settings, found) if output.format == Format.JSON else _table(settings, screen)
    put(text, output.output)


def _options(group: Any, context: typer.Context, found: Config, table: str = "") -> Iterator[Setting]:
    for field in dataclasses.fields(group):
        origin = source(field.name, table_of(type(group), found), context)
        where = shown(found.file) if origin is Source.FILE and found.file is not None else origin.value
        yield Setting(f"{table}{key_of(field.name)}", _plain(getattr(group, field.name)), where)


def _targets(found: Config) -> Iterator[Setting]:
    """One setting per value in the tables of targets."""
    for name, table in found.values.get(TARGETS, {}).items():
        flat = {**table, **{f"{BUDGETS}.{key}": value for key, value in table.get(BUDGETS, {}).items()}}
        for key, value in flat.items():
            if key != BUDGETS and found.file is not None:
                yield Setting(f"{TARGETS}.{name}.{key}", _plain(value), shown(found.file))


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _json(settings: list[Setting], found: Config) -> str:
    document = {
        "schema_version": SCHEMA_VERSION,
        "command": "config",
        "file": None if found.file is None else shown(found.file),
        "settings": {setting.key: {"value": setting.value, "source": setting.source} for setting in settings},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _table(settings: list[Setting], screen: Screen) -> str:
    """A table of key, value (as JSON, or `-`) and origin; if a terminal is too low, defaults side by side below it."""
    usual = [setting for setting in settings if setting.source == Source.DEFAULT.value]
    if screen.width is None or screen.height is None or not usual or len(settings) + 2 <= screen.height:
        return _lines(settings)
    names = ", ".join(each.key if each.value is None else f"{each.key} {_text(each.value)}" for each in usual)
    own = (
        _lines([each for each in settings if each not in usual])
        if len(usual) < len(settings)
        else "Nothing is set here.\n"
    )
    return f"{own}\n{fill(f'defaults: {names}', screen.width - 1, subsequent_indent='  ', break_on_hyphens=False)}\n"


def _lines(settings: list[Setting]) -> str:
    lines = [("key", "value", "from"), *((one.key, _text(one.value), one.source) for one in settings)]
    widths = [max(len(line[column]) for line in lines) for column in range(2)]
    return "".join(f"{key:<{widths[0]}}  {value:<{widths[1]}}  {origin}\n" for key, value, origin in lines)


def _text(value: Any) -> str:
    return "-" if value is None else json.dumps(value, ensure_ascii=False)
