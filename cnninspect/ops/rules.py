"""Shared by the rules of many families: arithmetic of shapes, and field rules in the vocabulary of receptive/.

A field rule takes the op and its arguments, with a Reach for each tensor, and returns the reach of each result.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import prod
from typing import Any

import numpy as np

from cnninspect.ops.registry import NoFormula
from cnninspect.receptive import taps
from cnninspect.receptive.bounds import Bounds
from cnninspect.receptive.digits import FEATURE, meeting
from cnninspect.receptive.knowledge import Result
from cnninspect.receptive.reach import Reach, merged, nothing, reaches, zeros
from cnninspect.receptive.taps import Taps
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef, tensors

Dims = int | Sequence[int] | None


def numel(shape: Shape) -> int:
    """Number of elements of a tensor of this shape."""
    return prod(shape)


def divided(whole: int, parts: int) -> int:
    """whole/parts where torch sees to it that nothing is left over: a derivation writes a fraction and no rounding."""
    return divmod(whole, parts)[0]


def each(value: Any, axes: int) -> tuple[int, ...]:
    """A hyper-parameter given once or per axis, per axis."""
    items = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    return items * axes if len(items) == 1 else items


def as_tuple(value: Any, axes: int) -> tuple[int, ...]:
    """A hyper-parameter given once or per axis, per axis; NoFormula if it is the content of a tensor."""
    items = each(value, axes)
    if not all(isinstance(item, int) for item in items):
        raise NoFormula(f"{value} is no integer")
    return items


def axis(dim: int, rank: int) -> int:
    """A dimension counted from the front; a tensor without dimensions counts as having one."""
    return dim % max(rank, 1)


def axes(dims: Dims, rank: int) -> tuple[int, ...]:
    """Dimensions counted from the front; all of them for None and for an empty list."""
    if dims is None or (not isinstance(dims, int) and not dims):
        return tuple(range(rank))
    return tuple(axis(dim, rank) for dim in ((dims,) if isinstance(dims, int) else dims))


def reduced(shape: Shape, dims: Dims = None, keepdim: bool = False) -> Shape:
    """`shape` without `dims`, or with size 1 in their place."""
    gone = axes(dims, len(shape))
    if keepdim:
        return tuple(1 if position in gone else size for position, size in enumerate(shape))
    return tuple(size for position, size in enumerate(shape) if position not in gone)


def resized(shape: Shape, dim: int, size: int) -> Shape:
    """`shape` with another size at `dim`; a tensor without dimensions stays one."""
    position = axis(dim, len(shape))
    return (*shape[:position], size, *shape[position + 1 :]) if shape else ()


def broadcast(*shapes: Shape) -> Shape:
    """The shape that results from broadcasting, as in numpy.

    Source: torch documentation, "Broadcasting semantics".
    """
    length = max((len(shape) for shape in shapes), default=0)
    padded = [(1,) * (length - len(shape)) + tuple(shape) for shape in shapes]
    result = []
    for sizes in zip(*padded, strict=True):
        distinct = {size for size in sizes if size != 1}
        if len(distinct) > 1:
            raise NoFormula(f"shapes {shapes} do not broadcast")
        result.append(distinct.pop() if distinct else sizes[0])
    return tuple(result)


# --- output shapes of ops -----------------------------------------------------------------------------------------


def shape_of(op: Op, result: int = 0) -> Shape:
    """The shape of one of the op's results."""
    return op.outputs[result].shape


def broadcast_tensors(*args: Any, out: Any = None, **kwargs: Any) -> tuple[Shape, ...]:
    """The broadcast of all tensors among an op's arguments, other than the one that only receives the result."""
    return (broadcast(*(ref.shape for ref in tensors((args, kwargs)))),)


def same(self: TensorRef | complex, *_: Any, **__: Any) -> tuple[Shape, ...]:
    """The shape of the first argument, for ops that change or fill it element by element; a number has none."""
    return (self.shape if isinstance(self, TensorRef) else (),)


def twice_same(self: TensorRef, *_: Any, **__: Any) -> tuple[Shape, ...]:
    """Two results of the shape of the first argument: values and indices, or values and a mask."""
    return (self.shape, self.shape)


def no_result(*_: Any, **__: Any) -> tuple[Shape, ...]:
    """No result: an op that only checks something."""
    return ()


def by_values(*_: Any, **__: Any) -> tuple[Shape, ...]:
    """NoFormula, always: how many results there are depends on the contents."""
    raise NoFormula("the output's shape depends on values, not on shapes")


# --- element by element -------------------------------------------------------------------------------------------


def elementwise(op: Op, *args: Any, **kwargs: Any) -> Result:
    """Every element depends on the elements it is computed from."""
    parts = [*reaches(args), *reaches(list(kwargs.values()))]
    shape = shape_of(op) if op.outputs else parts[0].shape
    return (merged(parts, shape, op.index),) * len(op.outputs)


def written_in(source: Reach) -> Reach:
    """What is written somewhere: it is noted of a constant that it is 0 everywhere, or not by design."""
    if source.inputs or source.blank is not None:
        return source
    return source.dense() if source.content is None or source.content.any() else zeros(source.shape)


def unchanged(op: Op, x: Reach, *_: Any, **__: Any) -> Result:
    """The same elements."""
    return x


def first_result(op: Op, x: Reach, *_: Any, **__: Any) -> Result:
    """Elementwise, 0 where `x` is; the second result is a random mask or a buffer of the backward pass."""
    kept = x if x.blank is not None and x.blank.value == 0 else x.without_blank()
    return (kept, *(nothing(ref.shape) for ref in op.outputs[1:]))


def spread_over(x: Reach, shape: Shape) -> Reach:
    """Stretched to `shape`, each value along the new sizes an element of its own."""
    return x.moved(shape, lambda part: part.expanded(shape, FEATURE))


# --- windows ------------------------------------------------------------------------------------------------------


def slid_over(x: Reach, cuts: Sequence[Taps]) -> Reach:
    """The last dimensions of `x`, each slid over by its taps."""
    for dim, cut in enumerate(cuts, len(x.shape) - len(cuts)):
        x = x.slid(dim, cut)
    return x


def stepped(x: Reach, dim: int, start: int, out: int, step: int) -> Reach:
    """`out` positions of a dimension, from `start` on every `step`-th."""
    if (start, out, step) == (0, x.shape[dim], 1):
        return x
    if out == 0:
        return nothing((*x.shape[:dim], 0, *x.shape[dim + 1 :]))
    return x.slid(dim, taps.steps(x.shape[dim], out, start, step))


# --- whole dimensions ---------------------------------------------------------------------------------------------


def reduced_over(op: Op, x: Reach, dim: Any) -> tuple[Reach, ...]:
    """Every result sees the dimensions it was computed over, all of them where none is given."""
    dims = axes(None if isinstance(dim, bool) else dim, len(x.shape))
    seen = x.reduced(dims, op.index)
    if len(shape_of(op)) != len(x.shape):
        seen = seen.without(dims)
    return (seen,) * len(op.outputs)


def mixed_along(op: Op, x: Reach, *dims: int) -> tuple[Reach, ...]:
    """The hull over dimensions, for each element along them."""
    seen = x.reduced(axes(dims, len(x.shape)), op.index)
    return tuple(_stretched(seen, ref.shape, like=x) for ref in op.outputs)


def _stretched(x: Reach, shape: Shape, like: Reach) -> Reach:
    """With dimensions of size 1 stretched to `shape`; positions stay positions and features features, as in `like`."""
    kinds = [
        reduce(meeting, (forms.kind(dim) for forms in like.forms.values()), FEATURE) for dim in range(len(like.shape))
    ]

    def change(part: Bounds) -> Bounds:
        for dim, size in enumerate(shape):
            if size != 1 and part.shape[dim] == 1:
                part = part.resized(dim, size, kinds[dim])
        return part

    return x.moved(shape, change)


def everything(op: Op, *args: Any, **kwargs: Any) -> Result:
    """Every element of every result depends on every element of all arguments."""
    parts = [*reaches(args), *reaches(list(kwargs.values()))]
    wholes = [part.reduced(range(len(part.shape)), op.index).reshaped(()) for part in parts]
    whole = merged(wholes, (), op.index)
    return tuple(spread_over(whole, ref.shape) for ref in op.outputs)


def mixed_matrices(op: Op, *args: Any, **kwargs: Any) -> Result:
    """Every element of each result depends on all of the matrices, the last two dimensions, of its own sample."""
    parts = [*reaches(args), *reaches(list(kwargs.values()))]
    batch = np.broadcast_shapes(*(part.shape[:-2] for part in parts))
    wholes = [_without_last(part, 2, op.index) for part in parts]
    whole = merged(wholes, batch, op.index)
    rank = len(batch)
    return tuple(
        spread_over(whole.reshaped((*batch, *(1,) * (len(ref.shape) - rank))), ref.shape) for ref in op.outputs
    )


def _without_last(x: Reach, count: int, by: int) -> Reach:
    """The hull over the last dimensions, which are gone."""
    dims = range(len(x.shape) - count, len(x.shape))
    return x.reduced(dims, by).without(dims)


def product(op: Op, a: Reach, b: Reach) -> Reach:
    """[..., n, k] x [..., k, m]: element (i, j) sees row i of `a` and column j of `b`."""
    shape = (*a.shape[:-1], b.shape[-1])
    last = len(shape) - 1
    rows = a.reduced([last], op.index).moved(shape, lambda part: part.resized(last, shape[-1]))
    columns = b.reduced([last - 1], op.index).moved(shape, lambda part: part.resized(last - 1, shape[-2]))
    return merged((rows, columns), shape, op.index, lazily=True)


def same_elements(op: Op, x: Reach, *_: Any, **__: Any) -> Result:
    """The elements of the first argument, in row-major order."""
    return tuple(x.reshaped(ref.shape) for ref in op.outputs if prod(ref.shape) == prod(x.shape))
