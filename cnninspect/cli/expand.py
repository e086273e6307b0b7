"""Commands take their options as a few dataclasses; Typer sees one option per field.

A group of options is written once, with its defaults, and every command that takes it lists it as one parameter.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, get_type_hints

Result = TypeVar("Result")


def expanded(command: Callable[..., Result]) -> Callable[..., Result]:
    """`command` with a keyword for each field of its dataclass parameters, and otherwise unchanged."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if dataclasses.is_dataclass(hint)}
    parameters = inspect.signature(command).parameters

    @functools.wraps(command)
    def wrapper(**values: Any) -> Result:
        for name, group in groups.items():
            fields = [field.name for field in dataclasses.fields(group)]
            values[name] = group(**{field: values.pop(field) for field in fields})
        return command(**values)

    plain = [
        parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in parameters.items()
        if name not in groups
    ]
    options = [option for group in groups.values() for option in _options(group)]
    wrapper.__dict__["__signature__"] = inspect.Signature([*plain, *options])
    wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in (*plain, *options)}
    del wrapper.__dict__["__wrapped__"]
    return wrapper


def _options(group: Any) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for field in dataclasses.fields(group):
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        yield inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hints[field.name]
        )
