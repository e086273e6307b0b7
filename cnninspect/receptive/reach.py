"""Reach, the value that field rules compute with: the bounds of one tensor along every input axis, in three forms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np

from cnninspect.receptive import forms as of_axis
from cnninspect.receptive import joins
from cnninspect.receptive.bounds import Bounds, Space
from cnninspect.receptive.digits import COPY, FEATURE, MOST_PAIRS, NOTHING, PLACE, Digit, Indices, Mask
from cnninspect.receptive.forms import LARGE, Forms
from cnninspect.receptive.taps import Taps
from cnninspect.report.quantities import Shape
from cnninspect.report.reasons import Cause, Reason
from cnninspect.trace.trees import leaves

LOW = -746.0
"""exp of this number and of all below is 0 in float64, whose least positive number is exp(-744.4). Source: IEEE 754."""


@dataclass(frozen=True, slots=True, order=True)
class Axis:
    """One spatial axis of one input.

    `input` is the input's name in the trace, `index` counts its spatial axes from 0 (for [N, C, H, W]: 0 is H, 1 is
    W), `dim` is its dimension of the input, `size` its number of pixels.
    """

    input: str
    index: int
    dim: int
    size: int


class Blank(NamedTuple):
    """The elements that hold a number of at most `value` because of a mask: NOTHING in the bounds `where`."""

    where: Bounds
    value: float

    @property
    def mask(self) -> Mask:
        """[*shape], true for these elements, with size 1 along dimensions where all are alike."""
        return np.asarray(self.where.dense()[0] == NOTHING)


@dataclass(slots=True, eq=False)
class Reach:
    """The forms of one tensor along each input axis that it depends on, and which inputs these are.

    `content` holds the numbers of a constant tensor where the trace has them. `why` says why a reach is unknown.
    `blank` are the elements to which a mask has been applied.
    """

    shape: Shape
    forms: Mapping[Axis, Forms] = field(default_factory=dict)
    inputs: frozenset[str] = frozenset()
    unknown: str | None = None
    data_dependent: str | None = None
    content: Indices | None = None
    why: Reason | None = None
    blank: Blank | None = None

    @property
    def is_known(self) -> bool:
        """Whether the forms mean anything."""
        return self.unknown is None and self.data_dependent is None

    @property
    def holds_low(self) -> bool:
        """Whether this is a constant with a number that is low, such as a mask that is added."""
        numbers = None if self.inputs else self.content
        return numbers is not None and numbers.dtype.kind in "fi" and numbers.min(initial=0) <= LOW

    @property
    def zero(self) -> Mask | None:
        """Where an element is 0 because of a mask, or by design; None if that is not known of any."""
        return self.blank.mask if self.blank is not None and self.blank.value == 0 else None

    @property
    def is_zero(self) -> bool:
        """Whether this is a constant that is 0 everywhere, such as a state at the start."""
        return not self.inputs and (zero := self.zero) is not None and bool(zero.all())

    @property
    def entries(self) -> int:
        """Entries of all tables of bounds."""
        blank = 0 if self.blank is None else self.blank.where.table.size
        return blank + sum(forms.entries for forms in self.forms.values())

    def lined(self) -> Reach:
        """With at least one dimension: ops treat a tensor without dimensions as one of a single element."""
        return self if self.shape else self.reshaped((1,))

    def varies(self, dim: int) -> bool:
        """Whether the field differs along a dimension."""
        return bool(self.shape) and any(forms.varies(dim) for forms in self.forms.values())

    def is_inside_tiles(self, dim: int) -> bool:
        """Whether a dimension ends where the next of several tiles of the image begins."""
        return any(forms.endless.is_inside_tiles(dim) for forms in self.forms.values())

    def moved(self, shape: Shape, change: Callable[[Bounds], Bounds]) -> Reach:
        """The reach of a tensor of `shape` that `change` makes of this one."""
        return Reach(shape, {axis: forms.through(change) for axis, forms in self.forms.items()}, self.inputs)

    def placed(self, shape: Shape, change: Callable[[Bounds], Bounds]) -> Reach:
        """The reach of a tensor of `shape` that holds elements of this one, each as it is, where `change` puts them."""
        found = self.moved(shape, change)
        if self.blank is not None:
            found.blank = self.blank._replace(where=change(self.blank.where))
        return found

    def with_places(self, dim: int, *, whole: bool = True, one_by_one: bool = False) -> Reach:
        """With a dimension marked as positions if it holds the results for parts of a map, side by side.

        These are parts along the axes that move along no other dimension. Features have to lie in another dimension, or
        this one may be theirs. Beside positions along other axes each part has to be a `whole` place. What is written
        `one_by_one` may be without features, if the field then moves one way. What are positions along one axis are
        positions along all.
        """
        kinds = {kind for forms in self.forms.values() if (kind := forms.kind(dim)) >= PLACE}
        kinds = kinds or self._places_of_parts(dim, whole, one_by_one)
        if not kinds:
            return self
        kind = kinds.pop() if len(kinds) == 1 else PLACE
        changed = {
            axis: forms.through(lambda part: part.marked(dim, kind))
            for axis, forms in self.forms.items()
            if forms.varies(dim) and forms.kind(dim) < PLACE
        }
        return replace(self, forms={**self.forms, **changed}) if changed else self

    def with_features_of(self, like: Reach) -> Reach:
        """With the features of `like`, a tensor of the same shape, where single elements of it were written."""
        known = list(like.forms.values())
        features = [dim for dim in range(len(self.shape)) if known and all(one.kind(dim) == FEATURE for one in known)]

        def change(part: Bounds) -> Bounds:
            lost = (dim for dim in features if part.varies(dim) and not part.holds_features(dim))
            return reduce(lambda bounds, dim: bounds.marked(dim, FEATURE), lost, part)

        return replace(self, forms={axis: forms.through(change) for axis, forms in self.forms.items()})

    def _places_of_parts(self, dim: int, whole: bool, one_by_one: bool) -> set[int]:
        """The kinds of positions along a dimension of which no axis says that it holds any; empty if it holds none."""
        parts = [forms for forms in self.forms.values() if forms.varies(dim) and not forms.endless.moves_beside(dim)]
        # A map of one channel has its features in the dimension after the samples, which are copies.
        others = [other for other in range(len(self.shape)) if other != dim]
        apart = any(
            all(
                forms.kind(other) == FEATURE and (other == 1 < dim or not forms.holds_one(other))
                for forms in self.forms.values()
            )
            for other in others
        )
        beside = len(parts) < sum(forms.varies(dim) or forms.endless.moves_beside(dim) for forms in self.forms.values())
        by_the_way = one_by_one and not beside and any(len(forms.endless.ways(dim)) == 1 for forms in parts)
        if not by_the_way and (not apart or (beside and not whole)):
            return set()
        return {forms.endless.space.place for forms in parts}

    def hidden(self, where: Mask, value: float) -> Reach:
        """With a number of at most `value` in place of the elements where `where` is true; it may broadcast."""
        where = where.reshape((1,) * (len(self.shape) - where.ndim) + where.shape)
        if not where.any():
            return self
        forms = {axis: forms.through(lambda part: part.hidden(where)) for axis, forms in self.forms.items()}
        return Reach(self.shape, forms, self.inputs, blank=Blank(_bounds_of(where, self.shape), value))

    def marked(self, where: Mask, value: float) -> Reach:
        """With `where` as the elements that hold a number of at most `value`, which may depend on what they saw."""
        where = where.reshape((1,) * (len(self.shape) - where.ndim) + where.shape)
        return Reach(self.shape, self.forms, self.inputs, blank=Blank(_bounds_of(where, self.shape), value))

    def dense(self) -> Reach:
        """The same reach, of a constant of which it is known that no element is 0 by design."""
        return self.marked(np.array(False), 0.0)

    def without_blank(self) -> Reach:
        """The same reach, of elements that may hold other numbers."""
        return self if self.blank is None else self.moved(self.shape, lambda part: part)

    def reshaped(self, shape: Shape) -> Reach:
        """The same elements in row-major order, with other dimensions."""
        return self if shape == self.shape else self.placed(shape, lambda part: part.reshaped(shape))

    def expanded(self, shape: Shape) -> Reach:
        """Broadcast to `shape`."""
        return self if shape == self.shape else self.placed(shape, lambda part: part.expanded(shape))

    def inserted(self, dim: int) -> Reach:
        """With a new dimension of size 1 at `dim`."""
        return self.placed((*self.shape[:dim], 1, *self.shape[dim:]), lambda part: part.inserted(dim))

    def slid(self, dim: int, taps: Taps) -> Reach:
        """The hull over the taps of each output position along a dimension."""
        move = self.placed if taps.count == 1 and taps.all_exist else self.moved
        return move((*self.shape[:dim], taps.out, *self.shape[dim + 1 :]), lambda part: part.slid(dim, taps))

    def beside_zeros(self, dim: int, taps: Taps) -> Reach:
        """As `slid` of one tap for each output position; it is noted of a constant that it is 0 where none exists."""
        if self.inputs:
            return self.slid(dim, taps)
        known = self if self.blank is not None else self.dense()
        shape = (*self.shape[:dim], taps.out, *self.shape[dim + 1 :])
        return known.placed(shape, lambda part: part.slid(dim, taps))

    def taken(self, dim: int, taps: Taps) -> Reach:
        """With a dimension replaced by two: the output positions of `taps`, and the taps of each."""
        shape = (*self.shape[:dim], taps.out, taps.count, *self.shape[dim + 1 :])
        return self.moved(shape, lambda part: part.taken(dim, taps))

    def within_limits(self) -> Reach:
        """The same reach; an unknown one where it has so many pairs of positions that they are not listed."""
        if not any(forms.is_too_large for forms in self.forms.values()):
            return self
        words = f"it has more than {MOST_PAIRS:,} pairs of positions, each with a field of its own"
        return Reach(self.shape, {}, self.inputs, "pairs of positions", why=Reason(Cause.LIMIT, words))

    def made(self) -> Reach:
        """The same reach with every form computed."""
        return replace(self, forms={axis: forms.made() for axis, forms in self.forms.items()})

    def equals(self, other: Reach) -> bool:
        """Whether each element of two tensors of one shape sees the same, in every form."""
        return (
            self.inputs == other.inputs
            and self.forms.keys() == other.forms.keys()
            and all(forms.equals(other.forms[axis]) for axis, forms in self.forms.items())
        )

    def permuted(self, order: Sequence[int]) -> Reach:
        """With the dimensions in another order."""
        return self.placed(tuple(self.shape[dim] for dim in order), lambda part: part.permuted(order))

    def reduced(self, dims: Iterable[int], by: int) -> Reach:
        """The hull over dimensions, which stay with size 1; `by` is the index of the op that contracts them."""
        contracted = tuple(dims) if self.shape else ()
        shape = tuple(1 if dim in contracted else size for dim, size in enumerate(self.shape))
        forms = {axis: of_axis.reduced(forms, contracted, by) for axis, forms in self.forms.items()}
        return Reach(shape, forms, self.inputs)

    def without(self, dims: Iterable[int]) -> Reach:
        """Without dimensions of size 1."""
        gone = sorted(dims, reverse=True) if self.shape else []
        shape = tuple(size for dim, size in enumerate(self.shape) if dim not in gone)
        return self.placed(shape, lambda part: reduce(lambda rest, dim: rest.picked(dim, 0), gone, part))


def of_input(name: str, shape: Shape, axes: Sequence[Axis], *, tokens: bool = False) -> Reach:
    """The reach of an input: every element sees its own position.

    The first dimension is a batch if neither it nor another one holds positions, or if the input holds `tokens`.
    """
    places = [axis.dim for axis in axes]
    batched = bool(places) and 0 not in places and (len(shape) > len(places) + 1 or tokens)
    found = {}
    for axis in axes:
        exact = _input_bounds(shape, places, axis.dim, clipped=True, batched=batched)
        found[axis] = Forms(exact, exact, _input_bounds(shape, places, axis.dim, clipped=False, batched=batched))
    return Reach(shape, found if 0 not in shape else {}, frozenset({name}))


def nothing(shape: Shape) -> Reach:
    """The reach of a tensor that depends on no input."""
    return Reach(shape)


def zeros(shape: Shape) -> Reach:
    """The reach of a tensor of zeros."""
    return nothing(shape).marked(np.array(True), 0.0)


def merged(parts: Sequence[Reach], shape: Shape, by: int, *, lazily: bool = False) -> Reach:
    """The reach of an elementwise op on tensors that broadcast to `shape`; `by` is its index.

    `lazily` makes large tables only when they are needed.
    """
    present = list({id(part): part for part in parts if part.inputs}.values())
    if len(present) == 1:
        return present[0].expanded(shape).without_blank()
    inputs = frozenset().union(*(part.inputs for part in present))
    forms, gates = {}, gates_among(dict(enumerate(present)), len(shape))
    for axis in dict.fromkeys(axis for part in present for axis in part.forms):
        those = {i: part.forms[axis] for i, part in enumerate(present) if axis in part.forms}
        closed = [those[i] for i in gates.get(axis, ())]
        forms[axis] = of_axis.merged(list(those.values()), closed, by, shape, lazily=lazily)
    return Reach(shape, forms, inputs)


def gates_among(parts: Mapping[int, Reach], rank: int) -> dict[Axis, set[int]]:
    """By axis, the keys of the tensors that are a gate for another one, in an op whose result has `rank` dimensions.

    What is a gate along one axis is one along every axis along which the map has no positions of its own.
    """
    axes = dict.fromkeys(axis for part in parts.values() for axis in part.forms)
    along = {axis: {i: part.forms[axis] for i, part in parts.items() if axis in part.forms} for axis in axes}
    pairs = {axis: of_axis.gates_among(forms, rank) for axis, forms in along.items()}
    found = {axis: {gate for gate, _ in those} for axis, those in pairs.items()}
    for axis, there in product(along, along) if any(pairs.values()) else ():
        here = along[axis]
        both = [(i, j) for i, j in pairs[there] if i not in found[axis] and i in here and j in here]
        found[axis] |= {i for i, j in both if of_axis.is_gate_too(here[i], here[j], along[there][j], rank)}
    return found


def statistics(x: Reach, dims: Sequence[int], by: int) -> Reach:
    """The reach of `x` after a normalisation over `dims`: strictly it depends on all of them, locally on itself."""
    found = {}
    for axis, forms in x.forms.items():
        over = of_axis.reduced(forms, tuple(dims), by)
        mixed = any(forms.strict.varies(dim) for dim in dims)
        strict = joins.merged(forms.strict, over.strict) if mixed else forms.strict
        found[axis] = Forms(strict, forms.local, forms.endless, over.cause)
    return Reach(x.shape, found, x.inputs)


def concatenated(parts: Sequence[Reach], dim: int, shape: Shape) -> Reach:
    """The reaches one after the other along a dimension."""
    parts = [part for part in parts if prod(part.shape)]
    inputs = frozenset().union(*(part.inputs for part in parts))
    axes = dict.fromkeys(axis for part in parts for axis in part.forms)
    found = Reach(shape, {axis: _concatenated(parts, axis, dim) for axis in axes}, inputs)
    found = found.with_places(dim, whole=all(part.shape[dim] == 1 for part in parts)) if len(parts) > 1 else found
    # Zeros beside what depends on an input are no mask: a recurrent layer starts so.
    blanks = [None if inputs and part.is_zero else part.blank for part in parts]
    values = {blank.value for blank in blanks if blank is not None and blank.mask.any()}
    if not values and not inputs and any(blanks):
        return found.dense()
    if len(values) == 1 or (values and max(values) < 0):
        return found.marked(_blank_along(parts, blanks, dim), max(values))
    return found


def _blank_along(parts: Sequence[Reach], blanks: Sequence[Blank | None], dim: int) -> Mask:
    """Where one of the tensors holds a blank, one after the other; it may broadcast along other dimensions."""
    masks = [
        np.zeros((1,) * len(part.shape), bool) if blank is None else blank.mask
        for part, blank in zip(parts, blanks, strict=True)
    ]
    shape = list(np.broadcast_shapes(*((*mask.shape[:dim], 1, *mask.shape[dim + 1 :]) for mask in masks)))
    sized = [[*shape[:dim], part.shape[dim], *shape[dim + 1 :]] for part in parts]
    return np.concatenate([np.broadcast_to(*each) for each in zip(masks, sized, strict=True)], dim)


def _concatenated(parts: Sequence[Reach], axis: Axis, dim: int) -> Forms:
    every = _along(axis, parts)
    strict = joins.concatenated([forms.strict for forms in every], dim)
    same = all(forms.local is forms.strict for forms in every)
    local = strict if same else joins.concatenated([forms.local for forms in every], dim)
    ends = [of_axis.with_seams(forms, dim, axis.size) if len(parts) > 1 else forms.endless for forms in every]
    endless = joins.concatenated(ends, dim)
    named = [forms for forms in every if forms.cause is not None]
    hull = strict.table.reshape(2, -1).min(1) if named else np.zeros(2, dtype=np.int32)
    causes = [forms.cause for forms in named if forms.cause is not None and of_axis.covers(forms.strict.table, hull)]
    return Forms(strict, local, endless, min(causes, default=None))


def _along(axis: Axis, parts: Sequence[Reach]) -> list[Forms]:
    """The forms of each tensor along an axis on which at least one of them depends."""
    like = next(part.forms[axis] for part in parts if axis in part.forms)
    return [part.forms.get(axis) or _no_forms(like, part.shape) for part in parts]


def _no_forms(like: Forms, shape: Shape) -> Forms:
    """The forms of a tensor that depends on no pixel, along the axis that `like` is about."""
    exact = _empty_bounds(shape, like.strict.space)
    return Forms(exact, exact, _empty_bounds(shape, like.endless.space))


def written(whole: Reach, dim: int, positions: Indices, part: Reach) -> Reach:
    """`whole` with `part` in place of what stood at `positions` of a dimension."""
    at_border = not any(one.is_inside_tiles(dim) for one in (whole, part))
    forms = {
        axis: of_axis.written(old, dim, positions, new, axis.size, at_border=at_border)
        for axis in dict.fromkeys((*whole.forms, *part.forms))
        for old, new in [_along(axis, (whole, part))]
    }
    found = Reach(whole.shape, forms, whole.inputs | part.inputs)
    found = found.with_places(dim, one_by_one=True) if len(positions) == 1 else found
    values = {one.blank.value for one in (whole, part) if one.blank is not None}
    if found.inputs or len(values) != 1 or prod(whole.shape) > LARGE:
        return found
    old, new = (np.array(False) if one.blank is None else one.blank.mask for one in (whole, part))
    mask = np.broadcast_to(old, whole.shape).copy()
    mask[(slice(None),) * dim + (positions,)] = np.broadcast_to(new, part.shape)
    return found.marked(mask, values.pop())


def reaches(tree: Any) -> list[Reach]:
    """Every Reach in an op's arguments, in order."""
    return leaves(tree, Reach)


def _bounds_of(where: Mask, shape: Shape) -> Bounds:
    """Bounds that see NOTHING where a mask is true, and pixel 0 elsewhere; the mask has the same number of sizes."""
    axes = [dim for dim, size in enumerate(shape) if size != 1]
    table = np.where(where.reshape([where.shape[dim] for dim in axes]), np.int32(NOTHING), np.int32(0))
    dims = tuple((Digit(size, 0 if where.shape[dim] == 1 else None, FEATURE),) if size != 1 else ()
                 for dim, size in enumerate(shape))  # fmt: skip
    return Bounds(np.broadcast_to(table, (2, *table.shape)), dims, Space(PLACE, clipped=True))


def _input_bounds(shape: Shape, places: Sequence[int], dim: int, *, clipped: bool, batched: bool) -> Bounds:
    """The bounds of an input along its dimension `dim`, one of its spatial `places`: each element sees itself."""
    kinds = [PLACE + 1 + places.index(position) if position in places else FEATURE for position in range(len(shape))]
    if batched:  # To a field samples are like copies: folded into positions, as rows of one matrix, they stay apart.
        kinds[0] = COPY
    steps = [(None if clipped else 1) if position == dim else 0 for position in range(len(shape))]
    dims = tuple((Digit(*digit),) for digit in zip(shape, steps, kinds, strict=True))
    pixels = np.arange(shape[dim] if clipped else 1, dtype=np.int32)
    table = np.stack((pixels, -pixels)).reshape(2, *(-1 if position == dim else 1 for position in range(len(shape))))
    return Bounds(table, dims, Space(kinds[dim], clipped))


def _empty_bounds(shape: Shape, space: Space) -> Bounds:
    """The bounds of a tensor that depends on no pixel."""
    dims = tuple((Digit(size, 0, FEATURE),) if size > 1 else () for size in shape)
    return Bounds(np.full((2, *(1 for digits in dims if digits)), NOTHING, dtype=np.int32), dims, space)
