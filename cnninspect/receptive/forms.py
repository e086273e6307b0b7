"""Forms: the bounds of one tensor along one input axis, strict, local and endless; and the rule for gates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, reduce
from itertools import permutations
from math import prod
from typing import cast

import numpy as np

from cnninspect.receptive import joins
from cnninspect.receptive.bounds import Bounds
from cnninspect.receptive.digits import COPY, FEATURE, MOST_PAIRS, NOTHING, Indices, Table, meeting
from cnninspect.receptive.taps import listed
from cnninspect.report.quantities import Shape

LARGE = 1 << 18
"""Entries of a table of pairs from which on it is only computed when it is needed."""


class Forms:
    """The bounds along one input axis in three forms.

    `strict` is the whole dependency; `local` leaves out gates and the statistics of normalisation. Both are exact and
    clipped to the input; they are one object until a gate or statistics tell them apart. `endless` is `local` for an
    input without ends. `cause` is the index of the op that made the strict field global along this axis.
    """

    __slots__ = ("cause", "endless", "local", "strict")

    def __init__(self, strict: Bounds, local: Bounds, endless: Bounds, cause: int | None = None):
        self.strict, self.local, self.endless, self.cause = strict, local, endless, cause

    def varies(self, dim: int) -> bool:
        """Whether the bounds of some form differ along a dimension."""
        return self.strict.varies(dim) or self.endless.varies(dim) or self.local.varies(dim)

    def through(self, change: Callable[[Bounds], Bounds]) -> Forms:
        """`change` applied to every form."""
        strict = change(self.strict)
        local = strict if self.local is self.strict else change(self.local)
        return Forms(strict, local, change(self.endless), self.cause)

    @property
    def shape(self) -> Shape:
        """The tensor's shape."""
        return self.strict.shape

    def expanded(self, shape: Shape) -> Forms:
        """Broadcast to `shape`."""
        return self if self.shape == shape else self.through(lambda part: part.expanded(shape))

    def made(self) -> Forms:
        """The same forms, computed."""
        return self

    @property
    def entries(self) -> int:
        """Entries of the tables that are there."""
        return self.strict.table.size + self.endless.table.size

    @property
    def is_too_large(self) -> bool:
        """Whether a table that is yet to be computed has more than MOST_PAIRS entries."""
        return False

    def equals(self, other: Forms) -> bool:
        """Whether every form holds the same bounds for every element."""
        pairs = (self.strict, other.strict), (self.local, other.local), (self.endless, other.endless)
        return all(first.equals(second) for first, second in pairs)

    def moves(self, dim: int) -> bool:
        """Whether the field moves along a dimension."""
        return self.endless.varies(dim)

    def holds_one(self, dim: int) -> bool:
        """Whether a dimension holds a single element, or copies of one."""
        return all(digit.size == 1 or digit.kind == COPY for digit in self.endless.dims[dim])

    def sees_move(self, dim: int) -> bool:
        """Whether the field moves along a dimension among the elements that see a pixel."""
        return self.endless.moves(dim)

    def kind(self, dim: int) -> int:
        """The kind of a dimension: positions, features or copies (`digits.PLACE`, `FEATURE`, `COPY`)."""
        return reduce(meeting, (digit.kind for digit in self.endless.dims[dim]), FEATURE)


class Pairs(Forms):
    """The hull of two forms, computed when the bounds of its elements are first read.

    A product of queries and keys has bounds for each pair of tokens; the softmax after it takes the hull over one of
    the two dimensions. Taking that hull of each part first gives the same bounds and needs no table of pairs.
    """

    def __init__(self, first: Forms, second: Forms, cause: int | None):
        self.parts = first, second
        self.cause = cause

    @cached_property
    def strict(self) -> Bounds:  # type: ignore[override]
        """The hull of the strict bounds."""
        return joins.merged(*(part.strict for part in self.parts))

    @cached_property
    def local(self) -> Bounds:  # type: ignore[override]
        """The hull of the local bounds."""
        same = all(part.local is part.strict for part in self.parts)
        return self.strict if same else joins.merged(*(part.local for part in self.parts))

    @cached_property
    def endless(self) -> Bounds:  # type: ignore[override]
        """The hull of the endless bounds."""
        return joins.merged(*(part.endless for part in self.parts))

    @property
    def entries(self) -> int:
        """Entries of the tables that are there."""
        return sum(part.table.size for part in vars(self).values() if isinstance(part, Bounds))

    @property
    def is_too_large(self) -> bool:
        """Whether a table that is yet to be computed has more than MOST_PAIRS entries."""
        parts = [part.parts[0] if isinstance(part, Pairs) else part for part in self.parts]
        return any(part.is_too_large for part in self.parts) or _entries(*(part.strict for part in parts)) > MOST_PAIRS

    @property
    def shape(self) -> Shape:
        """The tensor's shape."""
        return self.parts[0].shape

    def made(self) -> Forms:
        """The same forms, computed; the pairs do not keep them."""
        found = _hull(*(part.made() for part in self.parts))
        found.cause = self.cause
        return found

    def holds_one(self, dim: int) -> bool:
        """Whether a dimension holds a single element, or copies of one."""
        return all(part.holds_one(dim) for part in self.parts)

    def joined(self, other: Forms) -> Forms:
        """The hull with other forms of the same shape, put into the part with which their table is the smaller."""
        if isinstance(other, Pairs):
            return reduce(_hull, other.parts, cast(Forms, self))
        first, second = self.parts
        if _entries(first.strict, other.strict) < _entries(second.strict, other.strict):
            return Pairs(_hull(first, other), second, self.cause)
        return Pairs(first, _hull(second, other), self.cause)

    def varies(self, dim: int) -> bool:
        """Whether the bounds of some form differ along a dimension."""
        return any(part.varies(dim) for part in self.parts)

    def moves(self, dim: int) -> bool:
        """Whether the field moves along a dimension."""
        return any(part.moves(dim) for part in self.parts)

    def sees_move(self, dim: int) -> bool:
        """Whether the field moves along a dimension among the elements that see a pixel."""
        return any(part.sees_move(dim) for part in self.parts)

    def kind(self, dim: int) -> int:
        """The kind of a dimension: positions, features or copies (`digits.PLACE`, `FEATURE`, `COPY`)."""
        return reduce(meeting, (part.kind(dim) for part in self.parts))

    def through(self, change: Callable[[Bounds], Bounds]) -> Forms:
        """`change` applied to every form of both parts."""
        first, second = (part.through(change) for part in self.parts)
        return Pairs(first, second, self.cause)


def reduced(forms: Forms, dims: tuple[int, ...], by: int) -> Forms:
    """The hull over dimensions. The op `by` is the cause if they held positions and the field advances no longer."""
    found = forms.through(lambda part: part.reduced(dims)).made()
    mixes = forms.cause is None and any(forms.moves(dim) for dim in dims)
    if mixes and not found.endless.advances:
        found.cause = by
    return found


def merged(parts: list[Forms], gates: list[Forms], by: int, shape: Shape, *, lazily: bool = False) -> Forms:
    """The hull along one axis of `parts`, broadcast to `shape`, of which the local form leaves `gates` out.

    `lazily` puts off a large hull until it is read. Pairs of forms stay pairs.
    """
    if len(parts) == 1:
        return parts[0].expanded(shape)
    open_ = [part for part in parts if not any(part is gate for gate in gates)]
    causes = [
        part.cause for part in open_ if part.cause is not None and all(_strictly_sees(part, gate) for gate in gates)
    ]
    cause = min(causes, default=by if gates else None)
    if not gates and any(isinstance(part, Pairs) for part in parts):
        found = reduce(_hull, (part.expanded(shape) for part in parts))
        found.cause = cause
        return found
    if lazily and not gates and len(parts) == 2 and _entries(*(part.strict for part in parts)) >= LARGE:
        return Pairs(parts[0].expanded(shape), parts[1].expanded(shape), cause)
    strict = reduce(joins.merged, (part.strict for part in parts))
    if not gates and all(part.local is part.strict for part in parts):
        local = strict
    else:
        local = reduce(joins.merged, (part.local for part in open_))
    return Forms(strict, local, reduce(joins.merged, (part.endless for part in open_)), cause).expanded(shape)


def _hull(first: Forms, second: Forms) -> Forms:
    """The hull of two forms of one shape, in every form, without a cause."""
    if isinstance(first, Pairs) or isinstance(second, Pairs):
        return first.joined(second) if isinstance(first, Pairs) else cast(Pairs, second).joined(first)
    strict = joins.merged(first.strict, second.strict)
    same = first.local is first.strict and second.local is second.strict
    local = strict if same else joins.merged(first.local, second.local)
    return Forms(strict, local, joins.merged(first.endless, second.endless))


def written(whole: Forms, dim: int, positions: Indices, part: Forms, pixels: int, *, at_border: bool) -> Forms:
    """`whole` with `part` in place of what stood at `positions` of a dimension. Pairs of forms stay pairs.

    `pixels` is the size of the image; `at_border` says that the dimension ends where the image does.
    """
    causes = [cause for cause in (whole.cause, part.cause) if cause is not None]
    cause = min(causes, default=None)
    if isinstance(whole, Pairs) and isinstance(part, Pairs):
        pairs = zip(whole.parts, part.parts, strict=True)
        first, second = (written(old, dim, positions, new, pixels, at_border=at_border) for old, new in pairs)
        return Pairs(first, second, cause)
    strict = joins.written(whole.strict, dim, positions, part.strict)
    same = whole.local is whole.strict and part.local is part.strict
    local = strict if same else joins.written(whole.local, dim, positions, part.local)
    endless = None
    if at_border:
        fills = joins.is_nothing(whole.strict.slid(dim, listed(whole.shape[dim], positions.tolist())))
        endless = joins.written_away_from_borders(whole.endless, dim, positions, part.endless, fills=fills)
    if endless is None:
        endless = joins.written(whole.endless, dim, positions, with_seams(part, dim, pixels))
    return Forms(strict, local, endless, cause)


def with_seams(forms: Forms, dim: int, pixels: int) -> Bounds:
    """The endless bounds of a part of a map, whose ends along `dim` come to lie inside the image of this many pixels.

    What a padding hides there is seen no more than it is beside any other position: convolutions of tiles.
    """
    if not any(digit.step for digit in forms.endless.dims[dim]):
        return forms.endless
    local = forms.local.dense()
    inside = (local[0] > 0) & (local[1] > 1 - pixels) & (local[0] < NOTHING // 2)
    if not (inside & (local != forms.endless.dense()).any(0)).any():
        return forms.endless
    endless = reduce(lambda bounds, each: bounds.completed(each), range(len(forms.shape)), forms.endless)
    shape = endless.table.shape
    inside, local = (np.broadcast_to(each, (2, *forms.shape)).reshape(shape) for each in (inside, local))
    return Bounds(np.where(inside, local, endless.table), endless.dims, endless.space).simplified()


def gates_among(parts: Mapping[int, Forms], rank: int) -> set[tuple[int, int]]:
    """The pairs of which the first is a gate for the second."""
    return {(gate, other) for gate, other in permutations(parts, 2) if _is_gate(parts[gate], parts[other], rank)}


def is_gate_too(gate: Forms, other: Forms, elsewhere: Forms, rank: int) -> bool:
    """Whether `gate`, which is a gate along an axis where `other` is `elsewhere`, is one along this axis as well.

    It is if no dimension of `other` moves along this axis alone: the map has one position here, as after a mean over
    its width, and `gate` is one number for all of the map.
    """
    moves_there = _places(elsewhere.endless, rank) or _places(elsewhere.local, rank)
    moves_here = _places(other.endless, rank)
    return not _places(gate.endless, rank) and set(moves_here) <= set(moves_there) and _sees_all(gate, other)


def _entries(first: Bounds, second: Bounds) -> int:
    """About how many entries the table of their hull has."""

    def entries(part: Bounds, dim: int) -> int:
        axis = part.axis(dim)
        return prod(part.table.shape[axis : axis + len(part.dims[dim])])

    return prod(max(entries(first, dim), entries(second, dim)) for dim in range(len(first.dims)))


def _is_gate(gate: Forms, other: Forms, rank: int) -> bool:
    """Whether `gate` holds one element for all positions along which `other` moves, computed from all of them.

    Such a factor or summand (squeeze-and-excitation, global context, a mean that is subtracted) is the same for all
    positions; papers leave it out of the field.
    """
    offset = rank - len(gate.shape)
    sizes = (1,) * (rank - len(other.shape)) + tuple(other.shape)
    one = [dim for dim in range(rank) if sizes[dim] > 1 and (dim < offset or gate.holds_one(dim - offset))]
    if not one:
        return False
    # Taps of which none exists but at the border leave an endless field without a place.
    places = _places(other.endless, rank) or _places(other.local, rank)
    if not set(one) & set(places) or _places(gate.endless, rank):
        return False
    return _sees_all(gate, other)


def _sees_all(gate: Forms, other: Forms) -> bool:
    """Whether each element of `gate` that depends on any pixel sees all that the elements of `other` see."""
    return covers(gate.local.table, other.local.table.reshape(2, -1).min(1))


def _strictly_sees(part: Forms, gate: Forms) -> bool:
    """Whether each element of `part` that depends on any pixel sees, counting gates, all that a gate sees."""
    return covers(part.strict.table, gate.strict.table.reshape(2, -1).min(1))


def _places(part: Bounds, rank: int) -> list[int]:
    """The dimensions, counted in a tensor of `rank`, along which the field moves from place to place."""
    offset = rank - len(part.dims)
    return [dim + offset for dim in range(len(part.dims)) if part.moves(dim) and not part.holds_features(dim)]


def covers(table: Table, hull: Table) -> bool:
    """Whether each element that depends on any pixel sees all of `hull` (`lo` and `-hi`)."""
    rows = table.reshape(2, -1)
    least = rows.max(1, initial=-NOTHING, where=rows < NOTHING // 2)
    return bool((least <= hull).all())
