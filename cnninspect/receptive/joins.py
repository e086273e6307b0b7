"""Maps of several tensors brought together: merged element by element, concatenated, written into each other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import gcd

import numpy as np

from cnninspect.receptive.digits import (
    COPY,
    FEATURE,
    NOTHING,
    PLACE,
    Digit,
    Indices,
    Table,
    common,
    lookup,
    meeting,
    simplified,
)
from cnninspect.receptive.layout import Digits, refinement, regrouped, unified
from cnninspect.receptive.maps import Map, grouped, size_of
from cnninspect.receptive.taps import steps


def merged(first: Map, second: Map) -> Map:
    """The hull of two maps whose shapes broadcast."""
    rank = max(len(first.dims), len(second.dims))
    a, b = _aligned(first.padded(rank), second.padded(rank))
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
        table, digits[axis - 1] = simplified(table, axis, digits[axis - 1], affine=not a.space)
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


def _blocks(maps: Sequence[Map], dim: int, grain: int) -> tuple[Table, Digit, Map]:
    """The concatenation with one entry for each block, its digit, and a map with its other digits."""
    first, axis = maps[0], maps[0].axis(dim)
    kind = reduce(meeting, (digit.kind for part in maps for digit in part.dims[dim]), FEATURE)
    counts = [size_of(part.dims[dim]) // grain for part in maps]
    constant = all(_grain(part, dim) == size_of(part.dims[dim]) > 1 for part in maps)
    if constant and all(_agree(first, other, dim) for other in maps):
        table = np.repeat(np.concatenate([part.table for part in maps], axis), counts, axis)
    else:
        parts = _conformed([_coarse(part, dim, grain) for part in maps], dim)
        first, axis = parts[0], parts[0].axis(dim)
        table = np.concatenate([part.completed(dim).table for part in parts], axis)
    return table, Digit(sum(counts), None, kind), first


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
    a, b = _conformed([whole.completed(dim), part.expanded(_with_size(whole, dim, len(positions))).completed(dim)], dim)
    table = a.table.copy()
    where = (*(slice(None),) * a.axis(dim), positions)
    table[where] = b.table
    digit = a.dims[dim][0]._replace(kind=meeting(a.dims[dim][0].kind, b.dims[dim][0].kind))
    table, digit = simplified(table, a.axis(dim), digit, affine=not a.space)
    return a.replaced(table, dim, (digit,))


def _written_endlessly(whole: Map, dim: int, positions: Indices, part: Map) -> Map | None:
    """What stands away from the borders after writing one run of positions; None if that depends on the position.

    A strip at one end changes nothing there. A run that leaves only such strips, or that is the first to fill the
    tensor, goes on beyond its ends, like the inside of any padding.
    """
    size, count, start = size_of(whole.dims[dim]), len(positions), int(positions[0])
    if (np.diff(positions) != 1).any() or any(d.kind < PLACE or d.step is None for d in part.dims[dim]):
        return None
    if 3 * count >= 2 * size or (whole.table > NOTHING // 2).all():
        return part.slid(dim, steps(count, size, -start, 1))
    return whole if 3 * count <= size and (start == 0 or start + count == size) else None


def _with_size(whole: Map, dim: int, size: int) -> tuple[int, ...]:
    return (*whole.shape[:dim], size, *whole.shape[dim + 1 :])


def _conformed(maps: list[Map], dim: int) -> list[Map]:
    """Maps of equal shape, but for dimension `dim`, with the same digits and table sizes in all other dimensions."""
    first = maps[0]
    if all(_agree(first, other, dim) for other in maps[1:]):
        return maps
    for other in maps[1:]:
        first, _ = _aligned(first, other, skip=dim)
    maps = [_aligned(first, other, skip=dim)[1] for other in maps]
    axis_of_dim = first.axis(dim)
    for axis in range(1, first.table.ndim):
        if axis != axis_of_dim:
            tables, digit = unified([part.table for part in maps], axis, [part.digits[axis - 1] for part in maps])
            maps = [_with_digit(part, table, axis, digit) for part, table in zip(maps, tables, strict=True)]
    return maps


def _agree(a: Map, b: Map, skip: int) -> bool:
    """Whether two maps have the same digits and table sizes in every dimension but `skip`."""
    axis = a.axis(skip)
    rest = axis + len(a.dims[skip])
    same_digits = a.dims[:skip] == b.dims[:skip] and a.dims[skip + 1 :] == b.dims[skip + 1 :]
    return same_digits and a.table.shape[:axis] == b.table.shape[:axis] and a.table.shape[rest:] == b.table.shape[rest:]


def _with_digit(part: Map, table: Table, axis: int, digit: Digit) -> Map:
    digits = [*part.digits[: axis - 1], digit, *part.digits[axis:]]
    return Map(table, grouped(digits, part.dims), part.space)


def _aligned(a: Map, b: Map, skip: int | None = None) -> tuple[Map, Map]:
    """Two maps of one rank with digits of the same sizes in every dimension but `skip`."""
    if a.dims == b.dims:
        return a, b
    for dim in range(len(a.dims)):
        if dim != skip and _sizes(a.dims[dim]) != _sizes(b.dims[dim]):
            a, b = _aligned_dim(a, b, dim)
    return a, b


def _aligned_dim(a: Map, b: Map, dim: int) -> tuple[Map, Map]:
    first, second = a.dims[dim], b.dims[dim]
    if size_of(first) == 1 and second:
        return _stretched(a, dim, second), b
    if size_of(second) == 1:
        return a, _stretched(b, dim, first)
    sizes = refinement(first, second)
    if sizes is None:
        return a.single(dim), b.single(dim)
    return _redivided(a, dim, sizes), _redivided(b, dim, sizes)


def _stretched(part: Map, dim: int, like: Digits) -> Map:
    """A dimension of size 1 made as long as another tensor's: all its values are the same element."""
    return part.picked(dim, 0).inserted(dim, tuple(Digit(digit.size, 0, COPY) for digit in like))


def _redivided(part: Map, dim: int, sizes: tuple[int, ...]) -> Map:
    """A dimension with digits of the given sizes."""
    axis = part.axis(dim)
    table, groups = regrouped(part.table, axis, part.dims[dim], sizes)
    return part.replaced(table, dim, tuple(digit for group in groups for digit in group))


def _sizes(digits: Digits) -> tuple[int, ...]:
    return tuple(digit.size for digit in digits)
