"""Ops along one dimension: scans, sorting and searching, which count 0 MACs, and Fourier transforms.

How many multiplications a transform takes is the choice of the algorithm: its MACs are unknown, not 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cnninspect.ops.linalg import unknown_macs
from cnninspect.ops.registry import Work, aten, register_op
from cnninspect.ops.rules import axis, by_values, mixed_along, resized, same, shape_of, twice_same
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
    if not x.shape:
        return (x,) * len(op.outputs)
    dim = axis(dim, len(x.shape))

    def change(part: Bounds) -> Bounds:
        if not part.varies(dim):
            return part
        part = part.completed(dim)
        return part.replaced(np.minimum.accumulate(part.table, part.axis(dim)), dim, part.dims[dim]).simplified()

    return (x.moved(x.shape, change),) * len(op.outputs)


# --- the ops ------------------------------------------------------------------------------------------------------


def _search_field(op: Op, boundaries: Reach, values: Any, **_: Any) -> Reach:
    """Each place sees its value and all boundaries of its row."""
    last = len(boundaries.shape) - 1
    rows = boundaries.reduced([last], op.index)
    rows = rows.without([0]) if last == 0 else rows
    return merged((rows, *reaches([values])), shape_of(op), op.index)


register_op(
    *aten("cumsum(_) cumprod(_) logcumsumexp"),
    output=same,
    field=_prefix_field,
    source="torch.cumsum, torch.cumprod, torch.logcumsumexp",
    work=Work.REDUCTION,
)
register_op(
    *aten("cummax cummin"),
    output=twice_same,
    field=_prefix_field,
    source="torch.cummax, torch.cummin",
    work=Work.COMPARISON,
)
register_op("aten.topk", output=_top, field=_topk_field, source="torch.topk", work=Work.COMPARISON, swallows_nan=True)
register_op(
    "aten.sort", output=twice_same, field=_sort_field, source="torch.sort", work=Work.COMPARISON, swallows_nan=True
)
register_op(
    "aten.searchsorted",
    output=_like_values,
    field=_search_field,
    source="torch.searchsorted",
    work=Work.COMPARISON,
)
register_op(
    "aten.bucketize",
    output=lambda self, boundaries, **_: _like_values(boundaries, self),
    field=lambda op, x, boundaries, **_: _search_field(op, boundaries, x),
    source="torch.bucketize",
    work=Work.COMPARISON,
)
register_op(
    "aten.bincount",
    output=by_values,
    field=reads_by_data,
    source="torch.bincount: the values say which bin they are counted in",
    work=Work.REDUCTION,
)
register_op(
    "aten.histc",
    output=lambda self, bins=100, *_: ((bins,),),
    field=reads_by_data,
    source="torch.histc: the values say which bin they are counted in",
    work=Work.REDUCTION,
)


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


for _names, _shapes, _source in (
    ("_fft_r2c", _from_real, "torch.fft.rfftn"),
    ("_fft_c2r", _to_real, "torch.fft.irfftn"),
    ("_fft_c2c", same, "torch.fft.fftn"),
):
    register_op(
        *aten(_names),
        output=_shapes,
        macs=unknown_macs,
        field=_field,
        source=_source,
        swallows_nan="leaves out products with coefficients that are exactly 0, and NaN with them",
    )
