"""Bounds of several tensors brought together: merged element by element, concatenated, one written into another."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import gcd

import numpy as np

from cnninspect.receptive.bounds import Bounds, grouped, size_of
from cnninspect.receptive.digits import (
    COPY,
    FEATURE,
    NOTHING,
    PLACE,
    Digit,
    Digits,
    Indices,
    Table,
    common,
    lookup,
    meeting,
    refinement,
    regrouped,
    simplified,
    unified,
)  # fmt: skip
from cnninspect.receptive.taps import steps


def merged(first: Bounds, second: Bounds) -> Bounds:
    """The hull, element by element, of the bounds of two tensors whose shapes broadcast."""
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
    return Bounds(table, grouped(digits, a.dims), a.space)


def _single_value(left: Table, right: Table, axis: int, p: Digit, q: Digit) -> tuple[Table, Table, Digit]:
    """Two tables and their digit along an axis of size 1 on which at most one of them has a step."""
    if not p.step:
        left = lookup(left, axis, p, np.zeros(1, dtype=np.int64))
    if not q.step:
        right = lookup(right, axis, q, np.zeros(1, dtype=np.int64))
    return left, right, Digit(1, p.step or q.step or 0, meeting(p.kind, q.kind))


def concatenated(maps: Sequence[Bounds], dim: int) -> Bounds:
    """The bounds of tensors one after the other along a dimension.

    Where nothing varies inside blocks of equal size (the channels of each branch) a block has one entry.
    """
    padded = None if maps[0].clipped else _as_padding(maps, dim)
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


def _as_padding(maps: Sequence[Bounds], dim: int) -> Bounds | None:
    """The only bounds that are not empty, extended past the border as padding does; None if there are several."""
    something = [position for position, part in enumerate(maps) if not is_nothing(part)]
    if len(something) != 1:
        return None
    part, before = maps[something[0]], sum(size_of(other.dims[dim]) for other in maps[: something[0]])
    digits = part.dims[dim]
    if len(digits) != 1 or digits[0].kind < PLACE or digits[0].step is None:
        return None
    size = sum(size_of(other.dims[dim]) for other in maps)
    return part.slid(dim, steps(digits[0].size, size, -before, 1))


def _blocks(maps: Sequence[Bounds], dim: int, grain: int) -> tuple[Table, Digit, Bounds]:
    """The table of a concatenation with one entry for each block, its digit, and bounds with the other digits."""
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


def _grain(part: Bounds, dim: int) -> int:
    """The size of the blocks of consecutive indices along which nothing varies."""
    digits = part.dims[dim]
    if not digits or digits[-1].step != 0 or part.table.shape[part.axis(dim + 1) - 1] > 1:
        return 1
    return digits[-1].size


def _coarse(part: Bounds, dim: int, grain: int) -> Bounds:
    """One element of each block along a dimension."""
    if grain == 1:
        return part.single(dim)
    sizes = (size_of(part.dims[dim]) // grain, grain)
    table, groups = regrouped(part.table, part.axis(dim), part.dims[dim], sizes)
    blocks = Bounds(table, (*part.dims[:dim], *groups, *part.dims[dim + 1 :]), part.space)
    return blocks.picked(dim + 1, 0).single(dim)


def written(whole: Bounds, dim: int, positions: Indices, part: Bounds) -> Bounds:
    """`whole` with `part` in place of what stood at `positions` of a dimension."""
    old, new = whole.single(dim), part.expanded(_with_size(whole, dim, len(positions))).single(dim)
    kind = meeting(old.dims[dim][0].kind, new.dims[dim][0].kind)
    if not old.varies(dim) and not new.varies(dim) and old.picked(dim, 0).equals(new.picked(dim, 0)):
        return old.resized(dim, old.shape[dim], kind)
    a, b = conformed([old.completed(dim), new.completed(dim)], dim)
    table = a.table.copy()
    where = (*(slice(None),) * a.axis(dim), positions)
    table[where] = b.table
    digit = a.dims[dim][0]._replace(kind=kind)
    table, digit = simplified(table, a.axis(dim), digit, affine=not a.clipped)
    found = a.replaced(table, dim, (digit,))
    return found if a.clipped else found.simplified()  # What loops fill line by line has a rule once it is full.


def written_away_from_borders(
    whole: Bounds, dim: int, positions: Indices, part: Bounds, *, fills: bool
) -> Bounds | None:
    """The endless bounds after a run of consecutive positions of a map was written; None if there are several.

    A run that fills half of a tensor without bounds is extended past its ends, as padding does; so is one that fills
    more of any tensor, and a strip at one end changes nothing, where what stands at the ends is no more than a border.
    `fills` says that `whole` sees no pixel of the image at these positions.
    """
    size, count, start = size_of(whole.dims[dim]), len(positions), int(positions[0])
    if (np.diff(positions) != 1).any() or any(d.kind < PLACE or d.step is None for d in part.dims[dim]):
        return None
    if 2 * count >= size and is_nothing(whole):
        return part.slid(dim, steps(count, size, -start, 1))
    if 2 * count > size:
        longer = part.slid(dim, steps(count, size, -start, 1))
        ends = [steps(size, start, 0, 1), steps(size, size - start - count, start + count, 1)]
        pairs = [(whole.slid(dim, end), longer.slid(dim, end)) for end in ends if end.out]
        return longer if all(_is_border(end, like, dim) for end, like in pairs) else None
    there = whole.slid(dim, steps(size, count, start, 1))
    if 2 * count == size or 0 < start < size - count or is_nothing(there):
        return None
    return whole if _is_border(part, there, dim, padded=size if fills else None) else None


def _is_border(end: Bounds, like: Bounds, dim: int, *, padded: int | None = None) -> bool:
    """Whether bounds at an end of a dimension are those of a border, beside those that the endless map has there.

    They are no longer, and no wider, than one of these, and lie no further off than the border is long. Those of a
    padding are as long as that, and circular ones lie as far off as a map with so many positions is long.
    """
    most, count = _widest(like), size_of(end.dims[dim])
    if _widest(end) > most or (padded is None and count > most):
        return False
    slack = (padded or count) * max((abs(digit.step or 0) for digit in like.dims[dim]), default=0)
    outside = end.dense() < like.dense() - slack
    return not bool(outside.any())


def _widest(part: Bounds) -> int:
    """Pixels from first to last of the element that sees most."""
    return int((1 - part.table.sum(0)).max(initial=0))


def _with_size(whole: Bounds, dim: int, size: int) -> tuple[int, ...]:
    return (*whole.shape[:dim], size, *whole.shape[dim + 1 :])


def conformed(maps: list[Bounds], dim: int) -> list[Bounds]:
    """Bounds of one shape, apart from `dim`, brought to the same digits and table sizes in all other dimensions."""
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


def _all_aligned(maps: list[Bounds], skip: int) -> list[Bounds]:
    """Bounds brought to digits of the same sizes in every dimension but `skip`."""
    first = maps[0]
    for other in maps[1:]:
        first, _ = aligned(first, other, skip)
    return [aligned(first, other, skip)[1] for other in maps]


def is_nothing(part: Bounds) -> bool:
    """Whether no element depends on any pixel."""
    return bool((part.table > NOTHING // 2).all())


def _nothing_like(like: Bounds, dim: int, part: Bounds) -> Bounds:
    """`part`, of which nothing depends on any pixel, with the digits of other bounds in all dimensions but `dim`."""
    shape = list(like.table.shape)
    shape[like.axis(dim)] = part.table.shape[part.axis(dim)]
    return like.replaced(np.full(shape, NOTHING, dtype=np.int32), dim, part.dims[dim])


def _agree(a: Bounds, b: Bounds, skip: int) -> bool:
    """Whether two bounds have the same digits and table sizes in every dimension but `skip`."""
    axis = a.axis(skip)
    rest = axis + len(a.dims[skip])
    same_digits = a.dims[:skip] == b.dims[:skip] and a.dims[skip + 1 :] == b.dims[skip + 1 :]
    return same_digits and a.table.shape[:axis] == b.table.shape[:axis] and a.table.shape[rest:] == b.table.shape[rest:]


def _with_digit(part: Bounds, table: Table, axis: int, digit: Digit) -> Bounds:
    digits = [*part.digits[: axis - 1], digit, *part.digits[axis:]]
    return Bounds(table, grouped(digits, part.dims), part.space)


def aligned(a: Bounds, b: Bounds, skip: int | None = None) -> tuple[Bounds, Bounds]:
    """Two bounds of one rank brought to digits of the same sizes in every dimension but `skip`."""
    if a.dims == b.dims:
        return a, b
    for dim in range(len(a.dims)):
        if dim != skip and _sizes(a.dims[dim]) != _sizes(b.dims[dim]):
            a, b = _aligned_dim(a, b, dim)
    return a, b


def _aligned_dim(a: Bounds, b: Bounds, dim: int) -> tuple[Bounds, Bounds]:
    first, second = a.dims[dim], b.dims[dim]
    if size_of(first) == 1 and second:
        return _stretched(a, dim, second), b
    if size_of(second) == 1:
        return a, _stretched(b, dim, first)
    sizes = refinement(first, second)
    if sizes is None:
        return a.single(dim), b.single(dim)
    return _redivided(a, dim, sizes), _redivided(b, dim, sizes)


def _stretched(part: Bounds, dim: int, like: Digits) -> Bounds:
    """A dimension of size 1 stretched to the digits of another tensor's, as copies of its one element."""
    return part.picked(dim, 0).inserted(dim, tuple(Digit(digit.size, 0, COPY) for digit in like))


def _redivided(part: Bounds, dim: int, sizes: tuple[int, ...]) -> Bounds:
    """A dimension with digits of the given sizes."""
    axis = part.axis(dim)
    table, groups = regrouped(part.table, axis, part.dims[dim], sizes)
    return part.replaced(table, dim, tuple(digit for group in groups for digit in group))


def _sizes(digits: Digits) -> tuple[int, ...]:
    return tuple(digit.size for digit in digits)
