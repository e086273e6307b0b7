"""Elements moved between space and channels, or between a map and its windows: pixel shuffle, unfold, fold.

They cost nothing and have no neurons, but for Fold: it adds up the patches that overlap.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from cnninspect.ops.convolution import conv_size
from cnninspect.ops.registry import Formula, Use, Work, aten, register, register_op, same_shape
from cnninspect.ops.rules import as_tuple, axis, divided, each, resized, same, shape_of
from cnninspect.receptive import taps
from cnninspect.receptive.digits import MISSING
from cnninspect.receptive.knowledge import NoRule
from cnninspect.receptive.reach import Reach, written
from cnninspect.receptive.taps import Taps
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef

# --- output shapes ------------------------------------------------------------------------------------------------


def pixel_shuffle_output(use: Use) -> tuple[Shape, ...]:
    """[*, C r^2, H, W] -> [*, C, H r, W r]. Source: torch.nn.PixelShuffle, "Shape"; Shi et al. 2016."""
    *batch, channels, height, width = use.input
    r = use["upscale_factor"]
    return ((*batch, divided(channels, r**2), height * r, width * r),)


def pixel_unshuffle_output(use: Use) -> tuple[Shape, ...]:
    """[*, C, H r, W r] -> [*, C r^2, H, W]. Source: torch.nn.PixelUnshuffle, "Shape"."""
    *batch, channels, height, width = use.input
    r = use["downscale_factor"]
    return ((*batch, channels * r**2, divided(height, r), divided(width, r)),)


_WINDOW = ("kernel_size", "stride", "padding", "dilation")


def unfold_output(use: Use) -> tuple[Shape, ...]:
    """[*, C, H, W] -> [*, C prod(k), L]: one column for each of the L places of the kernel.

    Source: torch.nn.Unfold, "Shape".
    """
    *batch, channels, height, width = use.input
    kernel, stride, padding, dilation = (as_tuple(use[name], 2) for name in _WINDOW)
    places = prod(map(conv_size, (height, width), kernel, stride, padding, dilation))
    return ((*batch, channels * prod(kernel), places),)


def fold_output(use: Use) -> tuple[Shape, ...]:
    """[*, C prod(k), L] -> [*, C, *output_size]. Source: torch.nn.Fold, "Shape"."""
    *batch, columns, _ = use.input
    return ((*batch, divided(columns, prod(as_tuple(use["kernel_size"], 2))), *as_tuple(use["output_size"], 2)),)


# --- functional forms ---------------------------------------------------------------------------------------------


def _shuffle_call(input: TensorRef, upscale_factor: int) -> Use:
    return Use((input.shape,), {"upscale_factor": upscale_factor})


def _unshuffle_call(input: TensorRef, downscale_factor: int) -> Use:
    return Use((input.shape,), {"downscale_factor": downscale_factor})


def _channels_call(input: TensorRef, groups: int) -> Use:
    return Use((input.shape,), {"groups": groups})


def _unfold_call(input: TensorRef, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Use:
    hyper = {"kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation}
    return Use((input.shape,), hyper)


def _fold_call(
    input: TensorRef, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Use:
    use = _unfold_call(input, kernel_size, dilation, padding, stride)
    return Use(use.inputs, {**use.hyper, "output_size": output_size})


register(
    Formula(
        name="pixel shuffle",
        source='Shi et al. 2016; torch.nn.PixelShuffle, "Shape"',
        modules=("PixelShuffle",),
        hyperparameters=("upscale_factor",),
        functions={"F.pixel_shuffle": _shuffle_call},
        output=pixel_shuffle_output,
        computes=False,
    )
)

register(
    Formula(
        name="pixel unshuffle",
        source='torch.nn.PixelUnshuffle, "Shape"',
        modules=("PixelUnshuffle",),
        hyperparameters=("downscale_factor",),
        functions={"F.pixel_unshuffle": _unshuffle_call},
        output=pixel_unshuffle_output,
        computes=False,
    )
)

register(
    Formula(
        name="channel shuffle",
        source="Zhang et al. 2017, ShuffleNet, section 3.1; torch.nn.ChannelShuffle",
        modules=("ChannelShuffle",),
        hyperparameters=("groups",),
        functions={"F.channel_shuffle": _channels_call, "F.native_channel_shuffle": _channels_call},
        output=same_shape,
        computes=False,
    )
)

register(
    Formula(
        name="unfold",
        source='torch.nn.Unfold, "Shape"',
        modules=("Unfold",),
        hyperparameters=_WINDOW,
        functions={"F.unfold": _unfold_call},
        output=unfold_output,
        computes=False,
    )
)

register(
    Formula(
        name="fold",
        source='torch.nn.Fold, "Shape"',
        modules=("Fold",),
        hyperparameters=("output_size", *_WINDOW),
        functions={"F.fold": _fold_call},
        output=fold_output,
    )
)


# --- the ops ------------------------------------------------------------------------------------------------------


def _unfolded(self: TensorRef, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> tuple[Shape, ...]:
    """[N, C prod(k), L]."""
    hyper = {"kernel_size": kernel_size, "dilation": dilation, "padding": padding, "stride": stride}
    return unfold_output(Use((self.shape,), hyper))


def _folded_shape(self: TensorRef, output_size: Any, kernel_size: Any, *_: Any) -> tuple[Shape, ...]:
    """[N, C, *output_size]."""
    return fold_output(Use((self.shape,), {"output_size": output_size, "kernel_size": kernel_size}))


def _windows(self: TensorRef, dimension: int, size: int, step: int) -> tuple[Shape, ...]:
    """(in - size)/step + 1 windows at `dimension`, their contents last. Source: torch.Tensor.unfold."""
    if not self.shape:
        return ((size,),)
    return ((*resized(self.shape, dimension, (self.shape[dimension] - size) // step + 1), size),)


def _shuffle_field(op: Op, x: Reach, factor: int) -> Reach:
    """[*, C r r, H, W] to [*, C, H r, W r]."""
    *batch, channels, height, width = x.shape
    rank = len(batch)
    split_ = x.reshaped((*batch, channels // factor**2, factor, factor, height, width))
    order = (*range(rank), rank, rank + 3, rank + 1, rank + 4, rank + 2)
    return split_.permuted(order).reshaped(shape_of(op))


def _unshuffle_field(op: Op, x: Reach, factor: int) -> Reach:
    """[*, C, H r, W r] to [*, C r r, H, W]."""
    *batch, channels, height, width = x.shape
    rank = len(batch)
    split_ = x.reshaped((*batch, channels, height // factor, factor, width // factor, factor))
    order = (*range(rank), rank, rank + 2, rank + 4, rank + 1, rank + 3)
    return split_.permuted(order).reshaped(shape_of(op))


def _channels_field(op: Op, x: Reach, groups: int) -> Reach:
    """Channels read with the group as the inner digit."""
    batch, channels, *space = x.shape
    parts = x.reshaped((batch, groups, channels // groups, *space))
    return parts.permuted((0, 2, 1, *range(3, len(parts.shape)))).reshaped(x.shape)


def _windows_field(op: Op, x: Reach, dim: int, size: int, step: int) -> Reach:
    """Windows of a dimension; the index inside the window comes last."""
    if not x.shape:
        return x.reshaped(shape_of(op))
    rank = len(x.shape)
    dim = axis(dim, rank)
    cut = taps.windows(x.shape[dim], shape_of(op)[dim], size, step)
    order = (*range(dim + 1), *range(dim + 2, rank + 1), dim + 1)
    return x.taken(dim, cut).permuted(order)


def _unfold_field(op: Op, x: Reach, kernel: Any, dilation: Any, padding: Any, stride: Any) -> Reach:
    """[*, C, H, W] to [*, C kh kw, windows]."""
    rank = len(x.shape)
    k, d, p, s = (each(value, 2) for value in (kernel, dilation, padding, stride))
    counts = [(x.shape[rank - 2 + i] + 2 * p[i] - d[i] * (k[i] - 1) - 1) // s[i] + 1 for i in (0, 1)]
    for i in (1, 0):
        dim = rank - 2 + i
        cut = taps.windows(x.shape[dim], counts[i], k[i], s[i], p[i], d[i])
        x = x.taken(dim, cut)
    order = (*range(rank - 2), rank - 1, rank + 1, rank - 2, rank)
    return x.permuted(order).reshaped(shape_of(op))


def _fold_field(op: Op, x: Reach, size: list[int], kernel: Any, dilation: Any, padding: Any, stride: Any) -> Reach:
    """[*, C kh kw, windows] to [*, C, H, W]: each position sums the windows that hold it."""
    k, d, p, s = (each(value, 2) for value in (kernel, dilation, padding, stride))
    counts = [(size[i] + 2 * p[i] - d[i] * (k[i] - 1) - 1) // s[i] + 1 for i in (0, 1)]
    *batch, columns, _ = x.shape
    rank = len(batch)
    x = x.reshaped((*batch, columns // (k[0] * k[1]), k[0], k[1], counts[0], counts[1]))
    x = x.permuted((*range(rank + 1), rank + 1, rank + 3, rank + 2, rank + 4))
    for i, dim in ((1, rank + 3), (0, rank + 1)):
        into = taps.transposed(counts[i], size[i], k[i], s[i], p[i], d[i])
        x = _folded(x, dim, into, op.index)
    return x.reshaped(shape_of(op))


def _overlap_field(op: Op, x: Reach, sizes: list[int], dim: int, size: int, step: int) -> Reach:
    """Windows at `dim`, their contents last, added up where they came from."""
    rank = len(sizes)
    dim = axis(dim, rank)
    into = taps.transposed(x.shape[dim], sizes[dim], size, step, 0, 1)
    return _folded(x.permuted((*range(dim), rank, *range(dim, rank))), dim, into, op.index)


def _windows_back(op: Op, position: int, whole: Reach, part: Reach, dim: int, size: int, step: int) -> Reach:
    """`whole` with new contents in its windows; NoRule where windows that overlap hold different ones for one place."""
    if not whole.shape:
        return part.reshaped(())
    dim = axis(dim, len(whole.shape))
    n, cut = whole.shape[dim], taps.windows(whole.shape[dim], part.shape[dim], size, step)
    joined = _overlap_field(op, part, list(whole.shape), dim, size, step)
    if step < size and not _windows_field(op, joined, dim, size, step).equals(part):
        raise NoRule("it writes different contents to one place in memory, in the windows that overlap there")
    covered = np.unique(cut.index)
    return (
        joined
        if len(covered) == n
        else written(whole, dim, covered, joined.slid(dim, taps.listed(n, covered.tolist())))
    )


def _folded(x: Reach, dim: int, into: Taps, by: int) -> Reach:
    """Tap index (on `dim`) and window (on the next) as the positions they came from."""
    if not x.varies(dim):
        return x.reduced([dim], by).without([dim]).slid(dim, into)
    taps_, windows = x.shape[dim : dim + 2]
    offsets = np.where(into.index == MISSING, 0, np.arange(taps_) * windows)
    return x.reshaped((*x.shape[:dim], taps_ * windows, *x.shape[dim + 2 :])).slid(dim, Taps(into.index + offsets))


register_op(
    "aten.pixel_shuffle",
    output=lambda self, upscale_factor: pixel_shuffle_output(_shuffle_call(self, upscale_factor)),
    field=_shuffle_field,
    source="Shi et al. 2016, equation 4: [C r r, H, W] to [C, H r, W r]",
)
register_op(
    "aten.pixel_unshuffle",
    output=lambda self, downscale_factor: pixel_unshuffle_output(_unshuffle_call(self, downscale_factor)),
    field=_unshuffle_field,
    source="torch.nn.PixelUnshuffle: the inverse of Shi et al. 2016, equation 4",
)
register_op(
    *aten("channel_shuffle"),
    output=same,
    field=_channels_field,
    source="torch.nn.ChannelShuffle; Zhang et al. 2017, section 3.1",
)
register_op(
    "aten.unfold",
    output=_windows,
    field=_windows_field,
    source="torch.Tensor.unfold: windows of one dimension",
    slides=True,
    put_back=_windows_back,
)
register_op(
    "aten.im2col",
    output=_unfolded,
    field=_unfold_field,
    source="torch.nn.Unfold: the windows of a convolution as columns",
    slides=True,
)
register_op(
    "aten.col2im",
    output=_folded_shape,
    field=_fold_field,
    source="torch.nn.Fold: columns added up where their windows lie",
    work=Work.REDUCTION,
)
register_op(
    "aten.unfold_backward",
    output=lambda grad_in, input_sizes, *_: (tuple(input_sizes),),
    field=_overlap_field,
    source="torch.Tensor.unfold, transposed: windows added up where they overlap, as torch.istft does",
    work=Work.REDUCTION,
)
