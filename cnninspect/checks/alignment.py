"""Finds the corresponding rows of two networks.

Siblings are aligned with siblings, from the root down. Modules with the same name and kind are paired first; the rows
between such pairs are aligned by edit distance, with the similarity scores of `tree.py`.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from cnninspect.checks.tree import Node, Numbering, Scores, forest
from cnninspect.report.rows import Row


@dataclass(frozen=True)
class Pair:
    """An expected row and the corresponding found row; None where a network has no such row.

    A block that only one network has is one pair.
    """

    expected: Node | None
    found: Node | None

    @property
    def is_renamed(self) -> bool:
        """Whether the two rows have different names, apart from positions in a sequence."""
        if self.expected is None or self.found is None or self.expected.row.functional or self.found.row.functional:
            return False
        return self.expected.pattern != self.found.pattern


def align(expected: Sequence[Row], found: Sequence[Row], *, through_blocks: bool = False) -> list[Pair]:
    """Pairs that hold every row of both networks once, in execution order.

    With `through_blocks`, nesting is ignored for unmatched blocks: where unmatched blocks of both networks are
    neighbours, their leaves are aligned with each other.
    """
    numbering: Numbering = {}
    pairs = _aligned(forest(expected, numbering), forest(found, numbering))
    return list(_regrouped(pairs) if through_blocks else pairs)


def _regrouped(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """The pairs; adjacent unmatched blocks of both networks are replaced by the alignment of their leaves."""
    for is_alone, run in groupby(pairs, lambda pair: pair.expected is None or pair.found is None):
        together = list(run)
        old = [leaf for pair in together if pair.expected is not None for leaf in _unpacked(pair.expected)]
        new = [leaf for pair in together if pair.found is not None for leaf in _unpacked(pair.found)]
        yield from (Pair(*both) for both in _edits(old, new)) if is_alone and old and new else together


def _unpacked(node: Node) -> Iterator[Node]:
    """The leaves of a block, with their full paths as names."""
    for leaf in node.leaves():
        yield leaf if leaf.row.functional else replace(leaf, name=leaf.row.path)


def _aligned(old: list[Node], new: list[Node]) -> Iterator[Pair]:
    for one, other in _siblings(old, new):
        yield Pair(one, other)
        if one is not None and other is not None and one.children and other.children:
            yield from _aligned(one.children, other.children)


Siblings = Iterator[tuple[Node | None, Node | None]]


def _siblings(old: list[Node], new: list[Node]) -> Siblings:
    if [node.name for node in old] == [node.name for node in new]:
        for one, other in zip(old, new, strict=True):
            yield from [(one, other)] if one.row.leaf is other.row.leaf else [(one, None), (None, other)]
        return
    start, begin = 0, 0
    for index, place in [*_anchors(old, new), (len(old), len(new))]:
        yield from _between(old[start:index], new[begin:place])
        yield from zip(old[index : index + 1], new[place : place + 1], strict=True)
        start, begin = index + 1, place + 1


def _anchors(old: list[Node], new: list[Node]) -> list[tuple[int, int]]:
    """Index pairs of modules with the same name and kind: the longest selection that is in order in both networks."""
    places = {_key(node): place for place, node in enumerate(new) if node.has_own_name}
    named = [(index, _key(node)) for index, node in enumerate(old) if node.has_own_name]
    return _increasing([(index, places[key]) for index, key in named if key in places])


def _key(node: Node) -> tuple[str, str, int, bool]:
    return node.name, node.row.kind, node.row.call, node.row.leaf


def _increasing(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """A longest selection of the pairs in which the second numbers increase too."""
    ends: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for position, (_, place) in enumerate(pairs):
        length = bisect_left(ends, place)
        before.append(last[length - 1] if length else -1)
        ends[length:] = [place, *ends[length + 1 :]]
        last[length:] = [position, *last[length + 1 :]]
    chosen = []
    position = last[-1] if last else -1
    while position >= 0:
        chosen.append(pairs[position])
        position = before[position]
    return chosen[::-1]


def _between(old: list[Node], new: list[Node]) -> Siblings:
    """The alignment of rows between two anchors: equal rows at both ends, then the rest by score."""
    head = 0
    while head < min(len(old), len(new)) and old[head].signature == new[head].signature:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail].signature == new[-1 - tail].signature:
        tail += 1
    yield from zip(old[:head], new[:head], strict=True)
    yield from _edits(old[head : len(old) - tail], new[head : len(new) - tail])
    yield from zip(old[len(old) - tail :], new[len(new) - tail :], strict=True)


def _edits(old: list[Node], new: list[Node]) -> Siblings:
    """The alignment with the greatest sum of scores."""
    scores = Scores(new)
    best = _best_sums(old, new, scores)
    place = 0
    for index, one in enumerate(old):
        matches, here, below = scores.of(one), best[index], best[index + 1]
        while place < len(new):
            if matches[place] and here[place] == matches[place] + below[place + 1]:
                yield one, new[place]
                place += 1
                break
            if here[place] == below[place]:
                yield one, None
                break
            yield None, new[place]
            place += 1
        else:
            yield one, None
    yield from ((None, node) for node in new[place:])


def _best_sums(old: list[Node], new: list[Node], scores: Scores) -> list[array[int]]:
    """Dynamic programming table: [i][j] is the greatest sum of scores for old[i:] and new[j:]."""
    below = [0] * (len(new) + 1)
    best = [array("q", below)]
    for one in reversed(old):
        greatest, row, diagonal = 0, [0], 0
        for match, down in zip(reversed(scores.of(one)), reversed(below[:-1]), strict=True):
            if match and match + diagonal > greatest:
                greatest = match + diagonal
            if down > greatest:
                greatest = down
            row.append(greatest)
            diagonal = down
        below = row[::-1]
        best.append(array("q", below))
    return best[::-1]
