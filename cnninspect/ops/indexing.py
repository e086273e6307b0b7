"""Ops that read or write where indices or data say: indexing, and torchvision's compiled operators.

Known lists of indices are followed; deformable convolutions, regions of interest and boxes are read by data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cnninspect.ops.convolution import conv_macs, conv_output
from cnninspect.ops.registry import NoFormula, Use, Work, aten, register_op
from cnninspect.ops.rules import axis, broadcast, by_values, numel, resized, same, shape_of, spread_over
from cnninspect.receptive import taps
from cnninspect.receptive.knowledge import NoRule, ReadByData, reads_by_data
from cnninspect.receptive.reach import Reach, merged
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef

# --- output shapes ------------------------------------------------------------------------------------------------


def _picked(self: TensorRef, indices: Sequence[TensorRef | None]) -> tuple[Shape, ...]:
    """The indexed dimensions replaced by the broadcast of the indices: in place if they are adjacent, else in front.

    Raises NoFormula for masks: the number of their true elements is data. Source: NumPy, "Advanced indexing".
    """
    if any(index is not None and index.dtype in ("bool", "uint8") for index in indices):
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


def _gather_field(op: Op, x: Reach, dim: int, index: Reach, **_: Any) -> Reach:
    """An index for every element: known only where nothing varies along the dimension."""
    x, dim, shape = x.lined(), axis(dim, len(x.shape)), shape_of(op) or (1,)
    if x.varies(dim):
        raise ReadByData if index.inputs else NoRule(UNSEEN)
    if any(size != like for i, (size, like) in enumerate(zip(shape, x.shape, strict=True)) if i != dim):
        raise NoRule("the index leaves out a part of the tensor")
    chosen = merged((x.reduced([dim], op.index).expanded(shape), index.lined()), shape, op.index)
    return chosen.reshaped(shape_of(op))


def _scatter_field(op: Op, target: Reach, dim: int, index: Reach, source: Any, *_: Any, **__: Any) -> Reach:
    """Every element may hold any of the sources along the dimension, or what it held before."""
    target, dim = target.lined(), axis(dim, len(target.shape))
    parts = [part.lined() for part in (index, source) if isinstance(part, Reach)]
    if any(part.varies(dim) for part in parts):
        raise ReadByData
    if any(part.shape[i] != size for part in parts for i, size in enumerate(target.shape) if i != dim):
        raise NoRule("the index covers a part of the tensor")
    spread = [spread_over(part.reduced([dim], op.index), target.shape) for part in parts]
    return merged((target, *spread), target.shape, op.index).reshaped(shape_of(op))


UNSEEN = "the numbers in the index are not known"


def _indexed(op: Op, x: Reach, dims: list[int], indices: list[Reach]) -> Reach:
    """One known list of indices is followed; unknown ones matter only where something varies."""
    shape = shape_of(op)
    if len(dims) == 1 and indices[0].content is not None:
        dim, numbers = dims[0], indices[0].content
        return x.slid(dim, taps.listed(x.shape[dim], numbers.reshape(-1).tolist())).reshaped(shape)
    if any(map(x.varies, dims)):
        raise ReadByData if any(index.inputs for index in indices) else NoRule(UNSEEN)
    chosen_shape = np.broadcast_shapes(*(index.shape for index in indices))
    if len(shape) != len(x.shape) - len(dims) + len(chosen_shape):
        raise NoRule("a mask picks as many elements as are true")
    front = dims[0] if dims == list(range(dims[0], dims[-1] + 1)) else 0
    kept = x.reduced(dims, op.index).without(dims)
    single = (*kept.shape[:front], *(1,) * len(chosen_shape), *kept.shape[front:])
    rows = merged(indices, chosen_shape, op.index)
    rows = rows.reshaped((*chosen_shape, *(1,) * (len(kept.shape) - front)))
    return merged((spread_over(kept.reshaped(single), shape), spread_over(rows, shape)), shape, op.index)


def _added_in(op: Op) -> int:
    """The elements of the tensor that is added in, the last argument."""
    added = [ref for ref in op.args if isinstance(ref, TensorRef)][-1]
    return numel(added.shape)


# --- the ops ------------------------------------------------------------------------------------------------------


register_op(
    "aten.index", output=_picked, field=_index_field, source='torch.Tensor.__getitem__; NumPy, "Advanced indexing"'
)
register_op(
    "aten._unsafe_index",
    output=_picked,
    field=_index_field,
    source='NumPy, "Advanced indexing"',
)
register_op(
    "aten._unsafe_masked_index",
    output=lambda self, mask, indices, fill: _picked(self, indices),
    field=_masked_field,
    source='NumPy, "Advanced indexing", with a value in place of what a mask leaves out',
)
register_op("aten.index_select", output=_selected, field=_select_field, source="torch.index_select")
register_op("aten.gather", output=_gathered, field=_gather_field, source="torch.gather")
register_op("aten.take", output=lambda self, index: (index.shape,), field=reads_by_data, source="torch.take")
register_op(*aten("scatter(_)"), output=same, field=_scatter_field, source="torch.Tensor.scatter_", swallows_nan=True)
register_op(
    *aten("scatter_add(_)"),
    output=same,
    field=_scatter_field,
    source="torch.Tensor.scatter_add_",
    work=Work.REDUCTION,
    operations=_added_in,
)
register_op(
    *aten("scatter_reduce(_)"),
    output=same,
    field=_scatter_field,
    source="torch.Tensor.scatter_reduce_",
    work=Work.REDUCTION,
)
register_op(
    *aten("index_put(_)"),
    output=same,
    field=reads_by_data,
    source="torch.Tensor.index_put_: the indices say what is kept",
    swallows_nan=True,
)
register_op(
    *aten("index_copy(_) index_fill(_) put(_)"),
    output=same,
    field=reads_by_data,
    source="torch.Tensor.index_copy_, index_fill_ and put_: the indices say what is kept",
)
register_op(
    *aten("_index_put_impl_ _unsafe_index_put"),
    output=same,
    field=reads_by_data,
    source="torch.Tensor.index_put_: the indices say what is kept",
    swallows_nan=True,
)
register_op(
    *aten("index_add(_)"),
    output=same,
    field=reads_by_data,
    source="torch.Tensor.index_add_: the indices say where values are added",
    work=Work.REDUCTION,
    operations=_added_in,
)
register_op(
    *aten("index_reduce(_)"),
    output=same,
    field=reads_by_data,
    source="torch.Tensor.index_reduce_: the indices say where values are added",
    work=Work.REDUCTION,
)
register_op(
    "aten.repeat_interleave",
    output=_repeats_spread,
    field=reads_by_data,
    source="torch.repeat_interleave: the repeats say how often each index comes",
)
register_op("aten.masked_select", output=by_values, field=reads_by_data, source="torch.masked_select")
register_op(
    *aten("nonzero _unique2 unique_dim unique_consecutive"),
    output=by_values,
    field=reads_by_data,
    source="torch.nonzero, torch.unique, torch.unique_consecutive: the values say what comes out where",
    work=Work.COMPARISON,
)


def _deformed(
    input: TensorRef, weight: TensorRef, offset: TensorRef, mask: TensorRef, bias: TensorRef, *sizes: Any
) -> Use:
    stride, padding, dilation = sizes[0:2], sizes[2:4], sizes[4:6]
    groups = sizes[6]
    hyper = {
        "in_channels": weight.shape[1] * groups, "out_channels": weight.shape[0], "kernel_size": weight.shape[2:],
        "stride": stride, "padding": padding, "dilation": dilation, "groups": groups,
    }  # fmt: skip
    return Use((input.shape,), hyper)


def _deformed_output(*args: Any) -> tuple[Shape, ...]:
    """The shape of the plain convolution."""
    return conv_output(_deformed(*args))


def _deformed_macs(*args: Any) -> int:
    """The MACs of the plain convolution; interpolating the taps is elementwise work. Source: Dai et al. 2017."""
    return conv_macs(_deformed(*args))


def _regions(
    input: TensorRef, rois: TensorRef, spatial_scale: float, height: int, width: int, *_: Any
) -> tuple[Shape, ...]:
    """[K, C, height, width] for K regions."""
    return ((rois.shape[0], input.shape[1], height, width),)


def _regions_twice(*args: Any) -> tuple[Shape, ...]:
    """Values and indices of K regions."""
    return _regions(*args) * 2


def _position_sensitive(*args: Any) -> tuple[Shape, ...]:
    """[K, C / (height width), height, width] for K regions, values and channels. Source: Dai et al. 2016, R-FCN."""
    ((count, channels, height, width),) = _regions(*args)
    return ((count, channels // (height * width), height, width),) * 2


# --- the ops: all of them read where their data say ---------------------------------------------------------------


register_op(
    "torchvision.deform_conv2d",
    output=_deformed_output,
    macs=_deformed_macs,
    field=reads_by_data,
    source="torchvision.ops.deform_conv2d; Dai et al. 2017",
)
for _name, _shapes, _work in (
    ("roi_align", _regions, Work.ELEMENTWISE),
    ("roi_pool", _regions_twice, Work.COMPARISON),
    ("ps_roi_align", _position_sensitive, Work.ELEMENTWISE),
    ("ps_roi_pool", _position_sensitive, Work.REDUCTION),
    ("nms", by_values, Work.COMPARISON),
):
    register_op(
        f"torchvision.{_name}", output=_shapes, field=reads_by_data, source=f"torchvision.ops.{_name}", work=_work
    )
