"""Views: the same elements under another shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnninspect.ops.aten import packets
from cnninspect.ops.aten.shapes import Dims, axes, axis, reduced, resized, same
from cnninspect.ops.base import NoFormula, numel, register_op
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import TensorRef


def viewed(self: TensorRef, size: Sequence[int] | str, *_: Any) -> tuple[Shape, ...]:
    """`size`, where -1 is what is left of the elements. Source: torch.Tensor.view."""
    if isinstance(size, str):
        raise NoFormula("a view as another dtype depends on the size of its elements")
    left = numel(self.shape) // numel(tuple(part for part in size if part != -1)) if -1 in size else 0
    return (tuple(left if part == -1 else part for part in size),)


def expanded(self: TensorRef, size: Sequence[int], **_: Any) -> tuple[Shape, ...]:
    """`size`, where -1 keeps the size that a dimension has. Source: torch.Tensor.expand."""
    own = (*(0,) * (len(size) - len(self.shape)), *self.shape)
    return (tuple(have if want == -1 else want for have, want in zip(own, size, strict=True)),)


def strided(self: TensorRef, size: Sequence[int], *_: Any, **__: Any) -> tuple[Shape, ...]:
    """`size`, whatever the strides."""
    return (tuple(size),)


def permuted(self: TensorRef, dims: Sequence[int]) -> tuple[Shape, ...]:
    """The sizes in the order of `dims`."""
    return (tuple(self.shape[dim] for dim in dims),)


def transposed(self: TensorRef, dim0: int, dim1: int) -> tuple[Shape, ...]:
    """Two sizes swapped."""
    sizes = list(self.shape)
    if sizes:
        sizes[dim0], sizes[dim1] = sizes[dim1], sizes[dim0]
    return (tuple(sizes),)


def sliced(
    self: TensorRef, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> tuple[Shape, ...]:
    """The places from `start` to `end`, as in Python."""
    length = len(range(*slice(start, end, step).indices(self.shape[dim])))
    return (resized(self.shape, dim, length),)


def selected(self: TensorRef, dim: int, index: Any) -> tuple[Shape, ...]:
    """One place of a dimension, which is gone."""
    return (reduced(self.shape, dim),)


def unsqueezed(self: TensorRef, dim: int) -> tuple[Shape, ...]:
    """A new dimension of size 1 at `dim` of the result."""
    position = dim % (len(self.shape) + 1)
    return ((*self.shape[:position], 1, *self.shape[position:]),)


def squeezed(self: TensorRef, dim: Dims = None) -> tuple[Shape, ...]:
    """Without the dimensions of size 1, or without those among `dim`."""
    candidates = set() if dim == [] or dim == () else axes(dim, len(self.shape))
    return (tuple(size for place, size in enumerate(self.shape) if size != 1 or place not in candidates),)


def split(self: TensorRef, split_size: int, dim: int = 0) -> tuple[Shape, ...]:
    """Parts of `split_size`, the last one smaller. Source: torch.split."""
    length = self.shape[dim]
    starts = range(0, length, split_size) if length else (0,)
    return tuple(resized(self.shape, dim, min(split_size, length - start)) for start in starts)


def split_with_sizes(self: TensorRef, split_sizes: Sequence[int], dim: int = 0) -> tuple[Shape, ...]:
    """One part per size."""
    return tuple(resized(self.shape, dim, size) for size in split_sizes)


def unbound(self: TensorRef, dim: int = 0) -> tuple[Shape, ...]:
    """One result per place of `dim`, which is gone."""
    return (reduced(self.shape, dim),) * self.shape[dim]


def windows(self: TensorRef, dimension: int, size: int, step: int) -> tuple[Shape, ...]:
    """(in - size)/step + 1 windows at `dimension`, their contents last. Source: torch.Tensor.unfold."""
    if not self.shape:
        return ((size,),)
    return ((*resized(self.shape, dimension, (self.shape[dimension] - size) // step + 1), size),)


def diagonal(self: TensorRef, offset: int = 0, dim1: int = 0, dim2: int = 1) -> tuple[Shape, ...]:
    """Both dimensions gone, their common diagonal last. Source: torch.diagonal."""
    rows, columns = self.shape[dim1] + min(offset, 0), self.shape[dim2] - max(offset, 0)
    return ((*reduced(self.shape, (dim1, dim2)), max(min(rows, columns), 0)),)


def diagonal_embedded(self: TensorRef, offset: int = 0, dim1: int = -2, dim2: int = -1) -> tuple[Shape, ...]:
    """The last dimension as a diagonal of two of size n + |offset|. Source: torch.diag_embed."""
    rank, side = len(self.shape) + 1, self.shape[-1] + abs(offset)
    rest = iter(self.shape[:-1])
    return (tuple(side if place in (axis(dim1, rank), axis(dim2, rank)) else next(rest) for place in range(rank)),)


def as_real(self: TensorRef) -> tuple[Shape, ...]:
    """Real and imaginary part in a last dimension."""
    return ((*self.shape, 2),)


def as_complex(self: TensorRef) -> tuple[Shape, ...]:
    """The last dimension held real and imaginary part."""
    return (self.shape[:-1],)


register_op(*packets("view _unsafe_view _reshape_alias"), output=viewed)
register_op("aten.expand", output=expanded)
register_op(*packets("as_strided(_) resize_"), output=strided)
register_op("aten.permute", output=permuted)
register_op(*packets("transpose(_)"), output=transposed)
register_op(*packets("t(_)"), output=lambda self: (self.shape[::-1],))
register_op("aten.slice", output=sliced)
register_op("aten.select", output=selected)
register_op(*packets("unsqueeze(_)"), output=unsqueezed)
register_op(*packets("squeeze(_)"), output=squeezed)
register_op(*packets("split unsafe_split"), output=split)
register_op(*packets("split_with_sizes unsafe_split_with_sizes"), output=split_with_sizes)
register_op("aten.unbind", output=unbound)
register_op("aten.unfold", output=windows)
register_op("aten.diagonal", output=diagonal)
register_op("aten.diag_embed", output=diagonal_embedded)
register_op("aten.view_as_real", output=as_real)
register_op("aten.view_as_complex", output=as_complex)
register_op(*packets("alias detach(_) lift lift_fresh _conj _neg_view"), output=same)
