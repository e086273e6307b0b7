"""Elements moved, copied, repeated, joined or masked, none of them worked out anew."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from cnninspect.ops.registry import Formula, Use, aten, register, register_op
from cnninspect.ops.rules import axes, axis, broadcast_tensors, each, elementwise, no_result, same, shape_of, stepped
from cnninspect.receptive import taps
from cnninspect.receptive.bounds import Bounds
from cnninspect.receptive.digits import NOTHING, Mask
from cnninspect.receptive.knowledge import NoField, reads_by_data
from cnninspect.receptive.reach import Reach, concatenated, nothing
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef

# --- where branches meet: cat and stack ---------------------------------------------------------------------------


def joined_output(use: Use) -> tuple[Shape, ...]:
    """The sizes along `dim` added up; an empty one-dimensional tensor joins with anything.

    Source: torch.cat.
    """
    shapes = [shape for shape in use.inputs if shape != (0,)] or [(0,)]
    dim = use["dim"] % len(shapes[0])
    return ((*shapes[0][:dim], sum(shape[dim] for shape in shapes), *shapes[0][dim + 1 :]),)


def stacked_output(use: Use) -> tuple[Shape, ...]:
    """A new dimension at `dim`, one place per tensor. Source: torch.stack."""
    dim = use["dim"] % (len(use.input) + 1)
    return ((*use.input[:dim], len(use.inputs), *use.input[dim:]),)


def _joined_call(tensors: Sequence[TensorRef], dim: int = 0, *, axis: int | None = None, **_: Any) -> Use:
    return Use(tuple(ref.shape for ref in tensors), {"dim": dim if axis is None else axis})


def _horizontal_call(tensors: Sequence[TensorRef], **_: Any) -> Use:
    use = _joined_call(tensors)
    return Use(tuple(shape or (1,) for shape in use.inputs), {"dim": min(1, max(len(use.input), 1) - 1)})


def _vertical_call(tensors: Sequence[TensorRef], **_: Any) -> Use:
    use = _joined_call(tensors)
    return Use(tuple((*(1,) * (2 - len(shape)), *shape) for shape in use.inputs), use.hyper)


register(
    Formula(
        name="concatenation",
        source="torch.cat, torch.hstack, torch.vstack",
        functions={
            **{f"torch.{name}": _joined_call for name in ("cat", "concat", "concatenate")},
            "torch.hstack": _horizontal_call,
            "torch.vstack": _vertical_call,
        },
        output=joined_output,
        computes=False,
    )
)

register(
    Formula(
        name="stacking",
        source="torch.stack",
        functions={"torch.stack": _joined_call},
        output=stacked_output,
        computes=False,
    )
)


def _cat_field(op: Op, tensors: list[Reach], dim: int = 0) -> Reach:
    """Tensors one after the other."""
    shape = shape_of(op)
    return concatenated(tensors, axis(dim, len(shape)), shape)


def _stack_field(op: Op, tensors: list[Reach], dim: int = 0) -> Reach:
    """Tensors one after the other along a new dimension, which may be one of positions (the steps of a recurrence)."""
    shape = shape_of(op)
    dim = axis(dim, len(shape))
    return concatenated([x.inserted(dim) for x in tensors], dim, shape).moved(shape, lambda part: part.placed(dim))


register_op("aten.cat", output=lambda *args: joined_output(_joined_call(*args)), field=_cat_field, source="torch.cat")
register_op(
    "aten.stack", output=lambda *args: stacked_output(_joined_call(*args)), field=_stack_field, source="torch.stack"
)
register_op(
    "aten._stack",
    output=lambda *args: stacked_output(_joined_call(*args)),
    field=_stack_field,
    source="torch.stack",
)


# --- moved and repeated -------------------------------------------------------------------------------------------


def _repeated(self: TensorRef, repeats: Sequence[int]) -> tuple[Shape, ...]:
    """Each size times its repeats; missing dimensions count as size 1 in front. Source: torch.Tensor.repeat."""
    sizes = (*(1,) * (len(repeats) - len(self.shape)), *self.shape)
    return (tuple(size * times for size, times in zip(sizes, repeats, strict=True)),)


def _turned(self: TensorRef, k: int = 1, dims: Sequence[int] = (0, 1)) -> tuple[Shape, ...]:
    """Two sizes swapped after an odd number of quarter turns."""
    sizes = list(self.shape)
    if k % 2:
        sizes[dims[0]], sizes[dims[1]] = sizes[dims[1]], sizes[dims[0]]
    return (tuple(sizes),)


def _block_diagonal(tensors: Sequence[TensorRef]) -> tuple[Shape, ...]:
    """The sums of rows and of columns; a vector is one row. Source: torch.block_diag."""
    blocks = [(*(1,) * (2 - len(ref.shape)), *ref.shape) for ref in tensors]
    return ((sum(rows for rows, _ in blocks), sum(columns for _, columns in blocks)),)


def _repeat_field(op: Op, x: Reach, repeats: list[int]) -> Reach:
    """Copies side by side: each dimension becomes (copy, index) and then one."""
    base = (1,) * (len(repeats) - len(x.shape)) + x.shape
    x = x.reshaped(base) if base != x.shape else x
    paired = tuple(size for pair in zip(repeats, base, strict=True) for size in pair)
    for position in range(len(repeats)):
        x = x.inserted(2 * position)
    return x.expanded(paired).reshaped(shape_of(op))


def _roll_field(op: Op, x: Reach, shifts: Any, dims: Any = ()) -> Reach:
    """Dimensions turned; without `dims` the flattened tensor."""
    if not dims:
        flat = x.reshaped((prod(x.shape),))
        return flat.slid(0, taps.rolled(flat.shape[0], each(shifts, 1)[0])).reshaped(x.shape)
    for shift, dim in zip(each(shifts, 1), axes(dims, len(x.shape)), strict=True):
        x = x.slid(dim, taps.rolled(x.shape[dim], shift))
    return x


def _flip_field(op: Op, x: Reach, dims: list[int]) -> Reach:
    """Dimensions read from their end."""
    for dim in axes(dims, len(x.shape)) if dims and x.shape else ():
        x = stepped(x, dim, x.shape[dim] - 1, x.shape[dim], -1)
    return x


def _rot90_field(op: Op, x: Reach, k: int = 1, dims: Any = (0, 1)) -> Reach:
    """A plane turned by `k` quarters."""
    first, second = axes(dims, len(x.shape))
    order = list(range(len(x.shape)))
    order[first], order[second] = second, first
    for _ in range(k % 4):
        x = stepped(x, second, x.shape[second] - 1, x.shape[second], -1).permuted(order)
    return x


def _block_field(op: Op, blocks: list[Reach]) -> Reach:
    """Matrices along a diagonal, and nothing beside them; a vector is one row."""
    matrices = [block.reshaped((*(1,) * (2 - len(block.shape)), *block.shape)) for block in blocks]
    width, before, rows = shape_of(op)[1], 0, []
    for matrix in matrices:
        height, own = matrix.shape
        sides = (nothing((height, before)), matrix, nothing((height, width - before - own)))
        rows.append(concatenated(sides, 1, (height, width)))
        before += own
    return concatenated(rows, 0, shape_of(op))


register_op("aten.repeat", output=_repeated, field=_repeat_field, source="torch.Tensor.repeat")
register_op("aten.roll", output=same, field=_roll_field, source="torch.roll")
register_op("aten.flip", output=same, field=_flip_field, source="torch.flip")
register_op("aten.rot90", output=_turned, field=_rot90_field, source="torch.rot90")
register_op("aten.block_diag", output=_block_diagonal, field=_block_field, source="torch.block_diag")


# --- copied and masked --------------------------------------------------------------------------------------------


def _copy_field(op: Op, target: Reach, source: Reach, *_: Any) -> Reach:
    """What is copied, broadcast to the target; the target's old contents are gone."""
    return source.expanded(target.shape)


def _triangle_field(op: Op, x: Reach, diagonal: int = 0) -> Reach:
    """One side of the diagonal of the last two dimensions; nothing is left on the other."""
    part = np.tril if "tril" in op.packet else np.triu
    keep = part(np.ones(x.shape[-2:], dtype=np.bool_), diagonal)
    return x.moved(x.shape, lambda whole: _kept(whole, keep))


def _kept(part: Bounds, keep: Mask) -> Bounds:
    """Nothing in place of what a mask over the last two dimensions leaves out."""
    rank = len(part.dims)
    part = part.completed(rank - 2).completed(rank - 1)
    return Bounds(np.where(keep, part.table, NOTHING), part.dims, part.space).simplified()


register_op(*aten("clone _to_copy"), output=same, field=elementwise, source="torch.clone, torch.Tensor.to")
register_op(*aten("copy(_)"), output=same, field=_copy_field, source="torch.Tensor.copy_")
register_op(*aten("tril(_) triu(_)"), output=same, field=_triangle_field, source="torch.tril, torch.triu")
register_op(
    *aten("masked_fill where"),
    output=broadcast_tensors,
    field=elementwise,
    source="torch.Tensor.masked_fill, torch.where",
    swallows_nan=True,
)
register_op("aten.masked_fill_", output=same, field=elementwise, source="torch.Tensor.masked_fill_", swallows_nan=True)
register_op(
    "aten.masked_scatter",
    output=lambda self, mask, source: broadcast_tensors(self, mask),
    field=reads_by_data,
    source="torch.Tensor.masked_scatter: the mask says which element comes next",
    swallows_nan=True,
)
register_op(
    "aten.masked_scatter_",
    output=same,
    field=reads_by_data,
    source="torch.Tensor.masked_scatter_: the mask says which element comes next",
    swallows_nan=True,
)
register_op(
    *aten("_to_sparse _to_sparse_csr _to_dense"),
    output=same,
    field=NoField("which elements a sparse tensor stores is what its data say"),
    source="torch.sparse",
)


# --- checks, which return nothing ---------------------------------------------------------------------------------


register_op(
    *aten("_assert_async _local_scalar_dense is_same_size _has_same_storage_numel"),
    output=no_result,
    field=NoField("it has no result"),
    source="torch.Tensor.item, torch._assert_async: what Python code is told is no tensor",
)
register_op(
    "aten._functional_assert_async",
    output=lambda self, assert_msg, dep_token: (dep_token.shape,),
    field=NoField("its result is a token that only orders checks"),
    source="torch._assert_async in a traced program",
)
