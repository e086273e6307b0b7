"""Walks through nested arguments and results: tuples, named tuples, lists, mappings and dataclasses.

All other objects are leaves. Does not import torch.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

_PLAIN = {int, float, bool, str, type(None)}


def children(value: Any) -> Mapping[Any, Any] | None:
    """The items of a container by position, key or field; None for a leaf."""
    if type(value) in _PLAIN:
        return None
    if isinstance(value, (tuple, list)):
        return dict(enumerate(value))
    if isinstance(value, Mapping):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in _set_fields(value)}
    return None


def leaves(tree: Any, kind: type[T]) -> list[T]:
    """Every object of this type in the tree, depth first."""
    found: list[T] = []
    _gather(tree, kind, found)
    return found


def _gather(tree: Any, kind: type[T], found: list[T]) -> None:
    """Adds the objects of this type to `found`. Every op is walked, so no generators and no copies of tuples."""
    if isinstance(tree, kind):
        found.append(tree)
    elif isinstance(tree, (tuple, list)):
        for item in tree:
            _gather(item, kind, found)
    elif items := children(tree):
        for item in items.values():
            _gather(item, kind, found)


def named_leaves(tree: Any, kind: type[T], name: str = "") -> Iterator[tuple[str, T]]:
    """(name, object) for every object of this type; `0.image` is the item "image" of the first argument."""
    if isinstance(tree, kind):
        yield name, tree
    else:
        for key, item in (children(tree) or {}).items():
            yield from named_leaves(item, kind, f"{name}.{key}" if name else str(key))


def map_leaves(tree: Any, kind: type[T], change: Callable[[str, T], Any], name: str = "") -> Any:
    """The tree with every object of this type replaced by `change(name, object)`.

    Containers without changes are kept; others are rebuilt with the same type.
    """
    if isinstance(tree, kind):
        return change(name, tree)
    items = children(tree)
    if items is None:
        return tree
    changed = {
        key: map_leaves(item, kind, change, f"{name}.{key}" if name else str(key)) for key, item in items.items()
    }
    return tree if all(changed[key] is items[key] for key in items) else _rebuilt(tree, changed)


def map_arguments(
    args: tuple[Any, ...], kwargs: Mapping[str, Any], kind: type[T], change: Callable[[str, T], Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call with objects of this type replaced, as by `map_leaves`; "0" is the first argument."""
    return map_leaves(tuple(args), kind, change), map_leaves(dict(kwargs), kind, change)


def _rebuilt(tree: Any, items: Mapping[Any, Any]) -> Any:
    if isinstance(tree, list):
        return list(items.values())
    if isinstance(tree, tuple):
        make = getattr(tree, "_make", type(tree))
        return make(items.values())
    if isinstance(tree, Mapping) and not hasattr(tree, "__setitem__"):
        return dict(items)
    # A copy keeps attributes that are no fields, and calls no constructor.
    made = copy.copy(tree)
    for key, item in items.items():
        if isinstance(tree, Mapping):
            made[key] = item
        else:
            object.__setattr__(made, key, item)
    return made


def _set_fields(value: Any) -> Iterator[dataclasses.Field[Any]]:
    """The fields of a dataclass that are set."""
    return (field for field in dataclasses.fields(value) if hasattr(value, field.name))
