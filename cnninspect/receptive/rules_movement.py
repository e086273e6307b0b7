"""Rules of the ops that only move elements: the same move is made on the bounds."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnninspect.quantities import Shape
from cnninspect.receptive import reach as reaches
from cnninspect.receptive import taps
from cnninspect.receptive.digits import FEATURE
from cnninspect.receptive.maps import Map
from cnninspect.receptive.reach import Reach
from cnninspect.receptive.rules import NoRule, ReadByData, Result, dims_of, each, rule, shape_of, wrapped
from cnninspect.trace.records import Op

# --- dimensions -------------------------------------------------------------------------------------------------


@rule("aten.view", "aten._unsafe_view", "aten.reshape", "aten._reshape_alias", "aten.flatten", "aten.unflatten")
def view(op: Op, x: Reach, *_: Any) -> Reach:
    """The same elements in row-major order; a view as another dtype of the same size changes nothing."""
    if np.prod(x.shape) != np.prod(shape_of(op)):
        raise NoRule
    return x.reshaped(shape_of(op))


@rule("aten.permute")
def permute(op: Op, x: Reach, dims: list[int]) -> Reach:
    """Dimensions in the given order."""
    return x.permuted([wrapped(dim, len(x.shape)) for dim in dims])


@rule("aten.transpose", "aten.transpose_", "aten.swapaxes")
def transpose(op: Op, x: Reach, first: int, second: int) -> Reach:
    """Two dimensions swapped."""
    order = list(range(len(x.shape)))
    order[first], order[second] = order[second], order[first]
    return x.permuted(order)


@rule("aten.t", "aten.t_", "aten.numpy_T")
def t(op: Op, x: Reach) -> Reach:
    """All dimensions in reverse."""
    return x.permuted(range(len(x.shape))[::-1])


@rule("aten.expand", "aten.broadcast_to")
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
    return x.moved(shape_of(op), lambda part: part.inserted(wrapped(dim, len(x.shape) + 1)))


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
    dim = wrapped(dim, len(x.shape))
    return x.moved(shape_of(op), lambda part: part.picked(dim, index % x.shape[dim]))


@rule("aten.slice")
def slice_(op: Op, x: Reach, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Reach:
    """Every `step`-th index of a dimension."""
    dim = wrapped(dim, len(x.shape))
    return _stepped(x, dim, slice(start, end, step).indices(x.shape[dim])[0], shape_of(op)[dim], step)


@rule("aten.split", "aten.unsafe_split", "aten.split_with_sizes", "aten.unsafe_split_with_sizes", "aten.chunk")
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
    return tuple(select(op, x, dim, index) for index in range(len(op.outputs)))


@rule("aten.flip")
def flip(op: Op, x: Reach, dims: list[int]) -> Reach:
    """Dimensions read from their end."""
    for dim in dims_of(dims, len(x.shape)) if dims else ():
        x = _stepped(x, dim, x.shape[dim] - 1, x.shape[dim], -1)
    return x


def _stepped(x: Reach, dim: int, start: int, out: int, step: int) -> Reach:
    if (start, out, step) == (0, x.shape[dim], 1):
        return x
    shape = (*x.shape[:dim], out, *x.shape[dim + 1 :])
    if out == 0:
        return reaches.nothing(shape)
    return x.moved(shape, lambda part: part.slid(dim, taps.steps(x.shape[dim], out, start, step)))


# --- joining and repeating --------------------------------------------------------------------------------------


@rule("aten.cat")
def cat(op: Op, tensors: list[Reach], dim: int = 0) -> Reach:
    """Tensors one after the other."""
    shape = shape_of(op)
    return reaches.concatenated(tensors, wrapped(dim, len(shape)), shape)


@rule("aten.stack")
def stack(op: Op, tensors: list[Reach], dim: int = 0) -> Reach:
    """Tensors one after the other along a new dimension."""
    shape = shape_of(op)
    dim = wrapped(dim, len(shape))
    single = (*shape[:dim], 1, *shape[dim + 1 :])
    parts = [x.moved(single, lambda part: part.inserted(dim)) for x in tensors]
    return reaches.concatenated(parts, dim, shape)


@rule("aten.repeat")
def repeat(op: Op, x: Reach, repeats: list[int]) -> Reach:
    """Copies side by side: each dimension becomes (copy, index) and then one."""
    base = (1,) * (len(repeats) - len(x.shape)) + x.shape
    x = x.reshaped(base) if base != x.shape else x
    paired = tuple(size for pair in zip(repeats, base, strict=True) for size in pair)
    for position, _ in enumerate(repeats):
        shape = (*x.shape[: 2 * position], 1, *x.shape[2 * position :])
        x = x.moved(shape, lambda part, at=2 * position: part.inserted(at))  # type: ignore[misc]
    return x.expanded(paired).reshaped(shape_of(op))


@rule("aten.roll")
def roll(op: Op, x: Reach, shifts: Any, dims: Any = ()) -> Reach:
    """Dimensions turned; without `dims` the flattened tensor."""
    if not dims:
        flat = x.reshaped((int(np.prod(x.shape)),))
        return roll(op, flat, shifts, [0]).reshaped(x.shape)  # type: ignore[union-attr, return-value]
    for shift, dim in zip(each(shifts, 1), dims_of(dims, len(x.shape)), strict=True):
        turned = taps.rolled(x.shape[dim], shift)
        x = x.moved(x.shape, lambda part, dim=dim, turned=turned: part.slid(dim, turned))  # type: ignore[misc]
    return x


# --- padding ----------------------------------------------------------------------------------------------------


def _padded(x: Reach, pad: list[int], mode: str) -> Reach:
    """`pad` holds (before, after) for the last dimension first."""
    rank = len(x.shape)
    for position in range(len(pad) // 2):
        before, after = pad[2 * position : 2 * position + 2]
        if before or after:
            dim = rank - 1 - position
            edge = taps.padded(x.shape[dim], before, after, mode)
            shape = (*x.shape[:dim], edge.out, *x.shape[dim + 1 :])
            x = x.moved(shape, lambda part, dim=dim, edge=edge: part.slid(dim, edge))  # type: ignore[misc]
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


# --- blocks between space and channels --------------------------------------------------------------------------


@rule("aten.pixel_shuffle")
def pixel_shuffle(op: Op, x: Reach, factor: int) -> Reach:
    """[*, C r r, H, W] to [*, C, H r, W r]."""
    *batch, channels, height, width = x.shape
    rank = len(batch)
    split_ = x.reshaped((*batch, channels // factor**2, factor, factor, height, width))
    order = (*range(rank), rank, rank + 3, rank + 1, rank + 4, rank + 2)
    return split_.permuted(order).reshaped(shape_of(op))


@rule("aten.pixel_unshuffle")
def pixel_unshuffle(op: Op, x: Reach, factor: int) -> Reach:
    """[*, C, H r, W r] to [*, C r r, H, W]."""
    *batch, channels, height, width = x.shape
    rank = len(batch)
    split_ = x.reshaped((*batch, channels, height // factor, factor, width // factor, factor))
    order = (*range(rank), rank, rank + 2, rank + 4, rank + 1, rank + 3)
    return split_.permuted(order).reshaped(shape_of(op))


@rule("aten.channel_shuffle", "aten.native_channel_shuffle")
def channel_shuffle(op: Op, x: Reach, groups: int) -> Reach:
    """Channels read with the group as the inner digit."""
    batch, channels, *space = x.shape
    parts = x.reshaped((batch, groups, channels // groups, *space))
    return parts.permuted((0, 2, 1, *range(3, len(parts.shape)))).reshaped(x.shape)


@rule("aten.unfold")
def unfold(op: Op, x: Reach, dim: int, size: int, step: int) -> Reach:
    """Windows of a dimension; the index inside the window comes last."""
    rank, shape = len(x.shape), shape_of(op)
    dim = wrapped(dim, rank)
    cut = taps.windows(x.shape[dim], shape[dim], size, step)
    order = (*range(dim + 1), *range(dim + 2, rank + 1), dim + 1)
    return x.moved(shape, lambda part: part.taken(dim, cut).permuted(order))


@rule("aten.im2col")
def im2col(op: Op, x: Reach, kernel: Any, dilation: Any, padding: Any, stride: Any) -> Reach:
    """[*, C, H, W] to [*, C kh kw, windows]."""
    rank = len(x.shape)
    k, d, p, s = (each(value, 2) for value in (kernel, dilation, padding, stride))
    counts = [(x.shape[rank - 2 + i] + 2 * p[i] - d[i] * (k[i] - 1) - 1) // s[i] + 1 for i in (0, 1)]
    for i in (1, 0):
        dim = rank - 2 + i
        cut = taps.windows(x.shape[dim], counts[i], k[i], s[i], p[i], d[i])
        shape = (*x.shape[:dim], counts[i], k[i], *x.shape[dim + 1 :])
        x = x.moved(shape, lambda part, dim=dim, cut=cut: part.taken(dim, cut))  # type: ignore[misc]
    order = (*range(rank - 2), rank - 1, rank + 1, rank - 2, rank)
    return x.permuted(order).reshaped(shape_of(op))


@rule("aten.col2im")
def col2im(op: Op, x: Reach, size: list[int], kernel: Any, dilation: Any, padding: Any, stride: Any) -> Reach:
    """[*, C kh kw, windows] to [*, C, H, W]: each position sums the windows that hold it."""
    k, d, p, s = (each(value, 2) for value in (kernel, dilation, padding, stride))
    counts = [(size[i] + 2 * p[i] - d[i] * (k[i] - 1) - 1) // s[i] + 1 for i in (0, 1)]
    *batch, columns, _ = x.shape
    rank = len(batch)
    x = x.reshaped((*batch, columns // (k[0] * k[1]), k[0], k[1], counts[0], counts[1]))
    x = x.permuted((*range(rank + 1), rank + 1, rank + 3, rank + 2, rank + 4))
    for i, dim in ((1, rank + 3), (0, rank + 1)):
        shape = (*x.shape[:dim], size[i], *x.shape[dim + 2 :])
        geometry = (counts[i], size[i], k[i], s[i], p[i], d[i])
        x = x.moved(shape, lambda part, dim=dim, geometry=geometry: _folded(part, dim, geometry))  # type: ignore[misc]
    return x.reshaped(shape_of(op))


def _folded(part: Map, dim: int, geometry: tuple[int, ...]) -> Map:
    """Tap index (on `dim`) and window (on the next) as the positions they came from."""
    n, _, k, *_ = geometry
    into = taps.transposed(*geometry)
    if not part.varies(dim):
        return part.picked(dim, 0).slid(dim, into)
    shape = (*part.shape[:dim], k * n, *part.shape[dim + 2 :])
    offsets = np.where(into.index < 0, 0, np.arange(k) * n)
    return part.reshaped(shape).slid(dim, taps.Taps(into.index + offsets))


# --- constant indices -------------------------------------------------------------------------------------------


@rule("aten.index_select")
def index_select(op: Op, x: Reach, dim: int, index: Reach) -> Reach:
    """The listed indices of a dimension."""
    return _indexed(op, x, [wrapped(dim, len(x.shape))], [index])


@rule("aten.index")
def index_(op: Op, x: Reach, indices: list[Reach | None]) -> Reach:
    """Tensors of indices in place of dimensions; they broadcast, and stand first when they are not adjacent."""
    dims = [dim for dim, index in enumerate(indices) if index is not None]
    return _indexed(op, x, dims, [index for index in indices if index is not None])


@rule("aten.gather", "aten.take_along_dim")
def gather(op: Op, x: Reach, dim: int, index: Reach, **_: Any) -> Reach:
    """An index for every element: known only where nothing varies along the dimension."""
    shape, dim = shape_of(op), wrapped(dim, len(x.shape))
    if x.varies(dim):
        raise ReadByData if index.inputs else NoRule
    if any(size != like for i, (size, like) in enumerate(zip(shape, x.shape, strict=True)) if i != dim):
        raise NoRule
    return reaches.merged((x.reduced([dim], op.index).expanded(shape), index), shape, op.index)


def _indexed(op: Op, x: Reach, dims: list[int], indices: list[Reach]) -> Reach:
    """One known list of indices is followed; unknown ones matter only where something varies."""
    shape = shape_of(op)
    if len(dims) == 1 and indices[0].content is not None:
        dim, rows = dims[0], indices[0].content
        flat = (*x.shape[:dim], rows.size, *x.shape[dim + 1 :])
        chosen = taps.listed(x.shape[dim], rows.reshape(-1).tolist())
        return x.moved(flat, lambda part: part.slid(dim, chosen)).reshaped(shape)
    if any(map(x.varies, dims)):
        raise ReadByData if any(index.inputs for index in indices) else NoRule
    chosen_shape = np.broadcast_shapes(*(index.shape for index in indices))
    if len(shape) != len(x.shape) - len(dims) + len(chosen_shape):
        raise NoRule
    front = dims[0] if dims == list(range(dims[0], dims[-1] + 1)) else 0
    kept = x.reduced(dims, op.index).without(dims)
    single = (*kept.shape[:front], *(1,) * len(chosen_shape), *kept.shape[front:])
    rows = reaches.merged(indices, chosen_shape, op.index)
    rows = rows.reshaped((*chosen_shape, *(1,) * (len(kept.shape) - front)))
    return reaches.merged((_featured(kept.reshaped(single), shape), _featured(rows, shape)), shape, op.index)


def _featured(x: Reach, shape: Shape) -> Reach:
    """Stretched to `shape`, each value along the new sizes an element of its own."""
    return x.moved(shape, lambda part: part.expanded(shape, FEATURE))
