"""Elements moved, repeated, padded, copied or masked: no cost, and no neurons for padding.

Conv2d(padding=1) and ZeroPad2d(1) before Conv2d(padding=0) are one network and must have the same neurons.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from cnninspect.ops.registry import Formula, NoFormula, Use, aten, register, register_op
from cnninspect.ops.rules import (
    as_tuple,
    axes,
    broadcast_tensors,
    each,
    no_result,
    same,
    shape_of,
    stepped,
    written_in,
)
from cnninspect.receptive import taps
from cnninspect.receptive.digits import MISSING, Indices
from cnninspect.receptive.knowledge import NoField, NoRule, ReadByData, Rule, Zeros, reads_by_data
from cnninspect.receptive.reach import Reach, concatenated, zeros
from cnninspect.receptive.taps import Taps
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef

# --- padding ------------------------------------------------------------------------------------------------------


def padded_output(use: Use) -> tuple[Shape, ...]:
    """Each padded size grows by what stands before and after it, last dimension first; negative padding crops.

    Source: torch.nn.functional.pad, "Padding size".
    """
    shape = list(use.input)
    padding = as_tuple(use["padding"], len(use["padding"]))
    for axis, (before, after) in enumerate(zip(padding[::2], padding[1::2], strict=True), start=1):
        shape[-axis] += before + after
    return (tuple(shape),)


def _pad_call(input: TensorRef, pad: Any, mode: str = "constant", value: float | None = None) -> Use:
    return Use((input.shape,), {"padding": pad, "mode": mode, "value": value})


register(
    Formula(
        name="padding",
        source="torch.nn.functional.pad; torch.nn, Padding Layers",
        modules=tuple(
            f"{mode}Pad{axes}d"
            for mode in ("Circular", "Constant", "Reflection", "Replication", "Zero")
            for axes in (1, 2, 3)
        ),
        hyperparameters=("padding", "value"),
        functions={"F.pad": _pad_call, "torch.constant_pad_nd": _pad_call},
        output=padded_output,
        computes=False,
    )
)


def _padded(self: TensorRef, padding: Sequence[int], *_: Any) -> tuple[Shape, ...]:
    """Each size with what is added before and after it."""
    return padded_output(Use((self.shape,), {"padding": padding}))


def _padded_field(x: Reach, pad: list[int], mode: str, *, by_zeros: bool = False) -> Reach:
    """`pad` holds (before, after) for the last dimension first."""
    rank = len(x.shape)
    for position in range(len(pad) // 2):
        before, after = pad[2 * position : 2 * position + 2]
        if before or after:
            dim = rank - 1 - position
            cut = taps.padded(x.shape[dim], before, after, mode)
            x = x.beside_zeros(dim, cut) if by_zeros else x.slid(dim, cut)
    return x


def _constant(op: Op, x: Reach, pad: list[int], *_: Any) -> Reach:
    """A border that depends on nothing."""
    return _padded_field(x, pad, "constant", by_zeros=_border_of_zeros(op) is not None)


def _reflection(op: Op, x: Reach, pad: list[int]) -> Reach:
    """A border that mirrors the inside."""
    return _padded_field(x, pad, "reflect")


def _replication(op: Op, x: Reach, pad: list[int]) -> Reach:
    """A border that repeats the edge."""
    return _padded_field(x, pad, "replicate")


def _border_of_zeros(op: Op) -> Zeros | None:
    """Zeros beside the numbers, where the border is 0 and not all of it is cut off."""
    value = op.args[2] if len(op.args) > 2 else op.kwargs.get("value", 0)
    return Zeros.SOMEWHERE if value == 0 and any(width > 0 for width in op.args[1]) else None


_shapes: Callable[..., tuple[Shape, ...]]
_rule: Rule | NoField
for _names, _rule, _source in (
    ("constant_pad_nd", _constant, "constants at the border"),
    ("reflection_pad1d reflection_pad2d reflection_pad3d", _reflection, "the inside mirrored at the edge"),
    ("replication_pad1d replication_pad2d replication_pad3d", _replication, "copies of the edge"),
):
    register_op(
        *aten(_names),
        output=_padded,
        field=_rule,
        source=f"torch.nn.functional.pad: {_source}",
        zeros=_border_of_zeros if _rule is _constant else None,
        hides=_rule is _constant,
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
        sides = (zeros((height, before)), matrix, zeros((height, width - before - own)))
        rows.append(concatenated(sides, 1, (height, width)))
        before += own
    return concatenated(rows, 0, shape_of(op))


for _name, _shapes, _rule, _source in (
    ("repeat", _repeated, _repeat_field, "torch.Tensor.repeat: y[i] = x[i mod n] along each dimension"),
    ("roll", same, _roll_field, "torch.roll: y[i] = x[(i - shift) mod n]"),
    ("flip", same, _flip_field, "torch.flip: y[i] = x[n - 1 - i]"),
    ("rot90", _turned, _rot90_field, "torch.rot90: a transpose and a flip for each quarter turn"),
    ("block_diag", _block_diagonal, _block_field, "torch.block_diag: matrices along a diagonal, and 0 beside them"),
):
    _puts = Zeros.SOMEWHERE if _name == "block_diag" else None
    register_op(f"aten.{_name}", output=_shapes, field=_rule, source=_source, zeros=_puts, hides=True)


# --- copied and masked --------------------------------------------------------------------------------------------


def _copy_field(op: Op, old: Reach, source: Reach, *_: Any) -> Reach:
    """The source, broadcast to the shape of the tensor that it overwrites."""
    return written_in(source).expanded(old.shape)


_BY_MASK = "torch.Tensor.masked_scatter: the mask says which element of the source comes next"

for _names, _shapes, _rule, _swallows, _source in (
    ("copy(_)", same, _copy_field, False, "torch.Tensor.copy_: the elements of the source, broadcast"),
    ("masked_scatter", lambda self, mask, _: broadcast_tensors(self, mask), reads_by_data, True, _BY_MASK),
    ("masked_scatter_", same, reads_by_data, True, _BY_MASK),
    (
        "_to_sparse _to_sparse_csr _to_dense",
        same,
        NoField("the contents say which elements a sparse tensor stores"),
        False,
        "torch.sparse: the elements that are not 0, and where they stand",
    ),
):
    register_op(
        *aten(_names),
        output=_shapes,
        field=_rule,
        source=_source,
        swallows_nan=_swallows,
        hides=_rule is _copy_field,
    )


# --- nested tensors -----------------------------------------------------------------------------------------------


def _unequal(*_: Any, **__: Any) -> tuple[Shape, ...]:
    """NoFormula, always: the tensors in a nested one differ in size."""
    raise NoFormula("the tensors in a nested one differ in size")


def _padded_rows(
    values: TensorRef, offsets: Sequence[TensorRef], max_lengths: Sequence[int], *_: Any
) -> tuple[Shape, ...]:
    """[sequences, longest, *rest] of the rows of all sequences. Source: torch.nested.to_padded_tensor."""
    return ((offsets[0].shape[0] - 1, max_lengths[0], *values.shape[1:]),)


def _unpadded(dense: TensorRef, offsets: Sequence[TensorRef], rows: int | None = None) -> tuple[Shape, ...]:
    """[rows, *rest]: those of all sequences, one after the other. Source: torch.nested, the jagged layout."""
    if rows is None:
        raise NoFormula("the offsets say how many rows there are")
    return ((rows, *dense.shape[2:]),)


def _ends(offsets: Sequence[Reach]) -> Indices:
    """Where each sequence begins and ends among the rows of all; NoRule where the trace does not hold it."""
    if offsets[0].content is None:
        decide = ReadByData if offsets[0].inputs else NoRule
        raise decide("the offsets say which rows are in which sequence, and are not known")
    return offsets[0].content


def _padded_rows_field(op: Op, values: Reach, offsets: Sequence[Reach], lengths: Sequence[int], *_: Any) -> Reach:
    """Place (i, j) is row j of sequence i, or padding after its end."""
    first, last = _ends(offsets)[:-1, None], _ends(offsets)[1:, None]
    rows = first + np.arange(lengths[0])
    taken = np.where(rows < last, rows, MISSING).reshape(-1, 1)
    return values.slid(0, Taps(taken)).reshaped(shape_of(op))


def _unpadded_field(op: Op, dense: Reach, offsets: Sequence[Reach], *_: Any) -> Reach:
    """Each row is a place (i, j) with j below the length of sequence i."""
    lengths = np.diff(_ends(offsets))
    places = np.concatenate([i * dense.shape[1] + np.arange(length) for i, length in enumerate(lengths)])
    flat = dense.reshaped((dense.shape[0] * dense.shape[1], *dense.shape[2:]))
    return flat.slid(0, Taps(places.reshape(-1, 1)))


register_op(
    *aten("_nested_tensor_from_tensor_list to_padded_tensor values"),
    output=_unequal,
    field=NoField("no rule follows the tensors in a nested one of the strided layout"),
    source="torch.nested.nested_tensor, to_padded_tensor: tensors of unequal size in one",
)
register_op(
    "aten._jagged_to_padded_dense_forward",
    output=_padded_rows,
    field=_padded_rows_field,
    source="torch.nested.to_padded_tensor: the sequences below each other, each with padding at its end",
)
register_op(
    "aten._padded_dense_to_jagged_forward",
    output=_unpadded,
    field=_unpadded_field,
    source="torch.nested, of padded sequences: the rows of all, one after the other",
)


# --- checks, which return nothing ---------------------------------------------------------------------------------


register_op(
    *aten("_assert_async _local_scalar_dense is_same_size _has_same_storage_numel"),
    output=no_result,
    field=NoField("it has no result"),
    source="torch.Tensor.item, torch._assert_async: Python code gets a number, no tensor",
)
register_op(
    "aten._functional_assert_async",
    output=lambda self, assert_msg, dep_token: (dep_token.shape,),
    field=NoField("its result is a token that only orders checks"),
    source="torch._assert_async in a traced program: an empty tensor that keeps checks in order",
)
