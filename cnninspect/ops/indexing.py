"""Ops that read or write where the numbers of an index tensor say.

Indices that the trace holds are followed; with indices that depend on an input, or that are not known, a field is known
only where all elements that may be meant see the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from cnninspect.ops.registry import NoFormula, Work, aten, register_op
from cnninspect.ops.rules import (
    axis,
    broadcast,
    by_values,
    numel,
    resized,
    same,
    shape_of,
    spread_over,
    stepped,
    written_in,
)
from cnninspect.receptive import taps
from cnninspect.receptive.digits import MISSING, Indices
from cnninspect.receptive.knowledge import NoRule, ReadByData, Zeros, reads_by_data
from cnninspect.receptive.reach import Reach, merged, nothing, written, zeros
from cnninspect.receptive.taps import Taps
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef

_MASKS = ("bool", "uint8")
"""The dtypes of masks among the tensors that index."""

# --- output shapes ------------------------------------------------------------------------------------------------


def _picked(self: TensorRef, indices: Sequence[TensorRef | None]) -> tuple[Shape, ...]:
    """The indexed dimensions replaced by the broadcast of the indices: in place if they are adjacent, else in front.

    Raises NoFormula for masks: the number of their true elements is data. Source: NumPy, "Advanced indexing".
    """
    if any(index is not None and index.dtype in _MASKS for index in indices):
        raise NoFormula("a mask picks as many elements as are true")
    places = [place for place, index in enumerate(indices) if index is not None]
    picked = broadcast(*(index.shape for index in indices if index is not None))
    kept = tuple(size for place, size in enumerate(self.shape) if place not in places)
    front = places[0] if places[-1] - places[0] == len(places) - 1 else 0
    return ((*kept[:front], *picked, *kept[front:]),)


def _selected(self: TensorRef, dim: int, index: TensorRef) -> tuple[Shape, ...]:
    """One place along `dim` per index."""
    return (resized(self.shape, dim, numel(index.shape)),)


def _gathered(self: TensorRef, dim: int, index: TensorRef, **_: Any) -> tuple[Shape, ...]:
    """The shape of the index."""
    return (index.shape,)


def _repeats_spread(repeats: TensorRef, *, output_size: int | None = None) -> tuple[Shape, ...]:
    """The sum of the repeats, which only a given `output_size` tells."""
    return by_values() if output_size is None else ((output_size,),)


# --- what an output sees ------------------------------------------------------------------------------------------


UNSEEN = "the numbers in the index are not known"


def _unseen(*indices: Reach) -> NoRule:
    """Why no rule follows these indices: they depend on an input, or the trace does not hold their numbers."""
    return ReadByData() if any(index.inputs for index in indices) else NoRule(UNSEEN)


def _select_field(op: Op, x: Reach, dim: int, index: Reach) -> Reach:
    """The listed indices of a dimension."""
    return _indexed(op, x.lined(), [axis(dim, len(x.shape))], [index.lined()])


def _index_field(op: Op, x: Reach, indices: list[Reach | None]) -> Reach:
    """Tensors of indices in place of dimensions; they broadcast, and stand first when they are not adjacent."""
    dims = [dim for dim, index in enumerate(indices) if index is not None]
    return _indexed(op, x, dims, [index for index in indices if index is not None])


def _masked_field(op: Op, x: Reach, mask: Reach, indices: list[Reach | None], fill: Any) -> Reach:
    """The indexed elements, or the given value where the mask says so."""
    return merged((_index_field(op, x, indices), mask), shape_of(op), op.index)


def _indexed(op: Op, x: Reach, dims: list[int], indices: list[Reach]) -> Reach:
    """Indices whose numbers are known are followed; others do not matter where nothing varies along `dims`."""
    shape = shape_of(op)
    known = _numbers(dims, indices)
    if known is not None and len(known) == 1 and shape:
        ((dim, numbers),) = known.items()
        return _read(x, dim, numbers).reshaped(shape)
    if known is not None:
        return _read(x.reshaped((numel(x.shape),)), 0, _flat_places(x.shape, known)).reshaped(shape)
    if any(map(x.varies, dims)):
        raise _unseen(*indices)
    chosen_shape = np.broadcast_shapes(*(index.shape for index in indices))
    if len(shape) != len(x.shape) - len(dims) + len(chosen_shape):
        raise NoRule("a mask picks as many elements as are true")
    front = dims[0] if dims == list(range(dims[0], dims[-1] + 1)) else 0
    kept = x.reduced(dims, op.index).without(dims)
    single = (*kept.shape[:front], *(1,) * len(chosen_shape), *kept.shape[front:])
    rows = merged(indices, chosen_shape, op.index)
    rows = rows.reshaped((*chosen_shape, *(1,) * (len(kept.shape) - front)))
    return merged((spread_over(kept.reshaped(single), shape), spread_over(rows, shape)), shape, op.index)


def _numbers(dims: Sequence[int], indices: Sequence[Reach]) -> dict[int, Indices] | None:
    """Dimension -> the numbers that index it; None if some are not known. A mask indexes as many as it has dimensions.

    Source: NumPy, "Advanced indexing": a mask stands for the places where it is True, dimension by dimension.
    """
    found: dict[int, Indices] = {}
    for dim, index in zip(dims, indices, strict=True):
        if index.content is None:
            return None
        is_mask = index.content.dtype == np.bool_
        if is_mask and (len(dims) > 1 or not index.shape):
            return None
        found.update(enumerate(np.nonzero(index.content) if is_mask else (index.content,), dim))
    return found


def _flat_places(shape: Shape, numbers: dict[int, Indices]) -> Indices:
    """The place, in the flattened tensor of `shape`, of every element that is picked: the numbers broadcast."""
    dims = sorted(numbers)
    picked = np.broadcast_arrays(*(numbers[dim] % max(shape[dim], 1) for dim in dims))
    kept = [dim for dim in range(len(shape)) if dim not in numbers]
    front = dims[0] if dims == list(range(dims[0], dims[-1] + 1)) else 0
    rank, inner = len(kept) + picked[0].ndim, picked[0].ndim
    places: list[Any] = [None] * len(shape)
    for dim, part in zip(dims, picked, strict=True):
        places[dim] = part.reshape(*part.shape, *(1,) * (rank - front - inner))
    for position, dim in enumerate(kept):
        behind = rank - 1 - (position if position < front else position + inner)
        places[dim] = np.arange(shape[dim]).reshape(-1, *(1,) * behind)
    return np.asarray(np.ravel_multi_index(np.broadcast_arrays(*places), shape))


def _read(x: Reach, dim: int, positions: Indices) -> Reach:
    """The elements of `x` at these positions of a dimension."""
    return x.slid(dim, taps.listed(x.shape[dim], positions.reshape(-1).tolist()))


def _take_field(op: Op, x: Reach, index: Reach) -> Reach:
    """Elements of the flattened tensor: their places are known, or all elements see the same."""
    flat = x.reshaped((numel(x.shape),))
    if index.content is not None:
        return _read(flat, 0, index.content).reshaped(index.shape)
    if flat.varies(0):
        raise _unseen(index)
    every = spread_over(flat.reduced([0], op.index).without([0]), index.shape)
    return merged((every, index), index.shape, op.index)


def _gather_field(op: Op, x: Reach, dim: int, index: Reach, **_: Any) -> Reach:
    """An index for every element: its number is known, or all elements along the dimension see the same."""
    content, dim = index.content, axis(dim, len(x.shape))
    x, index, shape = x.lined(), index.lined(), shape_of(op) or (1,)
    if content is not None:
        flat = x.reshaped((numel(x.shape),))
        return _read(flat, 0, _in_flat(x.shape, dim, content.reshape(shape))).reshaped(shape_of(op))
    if x.varies(dim):
        raise _unseen(index)
    if any(size != like for i, (size, like) in enumerate(zip(shape, x.shape, strict=True)) if i != dim):
        raise NoRule("the index leaves out a part of the tensor")
    chosen = merged((x.reduced([dim], op.index).expanded(shape), index), shape, op.index)
    return chosen.reshaped(shape_of(op))


def _in_flat(shape: Shape, dim: int, index: Indices) -> Indices:
    """Where the elements that an index tensor names along `dim` stand in the flattened tensor of `shape`."""
    places = np.indices(index.shape)
    places[dim] = index % shape[dim]
    return np.asarray(np.ravel_multi_index(tuple(places), shape))


# --- written where a list of indices says ---------------------------------------------------------------------------


class _Writing(NamedTuple):
    """How an op writes: `adds` puts sources to what stands there, which counts unless it `keeps` nothing of it.

    `number` is what it writes where the source is no tensor.
    """

    op: Op
    adds: bool = False
    keeps: bool = True
    number: Any = None

    def into(self, target: Reach, dim: int, positions: Indices, source: Reach | None) -> Reach:
        """`target` after the source, or the number for None, went to these positions of a dimension."""
        positions = positions.reshape(-1) % max(target.shape[dim], 1)
        reached = np.unique(positions)
        if not len(reached):
            return target
        if self.adds and not self.keeps:
            target = written(target, dim, reached, nothing(resized(target.shape, dim, len(reached))))
        if self.adds:
            return target if source is None else _added(self.op, target, dim, positions, source)
        if source is None:
            make = zeros if self.number == 0 else nothing
            return written(target, dim, reached, make(resized(target.shape, dim, len(reached))))
        if not source.varies(dim):
            positions, source = reached, stepped(source, dim, 0, len(reached), 1)
        if len(reached) < len(positions):
            raise NoRule("two sources go to one position, and nobody says which of them stays")
        return written(target, dim, positions, source)


def _added(op: Op, target: Reach, dim: int, positions: Indices, source: Reach) -> Reach:
    """`target` plus the source at the listed positions of a dimension: a position sees all that is added to it."""
    if not (target.inputs or source.inputs):
        reached = np.unique(positions)
        return written(target, dim, reached, nothing(resized(target.shape, dim, len(reached))))
    most = max(np.bincount(positions).max(initial=0), 1)
    added = np.full((target.shape[dim], most), MISSING)
    for place in range(target.shape[dim]):
        (of_place,) = np.nonzero(positions == place)
        added[place, : len(of_place)] = of_place
    return merged((target, source.slid(dim, Taps(added))), target.shape, op.index)


def _scatter_field(op: Op, target: Reach, dim: int, index: Reach, source: Any, *_: Any, **given: Any) -> Reach:
    """The source where the numbers of the index say; if they are not known, what every element may hold.

    Then every element may hold any of the sources along the dimension, or what it held before.
    """
    content, dim = index.content, axis(dim, len(target.shape))
    target, index, number = target.lined(), index.lined(), source
    source = source.lined() if isinstance(source, Reach) else None
    if content is not None:
        adds = "add" in op.packet or "reduce" in op.packet or ".reduce" in op.name or "value_reduce" in op.name
        how = _Writing(op, adds=adds, keeps=given.get("include_self", True), number=number)
        return _scattered(how, target, dim, content.reshape(index.shape), source).reshaped(shape_of(op))
    parts = [part for part in (index, source) if part is not None]
    if any(part.varies(dim) for part in parts):
        raise _unseen(index)
    if any(part.shape[i] != size for part in parts for i, size in enumerate(target.shape) if i != dim):
        raise NoRule("the index covers a part of the tensor")
    spread = [spread_over(part.reduced([dim], op.index), target.shape) for part in parts]
    return merged((target, *spread), target.shape, op.index).reshaped(shape_of(op))


def _scattered(how: _Writing, target: Reach, dim: int, numbers: Indices, source: Reach | None) -> Reach:
    """The source where an index of its own for each element says: along the dimension if one list does for all."""
    for position, size in enumerate(numbers.shape if source is not None else ()):
        source = stepped(source, position, 0, size, 1) if source is not None else None
    rows = np.moveaxis(numbers, dim, 0).reshape(numbers.shape[dim], -1)
    whole = all(n == size for i, (n, size) in enumerate(zip(numbers.shape, target.shape, strict=True)) if i != dim)
    if whole and rows.size and (rows == rows[:, :1]).all():
        return how.into(target, dim, rows[:, 0], source)
    flat = None if source is None else source.reshaped((numbers.size,))
    places = _in_flat(target.shape, dim, numbers)
    written = how.into(target.reshaped((numel(target.shape),)), 0, places, flat)
    return written.reshaped(target.shape).with_features_of(target)


def _positions(index: Reach) -> Indices:
    """The numbers of an index tensor; raises NoRule where they are not known."""
    if index.content is None:
        raise _unseen(index)
    return index.content


def _index_put_field(
    op: Op, target: Reach, indices: list[Reach | None], values: Reach, accumulate: bool = False, *_: Any
) -> Reach:
    """The values in place of, or added to, the elements that the indices pick."""
    dims = [dim for dim, index in enumerate(indices) if index is not None]
    given = [index for index in indices if index is not None]
    numbers = _numbers(dims, given)
    if numbers is None:
        raise _unseen(*given)
    how = _Writing(op, adds=accumulate)
    if len(numbers) == 1 and (listed := next(iter(numbers.values()))).ndim == 1:
        (dim,) = numbers
        return how.into(target, dim, listed, written_in(values).expanded(resized(target.shape, dim, len(listed))))
    places = _flat_places(target.shape, numbers)
    flat = written_in(values).expanded(places.shape).reshaped((places.size,))
    written = how.into(target.reshaped((numel(target.shape),)), 0, places, flat)
    return written.reshaped(target.shape).with_features_of(target)


def _copy_field(op: Op, target: Reach, dim: int, index: Reach, source: Reach) -> Reach:
    """The source in place of the listed positions."""
    target, dim = target.lined(), axis(dim, len(target.shape))
    return _Writing(op).into(target, dim, _positions(index), source.lined()).reshaped(shape_of(op))


def _fill_field(op: Op, target: Reach, dim: int, index: Reach, value: Any) -> Reach:
    """One value in place of the listed positions, which may be listed twice."""
    target, dim, positions = target.lined(), axis(dim, len(target.shape)), _positions(index)
    filled = resized(target.shape, dim, positions.size)
    part = value.reshaped((1,) * len(filled)).expanded(filled) if isinstance(value, Reach) else None
    return _Writing(op, number=value).into(target, dim, positions, part).reshaped(shape_of(op))


def _add_field(op: Op, target: Reach, dim: int, index: Reach, source: Reach, *_: Any, **given: Any) -> Reach:
    """The source added at the listed positions, or reduced with what stands there."""
    target, dim = target.lined(), axis(dim, len(target.shape))
    how = _Writing(op, adds=True, keeps=given.get("include_self", True))
    return how.into(target, dim, _positions(index), source.lined()).reshaped(shape_of(op))


def _put_field(op: Op, target: Reach, index: Reach, source: Reach, accumulate: bool = False) -> Reach:
    """The source in place of, or added to, the listed elements of the flattened tensor."""
    flat, values = target.reshaped((numel(target.shape),)), source.reshaped((numel(source.shape),))
    written = _Writing(op, adds=accumulate).into(flat, 0, _positions(index), values)
    return written.reshaped(target.shape).with_features_of(target)


def unpooled_field(op: Op, x: Reach, indices: Reach, *_: Any) -> Reach:
    """Each value where its number in the flattened map of its channel says; zeros elsewhere. Source: nn.MaxUnpool2d."""
    shape, axes = shape_of(op), 3 if op.packet.endswith("3d") else 2
    planes, size = numel(shape[:-axes]), numel(shape[-axes:])
    places = _positions(indices).reshape(planes, -1) + np.arange(planes)[:, None] * size
    made = _Writing(op).into(nothing((planes * size,)), 0, places, x.reshaped((numel(x.shape),)))
    return made.reshaped(shape)


def _added_in(op: Op) -> int:
    """The elements of the tensor that is added in, the last argument."""
    added = [ref for ref in op.args if isinstance(ref, TensorRef)][-1]
    return numel(added.shape)


# --- the ops ------------------------------------------------------------------------------------------------------


def _zeros_filled(op: Op) -> Zeros | None:
    """Zeros where the index says, if the op writes the number 0."""
    return Zeros.SOMEWHERE if op.kwargs.get("value", op.args[3] if len(op.args) > 3 else None) == 0 else None


def _deciding(op: Op) -> Sequence[TensorRef]:
    """The masks, or the repeats, of an op that indexes; indices that are numbers decide no size."""
    if op.packet == "aten.repeat_interleave":
        return op.inputs if op.kwargs.get("output_size") is None else ()
    return [ref for ref in op.inputs[1:] if ref.dtype in _MASKS]


for _names, _shapes, _rule, _source in (
    ("index _unsafe_index", _picked, _index_field, 'NumPy, "Advanced indexing": x[i, j] for broadcast index tensors'),
    (
        "_unsafe_masked_index",
        lambda self, mask, indices, fill: _picked(self, indices),
        _masked_field,
        'NumPy, "Advanced indexing": x[i, j], or a value where a mask is False',
    ),
    ("index_select", _selected, _select_field, "torch.index_select: y[..., i, ...] = x[..., index[i], ...]"),
    ("gather", _gathered, _gather_field, "torch.gather: y[i][j] = x[index[i][j]][j] for dim 0"),
    ("take", lambda self, index: (index.shape,), _take_field, "torch.take: y[i] = x.flatten()[index[i]]"),
    ("index_copy(_)", same, _copy_field, "torch.Tensor.index_copy_: x[index[i]] = source[i] for dim 0"),
    ("index_fill(_)", same, _fill_field, "torch.Tensor.index_fill_: x[index[i]] = value for dim 0"),
    ("put(_)", same, _put_field, "torch.Tensor.put_: x.flatten()[index[i]] = source[i]"),
    (
        "repeat_interleave",
        _repeats_spread,
        reads_by_data,
        "torch.repeat_interleave: the repeats say how often each index comes",
    ),
    ("masked_select", by_values, reads_by_data, "torch.masked_select: the elements where the mask is True, in order"),
):
    # A field holds for every mask: where this run's mask is False, nothing is read.
    _masked = _names == "_unsafe_masked_index"
    register_op(
        *aten(_names),
        output=_shapes,
        field=_rule,
        source=_source,
        swallows_nan=_masked,
        hides=_rule in (_copy_field, _fill_field, _put_field),
        zeros=_zeros_filled if _rule is _fill_field else None,
        sized_by=_deciding if _shapes in (_picked, by_values, _repeats_spread) else None,
    )
for _names, _rule, _operations, _source in (
    ("index_add(_)", _add_field, _added_in, "torch.Tensor.index_add_: x[index[i]] += alpha * source[i] for dim 0"),
    (
        "index_reduce(_)",
        _add_field,
        None,
        "torch.Tensor.index_reduce_: x[index[i]] and source[i] reduced to one",
    ),
    (
        "scatter_add(_)",
        _scatter_field,
        _added_in,
        "torch.Tensor.scatter_add_: x[index[i][j]][j] += src[i][j]",
    ),
    (
        "scatter_reduce(_)",
        _scatter_field,
        None,
        "torch.Tensor.scatter_reduce_: x[index[i][j]][j] and src[i][j] in one",
    ),
):
    register_op(
        *aten(_names), output=same, field=_rule, source=_source, work=Work.REDUCTION, operations=_operations, hides=True
    )
register_op(
    *aten("scatter(_)"),
    output=same,
    field=_scatter_field,
    source="torch.Tensor.scatter_: x[index[i][j]][j] = src[i][j] for dim 0",
    swallows_nan=lambda op: op.args[2].state is None,
    hides=True,
    zeros=_zeros_filled,
)
register_op(
    *aten("index_put(_) _index_put_impl_ _unsafe_index_put"),
    output=same,
    field=_index_put_field,
    source="torch.Tensor.index_put_: x[index] = values; the indices say what is kept",
    # Where the indices are known, so is what was written over, and NaN that does not come out was not there.
    swallows_nan=lambda op: any(index is not None and index.state is None for index in op.args[1]),
    hides=True,
)
register_op(
    *aten("nonzero _unique2 unique_dim unique_consecutive"),
    output=by_values,
    field=reads_by_data,
    source="torch.nonzero, torch.unique: the values say what comes out where",
    work=Work.COMPARISON,
    sized_by=lambda op: op.inputs,
)
register_op(
    "torchvision.nms",
    output=by_values,
    field=reads_by_data,
    source="torchvision.ops.nms: the boxes that overlap no better one too much, as many as there are",
    work=Work.COMPARISON,
    sized_by=lambda op: op.inputs,
)
