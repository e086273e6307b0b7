"""Maps of several tensors brought together: merged element by element, concatenated, written into each other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import gcd

import numpy as np

from cnninspect.receptive.aligning import aligned, conformed, is_nothing
from cnninspect.receptive.digits import FEATURE, PLACE, Digit, Indices, Table, common, lookup, meeting, simplified
from cnninspect.receptive.layout import regrouped
from cnninspect.receptive.maps import Map, grouped, size_of
from cnninspect.receptive.taps import steps


def merged(first: Map, second: Map) -> Map:
    """The hull of two maps whose shapes broadcast."""
    rank = max(len(first.dims), len(second.dims))
    a, b = aligned(first.padded(rank), second.padded(rank))
    left, right, digits, mixed = a.table, b.table, [], []
    for axis, (p, q) in enumerate(zip(a.digits, b.digits, strict=True), 1):
        if p.size == 1 and not (p.step and q.step):
            left, right, p = _single_value(left, right, axis, p, q)
        elif p != q or left.shape[axis] != right.shape[axis]:
            left, right, p = common(left, right, axis, p, q)
            mixed.append(axis)
        digits.append(p)
    table = np.minimum(left, right)
    for axis in mixed:
        table, digits[axis - 1] = simplified(table, axis, digits[axis - 1], affine=not a.clipped)
    return Map(table, grouped(digits, a.dims), a.space)


def _single_value(left: Table, right: Table, axis: int, p: Digit, q: Digit) -> tuple[Table, Table, Digit]:
    """Tables ready for a minimum along a digit of size 1 that advances in at most one of them, as it is there."""
    if not p.step:
        left = lookup(left, axis, p, np.zeros(1, dtype=np.int64))
    if not q.step:
        right = lookup(right, axis, q, np.zeros(1, dtype=np.int64))
    return left, right, Digit(1, p.step or q.step or 0, meeting(p.kind, q.kind))


def concatenated(maps: Sequence[Map], dim: int) -> Map:
    """The maps one after the other along a dimension.

    Where nothing varies inside blocks of equal size (branches of a concatenation) there is one entry for each block.
    """
    padded = None if maps[0].clipped else _padded_by_nothing(maps, dim)
    if padded is not None:
        return padded
    grain = gcd(*(_grain(part, dim) for part in maps))
    table, digit, like = _blocks(maps, dim, grain)
    axis = like.axis(dim)
    table, digit = simplified(table, axis, digit, affine=not like.clipped and grain == 1)
    if grain == 1:
        return like.replaced(table, dim, (digit,))
    inner = Digit(grain, 0, digit.kind)
    if digit.step == 0 and table.shape[axis] == 1:
        return like.replaced(table, dim, (inner._replace(size=digit.size * grain),))
    return like.replaced(np.expand_dims(table, axis + 1), dim, (digit, inner))


def _padded_by_nothing(maps: Sequence[Map], dim: int) -> Map | None:
    """The one map that is not empty, gone on beyond its ends like the inside of any padding; None if there are more."""
    something = [position for position, part in enumerate(maps) if not is_nothing(part)]
    if len(something) != 1:
        return None
    part, before = maps[something[0]], sum(size_of(other.dims[dim]) for other in maps[: something[0]])
    digits = part.dims[dim]
    if len(digits) != 1 or digits[0].kind < PLACE or digits[0].step is None:
        return None
    size = sum(size_of(other.dims[dim]) for other in maps)
    return part.slid(dim, steps(digits[0].size, size, -before, 1))


def _blocks(maps: Sequence[Map], dim: int, grain: int) -> tuple[Table, Digit, Map]:
    """The concatenation with one entry for each block, its digit, and a map with its other digits."""
    kind = reduce(meeting, (digit.kind for part in maps for digit in part.dims[dim]), FEATURE)
    counts = [size_of(part.dims[dim]) // grain for part in maps]
    constant = all(_grain(part, dim) == size_of(part.dims[dim]) > 1 for part in maps)
    parts = conformed(list(maps) if constant else [_coarse(part, dim, grain) for part in maps], dim)
    axis = parts[0].axis(dim)
    if constant:
        table = np.repeat(np.concatenate([part.table for part in parts], axis), counts, axis)
    else:
        table = np.concatenate([part.completed(dim).table for part in parts], axis)
    return table, Digit(sum(counts), None, kind), parts[0]


def _grain(part: Map, dim: int) -> int:
    """The size of the blocks of consecutive indices along which nothing varies."""
    digits = part.dims[dim]
    if not digits or digits[-1].step != 0 or part.table.shape[part.axis(dim + 1) - 1] > 1:
        return 1
    return digits[-1].size


def _coarse(part: Map, dim: int, grain: int) -> Map:
    """One element of each block along a dimension."""
    if grain == 1:
        return part.single(dim)
    sizes = (size_of(part.dims[dim]) // grain, grain)
    table, groups = regrouped(part.table, part.axis(dim), part.dims[dim], sizes)
    blocks = Map(table, (*part.dims[:dim], *groups, *part.dims[dim + 1 :]), part.space)
    return blocks.picked(dim + 1, 0).single(dim)


def written(whole: Map, dim: int, positions: Indices, part: Map) -> Map:
    """`whole` with `part` in place of what stood at `positions` of a dimension."""
    away_from_borders = None if whole.clipped else _written_endlessly(whole, dim, positions, part)
    if away_from_borders is not None:
        return away_from_borders
    a, b = conformed([whole.completed(dim), part.expanded(_with_size(whole, dim, len(positions))).completed(dim)], dim)
    table = a.table.copy()
    where = (*(slice(None),) * a.axis(dim), positions)
    table[where] = b.table
    digit = a.dims[dim][0]._replace(kind=meeting(a.dims[dim][0].kind, b.dims[dim][0].kind))
    table, digit = simplified(table, a.axis(dim), digit, affine=not a.clipped)
    return a.replaced(table, dim, (digit,))


def _written_endlessly(whole: Map, dim: int, positions: Indices, part: Map) -> Map | None:
    """What stands away from the borders after writing one run of positions; None if that depends on the position.

    A strip at one end changes nothing there. A run that leaves only such strips, or that is the first to fill the
    tensor, goes on beyond its ends, like the inside of any padding.
    """
    size, count, start = size_of(whole.dims[dim]), len(positions), int(positions[0])
    if (np.diff(positions) != 1).any() or any(d.kind < PLACE or d.step is None for d in part.dims[dim]):
        return None
    if 3 * count >= 2 * size or is_nothing(whole):
        return part.slid(dim, steps(count, size, -start, 1))
    return whole if 3 * count <= size and (start == 0 or start + count == size) else None


def _with_size(whole: Map, dim: int, size: int) -> tuple[int, ...]:
    return (*whole.shape[:dim], size, *whole.shape[dim + 1 :])
