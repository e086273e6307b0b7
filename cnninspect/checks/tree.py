"""The rows of a report as a tree of layers, in a form that two networks can be compared in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cnninspect.report.json_form import frozen, plain
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
