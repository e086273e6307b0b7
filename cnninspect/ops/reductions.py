"""Reductions: sums, means, extremes, norms. They add or compare and count 0 MACs."""

from __future__ import annotations

from typing import Any

from cnninspect.ops.fields import everything, reduced_over, stepped
from cnninspect.ops.registry import Work, aten, register_op
from cnninspect.ops.shapes import Dims, reduced
from cnninspect.receptive.knowledge import Result
from cnninspect.receptive.reach import Reach
from cnninspect.report.quantities import Shape
from cnninspect.trace.records import Op, TensorRef

# --- output shapes ------------------------------------------------------------------------------------------------


def _over(self: TensorRef, dim: Dims = None, keepdim: bool = False, **_: Any) -> tuple[Shape, ...]:
    """The shape without `dim`; without `dim`, a scalar."""
    return (reduced(self.shape, dim, keepdim),)


def _over_twice(self: TensorRef, dim: Dims = None, **options: Any) -> tuple[Shape, ...]:
    """Two results of the reduced shape."""
    return _over(self, dim, **options) * 2


def _extreme(self: TensorRef, dim: Dims = None, keepdim: bool = False) -> tuple[Shape, ...]:
    """A scalar, or along `dim` values and indices."""
    return ((),) if dim is None else _over(self, dim, keepdim) * 2


def _position(self: TensorRef, dim: int | None = None, keepdim: bool = False) -> tuple[Shape, ...]:
    """The index of an extreme of all, or along `dim`."""
    return _over(self, dim, keepdim)


def _most_frequent(self: TensorRef, dim: int = -1, keepdim: bool = False) -> tuple[Shape, ...]:
    """Values and indices along `dim`."""
    return _over(self, dim, keepdim) * 2


def _kth(self: TensorRef, k: int, dim: int = -1, keepdim: bool = False) -> tuple[Shape, ...]:
    """Values and indices along `dim`."""
    return _over(self, dim, keepdim) * 2


def _vector_norm(self: TensorRef, ord: Any = 2, dim: Dims = None, keepdim: bool = False, **_: Any) -> tuple[Shape, ...]:
    """The shape without `dim`."""
    return _over(self, dim, keepdim)


def _scalar(*_: Any, **__: Any) -> tuple[Shape, ...]:
    """A tensor without dimensions."""
    return ((),)


# --- what an output sees ------------------------------------------------------------------------------------------


def _field(op: Op, x: Reach, dim: Any = None, *_: Any, **given: Any) -> Result:
    """Every result sees the dimensions it was computed over."""
    return reduced_over(op, x, given.get("dim", dim))


def _norm_field(op: Op, x: Reach, order: Any = None, dim: Any = None, *_: Any, **__: Any) -> Result:
    """Like any reduction; the dimensions come after the order of the norm."""
    return reduced_over(op, x, dim)


def _kth_field(op: Op, x: Reach, k: int, dim: int = -1, *_: Any) -> Result:
    """Like any reduction."""
    return reduced_over(op, x, dim)


# --- the ops ------------------------------------------------------------------------------------------------------


def _trace_field(op: Op, x: Reach) -> Reach:
    """The diagonal of a matrix, added up."""
    height, width = x.shape
    plane = x.reshaped((height * width,))
    return stepped(plane, 0, 0, min(height, width), width + 1).reduced([0], op.index).without([0])


_SOURCE = "torch, Reduction Ops"

register_op(
    *aten("sum mean prod var std all any count_nonzero logsumexp"),
    output=_over,
    field=_field,
    source=_SOURCE,
    work=Work.REDUCTION,
)
register_op("aten.nansum", output=_over, field=_field, source="torch.nansum", work=Work.REDUCTION, swallows_nan=True)
register_op(*aten("var_mean std_mean"), output=_over_twice, field=_field, source=_SOURCE, work=Work.REDUCTION)
register_op(
    *aten("linalg_vector_norm norm"),
    output=_vector_norm,
    field=_norm_field,
    source="torch.linalg.vector_norm, torch.norm",
    work=Work.REDUCTION,
)
register_op("aten.trace", output=_scalar, field=_trace_field, source="torch.trace", work=Work.REDUCTION)
register_op("aten.dist", output=_scalar, field=everything, source="torch.dist", work=Work.REDUCTION)
register_op(*aten("amax amin"), output=_over, field=_field, source=_SOURCE, work=Work.COMPARISON)
register_op(*aten("aminmax _aminmax"), output=_over_twice, field=_field, source=_SOURCE, work=Work.COMPARISON)
register_op(*aten("max min median"), output=_extreme, field=_field, source=_SOURCE, work=Work.COMPARISON)
register_op(
    "aten.nanmedian",
    output=_extreme,
    field=_field,
    source="torch.nanmedian",
    work=Work.COMPARISON,
    swallows_nan=True,
)
register_op(*aten("argmax argmin"), output=_position, field=_field, source=_SOURCE, work=Work.COMPARISON)
register_op("aten.mode", output=_most_frequent, field=_field, source="torch.mode", work=Work.COMPARISON)
register_op("aten.kthvalue", output=_kth, field=_kth_field, source="torch.kthvalue", work=Work.COMPARISON)
