"""Maps of several tensors written in the same digits, so that their tables fit together."""

from __future__ import annotations

import numpy as np

from cnninspect.receptive.digits import COPY, NOTHING, Digit, Table
from cnninspect.receptive.layout import Digits, refinement, regrouped, unified
from cnninspect.receptive.maps import Map, grouped, size_of


def conformed(maps: list[Map], dim: int) -> list[Map]:
    """Maps of equal shape, but for dimension `dim`, with the same digits and table sizes in all other dimensions."""
    if all(_agree(maps[0], other, dim) for other in maps[1:]):
        return maps
    something = [part for part in maps if not is_nothing(part)]
    if something and len(something) < len(maps):
        rest = iter(conformed(something, dim))
        found = [None if is_nothing(part) else next(rest) for part in maps]
        like = next(part for part in found if part is not None)
        return [part or _nothing_like(like, dim, old) for part, old in zip(found, maps, strict=True)]
    if len({tuple(map(_sizes, (*part.dims[:dim], *part.dims[dim + 1 :]))) for part in maps}) > 1:
        maps = _all_aligned(maps, dim)
    for axis in range(1, maps[0].table.ndim):
        forms = {(part.digits[axis - 1], part.table.shape[axis]) for part in maps}
        if axis != maps[0].axis(dim) and len(forms) > 1:
            tables, digit = unified([part.table for part in maps], axis, [part.digits[axis - 1] for part in maps])
            maps = [_with_digit(part, table, axis, digit) for part, table in zip(maps, tables, strict=True)]
    return maps


def _all_aligned(maps: list[Map], skip: int) -> list[Map]:
    """Maps with digits of the same sizes in every dimension but `skip`."""
    first = maps[0]
    for other in maps[1:]:
        first, _ = aligned(first, other, skip)
    return [aligned(first, other, skip)[1] for other in maps]


def is_nothing(part: Map) -> bool:
    """Whether no element depends on any pixel."""
    return bool((part.table > NOTHING // 2).all())


def _nothing_like(like: Map, dim: int, part: Map) -> Map:
    """`part`, of which nothing depends on any pixel, with the digits of another map in all dimensions but `dim`."""
    shape = list(like.table.shape)
    shape[like.axis(dim)] = part.table.shape[part.axis(dim)]
    return like.replaced(np.full(shape, NOTHING, dtype=np.int32), dim, part.dims[dim])


def _agree(a: Map, b: Map, skip: int) -> bool:
    """Whether two maps have the same digits and table sizes in every dimension but `skip`."""
    axis = a.axis(skip)
    rest = axis + len(a.dims[skip])
    same_digits = a.dims[:skip] == b.dims[:skip] and a.dims[skip + 1 :] == b.dims[skip + 1 :]
    return same_digits and a.table.shape[:axis] == b.table.shape[:axis] and a.table.shape[rest:] == b.table.shape[rest:]


def _with_digit(part: Map, table: Table, axis: int, digit: Digit) -> Map:
    digits = [*part.digits[: axis - 1], digit, *part.digits[axis:]]
    return Map(table, grouped(digits, part.dims), part.space)


def aligned(a: Map, b: Map, skip: int | None = None) -> tuple[Map, Map]:
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
