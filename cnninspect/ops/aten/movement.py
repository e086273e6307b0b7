"""Copies: elements moved, repeated, padded or masked, none of them worked out anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnninspect.ops.aten import packets
from cnninspect.ops.aten.shapes import by_values, nothing, same
from cnninspect.ops.base import Use, broadcast_tensors, register_op
from cnninspect.ops.shaping import (
    padded_output,
    pixel_shuffle_output,
    pixel_unshuffle_output,
    unfold_output,
)
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import TensorRef


def repeated(self: TensorRef, repeats: Sequence[int]) -> tuple[Shape, ...]:
    """Each size times its repeats; missing dimensions count as size 1 in front. Source: torch.Tensor.repeat."""
    sizes = (*(1,) * (len(repeats) - len(self.shape)), *self.shape)
    return (tuple(size * times for size, times in zip(sizes, repeats, strict=True)),)


def turned(self: TensorRef, k: int = 1, dims: Sequence[int] = (0, 1)) -> tuple[Shape, ...]:
    """Two sizes swapped after an odd number of quarter turns."""
    sizes = list(self.shape)
    if k % 2:
        sizes[dims[0]], sizes[dims[1]] = sizes[dims[1]], sizes[dims[0]]
    return (tuple(sizes),)


def padded(self: TensorRef, padding: Sequence[int], *_: Any) -> tuple[Shape, ...]:
    """Each size with what is added before and after it."""
    return padded_output(Use((self.shape,), {"padding": padding}))


def unfolded(self: TensorRef, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> tuple[Shape, ...]:
    """[N, C prod(k), L]."""
    hyper = {"kernel_size": kernel_size, "dilation": dilation, "padding": padding, "stride": stride}
    return unfold_output(Use((self.shape,), hyper))


def shuffled(self: TensorRef, upscale_factor: int) -> tuple[Shape, ...]:
    """[*, C, H r, W r]."""
    return pixel_shuffle_output(Use((self.shape,), {"upscale_factor": upscale_factor}))


def unshuffled(self: TensorRef, downscale_factor: int) -> tuple[Shape, ...]:
    """[*, C r^2, H, W]."""
    return pixel_unshuffle_output(Use((self.shape,), {"downscale_factor": downscale_factor}))


def block_diagonal(tensors: Sequence[TensorRef]) -> tuple[Shape, ...]:
    """The sums of rows and of columns; a vector is one row. Source: torch.block_diag."""
    blocks = [(*(1,) * (2 - len(ref.shape)), *ref.shape) for ref in tensors]
    return ((sum(rows for rows, _ in blocks), sum(columns for _, columns in blocks)),)


register_op("aten.repeat", output=repeated)
register_op("aten.rot90", output=turned)
register_op(*packets("clone _to_copy copy(_) roll flip channel_shuffle tril(_) triu(_)"), output=same)
register_op(*packets("slice_scatter select_scatter diagonal_scatter as_strided_scatter"), output=same)
register_op(*packets("masked_fill where"), output=broadcast_tensors)
register_op(*packets("masked_fill_ masked_scatter_"), output=same)
register_op("aten.masked_scatter", output=lambda self, mask, source: broadcast_tensors(self, mask))
register_op("aten.constant_pad_nd", output=padded)
register_op(*packets("reflection_pad1d reflection_pad2d reflection_pad3d"), output=padded)
register_op(*packets("replication_pad1d replication_pad2d replication_pad3d"), output=padded)
register_op("aten.im2col", output=unfolded)
register_op("aten.block_diag", output=block_diagonal)
register_op("aten.pixel_shuffle", output=shuffled)
register_op("aten.pixel_unshuffle", output=unshuffled)
register_op(*packets("_to_sparse _to_sparse_csr _to_dense"), output=same)
register_op(*packets("_assert_async _local_scalar_dense is_same_size _has_same_storage_numel"), output=nothing)
register_op("aten._pack_padded_sequence", output=by_values)
register_op("aten._functional_assert_async", output=lambda self, assert_msg, dep_token: (dep_token.shape,))
