"""Shape arithmetic that the rules of several ATen ops share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnninspect.ops.base import NoFormula
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import TensorRef

Dims = int | Sequence[int] | None


def same(self: TensorRef | complex, *_: Any, **__: Any) -> tuple[Shape, ...]:
    """The shape of the first argument, for ops that change or fill it element by element; a number has none."""
    return (self.shape if isinstance(self, TensorRef) else (),)


def twice_same(self: TensorRef, *_: Any, **__: Any) -> tuple[Shape, ...]:
    """Two results of the shape of the first argument: values and indices, or values and a mask."""
    return (self.shape, self.shape)


def nothing(*_: Any, **__: Any) -> tuple[Shape, ...]:
    """No result: an op that only checks something."""
    return ()


def by_values(*_: Any, **__: Any) -> tuple[Shape, ...]:
    """NoFormula, always: how many results there are depends on the contents."""
    raise NoFormula("the output's shape depends on values, not on shapes")


def axis(dim: int, rank: int) -> int:
    """A dimension counted from the front; a tensor without dimensions counts as having one."""
    return dim % max(rank, 1)


def axes(dims: Dims, rank: int) -> set[int]:
    """Dimensions counted from the front; none given means all."""
    if dims is None or (not isinstance(dims, int) and not dims):
        return set(range(rank))
    return {axis(dim, rank) for dim in ((dims,) if isinstance(dims, int) else dims)}


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
