"""Shape arithmetic that formulas and rules share."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from cnninspect.ops.registry import NoFormula
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef, tensors

Dims = int | Sequence[int] | None


def numel(shape: Shape) -> int:
    """Number of elements of a tensor of this shape."""
    return prod(shape)


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
        result.append(distinct.pop() if distinct else 1)
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
