"""Ops along one dimension: scans, sorting and searching, which count 0 MACs, and Fourier transforms.

The algorithm decides how many multiplications a transform takes: its MACs are unknown, not 0. Its operations have a
convention, and are counted by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from typing import Any

import numpy as np

from cnninspect.ops.linalg import unknown_macs
from cnninspect.ops.registry import Work, aten, register_op
from cnninspect.ops.rules import axis, by_values, mixed_along, numel, resized, same, shape_of, twice_same
from cnninspect.receptive.bounds import Bounds
from cnninspect.receptive.knowledge import Result, reads_by_data
from cnninspect.receptive.reach import Reach, merged, reaches
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef


def _top(self: TensorRef, k: int, dim: int = -1, *_: Any) -> tuple[Shape, ...]:
    """`k` values and indices along `dim`."""
    return (resized(self.shape, dim, k),) * 2


def _like_values(sorted_sequence: TensorRef, self: Any, **_: Any) -> tuple[Shape, ...]:
    """One place per value looked up."""
    return (self.shape if isinstance(self, TensorRef) else (),)


def _sort_field(op: Op, x: Reach, dim: int = -1, *_: Any, **given: Any) -> Result:
    """Every value and index sees the whole dimension."""
    return mixed_along(op, x, given.get("dim", dim))


def _topk_field(op: Op, x: Reach, k: int, dim: int = -1, *_: Any) -> Result:
    """Every value and index sees the whole dimension."""
    return mixed_along(op, x, dim)


def _prefix_field(op: Op, x: Reach, dim: int, **_: Any) -> Result:
    """Every element sees those up to itself."""
    return (_prefix(x, dim),) * len(op.outputs)


def _prefix(x: Reach, dim: int) -> Reach:
    if not x.shape:
        return x
    dim = axis(dim, len(x.shape))

    def change(part: Bounds) -> Bounds:
        if not part.varies(dim):
            return part
        part = part.completed(dim)
        return part.replaced(np.minimum.accumulate(part.table, part.axis(dim)), dim, part.dims[dim]).simplified()

    return x.moved(x.shape, change)


def _so_far_field(op: Op, x: Reach, dim: int, **_: Any) -> Result:
    """A sum is 0 where all elements up to itself are, a product where one of them is."""
    seen = _prefix(x, dim)
    if (zero := x.zero) is None or not x.shape:
        return seen
    so_far = np.logical_and if "sum" in op.packet else np.logical_or
    return seen.hidden(np.asarray(so_far.accumulate(zero, axis(dim, len(x.shape)))), 0.0)


def _search_field(op: Op, boundaries: Reach, values: Any, **_: Any) -> Reach:
    """Each place sees its value and all boundaries of its row."""
    last = len(boundaries.shape) - 1
    rows = boundaries.reduced([last], op.index)
    rows = rows.without([0]) if last == 0 else rows
    return merged((rows, *reaches([values])), shape_of(op), op.index)


def _found_among(elements: Any, *_: Any, **__: Any) -> tuple[Shape, ...]:
    """One answer for each element."""
    return (elements.shape if isinstance(elements, TensorRef) else (),)


def _among_field(op: Op, elements: Any, among: Any, *_: Any, **__: Any) -> Result:
    """Every answer sees its element and all elements that it is looked up among."""
    parts = [elements] if isinstance(elements, Reach) else []
    if isinstance(among, Reach):
        dims = range(len(among.shape))
        parts.append(among.reduced(dims, op.index).without(dims))
    return merged(parts, shape_of(op), op.index)


# --- the ops ------------------------------------------------------------------------------------------------------

for _names, _shapes, _rule, _work, _swallows, _source in (
    (
        "cumsum(_) cumprod(_)",
        same,
        _so_far_field,
        Work.REDUCTION,
        False,
        "torch.cumsum, torch.cumprod: y_i = x_1 + ... + x_i, and the product",
    ),
    (
        "logcumsumexp",
        same,
        _prefix_field,
        Work.REDUCTION,
        False,
        "torch.logcumsumexp: the logarithm of exp(x_1) + ... + exp(x_i)",
    ),
    (
        "cummax cummin",
        twice_same,
        _prefix_field,
        Work.COMPARISON,
        False,
        "torch.cummax: y_i = max(x_1, ..., x_i) and where it stands",
    ),
    ("topk", _top, _topk_field, Work.COMPARISON, True, "torch.topk: the k largest of a dimension and where they stand"),
    ("sort", twice_same, _sort_field, Work.COMPARISON, True, "torch.sort: a dimension in order, and where each stood"),
    (
        "searchsorted",
        _like_values,
        _search_field,
        Work.COMPARISON,
        False,
        "torch.searchsorted: how many boundaries lie below each value",
    ),
    (
        "bucketize",
        lambda self, boundaries, **_: _like_values(boundaries, self),
        lambda op, x, boundaries, **_: _search_field(op, boundaries, x),
        Work.COMPARISON,
        False,
        "torch.bucketize: how many boundaries lie below each value",
    ),
    (
        "isin",
        _found_among,
        _among_field,
        Work.COMPARISON,
        False,
        "torch.isin: whether each element equals one of the others",
    ),
    (
        "bincount",
        by_values,
        reads_by_data,
        Work.REDUCTION,
        False,
        "torch.bincount: the values say which bin they are counted in",
    ),
    (
        "histc",
        lambda self, bins=100, *_: ((bins,),),
        reads_by_data,
        Work.REDUCTION,
        False,
        "torch.histc: the values say which bin they are counted in",
    ),
):
    register_op(
        *aten(_names),
        output=_shapes,
        field=_rule,
        source=_source,
        work=_work,
        swallows_nan=_swallows,
        hides=_rule is _so_far_field,
    )


# --- Fourier transforms -------------------------------------------------------------------------------------------


def _from_real(self: TensorRef, dim: Sequence[int], normalization: int, onesided: bool) -> tuple[Shape, ...]:
    """Half of the spectrum plus one along the last of `dim`, or all of it. Source: torch.fft.rfftn."""
    last = dim[-1]
    return (resized(self.shape, last, self.shape[last] // 2 + 1) if onesided else self.shape,)


def _to_real(self: TensorRef, dim: Sequence[int], normalization: int, last_dim_size: int) -> tuple[Shape, ...]:
    """The signal's own size along the last of `dim`. Source: torch.fft.irfftn."""
    return (resized(self.shape, dim[-1], last_dim_size),)


def _field(op: Op, x: Reach, dims: list[int], *_: Any) -> Result:
    """Every coefficient sees the transformed dimensions."""
    return mixed_along(op, x, *dims)


def _operations(whole: TensorRef, dims: Sequence[int], factor: float) -> int:
    """factor * N log2 N for each transform of N points, N the product of the sizes of `dims`, to the nearest integer.

    `whole` is the signal or the spectrum with all its points. A radix-2 algorithm takes (N/2) log2 N butterflies of one
    complex multiplication and two complex additions, 10 real operations in all; a real signal takes half. By convention
    other sizes, prime ones too, count by the same formula, whatever their algorithm takes.
    Source: Cooley & Tukey 1965; Frigo & Johnson, "FFT Benchmark Methodology" (fftw.org/speed/method.html): 5 N log2 N
    for complex and 2.5 N log2 N for real transforms, where N is the product of the sizes of all dimensions.
    """
    points = numel(tuple(whole.shape[dim] for dim in dims))
    return round(factor * numel(whole.shape) * log2(points)) if points else 0


def _complex_operations(op: Op) -> int:
    """5 N log2 N for each transform of N complex points."""
    return _operations(op.args[0], op.args[1], 5)


def _real_operations(op: Op) -> int:
    """2.5 N log2 N for each transform of N real points; the other side is half a spectrum, or all of it."""
    signal = op.args[0] if op.packet == "aten._fft_r2c" else op.outputs[0]
    return _operations(signal, op.args[1], 2.5)


for _names, _shapes, _operations_of, _source in (
    ("_fft_r2c", _from_real, _real_operations, "Y_k = sum_n x_n exp(-2 pi i k n / N) of a real signal, half of it"),
    (
        "_fft_c2r",
        _to_real,
        _real_operations,
        "x_n = sum_k Y_k exp(2 pi i k n / N) / N, a real signal of half a spectrum",
    ),
    ("_fft_c2c", same, _complex_operations, "Y_k = sum_n x_n exp(-2 pi i k n / N) of a complex signal"),
):
    register_op(
        *aten(_names),
        output=_shapes,
        macs=unknown_macs,
        work=Work.TRANSFORM,
        operations=_operations_of,
        field=_field,
        source=f"torch.fft, the discrete Fourier transform: {_source}",
        swallows_nan="leaves out products with coefficients that are exactly 0, and NaN with them",
    )
