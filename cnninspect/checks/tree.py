"""The rows of a report as a tree of layers, and how alike two nodes of two such trees are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from cnninspect.ops import catalogue
from cnninspect.ops.catalogue import same_setting
from cnninspect.ops.registry import FUNCTIONS, MODULES
from cnninspect.report.json_rows import frozen, plain
from cnninspect.report.rows import Row

Numbering = dict[Hashable, int]
"""Numbers for things that are equal, shared by the trees that are to be compared."""


@dataclass(eq=False)
class Node:
    """A row and what is below it.

    `name` is the row's path from its caller on; for a functional call, which has no name of its own, its kind. Nodes
    have the same `content` if kind, hyper-parameters and contents below are the same, and the same `look` if they also
    agree in numbers and name, positions in a sequence aside.
    """

    row: Row
    name: str
    children: list[Node] = field(default_factory=list)
    content: int = -1
    look: int = -1

    @property
    def is_whole(self) -> bool:
        """Whether nothing is shown below it: a leaf, or a container that a saved report shows folded."""
        return not self.children

    @cached_property
    def pattern(self) -> str:
        """The name with every position in a sequence left open: `blocks.#.conv`."""
        return ".".join("#" if part.isdigit() else part for part in self.name.split("."))

    @property
    def key(self) -> tuple[str, int]:
        """What sets it apart from its siblings: its name and the number of the use."""
        return self.name, self.row.call

    @property
    def has_own_name(self) -> bool:
        """Whether somebody gave it its name: it is neither a function nor known by a position alone."""
        return not self.row.functional and self.pattern == self.name

    @cached_property
    def parts(self) -> Counter[int]:
        """How often which content stands below, leaves alone."""
        if self.is_whole:
            return Counter((self.content,))
        return sum((child.parts for child in self.children), Counter())

    def leaves(self) -> Iterator[Node]:
        """The nodes below it, or itself, that have nothing below them."""
        if self.is_whole:
            yield self
        for child in self.children:
            yield from child.leaves()


def is_layer(row: Row) -> bool:
    """Whether the row is part of a comparison: views and indexing, which any rewriting changes, are not."""
    return row.layer_like or not row.functional


def forest(rows: Sequence[Row], numbering: Numbering) -> list[Node]:
    """The trees of these rows, usually one; `numbering` is filled on the way."""
    nodes: list[Node | None] = []
    roots: list[Node] = []
    for row in rows:
        above = None if row.parent is None else nodes[row.parent]
        node = Node(row, _name(row, above)) if is_layer(row) else None
        nodes.append(node)
        if node is not None:
            (roots if above is None else above.children).append(node)
    for node in reversed(nodes):
        if node is not None:
            node.content = numbering.setdefault(_content(node), len(numbering))
            node.look = numbering.setdefault((node.content, node.pattern, _numbers(node.row)), len(numbering))
    return roots


def settings(row: Row) -> Mapping[str, Any]:
    """The hyper-parameters in the form in which a saved report has the same as a fresh one."""
    return {name: frozen(plain(value)) for name, value in row.hyperparameters.items()}


def _name(row: Row, above: Node | None) -> str:
    if row.functional:
        return row.kind
    return row.path.removeprefix(f"{above.row.path}.") if above is not None and above.row.path else row.path


def _content(node: Node) -> Hashable:
    own = tuple(sorted((name, repr(value)) for name, value in settings(node.row).items()))
    return (node.row.kind, own, tuple(child.content for child in node.children))


def _numbers(row: Row) -> Hashable:
    return tuple(None if number is None else number.value for number in (row.output_shape, row.params, row.macs))


SAME_CONTENT = SAME_NAME = SAME_KIND = ALL_SETTINGS = ALL_NUMBERS = 4
SAME_FAMILY = 3
SAME_POSITION = 1
_SCALE = 2**20
"""Beats any number of rows, so that keys decide only between alignments that are equally good without them."""


class Scores:
    """How much rows look like each of `others`. Networks are full of rows that look the same: they are judged once."""

    def __init__(self, others: Sequence[Node]):
        self._others = others
        self._places = {node.key: place for place, node in enumerate(others)}
        self._looks = {node.look: node for node in others}
        self._known: dict[int, list[int]] = {}

    def of(self, one: Node) -> list[int]:
        """For each of the others how much it is like the counterpart of `one`, 0 if it cannot be."""
        if one.look not in self._known:
            by_look = {look: _scaled(score(one, other, placed=False)) for look, other in self._looks.items()}
            self._known[one.look] = [by_look[other.look] for other in self._others]
        found = list(self._known[one.look])
        place = self._places.get(one.key)
        if place is not None:
            placed = _scaled(score(one, self._others[place], placed=True))
            found[place] = placed and placed + 1
        return found


@cache
def family_of(kind: str) -> str:
    """The formula of a kind, which a module shares with its functional form; the kind itself if there is none."""
    catalogue.load()
    if kind in MODULES:
        return MODULES[kind].name
    return FUNCTIONS[kind][0].name if kind in FUNCTIONS else kind


def score(one: Node, other: Node, *, placed: bool) -> float:
    """Up to 20 for rows that agree in name, kind, content and numbers, 0 for rows that are no counterparts.

    `placed` says whether both have the same key. A leaf is never the counterpart of a container. A position in a
    sequence says less than a name, and nothing where contents are the same: a layer that was inserted moves all that
    follow.
    """
    kin = _kinship(one, other)
    named = placed and one.has_own_name and other.has_own_name
    if one.row.leaf is not other.row.leaf or not (kin or named):
        return 0
    if one.content == other.content:
        return SAME_NAME * named + kin + ALL_SETTINGS + SAME_CONTENT + _equal_numbers(one, other)
    alike = (_same_settings if one.row.leaf else _same_parts)(one, other)
    if not placed and alike < 1 / 2:
        return 0
    place = SAME_NAME if named else SAME_POSITION if placed else 0
    return place + kin + ALL_SETTINGS * alike + _equal_numbers(one, other)


def _scaled(score: float) -> int:
    return round(score * _SCALE)


def _kinship(one: Node, other: Node) -> int:
    if one.row.kind == other.row.kind:
        return SAME_KIND
    return SAME_FAMILY if not one.row.leaf or family_of(one.row.kind) == family_of(other.row.kind) else 0


def _same_settings(one: Node, other: Node) -> float:
    """The part of the hyper-parameters that both have and that agree; a function states fewer than its module."""
    first, second = settings(one.row), settings(other.row)
    shared = first.keys() & second.keys()
    if not shared:
        return 1 if first == second else 1 / 2
    return sum(same_setting(first[name], second[name]) for name in shared) / len(shared)


def _same_parts(one: Node, other: Node) -> float:
    """The part of the layers below that both contain."""
    shared = (one.parts & other.parts).total()
    return 2 * shared / ((one.parts.total() + other.parts.total()) or 1)


def _equal_numbers(one: Node, other: Node) -> int:
    first, second = one.row, other.row
    pairs = ((first.output_shape, second.output_shape), (first.params, second.params), (first.macs, second.macs))
    shape, params, macs = (one is not None and other is not None and one.value == other.value for one, other in pairs)
    return ALL_NUMBERS // 2 * shape + params + macs
