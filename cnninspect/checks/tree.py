"""The rows of a report as a tree of layers, and the similarity of nodes of two trees."""

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
"""Value -> number, the same for equal values; shared by the trees that are compared."""


@dataclass(eq=False)
class Node:
    """A row and its children.

    `name` is the row's path relative to its caller; for a functional call, its kind. Nodes have the same `content` if
    kind, hyper-parameters and contents of children are equal, and the same `signature` if their numbers and names,
    apart from positions in a sequence, are equal, too.
    """

    row: Row
    name: str
    children: list[Node] = field(default_factory=list)
    content: int = -1
    signature: int = -1

    @property
    def is_leaf(self) -> bool:
        """Whether it has no children: a leaf row, or a container whose rows a saved report leaves out."""
        return not self.children

    @cached_property
    def pattern(self) -> str:
        """The name with positions in a sequence replaced: `blocks.#.conv`."""
        return ".".join("#" if part.isdigit() else part for part in self.name.split("."))

    @property
    def key(self) -> tuple[str, int]:
        """The identity among its siblings: name and number of the use."""
        return self.name, self.row.call

    @property
    def has_own_name(self) -> bool:
        """Whether it is a module whose name contains no position in a sequence."""
        return not self.row.functional and self.pattern == self.name

    @cached_property
    def parts(self) -> Counter[int]:
        """Content -> number of leaves with that content below the node."""
        if self.is_leaf:
            return Counter((self.content,))
        return sum((child.parts for child in self.children), Counter())

    def leaves(self) -> Iterator[Node]:
        """The leaves below it; itself if it has no children."""
        if self.is_leaf:
            yield self
        for child in self.children:
            yield from child.leaves()


def is_layer(row: Row) -> bool:
    """Whether the row is compared: views and indexing are not, since they change with every refactoring."""
    return row.layer_like or not row.functional


def forest(rows: Sequence[Row], numbering: Numbering) -> list[Node]:
    """The trees of these rows, usually one. Adds to `numbering`."""
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
            node.signature = numbering.setdefault((node.content, node.pattern, _numbers(node.row)), len(numbering))
    return roots


def settings(row: Row) -> Mapping[str, Any]:
    """The hyper-parameters in the form that they have after writing to JSON and reading back."""
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
"""Larger than any number of rows, so that equal keys only decide between alignments of equal score."""


class Scores:
    """Similarity of a row to each of `others`. Scores are cached by signature, since many rows are alike."""

    def __init__(self, others: Sequence[Node]):
        self._others = others
        self._places = {node.key: place for place, node in enumerate(others)}
        self._by_signature = {node.signature: node for node in others}
        self._known: dict[int, list[int]] = {}

    def of(self, one: Node) -> list[int]:
        """The score of `one` with each of the others; 0 if they cannot be counterparts."""
        if one.signature not in self._known:
            scores = {
                signature: _scaled(score(one, other, placed=False)) for signature, other in self._by_signature.items()
            }
            self._known[one.signature] = [scores[other.signature] for other in self._others]
        found = list(self._known[one.signature])
        place = self._places.get(one.key)
        if place is not None:
            placed = _scaled(score(one, self._others[place], placed=True))
            found[place] = placed and placed + 1
        return found


@cache
def family_of(kind: str) -> str:
    """The name of the formula of a kind, the same for a module and its functional form; the kind if there is none."""
    catalogue.load()
    if kind in MODULES:
        return MODULES[kind].name
    return FUNCTIONS[kind][0].name if kind in FUNCTIONS else kind


def score(one: Node, other: Node, *, placed: bool) -> float:
    """The similarity of two rows: 20 if name, kind, content and numbers agree, 0 if they cannot be counterparts.

    `placed` says whether both have the same key. A leaf is never the counterpart of a container. An equal position in a
    sequence counts less than an equal name, and nothing if contents are equal, because an inserted layer shifts all
    later positions.
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
    """The fraction of equal hyper-parameters among those that both have; a function has fewer than its module."""
    first, second = settings(one.row), settings(other.row)
    shared = first.keys() & second.keys()
    if not shared:
        return 1 if first == second else 1 / 2
    return sum(same_setting(first[name], second[name]) for name in shared) / len(shared)


def _same_parts(one: Node, other: Node) -> float:
    """The fraction of leaves that both contain (Dice coefficient)."""
    shared = (one.parts & other.parts).total()
    return 2 * shared / ((one.parts.total() + other.parts.total()) or 1)


def _equal_numbers(one: Node, other: Node) -> int:
    first, second = one.row, other.row
    pairs = ((first.output_shape, second.output_shape), (first.params, second.params), (first.macs, second.macs))
    shape, params, macs = (one is not None and other is not None and one.value == other.value for one, other in pairs)
    return ALL_NUMBERS // 2 * shape + params + macs
