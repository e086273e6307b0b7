"""Values of constructor arguments: import paths become what they name, `config.depth` changes a part of `config`."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import inspect
import typing
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from cnninspect.errors import CnninspectError, LoadError, UsageError, error_text, nearest
from cnninspect.targets.grammar import FromFile, FromModule
from cnninspect.targets.loading import errors_as, find
from cnninspect.targets.signatures import parameters_of, required

_MISSING = inspect.Parameter.empty


def prepared(factory: Callable[..., Any], name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments for a call of the factory `name`, as values.

    A dotted name changes a copy of the argument that it reaches into: the one that is given, or the default of the
    factory, or an instance of the class that the factory's annotation states. Raises UsageError or LoadError.
    """
    whole = {key: _named(f"--arg {key}", value) for key, value in arguments.items() if "." not in key}
    changes: dict[str, Any] = {}
    for key, value in arguments.items():
        first, *path = key.split(".")
        if path:
            _put(changes.setdefault(first, {}), path, _named(f"--arg {key}", value), key)
    for key, parts in changes.items():
        start = whole[key] if key in whole else _start(factory, key)
        if start is None:
            raise UsageError(
                f"{name} has no value of {key} to change: it has no default, and its annotation names no class. "
                f"Give all of it, as --arg \"{key}={{'{next(iter(parts))}': VALUE}}\" for a dictionary."
            )
        whole[key] = _changed(start, parts, key)
    return whole


def _named(option: str, value: Any) -> Any:
    """The object that an import path names; any other value as it is."""
    if not isinstance(value, (FromModule, FromFile)):
        return value
    try:
        return find(value)[0]
    except CnninspectError as error:
        raise UsageError(f"{option}={value}: {error}") from error


def _put(changes: dict[str, Any], path: list[str], value: Any, key: str) -> None:
    """Files a change under its path; UsageError where another one changes the whole of a part."""
    for name in path[:-1]:
        changes = changes.setdefault(name, _Changes())
        if not isinstance(changes, _Changes):
            raise UsageError(f"--arg {key} changes a part of what another --arg gives. Keep one of them.")
    if path[-1] in changes:
        raise UsageError(f"--arg {key} gives the whole of what another --arg changes. Keep one of them.")
    changes[path[-1]] = value


class _Changes(dict[str, Any]):
    """Changes of a part, by the names of its members; a plain dictionary is a value."""


def _start(factory: Callable[..., Any], argument: str) -> Any:
    """The default of an argument, or else the class of its annotation; None if there is neither."""
    parameter = next((each for each in parameters_of(factory) or [] if each.name == argument), None)
    if parameter is not None and parameter.default not in (_MISSING, None):
        return parameter.default
    return _class_of(factory.__init__ if inspect.isclass(factory) else factory, argument)


def _class_of(owner: Any, name: str) -> type | None:
    """The class that annotates `name`, alone or beside None; None if there is none, or it is a builtin."""
    try:
        hint = typing.get_type_hints(owner).get(name)
    except Exception:  # an annotation may name what exists only for type checkers
        return None
    classes = [each for each in (*typing.get_args(hint), hint) if inspect.isclass(each) and each is not type(None)]
    own = [each for each in classes if each.__module__ not in ("builtins", "typing")]
    return own[0] if len(own) == 1 else None


def _changed(start: Any, changes: Mapping[str, Any], path: str) -> Any:
    """A copy of `start` with changed members; of a class, an instance that is made with them."""
    if inspect.isclass(start) and dataclasses.is_dataclass(start) and not required(start):
        start = _made(start, path)
    if inspect.isclass(start):
        parameters = parameters_of(start) or []
        if not any(each.kind is each.VAR_KEYWORD for each in parameters):
            _check(start, [each.name for each in parameters], changes, path)
        now: Callable[[str], Any] = partial(_class_of, start)
    else:
        others = [name for name in changes if _is_member(start, name)]
        _check(type(start), [*_names(start), *others], changes, path)
        now = partial(_get, start)
    members = {name: _member(partial(now, name), value, f"{path}.{name}") for name, value in changes.items()}
    return _made(partial(_with_members, start, members), path)


def _with_members(start: Any, members: Mapping[str, Any]) -> Any:
    if inspect.isclass(start):
        return start(**members)
    if isinstance(start, Mapping):
        return {**start, **members}
    if isinstance(start, (list, tuple)):
        items = [members.get(str(place), item) for place, item in enumerate(start)]
        return items if isinstance(start, list) else tuple(items)
    if dataclasses.is_dataclass(start):
        return _rebuilt(start, members)
    twin = copy.copy(start)
    for name, value in members.items():
        setattr(twin, name, value)
    return twin


def _member(now: Callable[[], Any], value: Any, path: str) -> Any:
    """A member's new value: the given one, or its present one with changes."""
    if not isinstance(value, _Changes):
        return value
    start = now()
    return dict(value) if start is None else _changed(start, value, path)


def _get(holder: Any, name: str) -> Any:
    if isinstance(holder, Mapping):
        return holder.get(name)
    return holder[int(name)] if isinstance(holder, (list, tuple)) else getattr(holder, name, None)


def _names(start: Any) -> list[str]:
    """The members of a value that can be changed."""
    if isinstance(start, Mapping):
        return [str(name) for name in start]
    if isinstance(start, (list, tuple)):
        return [str(place) for place in range(len(start))]
    if dataclasses.is_dataclass(start):
        return [each.name for each in dataclasses.fields(start) if each.init]
    return [] if isinstance(start, (int, float, str)) else [name for name in dir(start) if not name.startswith("_")]


def _is_member(start: Any, name: str) -> bool:
    """Whether an object has a value of this name, such as a property; a list and a number have none to change."""
    if isinstance(start, (Mapping, list, tuple, int, float, str)) or name.startswith("_"):
        return False
    return hasattr(start, name) and not callable(getattr(start, name))


def _check(kind: type, known: list[str], changes: Mapping[str, Any], path: str) -> None:
    """Raises UsageError, with the nearest names, for a member that does not exist; a dictionary takes new keys.

    A key that is spelt nearly like one of a dictionary is taken for a slip: code that does not know it ignores it.
    """
    for name in changes:
        near = nearest(name, known)
        if name in known or (issubclass(kind, Mapping) and not near):
            continue
        shown = f"It has {', '.join(near or known[:12])}" if known else "Give all of it, or leave this out"
        raise UsageError(f"--arg {path}.{name}: {path} ({kind.__name__}) has no {name!r}. {shown}.")


def _rebuilt(start: Any, members: Mapping[str, Any]) -> Any:
    """A dataclass made anew: what its constructor works out from other fields is worked out again."""
    kind: Any = type(start)
    given = {each.name: getattr(start, each.name) for each in dataclasses.fields(start) if each.init}
    for name, value in list(given.items()):
        others = {each: given[each] for each in given if each != name}
        with contextlib.suppress(Exception):  # a field without a default
            if getattr(kind(**others), name) == value:
                given = others
    fields = {name: value for name, value in members.items() if name in given or _is_field(kind, name)}
    extra = members.keys() - fields.keys()
    if not extra or any(each.kind is each.VAR_KEYWORD for each in parameters_of(kind) or []):
        return kind(**{**given, **members})
    twin = kind(**{**given, **fields})
    for name in extra:
        setattr(twin, name, members[name])
    return twin


def _is_field(kind: Any, name: str) -> bool:
    return any(each.name == name and each.init for each in dataclasses.fields(kind))


def _made(make: Callable[[], Any], path: str) -> Any:
    with errors_as(lambda error: LoadError(f"--arg {path}: {error_text(error)}. Give another value.")):
        return make()
