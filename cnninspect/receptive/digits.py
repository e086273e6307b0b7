"""An index along a tensor dimension as mixed-radix digits, and tables of bounds with one axis for each digit.

An index into 56 = 8 windows of 7 elements has two digits: the window (0 to 7) and the place in it (0 to 6). Bounds that
depend on the window alone need no entries for the second digit.

A table has shape [2, ...]. It holds `lo`, the first input pixel that an element sees, and `-hi`, the negative of the
last: the hull of several elements is then one minimum. Along a digit a table is

- constant: one entry, step 0;
- periodic: entry i + period stands for bounds `step` pixels after those of entry i;
- complete: one entry for each value of the digit, step None.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import gcd
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cnninspect.report.quantities import Shape

Table = npt.NDArray[np.int32]
Indices = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

NOTHING = 1 << 29
"""`lo` and `-hi` of an element that depends on no pixel: a minimum with any other bounds leaves those."""

MISSING = -(1 << 30)
"""The index of a tap that does not exist."""

_LONGEST_PERIOD = 1024

FEWEST = 4
"""Entries at equal distances that prove a period: three entries 10/3 pixels apart may be rounded to equal distances."""


COPY, FEATURE, PLACE = 0, 1, 2
"""Kinds of digits. COPY: all values see the same, after `expand` and in a batch. FEATURE: channels or heads.

PLACE: positions of a feature map along several input axes at once; PLACE + 1 + index: positions along one input axis.
"""


MOST_PAIRS = 1 << 24
"""Most entries of a table of pairs that is computed: of 4,096 tokens with each other."""


def meeting(a: int, b: int) -> int:
    """The kind of a digit that combines two: a position if one of them is, else a feature if one is, else a copy."""
    return PLACE if a != b and min(a, b) > PLACE else max(a, b)


class Digit(NamedTuple):
    """A digit of `size` values; from one period of its table to the next the bounds move by `step` input pixels."""

    size: int
    step: int | None
    kind: int


Digits = tuple[Digit, ...]
"""The digits of one dimension, the outermost first; none for a size of 1."""


def lookup(table: Table, axis: int, digit: Digit, indices: Indices) -> Table:
    """The bounds at `indices`, whose dimensions replace `axis`; NOTHING where an index is MISSING.

    Indices outside the digit continue a constant or periodic table. A complete table has no entries outside.
    """
    period = table.shape[axis]
    found: Table = table.take(indices % period, axis)
    shape = (*indices.shape, *(1,) * (table.ndim - axis - 1))
    if digit.step:
        advance = (indices // period * digit.step).reshape(shape)
        found[0] += advance
        found[1] -= advance
        found[found > NOTHING // 2] = NOTHING
    missing = indices == MISSING
    if missing.any():
        found = np.where(missing.reshape(shape), NOTHING, found)
    return found


def complete(table: Table, axis: int, digit: Digit) -> tuple[Table, Digit]:
    """The table with one entry for each value of the digit."""
    if digit.step is None:
        return table, digit
    return lookup(table, axis, digit, np.arange(digit.size)), Digit(digit.size, None, digit.kind)


def simplified(table: Table, axis: int, digit: Digit, *, affine: bool) -> tuple[Table, Digit]:
    """The same bounds in the shortest table: a constant one or, where `affine`, one with a shorter period."""
    entries = table.shape[axis]
    if entries == 1:
        return table, Digit(digit.size, digit.step or 0, digit.kind)
    if not digit.step:
        first = table.take([0], axis)
        if (table.take([-1], axis) == first).all() and (table == first).all():
            return first, Digit(digit.size, 0, digit.kind)
    if affine and digit.kind >= PLACE:
        candidates = range(1, entries // 2 + 1) if digit.step is not None else (1,) if entries >= FEWEST else ()
        for period in candidates:
            found = _with_period(table, axis, digit, period)
            if found is not None:
                return found
    return table, digit


def _with_period(table: Table, axis: int, digit: Digit, period: int) -> tuple[Table, Digit] | None:
    """The same bounds with a shorter period, or None if they have none of that length."""
    entries = table.shape[axis]
    start = table.take(range(period), axis)
    advance = int(table.take(period, axis).flat[0] - start.flat[0])
    shorter = Digit(digit.size, advance, digit.kind)
    if digit.step is not None and (entries % period or advance * entries != digit.step * period):
        return None
    same = np.array_equal(lookup(start, axis, shorter, np.arange(entries)), table)
    return (start, shorter) if same else None


def common(first: Table, second: Table, axis: int, a: Digit, b: Digit) -> tuple[Table, Table, Digit]:
    """Both tables with the same period along `axis`, ready for a minimum; complete where their steps differ."""
    kind = meeting(a.kind, b.kind)
    p, q = first.shape[axis], second.shape[axis]
    if a.step is not None and b.step is not None and a.step * q == b.step * p:
        if p == q:
            return first, second, Digit(a.size, a.step, kind)
        period = p * q // gcd(p, q)
        if period <= _LONGEST_PERIOD:
            first = lookup(first, axis, a, np.arange(period))
            second = lookup(second, axis, b, np.arange(period))
            return first, second, Digit(a.size, a.step * period // p, kind)
    if p > 1 or a.step:
        first, a = complete(first, axis, a)
    if q > 1 or b.step:
        second, b = complete(second, axis, b)
    return first, second, Digit(a.size, None, kind)


def split(table: Table, axis: int, digit: Digit, inner: int) -> tuple[Table, Digit, Digit]:
    """The digit as two, on axes `axis` and `axis` + 1; the second has `inner` values."""
    if digit.step is not None and inner % table.shape[axis] and table.shape[axis] % inner:
        table, digit = complete(table, axis, digit)
    outer, period, step = digit.size // inner, table.shape[axis], digit.step
    if step is not None and inner % period == 0:
        advance = step * inner // period
        return np.expand_dims(table, axis), Digit(outer, advance, digit.kind), Digit(inner, step, digit.kind)
    shape = table.shape
    table = table.reshape(*shape[:axis], period // inner, inner, *shape[axis + 1 :])
    return table, Digit(outer, step, digit.kind), Digit(inner, None, digit.kind)


def fuse(table: Table, axis: int, outer: Digit, inner: Digit) -> tuple[Table, Digit]:
    """Two adjacent digits, on axes `axis` and `axis` + 1, as one."""
    size, kind = outer.size * inner.size, meeting(outer.kind, inner.kind)
    p, q = table.shape[axis : axis + 2]
    if p == 1 and continues(outer, inner, q):
        return table.squeeze(axis), Digit(size, inner.step, kind)
    if inner.step == 0 and q == 1:
        table = np.repeat(table, inner.size, axis + 1)
    else:
        table, _ = complete(table, axis + 1, inner)
    shape = table.shape
    return table.reshape(*shape[:axis], p * inner.size, *shape[axis + 2 :]), Digit(size, outer.step, kind)


def continues(outer: Digit, inner: Digit, period: int) -> bool:
    """Whether the step of an outer digit is what the inner digit, of `period` entries, advances over all its values."""
    if outer.step is None or inner.step is None or inner.size % period:
        return False
    return outer.step * period == inner.step * inner.size


def regrouped(table: Table, axis: int, digits: Sequence[Digit], shape: Shape) -> tuple[Table, tuple[Digits, ...]]:
    """The elements of consecutive digits, the first on `axis`, as dimensions of `shape` in row-major order.

    A digit that crosses the border between two dimensions is split there, or first fused with the next digit. A digit
    of size 1 (a feature map of a single position) stays where a dimension of size 1 stands.
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
    """The table without the digits of size 1 at `position`; `digits` loses them too."""
    while digits[position:] and digits[position].size == 1:
        table = lookup(table, axis + position, digits.pop(position), np.asarray(0))
    return table


def _joined(table: Table, axis: int, digits: Sequence[Digit]) -> tuple[Table, Digits]:
    """Adjacent digits of one kind fused, where the outer one continues the inner one."""
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
    """The products of the sizes of the innermost 0, 1, 2... digits."""
    found, below = {1}, 1
    for digit in reversed(digits):
        below *= digit.size
        found.add(below)
    return found


def unified(tables: Sequence[Table], axis: int, digits: Sequence[Digit]) -> tuple[list[Table], Digit]:
    """Several tables with one period along `axis`, or all complete."""
    form, shared = tables[0], digits[0]
    for table, digit in zip(tables[1:], digits[1:], strict=True):
        _, other, shared = common(form, table, axis, shared, digit)
        form = other
    if shared.step is None:
        return [complete(table, axis, digit)[0] for table, digit in zip(tables, digits, strict=True)], shared
    entries = np.arange(form.shape[axis])
    return [lookup(table, axis, digit, entries) for table, digit in zip(tables, digits, strict=True)], shared
