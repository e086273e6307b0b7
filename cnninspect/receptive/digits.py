"""One position along a tensor dimension as digits, like hours and minutes; and tables of bounds along a digit.

A dimension of 56 that was split into 8 windows of 7 has two digits, of sizes 8 and 7; bounds that depend on the
window alone vary along the first only. A table holds bounds, `lo` and `-hi`, so that a hull is a minimum: shape
[2, ...] with one axis per digit. Along a digit the bounds are

- constant: one entry, step 0;
- periodic: entry i + period lies `step` input pixels after entry i;
- complete: one entry for each value of the digit, step None.
"""

from __future__ import annotations

from math import gcd
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Table = npt.NDArray[np.int32]
Indices = npt.NDArray[np.int64]

NOTHING = 1 << 29
"""The bound of an element that depends on no pixel: neutral under the minimum."""

MISSING = -(1 << 30)
"""The index of a tap that does not exist."""

_LONGEST_PERIOD = 1024

_FEWEST = 4
"""Entries that make a rule of equal steps: three may stand 10/3 pixels apart and be rounded alike."""


COPY, FEATURE, PLACE = 0, 1, 2
"""Kinds of digits: expanded, so that every value holds the same elements; batch, channels or heads; positions of a map.

PLACE itself stands for positions along several axes at once, PLACE + 1 + index for those along one axis.
"""


def meeting(a: int, b: int) -> int:
    """The kind of a digit made of digits of two kinds: positions before features before copies."""
    return PLACE if a != b and min(a, b) > PLACE else max(a, b)


class Digit(NamedTuple):
    """`size` values of one kind; `step` in input pixels per table length, as the module says."""

    size: int
    step: int | None
    kind: int


def lookup(table: Table, axis: int, digit: Digit, indices: Indices) -> Table:
    """The bounds at `indices`, whose dimensions take the place of `axis`; NOTHING where an index is MISSING.

    Indices outside the digit continue a constant or periodic table; a complete one must not be asked for them.
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
        candidates = range(1, entries // 2 + 1) if digit.step is not None else (1,) if entries >= _FEWEST else ()
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
    """Both tables in one form along `axis`, ready for a minimum; complete where they advance differently."""
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
    """Whether an outer digit of one entry goes on where the inner one, of `period` entries, ends."""
    if outer.step is None or inner.step is None or inner.size % period:
        return False
    return outer.step * period == inner.step * inner.size
