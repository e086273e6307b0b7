"""Parts of a tensor: slices, single indices, splits, diagonals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cnninspect.ops.registry import aten, register_op
from cnninspect.ops.rules import axes, axis, reduced, resized, same, shape_of, stepped
from cnninspect.receptive.digits import MISSING, Indices
from cnninspect.receptive.knowledge import NoField, Result
from cnninspect.receptive.reach import Reach, written
from cnninspect.receptive.taps import Taps
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef

# --- output shapes ------------------------------------------------------------------------------------------------


def _sliced(
    self: TensorRef, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> tuple[Shape, ...]:
    """The places from `start` to `end`, as in Python."""
    length = len(range(*slice(start, end, step).indices(self.shape[dim])))
    return (resized(self.shape, dim, length),)


def _selected(self: TensorRef, dim: int, index: Any) -> tuple[Shape, ...]:
    """One place of a dimension, which is gone."""
    return (reduced(self.shape, dim),)


def _split(self: TensorRef, split_size: int, dim: int = 0) -> tuple[Shape, ...]:
    """Parts of `split_size`, the last one smaller. Source: torch.split."""
    length = self.shape[dim]
    starts = range(0, length, split_size) if length else (0,)
    return tuple(resized(self.shape, dim, min(split_size, length - start)) for start in starts)


def _split_with_sizes(self: TensorRef, split_sizes: Sequence[int], dim: int = 0) -> tuple[Shape, ...]:
    """One part per size."""
    return tuple(resized(self.shape, dim, size) for size in split_sizes)


def _unbound(self: TensorRef, dim: int = 0) -> tuple[Shape, ...]:
    """One result per place of `dim`, which is gone."""
    return (reduced(self.shape, dim),) * self.shape[dim]


def _diagonal(self: TensorRef, offset: int = 0, dim1: int = 0, dim2: int = 1) -> tuple[Shape, ...]:
    """Both dimensions gone, their common diagonal last. Source: torch.diagonal."""
    rows, columns = self.shape[dim1] + min(offset, 0), self.shape[dim2] - max(offset, 0)
    return ((*reduced(self.shape, (dim1, dim2)), max(min(rows, columns), 0)),)


def _diagonal_embedded(self: TensorRef, offset: int = 0, dim1: int = -2, dim2: int = -1) -> tuple[Shape, ...]:
    """The last dimension as a diagonal of two of size n + |offset|. Source: torch.diag_embed."""
    rank, side = len(self.shape) + 1, self.shape[-1] + abs(offset)
    rest = iter(self.shape[:-1])
    return (tuple(side if place in (axis(dim1, rank), axis(dim2, rank)) else next(rest) for place in range(rank)),)


# --- what an output sees ------------------------------------------------------------------------------------------


def _select_field(op: Op, x: Reach, dim: int, index: int) -> Reach:
    """What stands at one index of a dimension."""
    return _picked(x, axis(dim, len(x.shape)), index)


def _slice_field(
    op: Op, x: Reach, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Reach:
    """Every `step`-th index of a dimension."""
    dim = axis(dim, len(x.shape))
    return stepped(x, dim, slice(start, end, step).indices(x.shape[dim])[0], shape_of(op)[dim], step)


def _split_field(op: Op, x: Reach, sizes: Any, dim: int = 0) -> Result:
    """Consecutive parts of a dimension."""
    dim, start, parts = axis(dim, len(x.shape)), 0, []
    for output in op.outputs:
        parts.append(stepped(x, dim, start, output.shape[dim], 1))
        start += output.shape[dim]
    return tuple(parts)


def _unbind_field(op: Op, x: Reach, dim: int = 0) -> Result:
    """What stands at each index of a dimension."""
    dim = axis(dim, len(x.shape))
    return tuple(_picked(x, dim, index) for index in range(len(op.outputs)))


def _diagonal_field(op: Op, x: Reach, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Reach:
    """Equal indices of two dimensions, as the last dimension."""
    first, second = axes((dim1, dim2), len(x.shape))
    shape, others = shape_of(op), [dim for dim in range(len(x.shape)) if dim not in (first, second)]
    height, width = x.shape[first], x.shape[second]
    plane = x.permuted((*others, first, second)).reshaped((*shape[:-1], height * width))
    start = max(-offset, 0) * width + max(offset, 0)
    return stepped(plane, len(shape) - 1, start, shape[-1], width + 1)


def _diagonal_embedded_field(op: Op, x: Reach, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Reach:
    """The last dimension on a diagonal; what stands beside it depends on nothing."""
    shape, side = shape_of(op), x.shape[-1] + abs(offset)
    rank = len(shape)
    index = np.full((side * side, 1), MISSING)
    index[_on_diagonal(side, x.shape[-1], offset), 0] = np.arange(x.shape[-1])
    plane = x.slid(len(x.shape) - 1, Taps(index)).reshaped((*x.shape[:-1], side, side))
    first, second = axes((dim1, dim2), rank)
    order = [dim for dim in range(rank) if dim not in (first, second)]
    return plane.permuted(np.argsort([*order, first, second]).tolist())


def _on_diagonal(width: int, count: int, offset: int) -> Indices:
    """The places of a diagonal in the rows of a matrix of this width, one row after the other."""
    return max(-offset, 0) * width + max(offset, 0) + np.arange(count) * (width + 1)


def _picked(x: Reach, dim: int, index: int) -> Reach:
    shape = (*x.shape[:dim], *x.shape[dim + 1 :])
    return x.moved(shape, lambda part: part.picked(dim, index % x.shape[dim]))


# --- how what was written into a part stands in the tensor it was taken from --------------------------------------


def _selected_back(op: Op, position: int, whole: Reach, part: Reach, dim: int, index: int) -> Reach:
    dim = axis(dim, len(whole.shape))
    single = part.reshaped((*part.shape[:dim], 1, *part.shape[dim:]))
    return written(whole, dim, np.array([index % whole.shape[dim]]), single)


def _sliced_back(
    op: Op, position: int, whole: Reach, part: Reach, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Reach:
    dim = axis(dim, len(whole.shape))
    positions = np.arange(whole.shape[dim])[start:end:step]
    return part if len(positions) == whole.shape[dim] else written(whole, dim, positions, part)


def _split_back(op: Op, position: int, whole: Reach, part: Reach, sizes: Any, dim: int = 0) -> Reach:
    dim = axis(dim, len(whole.shape))
    start = sum(output.shape[dim] for output in op.outputs[:position])
    return written(whole, dim, np.arange(start, start + shape_of(op, position)[dim]), part)


def _unbound_back(op: Op, position: int, whole: Reach, part: Reach, dim: int = 0) -> Reach:
    return _selected_back(op, position, whole, part, dim, position)


def _diagonal_back(
    op: Op, position: int, whole: Reach, part: Reach, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Reach:
    first, second = axes((dim1, dim2), len(whole.shape))
    order = [*(dim for dim in range(len(whole.shape)) if dim not in (first, second)), first, second]
    turned = whole.permuted(order)
    plane = turned.reshaped((*turned.shape[:-2], turned.shape[-2] * turned.shape[-1]))
    places = _on_diagonal(turned.shape[-1], part.shape[-1], offset)
    done = written(plane, len(plane.shape) - 1, places, part)
    return done.reshaped(turned.shape).permuted(np.argsort(order).tolist())


# --- the ops ------------------------------------------------------------------------------------------------------


register_op("aten.slice", output=_sliced, field=_slice_field, source="Python, slices", put_back=_sliced_back)
register_op("aten.select", output=_selected, field=_select_field, source="torch.select", put_back=_selected_back)
register_op(*aten("split unsafe_split"), output=_split, field=_split_field, source="torch.split", put_back=_split_back)
register_op(
    *aten("split_with_sizes unsafe_split_with_sizes"),
    output=_split_with_sizes,
    field=_split_field,
    source="torch.split",
    put_back=_split_back,
)
register_op("aten.unbind", output=_unbound, field=_unbind_field, source="torch.unbind", put_back=_unbound_back)
register_op("aten.diagonal", output=_diagonal, field=_diagonal_field, source="torch.diagonal", put_back=_diagonal_back)
register_op("aten.diag_embed", output=_diagonal_embedded, field=_diagonal_embedded_field, source="torch.diag_embed")
register_op(
    "aten.slice_scatter",
    output=same,
    field=lambda op, x, source, *place, **given: _sliced_back(op, 0, x, source, *place, **given),
    source="torch.slice_scatter",
)
register_op(
    "aten.select_scatter",
    output=same,
    field=lambda op, x, source, dim, index: _selected_back(op, 0, x, source, dim, index),
    source="torch.select_scatter",
)
register_op(
    "aten.diagonal_scatter",
    output=same,
    field=lambda op, x, source, *place, **given: _diagonal_back(op, 0, x, source, *place, **given),
    source="torch.diagonal_scatter",
)
register_op(
    "aten.as_strided_scatter",
    output=same,
    field=NoField("it writes in the order of memory, which the trace does not hold"),
    source="torch.as_strided_scatter",
)
