"""Maps resampled: pooling, unpooling, upsampling, sampling at given places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cnninspect.ops.aten import packets
from cnninspect.ops.base import Use, Work, numel, register_op
from cnninspect.ops.pooling import pool_output
from cnninspect.ops.shaping import fold_output
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import TensorRef

Output = Callable[..., tuple[Shape, ...]]


def average_pooled(axes: int) -> Output:
    """The rule of average pooling over so many axes."""

    def output(
        self: TensorRef, kernel_size: Any, stride: Any = (), padding: Any = 0, ceil_mode: bool = False, *_: Any
    ) -> tuple[Shape, ...]:
        hyper = {"kernel_size": kernel_size, "stride": stride, "padding": padding, "ceil_mode": ceil_mode}
        return pool_output(axes, Use((self.shape,), hyper))

    return output


def max_pooled(axes: int) -> Output:
    """The rule of max pooling with indices over so many axes."""

    def output(
        self: TensorRef, kernel_size: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> tuple[Shape, ...]:  # fmt: skip
        hyper = {
            "kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation,
            "ceil_mode": ceil_mode, "return_indices": True,
        }  # fmt: skip
        return pool_output(axes, Use((self.shape,), hyper))

    return output


def to_size(self: TensorRef, output_size: Sequence[int], *_: Any) -> tuple[Shape, ...]:
    """[*, *output_size]."""
    return ((*self.shape[: -len(output_size)], *output_size),)


def to_size_twice(self: TensorRef, output_size: Sequence[int]) -> tuple[Shape, ...]:
    """[*, *output_size], values and indices."""
    return to_size(self, output_size) * 2


def unpooled(self: TensorRef, indices: TensorRef, output_size: Sequence[int], *_: Any) -> tuple[Shape, ...]:
    """[*, *output_size]."""
    return to_size(self, output_size)


def fractional(self: TensorRef, kernel_size: Any, output_size: Sequence[int], *_: Any) -> tuple[Shape, ...]:
    """[*, *output_size], values and indices."""
    return to_size_twice(self, output_size)


def sampled(input: TensorRef, grid: TensorRef, *_: Any) -> tuple[Shape, ...]:
    """[N, C, *out] for a grid [N, *out, axes]. Source: torch.nn.functional.grid_sample."""
    return ((*input.shape[:2], *grid.shape[1:-1]),)


def affine_grid(theta: TensorRef, size: Sequence[int], align_corners: bool) -> tuple[Shape, ...]:
    """[N, *out, axes] for a size [N, C, *out]. Source: torch.nn.functional.affine_grid."""
    return ((size[0], *size[2:], len(size) - 2),)


def affine_grid_macs(theta: TensorRef, size: Sequence[int], align_corners: bool) -> int:
    """Each position, extended by a one, times an [axes + 1, axes] matrix."""
    (grid,) = affine_grid(theta, size, align_corners)
    return numel(grid) * (len(size) - 1)


def folded(self: TensorRef, output_size: Any, kernel_size: Any, *_: Any) -> tuple[Shape, ...]:
    """[N, C, *output_size]."""
    return fold_output(Use((self.shape,), {"output_size": output_size, "kernel_size": kernel_size}))


_INTERPOLATIONS = "upsample_linear1d upsample_bilinear2d upsample_trilinear3d upsample_bicubic2d"
_ANTIALIASED = "_upsample_bilinear2d_aa _upsample_bicubic2d_aa _upsample_lanczos2d_aa"

for _axes in (2, 3):
    register_op(f"aten.avg_pool{_axes}d", output=average_pooled(_axes), work=Work.REDUCTION)
    register_op(f"aten.max_pool{_axes}d_with_indices", output=max_pooled(_axes), work=Work.COMPARISON)
    register_op(f"aten._adaptive_avg_pool{_axes}d", output=to_size, work=Work.REDUCTION)
    register_op(f"aten.adaptive_max_pool{_axes}d", output=to_size_twice, work=Work.COMPARISON)
    register_op(f"aten.fractional_max_pool{_axes}d", output=fractional, work=Work.COMPARISON)
    register_op(f"aten.max_unpool{_axes}d", output=unpooled)
    register_op(f"aten.grid_sampler_{_axes}d", output=sampled, work=Work.ELEMENTWISE)

register_op(*packets("upsample_nearest1d upsample_nearest2d upsample_nearest3d"), output=to_size)
register_op(*packets("_upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d"), output=to_size)
register_op(*packets(_INTERPOLATIONS), output=to_size, work=Work.ELEMENTWISE)
register_op(*packets(_ANTIALIASED), output=to_size, work=Work.ELEMENTWISE)
register_op(
    "aten.affine_grid_generator", output=affine_grid, macs=affine_grid_macs, source="torch.nn.functional.affine_grid"
)
register_op("aten.col2im", output=folded, work=Work.REDUCTION)
