"""What the rules of the ops compute with: the maps of one tensor along every input axis, in all forms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import permutations
from math import prod

from cnninspect.quantities import Shape
from cnninspect.receptive import joins
from cnninspect.receptive.digits import COPY, NOTHING, Indices, Table
from cnninspect.receptive.fields import Axis
from cnninspect.receptive.maps import Map
from cnninspect.receptive.sources import of_nothing
from cnninspect.receptive.taps import Taps


@dataclass(slots=True, eq=False)
class Forms:
    """The bounds along one input axis in three forms.

    `strict` and `local` are exact and clipped to the input; they are one object as long as nothing tells them apart.
    `endless` is the local one for an input without ends. `cause` is the index of the op that made the strict field
    global along this axis.
    """

    strict: Map
    local: Map
    endless: Map
    cause: int | None = None

    def varies(self, dim: int) -> bool:
        """Whether the bounds of some form differ along a dimension."""
        return self.strict.varies(dim) or self.endless.varies(dim) or self.local.varies(dim)

    def through(self, change: Callable[[Map], Map]) -> Forms:
        """Every form changed in the same way."""
        strict = change(self.strict)
        local = strict if self.local is self.strict else change(self.local)
        return Forms(strict, local, change(self.endless), self.cause)


@dataclass(slots=True, eq=False)
class Reach:
    """The forms of one tensor along each input axis that it depends on, and which inputs these are.

    `content` holds the numbers of a constant index tensor where they are known.
    """

    shape: Shape
    forms: Mapping[Axis, Forms] = field(default_factory=dict)
    inputs: frozenset[str] = frozenset()
    unknown: str | None = None
    data_dependent: str | None = None
    content: Indices | None = None

    @property
    def is_known(self) -> bool:
        """Whether the forms mean anything."""
        return self.unknown is None and self.data_dependent is None

    def varies(self, dim: int) -> bool:
        """Whether the field differs along a dimension."""
        return any(forms.varies(dim) for forms in self.forms.values())

    def moved(self, shape: Shape, change: Callable[[Map], Map]) -> Reach:
        """The reach of a tensor of `shape` that `change` makes of this one."""
        return Reach(shape, {axis: forms.through(change) for axis, forms in self.forms.items()}, self.inputs)

    def reshaped(self, shape: Shape) -> Reach:
        """The same elements in row-major order, with other dimensions."""
        return self if shape == self.shape else self.moved(shape, lambda part: part.reshaped(shape))

    def expanded(self, shape: Shape) -> Reach:
        """Broadcast to `shape`."""
        return self if shape == self.shape else self.moved(shape, lambda part: part.expanded(shape))

    def inserted(self, dim: int) -> Reach:
        """With a new dimension of size 1 at `dim`."""
        return self.moved((*self.shape[:dim], 1, *self.shape[dim:]), lambda part: part.inserted(dim))

    def slid(self, dim: int, taps: Taps) -> Reach:
        """The hull over the taps of each output position along a dimension."""
        return self.moved((*self.shape[:dim], taps.out, *self.shape[dim + 1 :]), lambda part: part.slid(dim, taps))

    def taken(self, dim: int, taps: Taps) -> Reach:
        """With a dimension replaced by two: the output positions of `taps`, and the taps of each."""
        shape = (*self.shape[:dim], taps.out, taps.count, *self.shape[dim + 1 :])
        return self.moved(shape, lambda part: part.taken(dim, taps))

    def permuted(self, order: Sequence[int]) -> Reach:
        """With the dimensions in another order."""
        return self.moved(tuple(self.shape[dim] for dim in order), lambda part: part.permuted(order))

    def reduced(self, dims: Iterable[int], by: int) -> Reach:
        """The hull over dimensions, which stay with size 1; `by` is the index of the op that contracts them."""
        contracted = tuple(dims)
        shape = tuple(1 if dim in contracted else size for dim, size in enumerate(self.shape))
        forms = {axis: _reduced(forms, contracted, by) for axis, forms in self.forms.items()}
        return Reach(shape, forms, self.inputs)

    def without(self, dims: Iterable[int]) -> Reach:
        """Without dimensions of size 1."""
        gone = sorted(dims, reverse=True)
        shape = tuple(size for dim, size in enumerate(self.shape) if dim not in gone)
        return self.moved(shape, lambda part: reduce(lambda rest, dim: rest.picked(dim, 0), gone, part))


def _reduced(forms: Forms, dims: tuple[int, ...], by: int) -> Forms:
    """The hull over dimensions; the op is the cause if positions lie along them and none is left to advance."""
    found = forms.through(lambda part: part.reduced(dims))
    mixes = forms.cause is None and any(forms.endless.varies(dim) for dim in dims)
    if mixes and not found.endless.advances:
        found.cause = by
    return found


def nothing(shape: Shape) -> Reach:
    """The reach of a tensor that depends on no input."""
    return Reach(shape)


def merged(parts: Sequence[Reach], shape: Shape, by: int) -> Reach:
    """The reach of an elementwise op on tensors that broadcast to `shape`; `by` is its index."""
    present = list({id(part): part for part in parts if part.inputs}.values())
    if len(present) == 1:
        return present[0].expanded(shape)
    inputs = frozenset().union(*(part.inputs for part in present))
    forms = {}
    for axis in dict.fromkeys(axis for part in present for axis in part.forms):
        found = _merged([part.forms[axis] for part in present if axis in part.forms], len(shape), by)
        forms[axis] = found if found.strict.shape == shape else found.through(lambda part: part.expanded(shape))
    return Reach(shape, forms, inputs)


def _merged(parts: list[Forms], rank: int, by: int) -> Forms:
    """The hull along one axis; the local one without gates."""
    if len(parts) == 1:
        return parts[0]
    gates = {id(gate) for gate, other in permutations(parts, 2) if _is_gate(gate, other, rank)}
    open_ = [part for part in parts if id(part) not in gates]
    strict = reduce(joins.merged, (part.strict for part in parts))
    if not gates and all(part.local is part.strict for part in parts):
        local = strict
    else:
        local = reduce(joins.merged, (part.local for part in open_))
    causes = [part.cause for part in open_ if part.cause is not None]
    cause = min(causes, default=by if gates else None)
    return Forms(strict, local, reduce(joins.merged, (part.endless for part in open_)), cause)


def _is_gate(gate: Forms, other: Forms, rank: int) -> bool:
    """Whether `gate` holds one element for all positions along which `other` moves, computed from all of them.

    Such a factor or summand (squeeze-and-excitation, global context, a mean that is subtracted) tells a position
    nothing about where things are; papers leave it out of the field.
    """
    places = _places(other.endless, rank)
    if not places or _places(gate.endless, rank):
        return False
    offset = rank - len(gate.endless.dims)
    broadcast = (gate.endless.dims[dim - offset] if dim >= offset else () for dim in places)
    if not any(all(digit.size == 1 or digit.kind == COPY for digit in digits) for digits in broadcast):
        return False
    return covers(gate.local.table, other.local.table.reshape(2, -1).min(1))


def _places(part: Map, rank: int) -> list[int]:
    """The dimensions, counted in a tensor of `rank`, along which the field moves from place to place."""
    offset = rank - len(part.dims)
    return [dim + offset for dim in range(len(part.dims)) if part.varies(dim) and not part.holds_features(dim)]


def covers(table: Table, hull: Table) -> bool:
    """Whether each element of a table that sees anything sees all of a hull, `lo` and `-hi`."""
    rows = table.reshape(2, -1)
    least = rows.max(1, initial=-NOTHING, where=rows < NOTHING // 2)
    return bool((least <= hull).all())


def statistics(x: Reach, dims: Sequence[int], by: int) -> Reach:
    """The reach of `x` after a normalisation over `dims`: strictly it depends on all of them, locally on itself."""
    found = {}
    for axis, forms in x.forms.items():
        over = _reduced(forms, tuple(dims), by)
        mixed = any(forms.strict.varies(dim) for dim in dims)
        strict = joins.merged(forms.strict, over.strict) if mixed else forms.strict
        found[axis] = Forms(strict, forms.local, forms.endless, over.cause)
    return Reach(x.shape, found, x.inputs)


def concatenated(parts: Sequence[Reach], dim: int, shape: Shape) -> Reach:
    """The reaches one after the other along a dimension."""
    parts = [part for part in parts if prod(part.shape)]
    inputs = frozenset().union(*(part.inputs for part in parts))
    axes = dict.fromkeys(axis for part in parts for axis in part.forms)
    return Reach(shape, {axis: _concatenated(parts, axis, dim) for axis in axes}, inputs)


def _concatenated(parts: Sequence[Reach], axis: Axis, dim: int) -> Forms:
    every = _along(axis, parts)
    strict = joins.concatenated([forms.strict for forms in every], dim)
    same = all(forms.local is forms.strict for forms in every)
    local = strict if same else joins.concatenated([forms.local for forms in every], dim)
    endless = joins.concatenated([forms.endless for forms in every], dim)
    return Forms(strict, local, endless, min((forms.cause for forms in every if forms.cause is not None), default=None))


def _along(axis: Axis, parts: Sequence[Reach]) -> list[Forms]:
    """The forms of each tensor along an axis on which at least one of them depends."""
    like = next(part.forms[axis] for part in parts if axis in part.forms)
    return [part.forms.get(axis) or _no_forms(like, part.shape) for part in parts]


def _no_forms(like: Forms, shape: Shape) -> Forms:
    """The forms of a tensor that depends on no pixel, along the axis that `like` is about."""
    exact = of_nothing(shape, like.strict.space)
    return Forms(exact, exact, of_nothing(shape, like.endless.space))


def written(whole: Reach, dim: int, positions: Indices, part: Reach) -> Reach:
    """`whole` with `part` in place of what stood at `positions` of a dimension."""
    forms = {}
    for axis in dict.fromkeys((*whole.forms, *part.forms)):
        old, new = _along(axis, (whole, part))
        strict = joins.written(old.strict, dim, positions, new.strict)
        same = old.local is old.strict and new.local is new.strict
        local = strict if same else joins.written(old.local, dim, positions, new.local)
        causes = [cause for cause in (old.cause, new.cause) if cause is not None]
        endless = joins.written(old.endless, dim, positions, new.endless)
        forms[axis] = Forms(strict, local, endless, min(causes, default=None))
    return Reach(whole.shape, forms, whole.inputs | part.inputs)
