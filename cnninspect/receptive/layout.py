"""Rewriting digits: other dimensions for the same elements, and one form for several tables."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from cnninspect.receptive.digits import Digit, Table, common, complete, continues, fuse, lookup, split
from cnninspect.report.quantities import Shape

Digits = tuple[Digit, ...]


def regrouped(table: Table, axis: int, digits: Sequence[Digit], shape: Shape) -> tuple[Table, tuple[Digits, ...]]:
    """The elements of consecutive digits, the first on `axis`, as dimensions of `shape` in row-major order.

    A digit that crosses the border of a dimension is split there, or fused with the next until it can be. One of size
    1 (a map of a single position) is kept for a dimension of size 1 at its place.
    """
    left, dims, position = list(digits), [], 0
    for size in shape:
        start = position
        if size == 1 and left[position:] and left[position].size == 1:
            position += 1
        while size > 1:
            table = _without_ones(table, axis, left, position)
            digit, at = left[position], axis + position
            if digit.size % size and size % digit.size:
                table = _without_ones(table, axis, left, position + 1)
                table, left[position] = fuse(table, at, digit, left.pop(position + 1))
                continue
            if digit.size > size:
                table, *halves = split(table, at, digit, digit.size // size)
                left[position : position + 1] = halves
            size //= left[position].size
            position += 1
        table, joined = _joined(table, axis + start, left[start:position])
        left[start:position] = joined
        position = start + len(joined)
        dims.append(joined)
    return _without_ones(table, axis, left, position), tuple(dims)


def _without_ones(table: Table, axis: int, digits: list[Digit], position: int) -> Table:
    """The table without the digits of size 1 at `position`, which are taken out of `digits`."""
    while digits[position:] and digits[position].size == 1:
        table = lookup(table, axis + position, digits.pop(position), np.asarray(0))
    return table


def _joined(table: Table, axis: int, digits: Sequence[Digit]) -> tuple[Table, Digits]:
    """Adjacent digits of one kind that continue each other, as one."""
    found = list(digits)
    for position in reversed(range(len(found) - 1)):
        outer, inner = found[position : position + 2]
        entries, period = table.shape[axis + position : axis + position + 2]
        if outer.kind == inner.kind and entries == 1 and continues(outer, inner, period):
            table = table.squeeze(axis + position)
            found[position : position + 2] = [Digit(outer.size * inner.size, inner.step, inner.kind)]
    return table, tuple(found)


def refinement(first: Sequence[Digit], second: Sequence[Digit]) -> Shape | None:
    """Sizes of digits into which both sequences can be split, or None if their borders do not nest."""
    borders = sorted(_borders(first) | _borders(second))
    if any(outer % inner for inner, outer in pairwise(borders)):
        return None
    return tuple(outer // inner for inner, outer in pairwise(borders))[::-1]


def _borders(digits: Sequence[Digit]) -> set[int]:
    """How many elements lie below each border between digits, both ends included."""
    found, below = {1}, 1
    for digit in reversed(digits):
        below *= digit.size
        found.add(below)
    return found


def unified(tables: Sequence[Table], axis: int, digits: Sequence[Digit]) -> tuple[list[Table], Digit]:
    """Several tables with the same entries along `axis`: one period for all, or all complete."""
    form, target = tables[0], digits[0]
    for table, digit in zip(tables[1:], digits[1:], strict=True):
        _, other, target = common(form, table, axis, target, digit)
        form = other
    if target.step is None:
        return [complete(table, axis, digit)[0] for table, digit in zip(tables, digits, strict=True)], target
    entries = np.arange(form.shape[axis])
    return [lookup(table, axis, digit, entries) for table, digit in zip(tables, digits, strict=True)], target
