"""The bounds of every element of a tensor along one input axis, and how slicing, reshaping and reducing change them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np

from cnninspect.receptive.digits import (
    COPY,
    FEATURE,
    NOTHING,
    PLACE,
    Digit,
    Digits,
    Mask,
    Table,
    complete,
    fuse,
    lookup,
    regrouped,
    simplified,
)  # fmt: skip
from cnninspect.receptive.taps import Taps
from cnninspect.report.quantities import Shape

_LONGEST_PATTERN = 1024


class Space(NamedTuple):
    """The input axis of some bounds, as the kind of its positions, and whether the bounds end at the image."""

    place: int
    clipped: bool


@dataclass(slots=True, eq=False)
class Bounds:
    """Bounds along one input axis: a table, and the digits of each tensor dimension (none for a size of 1).

    Clipped bounds are exact: taps outside a dimension do not exist. Bounds that are not clipped are those of an endless
    input: constant and periodic digits continue beyond the tensor's ends.
    """

    table: Table
    dims: tuple[Digits, ...]
    space: Space

    # -- reading -----------------------------------------------------------------------------------------------

    @property
    def shape(self) -> Shape:
        """The tensor's shape."""
        return tuple(map(size_of, self.dims))

    @property
    def digits(self) -> Digits:
        """All digits, one per axis of the table after its first."""
        return tuple(digit for digits in self.dims for digit in digits)

    def axis(self, dim: int) -> int:
        """The table's axis of the first digit of a dimension."""
        return 1 + sum(map(len, self.dims[:dim]))

    def varies(self, dim: int) -> bool:
        """Whether the bounds differ along a dimension."""
        shape, axis = self.table.shape, self.axis(dim)
        for digit in self.dims[dim]:
            if digit.size > 1 and (digit.step or shape[axis] > 1):
                return True
            axis += 1
        return False

    def moves(self, dim: int) -> bool:
        """Whether the bounds differ along a dimension among the elements that see a pixel, without padding around."""
        if not self.varies(dim) or any(digit.step for digit in self.dims[dim]):
            return self.varies(dim)
        axes = tuple(range(self.axis(dim), self.axis(dim) + len(self.dims[dim])))
        sees = self.table < NOTHING // 2
        least, most = (
            self.table.min(axes, initial=NOTHING, where=sees),
            self.table.max(axes, initial=-NOTHING, where=sees),
        )
        return bool((least < most).any())

    @property
    def clipped(self) -> bool:
        """Whether the bounds are exact and end at the image."""
        return self.space.clipped

    def holds_features(self, dim: int) -> bool:
        """Whether a dimension holds features, or features together with positions of several axes (a flattened map)."""
        kinds = [digit.kind for digit in self.dims[dim] if digit.size > 1 and digit.kind != COPY]
        if not kinds or kinds[0] < PLACE:
            return bool(kinds)
        return min(kinds) < PLACE and len({kind for kind in kinds if kind >= PLACE}) > 1

    def own(self, dim: int) -> tuple[int, Digits]:
        """The digits of a dimension from the outermost that holds positions along this axis.

        The first number is the table's axis of that digit.
        """
        start, found, place = self.axis(dim), list[Digit](), self.space.place
        for digit in self.dims[dim]:
            if digit.kind == place or digit.kind == PLACE or (found and digit.kind in (COPY, FEATURE)):
                found.append(digit)
            elif not found:
                start += 1
        return start, tuple(found)

    @property
    def advances(self) -> bool:
        """Whether the bounds advance along some dimension, as they do over the positions of a feature map."""
        return any(own and own[0].step for _, own in map(self.own, range(len(self.dims))))

    def dense(self) -> Table:
        """[2, *shape]: `lo` and `-hi` of every element, with size 1 along dimensions where nothing varies."""
        full = self
        for dim in range(len(self.dims)):
            full = full.completed(dim) if full.varies(dim) else full.resized(dim, 1)
        return full.table.reshape(2, *(digits[0].size if digits else 1 for digits in full.dims))

    def equals(self, other: Bounds) -> bool:
        """Whether each element of two tensors of one shape has the same bounds."""
        return self is other or (self.shape == other.shape and bool((self.dense() == other.dense()).all()))

    def hidden(self, where: Mask) -> Bounds:
        """With nothing seen where `where` is true: [*shape], with size 1 along dimensions where it is the same."""
        full = self
        for dim, size in enumerate(where.shape):
            full = full.completed(dim) if size > 1 else full
        shape = [size for dim, size in enumerate(where.shape) for _ in full.dims[dim]]
        return Bounds(np.where(where.reshape(shape), np.int32(NOTHING), full.table), full.dims, self.space).simplified()

    # -- one dimension -----------------------------------------------------------------------------------------

    def inserted(self, dim: int, digits: Digits = ()) -> Bounds:
        """With a new dimension at `dim`, along which nothing varies."""
        axis = self.axis(dim)
        shape = self.table.shape
        table = self.table.reshape(*shape[:axis], *(1,) * len(digits), *shape[axis:])
        return Bounds(table, (*self.dims[:dim], digits, *self.dims[dim:]), self.space)

    def resized(self, dim: int, size: int, kind: int = FEATURE) -> Bounds:
        """With another size of a dimension along which nothing varies."""
        digits = self.dims[dim]
        if len(digits) == 1 and size > 1:
            return self.replaced(self.table, dim, (Digit(size, 0, kind),))
        return self.picked(dim, 0).inserted(dim, (Digit(size, 0, kind),) if size > 1 else ())

    def picked(self, dim: int, index: int) -> Bounds:
        """The bounds at one index of a dimension, which is gone."""
        axis, table, rest = self.axis(dim), self.table, index
        for position in reversed(range(len(self.dims[dim]))):
            digit = self.dims[dim][position]
            table = lookup(table, axis + position, digit, np.asarray(rest % digit.size))
            rest //= digit.size
        return Bounds(table, (*self.dims[:dim], *self.dims[dim + 1 :]), self.space)

    def single(self, dim: int) -> Bounds:
        """With exactly one digit for a dimension."""
        digits, axis, table = self.dims[dim], self.axis(dim), self.table
        if len(digits) == 1:
            return self
        if not digits:
            return self.replaced(np.expand_dims(table, axis), dim, (Digit(1, 0, FEATURE),))
        digit = digits[-1]
        for position in reversed(range(len(digits) - 1)):
            table, digit = fuse(table, axis + position, digits[position], digit)
        return self.replaced(table, dim, (digit,))

    def completed(self, dim: int) -> Bounds:
        """With one digit for a dimension and one entry for each of its values."""
        one = self.single(dim)
        table, digit = complete(one.table, self.axis(dim), one.dims[dim][0])
        return one.replaced(table, dim, (digit,))

    def is_inside_tiles(self, dim: int) -> bool:
        """Whether positions along a dimension end where the next of several tiles begins, and not with the image."""
        own = max((abs(digit.step or 0) for digit in self.dims[dim]), default=0)
        others = [digit for other, digits in enumerate(self.dims) if other != dim for digit in digits]
        return own > 0 and any(digit.size > 1 and abs(digit.step or 0) > own for digit in others)

    def taken(self, dim: int, taps: Taps) -> Bounds:
        """With a dimension replaced by two: the output positions of `taps`, and the taps of each."""
        one, axis = self.single(dim), self.axis(dim)
        table, digit = one.table, one.dims[dim][0]
        goes_on = not self.clipped and digit.kind >= PLACE and (taps.ends_like_inside or not self.is_inside_tiles(dim))
        if goes_on and digit.step is not None and taps.pattern is not None:
            positions, advance = taps.over(table.shape[axis])
            if len(positions) <= _LONGEST_PATTERN:
                out = Digit(taps.out, digit.step * advance // table.shape[axis], digit.kind)
                return one._tapped(lookup(table, axis, digit, positions), dim, out, taps.count)
        if taps.all_exist and not one.varies(dim):
            table = np.expand_dims(lookup(table, axis, digit, np.zeros(1, dtype=np.int64)), axis)
            return one._tapped(table, dim, Digit(taps.out, 0, digit.kind), taps.count)
        return one._tapped(lookup(table, axis, digit, taps.index), dim, Digit(taps.out, None, digit.kind), taps.count)

    def _tapped(self, table: Table, dim: int, out: Digit, taps: int) -> Bounds:
        inner = Digit(taps, 0 if table.shape[self.axis(dim) + 1] == 1 else None, out.kind)
        return Bounds(table, (*self.dims[:dim], (out,), (inner,), *self.dims[dim + 1 :]), self.space)

    def slid(self, dim: int, taps: Taps) -> Bounds:
        """The hull over the taps of each output position along a dimension."""
        digits = self.dims[dim]
        if taps.covers and not self.varies(dim) and not any(digit.step for digit in digits):
            return self.resized(dim, taps.out, digits[0].kind if digits else FEATURE)
        found = self.taken(dim, taps)
        axis = self.axis(dim)
        table = found.table.min(axis + 1)
        table, digit = simplified(table, axis, found.dims[dim][0], affine=not self.clipped)
        return self.replaced(table, dim, (digit,))

    def replaced(self, table: Table, dim: int, digits: Digits) -> Bounds:
        """With another table, and other digits for a dimension."""
        return Bounds(table, (*self.dims[:dim], digits, *self.dims[dim + 1 :]), self.space)

    def placed(self, dim: int) -> Bounds:
        """With a dimension marked as positions if the bounds only grow, or only fall, along it.

        Beside other positions both ends have to move: feature maps with a wider field behind narrow ones are channels.
        """
        ways = self.ways(dim)
        if len(ways) != 1 or (self.moves_beside(dim) and not self._moves_at_both_ends(dim)):
            return self
        return self.marked(dim, self.space.place)

    def moves_beside(self, dim: int) -> bool:
        """Whether the field moves along positions in another dimension."""
        others = (other for other in range(len(self.dims)) if other != dim)
        return any(self.varies(other) and not self.holds_features(other) for other in others)

    def ways(self, dim: int) -> set[int]:
        """In which directions the ends move from one index of a dimension to the next: -1, 1, both or neither."""
        steps = self._steps(dim)
        return {int(way) for way in np.unique(np.sign(steps)) if way}

    def _moves_at_both_ends(self, dim: int) -> bool:
        return bool(self._steps(dim).reshape(2, -1).any(1).all())

    def _steps(self, dim: int) -> Table:
        """The steps of `lo` and of `hi` along a dimension, at indices that see a pixel."""
        one, axis = self.completed(dim), self.axis(dim)
        others = tuple(other for other in range(one.table.ndim) if other != axis)
        seen = np.compress((one.table < NOTHING // 2).any(others), one.table, axis)
        signs = np.array([1, -1], dtype=np.int32).reshape(2, *(1,) * (seen.ndim - 1))
        return np.diff(seen * signs, axis=axis).astype(np.int32, copy=False)

    def marked(self, dim: int, kind: int) -> Bounds:
        """With a dimension of this kind; features within a position, which all see the same, stay features."""
        digits = self.dims[dim]
        if len(digits) > 1 and digits[-1].step == 0 and self.table.shape[self.axis(dim + 1) - 1] == 1:
            dims = (*self.dims[:dim], digits[:-1], digits[-1:], *self.dims[dim + 1 :])
            apart = Bounds(self.table, dims, self.space).marked(dim, kind)
            outer, inner = apart.dims[dim : dim + 2]
            return Bounds(apart.table, (*apart.dims[:dim], (*outer, *inner), *apart.dims[dim + 2 :]), self.space)
        one = self.completed(dim)
        return one.replaced(one.table, dim, (one.dims[dim][0]._replace(kind=kind),)).simplified()

    # -- several dimensions ------------------------------------------------------------------------------------

    def reduced(self, dims: Iterable[int]) -> Bounds:
        """The hull over dimensions, which stay with size 1."""
        table, axes, kept = self.table, [], list(self.dims)
        for dim in dims:
            for axis, digit in enumerate(self.dims[dim], self.axis(dim)):
                if digit.step:
                    table, _ = complete(table, axis, digit)
                axes.append(axis)
            kept[dim] = ()
        if axes and max(table.shape[axis] for axis in axes) == 1:
            return Bounds(table.squeeze(tuple(axes)), tuple(kept), self.space)
        return Bounds(table.min(tuple(axes)) if axes else table, tuple(kept), self.space).simplified()

    def simplified(self) -> Bounds:
        """The same bounds with the shortest table along each digit."""
        table, digits = self.table, list(self.digits)
        for axis, digit in enumerate(digits, 1):
            table, digits[axis - 1] = simplified(table, axis, digit, affine=not self.clipped)
        return Bounds(table, grouped(digits, self.dims), self.space)

    def permuted(self, order: Sequence[int]) -> Bounds:
        """With the dimensions in another order."""
        starts = [self.axis(dim) for dim in range(len(self.dims))]
        axes = [0, *(starts[dim] + position for dim in order for position in range(len(self.dims[dim])))]
        return Bounds(self.table.transpose(axes), tuple(self.dims[dim] for dim in order), self.space)

    def expanded(self, shape: Shape, kind: int = COPY) -> Bounds:
        """With dimensions added in front, and those of size 1 stretched, to reach `shape`."""
        found = self.padded(len(shape))
        for dim, size in enumerate(shape):
            if size != 1 and size_of(found.dims[dim]) == 1:
                found = found.resized(dim, size, kind)
        return found

    def padded(self, rank: int) -> Bounds:
        """With dimensions of size 1 in front, to reach a number of dimensions."""
        if rank == len(self.dims):
            return self
        return Bounds(self.table, ((),) * (rank - len(self.dims)) + self.dims, self.space)

    def reshaped(self, shape: Shape) -> Bounds:
        """The same elements in row-major order, with other dimensions."""
        if shape == self.shape:
            return self
        return Bounds(*regrouped(self.table, 1, self.digits, shape), self.space)


def size_of(digits: Digits) -> int:
    """The size of a dimension with these digits."""
    return prod(digit.size for digit in digits)


def grouped(digits: Sequence[Digit], like: Sequence[Digits]) -> tuple[Digits, ...]:
    """Digits in order, as many for each dimension as `like` has."""
    rest = iter(digits)
    return tuple(tuple(next(rest) for _ in group) for group in like)
