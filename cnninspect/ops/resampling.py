"""Maps resampled to another size or at given places: Upsample and F.interpolate in every mode, grid_sample.

The new positions are neurons, also in nearest mode. Interpolation weights are applied per element, as in torch's and
fvcore's MAC counts: 0 MACs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import floor
from typing import Any

from cnninspect.ops.adaptive_pooling import to_size
from cnninspect.ops.registry import Formula, NoFormula, Use, Work, aten, register, register_op
from cnninspect.ops.rules import as_tuple, numel, shape_of, slid_over, spread_over
from cnninspect.receptive import resampling
from cnninspect.receptive.knowledge import reads_by_data
from cnninspect.receptive.reach import Reach
from cnninspect.receptive.taps import Taps
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef


def resampled_output(use: Use) -> tuple[Shape, ...]:
    """[N, C, *out]: `size`, or floor(in * scale_factor) along each axis.

    Source: torch.nn.Upsample, "Shape".
    """
    sizes = use.input[2:]
    if use["size"] is not None:
        out = as_tuple(use["size"], len(sizes))
    else:
        out = tuple(
            floor(size * scale) for size, scale in zip(sizes, _scales(use["scale_factor"], len(sizes)), strict=True)
        )
    return ((*use.input[:2], *out),)


def _scales(scale: Any, axes: int) -> tuple[float, ...]:
    """The scale factor per axis; NoFormula if it is the content of a tensor."""
    scales = tuple(scale) if isinstance(scale, (tuple, list)) else (scale,) * axes
    if not all(isinstance(item, (int, float)) for item in scales):
        raise NoFormula("the scale factor is no number")
    return scales


def _interpolate_call(
    input: TensorRef, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
    align_corners: bool | None = None, recompute_scale_factor: bool | None = None, antialias: bool = False,
) -> Use:  # fmt: skip
    hyper = {"size": size, "scale_factor": scale_factor, "mode": mode, "align_corners": align_corners}
    return Use((input.shape,), hyper)


register(
    Formula(
        name="upsampling",
        source='torch.nn.Upsample, "Shape"',
        modules=("Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"),
        hyperparameters=("size", "scale_factor", "mode", "align_corners"),
        functions={"F.interpolate": _interpolate_call},
        output=resampled_output,
    )
)


# --- interpolation ------------------------------------------------------------------------------------------------


def _factors(given: tuple[Any, ...], axes: int) -> tuple[float | None, ...]:
    """The scale factor of each axis: one list for the `vec` overloads, else one argument each."""
    if len(given) == 1 and isinstance(given[0], (tuple, list)):
        given = tuple(given[0])
    return given if len(given) == axes else (None,) * axes


def _resampled(op: Op, x: Reach, factors: tuple[Any, ...], make: Callable[[int, int, float | None], Taps]) -> Reach:
    shape = shape_of(op)
    axes = len(shape) - 2
    sizes = zip(x.shape[2:], shape[2:], _factors(factors, axes), strict=True)
    return slid_over(x, [make(n, out, factor) for n, out, factor in sizes])


def _nearest(op: Op, x: Reach, size: Any, *factors: Any) -> Reach:
    """The position at or before."""
    return _resampled(op, x, factors, lambda n, out, factor: resampling.nearest(n, out, factor, False))


def _nearest_exact(op: Op, x: Reach, size: Any, *factors: Any) -> Reach:
    """The position whose cell holds the centre."""
    return _resampled(op, x, factors, lambda n, out, factor: resampling.nearest(n, out, factor, True))


def _linear(op: Op, x: Reach, size: Any, align_corners: bool, *factors: Any) -> Reach:
    """Two positions along each axis."""
    double = op.outputs[0].dtype == "float64"
    return _resampled(op, x, factors, lambda n, out, factor: resampling.linear(n, out, factor, align_corners, double))


def _cubic(op: Op, x: Reach, size: Any, align_corners: bool, *factors: Any) -> Reach:
    """Four positions along each axis."""
    double = op.outputs[0].dtype == "float64"
    return _resampled(op, x, factors, lambda n, out, factor: resampling.cubic(n, out, factor, align_corners, double))


def _antialiased(width: int) -> Callable[..., Reach]:
    def antialiased(op: Op, x: Reach, size: Any, align_corners: bool, *factors: Any) -> Reach:
        """A filter that widens with the scale."""
        double = op.outputs[0].dtype == "float64"

        def make(n: int, out: int, factor: float | None) -> Taps:
            return resampling.antialiased(n, out, factor, align_corners, double, width)

        return _resampled(op, x, factors, make)

    return antialiased


_SOURCE = "torch.nn.Upsample; aten/src/ATen/native/UpSample.h"

register_op(
    *aten("upsample_nearest1d upsample_nearest2d upsample_nearest3d"), output=to_size, field=_nearest, source=_SOURCE
)
register_op(
    *aten("_upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d"),
    output=to_size,
    field=_nearest_exact,
    source=_SOURCE,
)
for _names, _rule in (
    ("upsample_linear1d upsample_bilinear2d upsample_trilinear3d", _linear),
    ("upsample_bicubic2d", _cubic),
    ("_upsample_bilinear2d_aa", _antialiased(2)),
    ("_upsample_bicubic2d_aa", _antialiased(4)),
):
    register_op(*aten(_names), output=to_size, field=_rule, source=_SOURCE, work=Work.ELEMENTWISE)
register_op(
    "aten._upsample_lanczos2d_aa",
    output=to_size,
    field=_antialiased(6),
    source=_SOURCE,
    work=Work.ELEMENTWISE,
)


# --- sampling at given places -------------------------------------------------------------------------------------


def _sampled(input: TensorRef, grid: TensorRef, *_: Any) -> tuple[Shape, ...]:
    """[N, C, *out] for a grid [N, *out, axes]. Source: torch.nn.functional.grid_sample."""
    return ((*input.shape[:2], *grid.shape[1:-1]),)


def _affine_grid(theta: TensorRef, size: Sequence[int], align_corners: bool) -> tuple[Shape, ...]:
    """[N, *out, axes] for a size [N, C, *out]. Source: torch.nn.functional.affine_grid."""
    return ((size[0], *size[2:], len(size) - 2),)


def _affine_grid_macs(theta: TensorRef, size: Sequence[int], align_corners: bool) -> int:
    """Each position, extended by a one, times an [axes + 1, axes] matrix."""
    (grid,) = _affine_grid(theta, size, align_corners)
    return numel(grid) * (len(size) - 1)


def _affine_field(op: Op, theta: Reach, size: Any, align_corners: bool) -> Reach:
    """Coordinate k of every position sees row k of the matrix of its sample."""
    samples, count = theta.shape[:2]
    rows = theta.reduced([2], op.index).reshaped((samples, *(1,) * (len(size) - 2), count))
    return spread_over(rows, shape_of(op))


register_op(
    *aten("grid_sampler_2d grid_sampler_3d"),
    output=_sampled,
    field=reads_by_data,
    source="torch.nn.functional.grid_sample: the grid says where to read",
    work=Work.ELEMENTWISE,
)
register_op(
    "aten.affine_grid_generator",
    output=_affine_grid,
    macs=_affine_grid_macs,
    field=_affine_field,
    source="torch.nn.functional.affine_grid",
)
