"""Rules of the ops that slide a window: convolution, pooling, interpolation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cnninspect.receptive import resampling, taps
from cnninspect.receptive.reach import Reach, merged
from cnninspect.receptive.rules import Result, each, rule, shape_of
from cnninspect.receptive.taps import Taps
from cnninspect.trace.records import Op


def _slid(x: Reach, cuts: list[Taps]) -> Reach:
    """The last dimensions of `x`, each slid over by its taps."""
    for dim, cut in enumerate(cuts, len(x.shape) - len(cuts)):
        x = x.slid(dim, cut)
    return x


# --- convolution ------------------------------------------------------------------------------------------------


@rule("aten.convolution", "aten._convolution")
def convolution(
    op: Op, x: Reach, weight: Reach, bias: Reach | None, stride: Any, padding: Any, dilation: Any,
    transposed: bool, output_padding: Any, groups: int, *_: Any,
) -> Reach:  # fmt: skip
    """Windows in space; each output channel sees all input channels of its group.

    A weight or bias that was computed from an input (dynamic convolution) is merged with all its taps at once.
    """
    shape, axes = shape_of(op), len(weight.shape) - 2
    s, p, d = (each(value, axes) for value in (stride, padding, dilation))
    make = taps.transposed if transposed else taps.windows
    sizes = zip(x.shape[-axes:], shape[-axes:], weight.shape[2:], s, p, d, strict=True)
    cuts = [make(*size) for size in sizes]
    seen = _slid(_across_channels(x, groups, shape[1], op.index), cuts) if x.inputs else x
    if not weight.inputs and (bias is None or not bias.inputs):
        return seen
    return merged((seen, *_parameters(weight, bias, transposed, axes, op.index)), shape, op.index)


def _across_channels(x: Reach, groups: int, out: int, by: int) -> Reach:
    """`x` with the output channels on dimension 1, each seeing the input channels of its group."""
    shape = (x.shape[0], out, *x.shape[2:])
    if not x.varies(1):
        return x.moved(shape, lambda part: part.resized(1, out))
    if groups == 1:
        return x.reduced([1], by).moved(shape, lambda part: part.resized(1, out))
    split = x.reshaped((x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])).reduced([2], by)
    wide = (*split.shape[:2], out // groups, *x.shape[2:])
    return split.moved(wide, lambda part: part.resized(2, out // groups)).reshaped(shape)


def _parameters(weight: Reach, bias: Reach | None, transposed: bool, axes: int, by: int) -> list[Reach]:
    """What a computed weight and bias bring to each output channel, as [Cout, 1, ...]."""
    found = []
    if weight.inputs:
        contracted = range(axes + 2) if transposed else range(1, axes + 2)
        seen = weight.reduced(contracted, by)
        found.append(seen.reshaped((seen.shape[0], *(1,) * axes)))
    if bias is not None and bias.inputs:
        found.append(bias.reshaped((bias.shape[0], *(1,) * axes)))
    return found


# --- pooling ----------------------------------------------------------------------------------------------------


@rule("aten.max_pool2d_with_indices", "aten.max_pool3d_with_indices")
def max_pool(op: Op, x: Reach, kernel: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, *_: Any) -> Result:
    """Windows in space, channel by channel; the index of the maximum depends on the same window."""
    return _pooled(op, x, kernel, stride, padding, dilation)


@rule("aten.avg_pool2d", "aten.avg_pool3d")
def avg_pool(op: Op, x: Reach, kernel: Any, stride: Any = (), padding: Any = 0, *_: Any, **__: Any) -> Result:
    """Windows in space, channel by channel."""
    return _pooled(op, x, kernel, stride, padding, 1)


def _pooled(op: Op, x: Reach, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Result:
    axes = _pooled_axes(op)
    k, p, d = (each(value, axes) for value in (kernel, padding, dilation))
    s = each(stride, axes) if stride else k
    sizes = zip(x.shape[-axes:], shape_of(op)[-axes:], k, s, p, d, strict=True)
    return (_slid(x, [taps.windows(*size) for size in sizes]),) * len(op.outputs)


def _pooled_axes(op: Op) -> int:
    """The 2 in `aten.max_pool2d_with_indices`."""
    return int(op.packet.split("pool")[1][0])


@rule(
    "aten._adaptive_avg_pool2d", "aten._adaptive_avg_pool3d", "aten.adaptive_max_pool2d", "aten.adaptive_max_pool3d",
)  # fmt: skip
def adaptive_pool(op: Op, x: Reach, *_: Any) -> Result:
    """Windows that divide the map; a single one is the whole map."""
    axes, shape = _pooled_axes(op), shape_of(op)
    first = len(shape) - axes
    whole = [dim for dim in range(first, len(shape)) if shape[dim] == 1]
    seen = x.reduced(whole, op.index) if whole else x
    sizes = zip(seen.shape[first:], shape[first:], strict=True)
    return (_slid(seen, [taps.adaptive(n, out) for n, out in sizes]),) * len(op.outputs)


# --- interpolation ----------------------------------------------------------------------------------------------


def _factors(given: tuple[Any, ...], axes: int) -> tuple[float | None, ...]:
    """The scale factor of each axis: one list for the `vec` overloads, else one argument each."""
    if len(given) == 1 and isinstance(given[0], (tuple, list)):
        given = tuple(given[0])
    return given if len(given) == axes else (None,) * axes


def _resampled(op: Op, x: Reach, factors: tuple[Any, ...], make: Callable[[int, int, float | None], Taps]) -> Reach:
    shape = shape_of(op)
    axes = len(shape) - 2
    sizes = zip(x.shape[2:], shape[2:], _factors(factors, axes), strict=True)
    return _slid(x, [make(n, out, factor) for n, out, factor in sizes])


@rule("aten.upsample_nearest1d", "aten.upsample_nearest2d", "aten.upsample_nearest3d")
def nearest(op: Op, x: Reach, size: Any, *factors: Any) -> Reach:
    """The position at or before."""
    return _resampled(op, x, factors, lambda n, out, factor: resampling.nearest(n, out, factor, False))


@rule("aten._upsample_nearest_exact1d", "aten._upsample_nearest_exact2d", "aten._upsample_nearest_exact3d")
def nearest_exact(op: Op, x: Reach, size: Any, *factors: Any) -> Reach:
    """The position whose cell holds the centre."""
    return _resampled(op, x, factors, lambda n, out, factor: resampling.nearest(n, out, factor, True))


@rule("aten.upsample_linear1d", "aten.upsample_bilinear2d", "aten.upsample_trilinear3d")
def linear(op: Op, x: Reach, size: Any, align_corners: bool, *factors: Any) -> Reach:
    """Two positions along each axis."""
    double = op.outputs[0].dtype == "float64"
    return _resampled(op, x, factors, lambda n, out, factor: resampling.linear(n, out, factor, align_corners, double))


@rule("aten.upsample_bicubic2d")
def cubic(op: Op, x: Reach, size: Any, align_corners: bool, *factors: Any) -> Reach:
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


rule("aten._upsample_bilinear2d_aa")(_antialiased(2))
rule("aten._upsample_bicubic2d_aa")(_antialiased(4))
