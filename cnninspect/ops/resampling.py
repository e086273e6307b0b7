"""Resampling to another size or at given places: Upsample and F.interpolate in every mode, grid_sample, affine grids.

The new positions are neurons, also in nearest mode. Interpolation weights are applied per element, as in torch's and
fvcore's MAC counts: 0 MACs. Which positions are read follows torch's own arithmetic with its roundings; a tap of weight
0 is read too, as NaN shows. In double precision a source that falls exactly on an input position may be rounded to
either side, depending on the processor.

Source: aten/src/ATen/native/UpSample.h (area_pixel_compute_scale, area_pixel_compute_source_index),
cpu/UpSampleKernel.cpp.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import floor, gcd
from typing import Any

import numpy as np
import numpy.typing as npt

from cnninspect.ops.adaptive_pooling import to_size
from cnninspect.ops.registry import Formula, NoFormula, Use, Work, aten, register, register_op
from cnninspect.ops.rules import as_tuple, numel, shape_of, slid_over, spread_over
from cnninspect.receptive.digits import MISSING, Indices
from cnninspect.receptive.knowledge import reads_by_data
from cnninspect.receptive.reach import Reach
from cnninspect.receptive.taps import Taps
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef

Floats = npt.NDArray[np.floating[Any]]

# --- the layers ---------------------------------------------------------------------------------------------------


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


# --- which positions interpolation reads --------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def nearest_taps(n: int, out: int, factor: float | None, exact: bool) -> Taps:
    """`nearest` and, with `exact`, `nearest-exact`; `factor` is the scale factor that the caller gave, if any."""
    half = 0.5 if exact else 0.0
    source = np.floor((np.arange(out, dtype=np.float32) + np.float32(half)) * _ratio(n, out, factor, False, np.float32))
    if out in (n, 2 * n) and not exact:
        source = np.arange(out) * n // out
    index = np.minimum(source.astype(np.int64), n - 1)[:, None]
    period = np.arange(out // gcd(n, out))[:, None]
    pattern = (2 * period + 1) * n // (2 * out) if exact else period * n // out
    return _with_pattern(index, pattern, n, out, factor)


@lru_cache(maxsize=1024)
def linear_taps(n: int, out: int, factor: float | None, align_corners: bool, double: bool) -> Taps:
    """Linear interpolation: the position at or below the source position, and the next."""
    if n == out:
        return Taps(np.arange(n)[:, None], np.array([[0]]), 1)
    source = _source_position(n, out, factor, align_corners, double).clip(min=0)
    below = np.minimum(source.astype(np.int64), n - 1)
    index = np.stack((below, np.minimum(below + 1, n - 1)), 1)
    if align_corners:
        return Taps(index)
    return _with_pattern(index, _floors(n, out) + np.arange(2), n, out, factor)


@lru_cache(maxsize=1024)
def cubic_taps(n: int, out: int, factor: float | None, align_corners: bool, double: bool) -> Taps:
    """Cubic interpolation: two positions on either side of the source position, clamped to the input."""
    below = np.floor(_source_position(n, out, factor, align_corners, double)).astype(np.int64)
    index = (below[:, None] + np.arange(-1, 3)).clip(0, n - 1)
    if align_corners:
        return Taps(index)
    return _with_pattern(index, _floors(n, out) + np.arange(-1, 3), n, out, factor)


@lru_cache(maxsize=1024)
def antialiased_taps(n: int, out: int, factor: float | None, align_corners: bool, double: bool, width: int) -> Taps:
    """Interpolation with a filter `width` wide that widens with the scale when the output is smaller."""
    if n == out:
        return Taps(np.arange(n)[:, None], np.array([[0]]), 1)
    real = np.float64 if double else np.float32
    scale = _ratio(n, out, factor, align_corners, real)
    support = real(width / 2) * max(scale, real(1))
    centre = scale * (np.arange(out, dtype=real) + real(0.5))
    first = (centre - support + real(0.5)).astype(np.int64).clip(min=0)
    last = (centre + support + real(0.5)).astype(np.int64).clip(max=n)
    index = first[:, None] + np.arange(max(int((last - first).max()), 1))
    return Taps(np.where(index < last[:, None], index, MISSING))


def _ratio(n: int, out: int, factor: float | None, align_corners: bool, real: type[np.floating[Any]]) -> Any:
    """Input positions per output position."""
    if align_corners:
        return real(n - 1) / real(out - 1) if out > 1 else real(0)
    return real(1.0 / factor) if factor else real(n) / real(out)


def _source_position(n: int, out: int, factor: float | None, align_corners: bool, double: bool) -> Floats:
    """The position in the input, as a real number, that each output stands at.

    In single precision the multiplication and subtraction are one fused operation with one rounding.
    """
    real = np.float64 if double else np.float32
    scale = _ratio(n, out, factor, align_corners, real)
    if align_corners:
        return np.asarray(scale * np.arange(out, dtype=real))
    return np.asarray(np.float64(scale) * (np.arange(out) + 0.5) - 0.5).astype(real)


def _floors(n: int, out: int) -> Indices:
    """floor((i + 1/2) n / out - 1/2) in integers, for the outputs of one period."""
    position = np.arange(out // gcd(n, out))[:, None]
    return ((2 * position + 1) * n - out) // (2 * out)


def _with_pattern(index: Indices, pattern: Indices, n: int, out: int, factor: float | None) -> Taps:
    """Taps that repeat, unless the given factor is not the ratio of the sizes."""
    if factor and n * factor != out:
        return Taps(index)
    return Taps(index, pattern, n // gcd(n, out))


# --- the ops of interpolation -------------------------------------------------------------------------------------


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
    return _resampled(op, x, factors, lambda n, out, factor: nearest_taps(n, out, factor, False))


def _nearest_exact(op: Op, x: Reach, size: Any, *factors: Any) -> Reach:
    """The position whose cell holds the centre."""
    return _resampled(op, x, factors, lambda n, out, factor: nearest_taps(n, out, factor, True))


def _linear(op: Op, x: Reach, size: Any, align_corners: bool, *factors: Any) -> Reach:
    """Two positions along each axis."""
    double = op.outputs[0].dtype == "float64"
    return _resampled(op, x, factors, lambda n, out, factor: linear_taps(n, out, factor, align_corners, double))


def _cubic(op: Op, x: Reach, size: Any, align_corners: bool, *factors: Any) -> Reach:
    """Four positions along each axis."""
    double = op.outputs[0].dtype == "float64"
    return _resampled(op, x, factors, lambda n, out, factor: cubic_taps(n, out, factor, align_corners, double))


def _antialiased(width: int) -> Callable[..., Reach]:
    def antialiased(op: Op, x: Reach, size: Any, align_corners: bool, *factors: Any) -> Reach:
        """A filter that widens with the scale."""
        double = op.outputs[0].dtype == "float64"

        def make(n: int, out: int, factor: float | None) -> Taps:
            return antialiased_taps(n, out, factor, align_corners, double, width)

        return _resampled(op, x, factors, make)

    return antialiased


_POSITIONS = "torch, aten/src/ATen/native/UpSample.h: output i stands at (i + 1/2) scale - 1/2 of the input"

for _names, _rule, _work, _source in (
    ("upsample_nearest1d upsample_nearest2d upsample_nearest3d", _nearest, Work.MOVEMENT, "floor(i scale) is copied"),
    (
        "_upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d",
        _nearest_exact,
        Work.MOVEMENT,
        "floor((i + 1/2) scale) is copied",
    ),
    (
        "upsample_linear1d upsample_bilinear2d upsample_trilinear3d",
        _linear,
        Work.ELEMENTWISE,
        "the weighted mean of the two next to it along each axis",
    ),
    ("upsample_bicubic2d", _cubic, Work.ELEMENTWISE, "a cubic through four along each axis (Keys 1981)"),
    ("_upsample_bilinear2d_aa", _antialiased(2), Work.ELEMENTWISE, "a triangle filter, 2 wide times the scale"),
    ("_upsample_bicubic2d_aa", _antialiased(4), Work.ELEMENTWISE, "a cubic filter, 4 wide times the scale"),
    ("_upsample_lanczos2d_aa", _antialiased(6), Work.ELEMENTWISE, "a Lanczos filter, 6 wide times the scale"),
):
    register_op(*aten(_names), output=to_size, field=_rule, source=f"{_POSITIONS}; {_source}", work=_work)


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
    source="Jaderberg et al. 2015, section 3.3: each output is interpolated where the grid says; NaN lies outside",
    work=Work.ELEMENTWISE,
    swallows_nan=True,
)
register_op(
    "aten.affine_grid_generator",
    output=_affine_grid,
    macs=_affine_grid_macs,
    field=_affine_field,
    source="Jaderberg et al. 2015, equation 1: (x, y) = theta (x_t, y_t, 1) for each position of the output",
)
