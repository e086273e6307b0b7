"""`cnninspect config`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from enum import Enum
from typing import Any, NamedTuple

import typer

from cnninspect.cli.options import BudgetOptions, Common, OutputOptions, RunOptions
from cnninspect.cli.session import Session
from cnninspect.cli.settings import BUDGETS, TARGETS, Source, key_of, source, table_of
from cnninspect.config.file import Config, shown


class Setting(NamedTuple):
    """One value that is in force, and where it comes from."""

    key: str
    value: Any
    source: str


def config(
    context: typer.Context, run: RunOptions, output: OutputOptions, budgets: BudgetOptions, _common: Common
) -> None:
    """What is in force here, and where each value comes from."""
    from cnninspect.cli.output import put
    from cnninspect.render import Format

    found = context.ensure_object(Session).config
    settings = [
        *_options(run, context, found),
        *_options(output, context, found),
        *_options(budgets, context, found, f"{BUDGETS}."),
        *_targets(found),
    ]
    text = _json(settings, found) if output.format == Format.JSON else _table(settings)
    put(text, output.output)


def _options(group: Any, context: typer.Context, found: Config, table: str = "") -> Iterator[Setting]:
    for field in dataclasses.fields(group):
        origin = source(field.name, table_of(type(group), found), context)
        where = shown(found.file) if origin is Source.FILE and found.file is not None else origin.value
        yield Setting(f"{table}{key_of(field.name)}", _plain(getattr(group, field.name)), where)


def _targets(found: Config) -> Iterator[Setting]:
    """One setting for each value in the tables of targets, which only a file has."""
    for name, table in found.values.get(TARGETS, {}).items():
        flat = {**table, **{f"{BUDGETS}.{key}": value for key, value in table.get(BUDGETS, {}).items()}}
        for key, value in flat.items():
            if key != BUDGETS and found.file is not None:
                yield Setting(f"{TARGETS}.{name}.{key}", _plain(value), shown(found.file))


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _json(settings: list[Setting], found: Config) -> str:
    document = {
        "file": None if found.file is None else shown(found.file),
        "settings": {setting.key: {"value": setting.value, "source": setting.source} for setting in settings},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _table(settings: list[Setting]) -> str:
    """Three columns; a value as JSON writes it, `-` where there is none."""
    lines = [("key", "value", "from"), *((one.key, _text(one.value), one.source) for one in settings)]
    widths = [max(len(line[column]) for line in lines) for column in range(2)]
    return "".join(f"{key:<{widths[0]}}  {value:<{widths[1]}}  {origin}\n" for key, value, origin in lines)


def _text(value: Any) -> str:
    return "-" if value is None else json.dumps(value, ensure_ascii=False)
