"""Rules of the ops that move elements between space and channels, or between a map and its windows."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnninspect.receptive import taps
from cnninspect.receptive.digits import MISSING
from cnninspect.receptive.reach import Reach
from cnninspect.receptive.rules import each, rule, shape_of, wrapped
from cnninspect.receptive.taps import Taps
from cnninspect.trace.records import Op


@rule("aten.pixel_shuffle")
def pixel_shuffle(op: Op, x: Reach, factor: int) -> Reach:
    """[*, C r r, H, W] to [*, C, H r, W r]."""
    *batch, channels, height, width = x.shape
    rank = len(batch)
    split_ = x.reshaped((*batch, channels // factor**2, factor, factor, height, width))
    order = (*range(rank), rank, rank + 3, rank + 1, rank + 4, rank + 2)
    return split_.permuted(order).reshaped(shape_of(op))


@rule("aten.pixel_unshuffle")
def pixel_unshuffle(op: Op, x: Reach, factor: int) -> Reach:
    """[*, C, H r, W r] to [*, C r r, H, W]."""
    *batch, channels, height, width = x.shape
    rank = len(batch)
    split_ = x.reshaped((*batch, channels, height // factor, factor, width // factor, factor))
    order = (*range(rank), rank, rank + 2, rank + 4, rank + 1, rank + 3)
    return split_.permuted(order).reshaped(shape_of(op))


@rule("aten.channel_shuffle")
def channel_shuffle(op: Op, x: Reach, groups: int) -> Reach:
    """Channels read with the group as the inner digit."""
    batch, channels, *space = x.shape
    parts = x.reshaped((batch, groups, channels // groups, *space))
    return parts.permuted((0, 2, 1, *range(3, len(parts.shape)))).reshaped(x.shape)


@rule("aten.unfold")
def unfold(op: Op, x: Reach, dim: int, size: int, step: int) -> Reach:
    """Windows of a dimension; the index inside the window comes last."""
    rank = len(x.shape)
    dim = wrapped(dim, rank)
    cut = taps.windows(x.shape[dim], shape_of(op)[dim], size, step)
    order = (*range(dim + 1), *range(dim + 2, rank + 1), dim + 1)
    return x.taken(dim, cut).permuted(order)


@rule("aten.im2col")
def im2col(op: Op, x: Reach, kernel: Any, dilation: Any, padding: Any, stride: Any) -> Reach:
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


@rule("aten.col2im")
def col2im(op: Op, x: Reach, size: list[int], kernel: Any, dilation: Any, padding: Any, stride: Any) -> Reach:
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


def _folded(x: Reach, dim: int, into: Taps, by: int) -> Reach:
    """Tap index (on `dim`) and window (on the next) as the positions they came from."""
    if not x.varies(dim):
        return x.reduced([dim], by).without([dim]).slid(dim, into)
    taps_, windows = x.shape[dim : dim + 2]
    offsets = np.where(into.index == MISSING, 0, np.arange(taps_) * windows)
    return x.reshaped((*x.shape[:dim], taps_ * windows, *x.shape[dim + 2 :])).slid(dim, Taps(into.index + offsets))
