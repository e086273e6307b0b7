"""Rules of the ops that only move elements: the same move is made on the bounds."""

from __future__ import annotations

from math import prod
from typing import Any

from cnninspect.receptive import taps
from cnninspect.receptive.digits import FEATURE
from cnninspect.receptive.reach import Reach, concatenated, nothing
from cnninspect.receptive.rules import NoRule, Result, dims_of, each, rule, shape_of, wrapped
from cnninspect.trace.records import Op

# --- dimensions -------------------------------------------------------------------------------------------------


@rule("aten.view", "aten._unsafe_view", "aten._reshape_alias")
def view(op: Op, x: Reach, *_: Any) -> Reach:
    """The same elements in row-major order; a view as another dtype of the same size changes nothing."""
    if prod(x.shape) != prod(shape_of(op)):
        raise NoRule
    return x.reshaped(shape_of(op))


@rule("aten.permute")
def permute(op: Op, x: Reach, dims: list[int]) -> Reach:
    """Dimensions in the given order."""
    return x.permuted([wrapped(dim, len(x.shape)) for dim in dims])


@rule("aten.transpose", "aten.transpose_")
def transpose(op: Op, x: Reach, first: int, second: int) -> Reach:
    """Two dimensions swapped."""
    order = list(range(len(x.shape)))
    order[first], order[second] = order[second], order[first]
    return x.permuted(order)


@rule("aten.t", "aten.t_")
def t(op: Op, x: Reach) -> Reach:
    """All dimensions in reverse."""
    return x.permuted(range(len(x.shape))[::-1])


@rule("aten.expand")
def expand(op: Op, x: Reach, *_: Any, **__: Any) -> Reach:
    """Dimensions of size 1 stretched."""
    return x.expanded(shape_of(op))


@rule("aten.squeeze", "aten.squeeze_")
def squeeze(op: Op, x: Reach, dims: Any = None) -> Reach:
    """Without the given dimensions where their size is 1."""
    return x.without(dim for dim in set(dims_of(dims, len(x.shape))) if x.shape[dim] == 1)


@rule("aten.unsqueeze", "aten.unsqueeze_")
def unsqueeze(op: Op, x: Reach, dim: int) -> Reach:
    """With a dimension of size 1."""
    return x.inserted(wrapped(dim, len(x.shape) + 1))


@rule("aten.as_strided", "aten.as_strided_")
def as_strided(op: Op, x: Reach, *_: Any, **__: Any) -> Reach:
    """Any layout of elements that all have the same field."""
    if any(x.varies(dim) for dim in range(len(x.shape))):
        raise NoRule
    return x.reduced(range(len(x.shape)), op.index).reshaped((1,) * len(shape_of(op))).expanded(shape_of(op))


@rule("aten.view_as_complex")
def view_as_complex(op: Op, x: Reach) -> Reach:
    """The last dimension holds the two parts of a number."""
    last = len(x.shape) - 1
    return x.reduced([last], op.index).without([last])


@rule("aten.view_as_real")
def view_as_real(op: Op, x: Reach) -> Reach:
    """Both parts of a number, in a new last dimension."""
    return x.moved(shape_of(op), lambda part: part.inserted(len(x.shape)).expanded(shape_of(op), FEATURE))


# --- parts ------------------------------------------------------------------------------------------------------


@rule("aten.select")
def select(op: Op, x: Reach, dim: int, index: int) -> Reach:
    """What stands at one index of a dimension."""
    return _picked(x, wrapped(dim, len(x.shape)), index)


@rule("aten.slice")
def slice_(op: Op, x: Reach, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Reach:
    """Every `step`-th index of a dimension."""
    dim = wrapped(dim, len(x.shape))
    return _stepped(x, dim, slice(start, end, step).indices(x.shape[dim])[0], shape_of(op)[dim], step)


@rule("aten.split", "aten.unsafe_split", "aten.split_with_sizes", "aten.unsafe_split_with_sizes")
def split(op: Op, x: Reach, sizes: Any, dim: int = 0) -> Result:
    """Consecutive parts of a dimension."""
    dim, start, parts = wrapped(dim, len(x.shape)), 0, []
    for output in op.outputs:
        parts.append(_stepped(x, dim, start, output.shape[dim], 1))
        start += output.shape[dim]
    return tuple(parts)


@rule("aten.unbind")
def unbind(op: Op, x: Reach, dim: int = 0) -> Result:
    """What stands at each index of a dimension."""
    dim = wrapped(dim, len(x.shape))
    return tuple(_picked(x, dim, index) for index in range(len(op.outputs)))


@rule("aten.flip")
def flip(op: Op, x: Reach, dims: list[int]) -> Reach:
    """Dimensions read from their end."""
    for dim in dims_of(dims, len(x.shape)) if dims else ():
        x = _stepped(x, dim, x.shape[dim] - 1, x.shape[dim], -1)
    return x


@rule("aten.rot90")
def rot90(op: Op, x: Reach, k: int = 1, dims: Any = (0, 1)) -> Reach:
    """A plane turned by `k` quarters."""
    first, second = dims_of(dims, len(x.shape))
    order = list(range(len(x.shape)))
    order[first], order[second] = second, first
    for _ in range(k % 4):
        x = _stepped(x, second, x.shape[second] - 1, x.shape[second], -1).permuted(order)
    return x


@rule("aten.diagonal")
def diagonal(op: Op, x: Reach, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Reach:
    """Equal indices of two dimensions, as the last dimension."""
    first, second = dims_of((dim1, dim2), len(x.shape))
    shape, others = shape_of(op), [dim for dim in range(len(x.shape)) if dim not in (first, second)]
    height, width = x.shape[first], x.shape[second]
    plane = x.permuted((*others, first, second)).reshaped((*shape[:-1], height * width))
    start = max(-offset, 0) * width + max(offset, 0)
    return _stepped(plane, len(shape) - 1, start, shape[-1], width + 1)


def _picked(x: Reach, dim: int, index: int) -> Reach:
    shape = (*x.shape[:dim], *x.shape[dim + 1 :])
    return x.moved(shape, lambda part: part.picked(dim, index % x.shape[dim]))


def _stepped(x: Reach, dim: int, start: int, out: int, step: int) -> Reach:
    if (start, out, step) == (0, x.shape[dim], 1):
        return x
    if out == 0:
        return nothing((*x.shape[:dim], 0, *x.shape[dim + 1 :]))
    return x.slid(dim, taps.steps(x.shape[dim], out, start, step))


# --- joining and repeating --------------------------------------------------------------------------------------


@rule("aten.cat")
def cat(op: Op, tensors: list[Reach], dim: int = 0) -> Reach:
    """Tensors one after the other."""
    shape = shape_of(op)
    return concatenated(tensors, wrapped(dim, len(shape)), shape)


@rule("aten.stack")
def stack(op: Op, tensors: list[Reach], dim: int = 0) -> Reach:
    """Tensors one after the other along a new dimension, which may be one of positions (the steps of a recurrence)."""
    shape = shape_of(op)
    dim = wrapped(dim, len(shape))
    return concatenated([x.inserted(dim) for x in tensors], dim, shape).moved(shape, lambda part: part.placed(dim))


@rule("aten.repeat")
def repeat(op: Op, x: Reach, repeats: list[int]) -> Reach:
    """Copies side by side: each dimension becomes (copy, index) and then one."""
    base = (1,) * (len(repeats) - len(x.shape)) + x.shape
    x = x.reshaped(base) if base != x.shape else x
    paired = tuple(size for pair in zip(repeats, base, strict=True) for size in pair)
    for position in range(len(repeats)):
        x = x.inserted(2 * position)
    return x.expanded(paired).reshaped(shape_of(op))


@rule("aten.roll")
def roll(op: Op, x: Reach, shifts: Any, dims: Any = ()) -> Reach:
    """Dimensions turned; without `dims` the flattened tensor."""
    if not dims:
        flat = x.reshaped((prod(x.shape),))
        return flat.slid(0, taps.rolled(flat.shape[0], each(shifts, 1)[0])).reshaped(x.shape)
    for shift, dim in zip(each(shifts, 1), dims_of(dims, len(x.shape)), strict=True):
        x = x.slid(dim, taps.rolled(x.shape[dim], shift))
    return x


# --- padding ----------------------------------------------------------------------------------------------------


def _padded(x: Reach, pad: list[int], mode: str) -> Reach:
    """`pad` holds (before, after) for the last dimension first."""
    rank = len(x.shape)
    for position in range(len(pad) // 2):
        before, after = pad[2 * position : 2 * position + 2]
        if before or after:
            dim = rank - 1 - position
            x = x.slid(dim, taps.padded(x.shape[dim], before, after, mode))
    return x


@rule("aten.constant_pad_nd")
def constant_pad(op: Op, x: Reach, pad: list[int], *_: Any) -> Reach:
    """A border that depends on nothing."""
    return _padded(x, pad, "constant")


@rule("aten.reflection_pad1d", "aten.reflection_pad2d", "aten.reflection_pad3d")
def reflection_pad(op: Op, x: Reach, pad: list[int]) -> Reach:
    """A border that mirrors the inside."""
    return _padded(x, pad, "reflect")


@rule("aten.replication_pad1d", "aten.replication_pad2d", "aten.replication_pad3d")
def replication_pad(op: Op, x: Reach, pad: list[int]) -> Reach:
    """A border that repeats the edge."""
    return _padded(x, pad, "replicate")
