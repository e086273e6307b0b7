"""The allow-list: one rule for each ATen op whose effect on receptive fields is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from cnninspect.receptive.reach import Reach
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op

FAMILIES = ("movement", "blocks", "indexing", "elementwise", "windows", "mixing", "norms")
"""The files of rules, `rules_<family>.py`; importing one enters its rules."""

Result = Reach | tuple[Reach, ...]
Rule = Callable[..., Result]
"""Takes the op, then the op's own arguments with a Reach for each tensor; returns the reach of its results."""

RULES: dict[str, Rule] = {}

CREATES: set[str] = set()
"""Ops whose result does not depend on what their tensor arguments hold."""

READS_BY_DATA: set[str] = set()
"""Ops that read where their data say."""


class NoRule(Exception):
    """The op has a rule, but not for these arguments."""


class ReadByData(NoRule):
    """With these arguments the op reads where its data say."""


def load() -> None:
    """Enter the rules of every family."""
    for family in FAMILIES:
        import_module(f"cnninspect.receptive.rules_{family}")


def rule(*packets: str) -> Callable[[Rule], Rule]:
    """Enter a rule for ops; entering one for an op that has one is an error."""

    def enter(function: Rule) -> Rule:
        for packet in packets:
            _refuse_second(packet)
            RULES[packet] = function
        return function

    return enter


def enter_all(table: set[str], names: str) -> None:
    """Enter ATen ops, given by their names with blanks between, in one of the tables."""
    for name in names.split():
        _refuse_second(f"aten.{name}")
        table.add(f"aten.{name}")


def _refuse_second(packet: str) -> None:
    if packet in RULES or packet in CREATES or packet in READS_BY_DATA:
        raise ValueError(f"{packet} has a rule already")


def wrapped(dim: int, rank: int) -> int:
    """A dimension counted from the front."""
    return dim % max(rank, 1)


def each(value: Any, axes: int) -> tuple[int, ...]:
    """A parameter given once or per axis, per axis."""
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * axes if len(values) == 1 else values


def dims_of(dims: Any, rank: int) -> tuple[int, ...]:
    """A `dim` argument as dimensions counted from the front; all of them for None and for an empty list."""
    if dims is None or (not isinstance(dims, int) and not dims):
        return tuple(range(rank))
    return tuple(wrapped(dim, rank) for dim in ([dims] if isinstance(dims, int) else dims))


def reaches(tree: Any) -> Iterable[Reach]:
    """Every Reach in an op's arguments, in order."""
    if isinstance(tree, Reach):
        yield tree
    elif isinstance(tree, (tuple, list)):
        for item in tree:
            yield from reaches(item)


def shape_of(op: Op, result: int = 0) -> Shape:
    """The shape of one of the op's results."""
    return op.outputs[result].shape
